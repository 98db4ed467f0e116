"""Write two small packages as wheels: what `pip download -r requirements.txt -d wheels` would fetch."""

import sys
from pathlib import Path
from zipfile import ZipFile

PACKAGES = {
    ("greeting", "1.0"): "def greet(name):\n    return f'Hello, {name}.'\n",
    ("shouting", "2.1"): "def shout(text):\n    return text.upper().replace('.', '!')\n",
}


def make_wheels(folder: Path) -> None:
    """Write each package as a wheel (the wheel format, PyPA specifications) into ``folder``."""
    folder.mkdir(exist_ok=True)
    for (name, version), source in PACKAGES.items():
        about = f"{name}-{version}.dist-info"
        files = {
            f"{name}.py": source,
            f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(f"{path},,\n" for path in (*files, f"{about}/RECORD"))
        with ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            for path, text in (files | {f"{about}/RECORD": record}).items():
                wheel.writestr(path, text)


if __name__ == "__main__":
    make_wheels(Path(sys.argv[1]))
