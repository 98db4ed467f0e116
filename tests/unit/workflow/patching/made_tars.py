"""Tars of any members, and what was read of them as lines."""

from __future__ import annotations

import io
import tarfile

from snapshot.changeset.entry import FileEntry
from snapshot.workflow.patching.sources import Gathered

FILE, FOLDER, SYMLINK, HARD, DEVICE, FIFO = (
    tarfile.REGTYPE,
    tarfile.DIRTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.CHRTYPE,
    tarfile.FIFOTYPE,
)
MTIME_S = 1_000_000_000


def info(name: str, type: bytes = FILE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mtime = type, target, MTIME_S
    made.mode = 0o755 if type == FOLDER else 0o640
    made.uid, made.gid = 11, 12
    made.devmajor, made.devminor = 1, 3
    return made


def tar(*members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT, errors="surrogateescape") as made:
        for member in members:
            found, content = member if isinstance(member, tuple) else (member, b"")
            found.size = len(content)
            made.addfile(found, io.BytesIO(content))
    return stream.getvalue()


def lines(found: Gathered) -> list[str]:
    return [
        f"{piece.entry.type.value} {piece.entry.path} {piece.entry.mode:o} {piece.entry.owner}"
        + (f" -> {piece.entry.link_target or piece.entry.hard_link}" if _leads(piece.entry) else "")
        for piece in found.pieces
    ]


def _leads(entry: FileEntry) -> bool:
    return bool(entry.link_target or entry.hard_link)
