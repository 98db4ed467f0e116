"""This machine's own managers of packages inside containers, with packages to install: dpkg, pip, npm."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from zipfile import ZipFile

from python_base import libraries_of
from sandbox import Sandbox

#: Where the packages are that can be installed.
SHELF = "/shelf"
_DPKG = ("dpkg", "dpkg-deb", "dpkg-query", "dpkg-split", "tar")
#: Packages of Debian that are installed already, by dpkg's list.
_INSTALLED = ("base-files", "dpkg", "libc6", "tar")


def add_managers(tar: tarfile.TarFile, draft: Path) -> None:
    """Put dpkg, npm and packages for all of them beside Python and pip; they are made in ``draft``."""
    node, npm = _program("node"), _program("npm").resolve()
    programs = [*map(_program, _DPKG), node]
    # No layer may have a path twice, and Python needs some of these libraries too.
    there = set(tar.getnames())
    for path in [*programs, *libraries_of(programs)]:
        if str(path).lstrip("/") not in there:
            tar.add(path.resolve(), str(path))
    # Beside npm stands what it needs.
    tar.add(npm.parents[2], str(npm.parents[2]))
    _add(tar, "usr/bin/npm", f'#!/bin/sh\nexec {node} {npm} "$@"\n'.encode(), 0o755)
    command = ["dpkg-query", "-s", *_INSTALLED]
    status = subprocess.run(command, capture_output=True, check=True).stdout
    _add(tar, "var/lib/dpkg/status", status)
    for name in _INSTALLED:
        _add(tar, f"var/lib/dpkg/info/{name}.list", b"/.\n")
    for folder in ("var/lib/dpkg/updates", "tmp"):
        _add(tar, f"{folder}/.keep", b"")
    for name, content in _packages(draft):
        _add(tar, f"{SHELF}/{name}", content)


def debian_packages(space: Sandbox, container: str) -> dict[str, str]:
    """Version by ``NAME:ARCHITECTURE``, as dpkg lists what is installed."""
    form = r"${db:Status-Status} ${Package}:${Architecture} ${Version}\n"
    lines = space.sh(container, f"dpkg-query -W -f '{form}'").splitlines()
    rows = [line.split(" ") for line in lines]
    return {row[1]: row[2] for row in rows if row[0] == "installed"}


def python_packages(space: Sandbox, container: str, other: str) -> dict[str, str]:
    """Version by ``PLACE/NAME``, as pip lists what is in its own place and in another one."""
    script = f"""
site=$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
python3 -m pip list --disable-pip-version-check --verbose --format json --path "$site" --path {other}
"""
    listed = json.loads(space.sh(container, script))
    return {f"{item['location']}/{item['name']}": item["version"] for item in listed}


def node_packages(space: Sandbox, container: str, options: str) -> dict[str, str]:
    """Version by path, as npm lists its tree."""
    found: dict[str, str] = {}
    waiting = [json.loads(space.sh(container, f"npm ls --all --long --json {options}"))]
    while waiting:
        for item in waiting.pop().get("dependencies", {}).values():
            found[item["path"]] = item["version"]
            waiting.append(item)
    return found


def _program(name: str) -> Path:
    found = shutil.which(name)
    assert found, f"{name} is not installed here"
    return Path(found)


def _add(tar: tarfile.TarFile, path: str, content: bytes, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(path.lstrip("/"))
    info.size, info.mode = len(content), mode
    tar.addfile(info, io.BytesIO(content))


def _packages(draft: Path) -> Iterator[tuple[str, bytes]]:
    for name, version in (("tool", "1.0-1"), ("tool", "1:0.9-1"), ("library", "2.4"), ("fresh", "0~rc1")):
        yield f"{name}-{version.partition(':')[2] or version}.deb", _deb(draft, name, version)
    for name, version in (
        ("Demo_Alpha", "1.0"),
        ("demo-alpha", "1.1"),
        ("beta", "3.0"),
        ("gamma", "0.1.dev1"),
    ):
        yield f"{name.replace('-', '_')}-{version}-py3-none-any.whl", _wheel(name, version)
    inner = {"node_modules/inner/package.json": {"name": "inner", "version": "0.0.7"}}
    yield "outer-1.0.0.tgz", _node_package("outer", "1.0.0", inner)
    yield "outer-2.0.0-beta.1.tgz", _node_package("outer", "2.0.0-beta.1", {})
    yield "scoped-5.1.0.tgz", _node_package("@demo/scoped", "5.1.0", {})


def _deb(draft: Path, name: str, version: str) -> bytes:
    tree = draft / f"{name}-{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    about = f"Package: {name}\nVersion: {version}\nArchitecture: all\nDescription: x\n"
    (tree / "DEBIAN/control").write_text(f"{about}Maintainer: x <x@example.org>\n")
    (tree / "DEBIAN/conffiles").write_text(f"/etc/{name}.conf\n")
    (tree / "etc").mkdir()
    (tree / f"etc/{name}.conf").write_text("x\n")
    out = draft / f"{name}.deb"
    command = ["dpkg-deb", "-Zgzip", "--root-owner-group", "-b", str(tree), str(out)]
    subprocess.run(command, capture_output=True, check=True)
    return out.read_bytes()


def _wheel(name: str, version: str) -> bytes:
    about = f"{name.replace('-', '_')}-{version}.dist-info"
    files = {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: x\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{about}/RECORD"))
    out = io.BytesIO()
    with ZipFile(out, "w") as wheel:
        for path, text in (files | {f"{about}/RECORD": record}).items():
            wheel.writestr(path, text)
    return out.getvalue()


def _node_package(name: str, version: str, bundled: Mapping[str, Mapping[str, str]]) -> bytes:
    names = [about["name"] for about in bundled.values()]
    needs = {other["name"]: other["version"] for other in bundled.values()}
    about = {"name": name, "version": version, "bundleDependencies": names, "dependencies": needs}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path, document in {"package.json": about, **bundled}.items():
            _add(tar, f"package/{path}", json.dumps(document).encode())
    return out.getvalue()
