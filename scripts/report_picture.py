"""Make the README's picture of a report: the lab, reported on, as Chromium shows it.

The engine is the one that snap finds; it is to have ``diamol/ch03-lab``, and nothing called ``lab``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

_SIZE = "1280,2200"
_RUN = ("run", "-d", "-q", "--name", "lab", "--network", "none", "diamol/ch03-lab", "--")
_LAB = (
    (*_RUN, "sleep", "600"),
    ("exec", "-e", "WHO=Elton", "lab", "--", "sh", "-c", 'echo "$WHO" >> ch03.txt'),
    ("exec", "lab", "--", "rm", "/bin/wc"),
    ("commit", "-q", "lab", "ch03-change", "-m", "sign the lab"),
)
# Root may not use the sandbox; the rest keeps the browser from asking its maker for news.
_CHROMIUM = (
    *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    f"--window-size={_SIZE}",
)


def take(picture: Path) -> None:
    """Play the lab, write the report on its image, and take the picture of it."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.html")
        for arguments in (*_LAB, ("report", "ch03-change", "-o", str(report))):
            subprocess.run(["snap", *arguments], check=True, stdout=subprocess.DEVNULL)
        # What differs inside of changed files shows when it is unfolded.
        page = report.read_text("utf-8")
        report.write_text(
            page.replace('<li data-kind="C"><details>', '<li data-kind="C"><details open>'), "utf-8"
        )
        places = [f"--user-data-dir={folder}/profile", f"--screenshot={picture.resolve()}", report.as_uri()]
        subprocess.run([*_CHROMIUM, *places], check=True, stderr=subprocess.DEVNULL)


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="scripts/report_picture", description=__doc__)
    parser.add_argument(
        "picture", type=Path, nargs="?", default=Path("docs/report.png"), help="[%(default)s]"
    )
    arguments = parser.parse_args()
    try:
        take(arguments.picture)
    finally:
        for remove in (["docker", "rm", "-f", "lab"], ["docker", "rmi", "-f", "ch03-change"]):
            subprocess.run(remove, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
