r"""A list of changes as an mtree file, the form that BSD's mtree(8) and libarchive read.

A line is a path (``./etc/motd``, with ``\ooo`` for every byte that is not plain, as vis(3) has it) and
keywords of mtree(5): ``type``, ``mode``, ``uid``, ``gid``, ``size``, ``sha256digest``, ``link``, ``device``.
What there is no keyword for stands in comments: ``# deleted: PATH``, and before the line of a path
``# hard link of: PATH`` and ``# capability: HEX``. Times are not told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from snapshot.changeset.entry import FileEntry, FileType, PathChange
from snapshot.engine.types import ChangeKind

_TYPES = {
    FileType.FILE: "file",
    FileType.FOLDER: "dir",
    FileType.SYMLINK: "link",
    FileType.CHARACTER_DEVICE: "char",
    FileType.BLOCK_DEVICE: "block",
    FileType.FIFO: "fifo",
}
# Not plain: blanks, what begins a comment or ends a keyword, what a pattern has, and all that is not ASCII.
_NOT_PLAIN = re.compile(rb"[^\x21-\x7e]|[#*=?\[\\\]]")


def mtree(changes: Iterable[PathChange]) -> Iterator[bytes]:
    """The lines of the file, each with its end; sockets, which no layer holds, are left out."""
    yield b"#mtree\n# What an image changes in its base.\n"
    for change in changes:
        if change.kind is ChangeKind.DELETED:
            yield f"# deleted: {_name(change.path)}\n".encode()
        elif change.file:
            yield _line(change.file).encode()


def _line(entry: FileEntry) -> str:
    words = [_name(entry.path), f"type={_TYPES[entry.type]}", f"mode={entry.mode:04o}"]
    words += [f"uid={entry.uid}", f"gid={entry.gid}"]
    if entry.type is FileType.FILE:
        words += [f"size={entry.size_bytes}", f"sha256digest={entry.sha256}"]
    if entry.link_target:
        words.append(f"link={_visible(entry.link_target)}")
    if entry.device:
        words.append(f"device=linux,{entry.device.replace(':', ',')}")
    comments = f"# hard link of: {_name(entry.hard_link)}\n" if entry.hard_link else ""
    comments += f"# capability: {entry.capability}\n" if entry.capability else ""
    return f"{comments}{' '.join(words)}\n"


def _name(path: str) -> str:
    return f".{_visible(path)}" if path != "/" else "."


def _visible(text: str) -> str:
    r"""Text without blanks and patterns.

    >>> _visible("/caf\udce9 #1")
    '/caf\\351\\040\\0431'
    """
    raw = text.encode("utf-8", "surrogateescape")
    return _NOT_PLAIN.sub(lambda match: b"\\%03o" % match[0][0], raw).decode("ascii")
