"""A base image with Python, where no registry can be reached: the one that runs the tests, packed."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from zipfile import ZipFile

import docker
import lookalike

_PIP = "/usr/share/pip"
_LEFT_OUT = re.compile(r"/(__pycache__|test|tests|idlelib|tkinter|site-packages|dist-packages|config-[^/]*)$")


def make_python(
    client: docker.APIClient, name: str, add: Callable[[tarfile.TarFile], None] | None = None
) -> str:
    """Make the image: busybox for a shell, Python at its own place, ``python3`` and pip; returns its ID.

    ``add`` may put more into its root folder.
    """
    out = io.BytesIO(lookalike.root_tar())
    with tarfile.open(fileobj=out, mode="a") as tar:
        for path in _files():
            tar.add(path.resolve(), str(path), filter=_plain)
        _add_pip(tar)
        link = tarfile.TarInfo("usr/local/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, str(_program())
        tar.addfile(link)
        if add:
            add(tar)
    config = [f"ENV PATH={lookalike.PATH} PYTHONPATH={_PIP}", 'CMD ["python3"]']
    return lookalike.import_image(client, name, out.getvalue(), config)


def _program() -> Path:
    """The interpreter itself, not that of a virtual environment."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return Path(sys.base_prefix, "bin", version)


def _files() -> Iterator[Path]:
    """The interpreter, its library, and the shared libraries of both."""
    library = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}))
    yield library
    modules = [*library.glob("lib-dynload/*.so"), _program()]
    yield _program()
    yield from libraries_of(modules)


def libraries_of(programs: Iterable[Path]) -> list[Path]:
    """The shared libraries that programs or modules need, the loader among them."""
    told = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True).stdout
    return [Path(path) for path in sorted(set(re.findall(r"^\t(?:\S+ => )?(/\S+) \(0x", told, re.MULTILINE)))]


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if _LEFT_OUT.search(f"/{info.name}"):
        return None
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    return info


def _add_pip(tar: tarfile.TarFile) -> None:
    """Pip as Python brings it along, for the interpreter to find."""
    import ensurepip

    folders = [Path(ensurepip.__file__).with_name("_bundled"), Path("/usr/share/python-wheels")]
    wheel = next(path for folder in folders for path in folder.glob("pip-*.whl"))
    with ZipFile(wheel) as archive:
        for member in archive.infolist():
            info = tarfile.TarInfo(f"{_PIP.lstrip('/')}/{member.filename}")
            info.size = member.file_size
            tar.addfile(info, io.BytesIO(archive.read(member)))
