"""Scripts that make one kind of change each, and the lines that ``snap diff`` has for it (conformance D)."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

import lookalike


@dataclass(frozen=True)
class Case:
    """One script that is run in a folder of its own, and the lines that the table has for it.

    Attributes
    ----------
    name:
        The conformance ID, and the name of the folder.
    expected:
        The lines without their alignment: letter, type, mode, owner, size, path below the folder.
    """

    name: str
    script: str
    expected: tuple[str, ...]

    @property
    def folder(self) -> str:
        return f"/{self.name}"


HERE = "C folder 0755 0:0 - ."  # a folder with a change in it is listed as changed
FILE_GONE, TREE_GONE = "D - - - - file", "D - - - - tree"

CASES = [
    Case(
        "D02",
        "mkdir new && echo x > new/file",
        (HERE, "A folder 0755 0:0 - new", "A file 0644 0:0 2 new/file"),
    ),
    Case("D06", "rm file", (HERE, FILE_GONE)),
    Case("D07", "rm -r tree", (HERE, TREE_GONE)),
    Case("D09", "rm link", (HERE, "D - - - - link")),
    Case("D10", "echo rewritten > file", (HERE, "C file 0644 0:0 10 file")),
    Case(
        "D11", "rm file && echo other > file && chmod 4711 file", (HERE, "C file 4711 0:0 6 file")
    ),  # not D and A
    Case(
        "D14",
        "rm file && mkdir file && echo x > file/inside",
        (HERE, "C folder 0755 0:0 - file", "A file 0644 0:0 2 file/inside"),
    ),
    Case("D14-back", "rm -r tree && echo x > tree", (HERE, "C file 0644 0:0 2 tree")),
    Case("D16", "ln -s /no/where new", (HERE, "A symlink 0777 0:0 - new -> /no/where")),
    Case("D17", "ln -sfn tree/a link", (HERE, "C symlink 0777 0:0 - link -> tree/a")),
    Case("D18", "chmod 2640 file", (HERE, "C file 2640 0:0 4 file")),
    Case("D19", "chown 1234:4321 file", (HERE, "C file 0644 1234:4321 4 file")),
    # The engine compares time and size, and no content: the same time again is no change.
    Case("D20", "cp -p file copy && cat copy > file && touch -r copy file && rm copy", ()),
    Case("D24", "touch new", (HERE, "A file 0644 0:0 0 new")),  # and not `empty`, nor (D25) `odd-link`
    Case(
        "D26",
        "touch private/new shared/new open/new",
        (
            HERE,
            "C folder 0777 0:0 - open",
            "A file 0644 0:0 0 open/new",
            "C folder 0700 0:0 - private",
            "A file 0644 0:0 0 private/new",
            "C folder 0751 0:0 - shared",
            "A file 0644 0:0 0 shared/new",
        ),
    ),
    Case(
        "D27",
        "rm tree/sub/b && echo new > tree/sub/c",
        (
            HERE,
            "C folder 0755 0:0 - tree",
            "C folder 0755 0:0 - tree/sub",
            "D - - - - tree/sub/b",
            "A file 0644 0:0 4 tree/sub/c",
        ),
    ),
    Case("D29", "mv file renamed", (HERE, FILE_GONE, "A file 0644 0:0 4 renamed")),
    Case("D29-over", "echo new > n && mv n file", (HERE, "C file 0644 0:0 4 file")),
    Case(
        "D30",
        "mv tree moved",
        (
            HERE,
            "A folder 0755 0:0 - moved",
            "A file 0644 0:0 2 moved/a",
            "A folder 0755 0:0 - moved/sub",
            "A file 0644 0:0 2 moved/sub/b",
            TREE_GONE,
        ),
    ),
    Case(
        "D35",
        "rm -r tree && mkdir tree && echo x > tree/new",
        (
            HERE,
            "C folder 0755 0:0 - tree",
            "D - - - - tree/a",
            "A file 0644 0:0 2 tree/new",
            "D - - - - tree/sub",
        ),
    ),
    Case(
        "links",
        "mkdir m n && echo x > n/a && ln n/a m/b && ln n/a n/0 && touch e && ln e f",
        (
            HERE,
            "A file 0644 0:0 0 e",
            "A file 0644 0:0 0 f = /links/e",
            "A folder 0755 0:0 - m",
            "A file 0644 0:0 2 m/b",
            "A folder 0755 0:0 - n",
            "A file 0644 0:0 2 n/0 = /links/m/b",
            "A file 0644 0:0 2 n/a = /links/m/b",
        ),
    ),
    Case(
        "types",
        "mkdir -m 1777 d && echo -n four > f && chmod 6755 f && ln -s f l && mkfifo -m 600 p "
        "&& mknod -m 666 null c 1 3 && mknod -m 660 disk b 259 65537 && ln f second && chown -h 7:8 l",
        (
            HERE,
            "A folder 1777 0:0 - d",
            "A blockdev 0660 0:0 259:65537 disk",
            "A file 6755 0:0 4 f",
            "A symlink 0777 7:8 - l -> f",
            "A chardev 0666 0:0 1:3 null",
            "A fifo 0600 0:0 - p",
            "A file 6755 0:0 4 second = /types/f",
        ),
    ),
]
FOLDERS = [case.folder for case in CASES] + ["/D32"]


def entries_of(folder: str) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """What the base image has in the folder of each case."""

    def entry(name: str, kind: bytes, mode: int, content: bytes = b"", target: str = "") -> tarfile.TarInfo:
        info = tarfile.TarInfo(f"{folder.strip('/')}/{name}")
        info.type, info.mode, info.linkname, info.mtime = kind, mode, target, lookalike.MTIME
        info.size = len(content)
        return info

    yield entry("", tarfile.DIRTYPE, 0o755), b""
    for name, mode in {"tree": 0o755, "tree/sub": 0o755}.items():
        yield entry(name, tarfile.DIRTYPE, mode), b""
    for name, mode in {"private": 0o700, "shared": 0o751, "open": 0o777}.items():
        yield entry(name, tarfile.DIRTYPE, mode), b""
    for name, content in {"file": b"old\n", "tree/a": b"a\n", "tree/sub/b": b"b\n", "empty": b""}.items():
        yield entry(name, tarfile.REGTYPE, 0o644, content), content
    yield entry("link", tarfile.SYMTYPE, 0o777, target="file"), b""
    yield entry("other-name", tarfile.LNKTYPE, 0o644, target=f"{folder.strip('/')}/file"), b""
    odd = entry("odd-link", tarfile.SYMTYPE, 0o777, target="file")
    odd.pax_headers = {"mtime": "0.000000042"}
    yield odd, b""
