"""Tar streams of an engine as a sequence of members with absolute paths, hashed in one pass."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.errors import EngineGone

_CHUNK_BYTES = 1 << 20

_TYPES = {
    tarfile.REGTYPE: FileType.FILE,
    tarfile.AREGTYPE: FileType.FILE,
    tarfile.CONTTYPE: FileType.FILE,
    tarfile.DIRTYPE: FileType.FOLDER,
    tarfile.SYMTYPE: FileType.SYMLINK,
    tarfile.CHRTYPE: FileType.CHARACTER_DEVICE,
    tarfile.BLKTYPE: FileType.BLOCK_DEVICE,
    tarfile.FIFOTYPE: FileType.FIFO,
}


@dataclass(frozen=True)
class Member:
    """One member of a stream: an entry, or a further name of a file that came before (``link_to``)."""

    entry: FileEntry
    mtime: float
    link_to: str = ""


def read_members(stream: IO[bytes], root: str, *, strip: int, hash_content: bool) -> Iterator[Member]:
    """The members of a tar stream, paths made absolute.

    Parameters
    ----------
    stream:
        The tar as it comes; read once, forwards, in bounded memory.
    root:
        The path in the container for the names' first ``strip`` components.
    strip:
        1 for the archive of a path (names begin with its last part), 0 for an export or a layer.
    hash_content:
        Whether to read the files and give their sha256.

    Raises :class:`~snapshot.errors.EngineGone` where the stream breaks off or is no tar.
    """
    try:
        with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:
            for info in tar:
                path = _absolute(info.name, root, strip)
                if info.islnk():
                    entry = _entry(info, path, FileType.FILE)
                    yield Member(entry, info.mtime, link_to=_absolute(info.linkname, root, strip))
                elif info.type in _TYPES:
                    content = tar.extractfile(info) if hash_content and info.isfile() else None
                    digest = sha256_hex(content) if content else ""
                    yield Member(_entry(info, path, _TYPES[info.type], digest), info.mtime)
    except tarfile.TarError as error:
        raise EngineGone(
            f"The engine's archive of '{root}' broke off or is damaged ({error}).",
            "See whether the engine still runs with `snap engine`, then try again.",
        ) from error


def _absolute(name: str, root: str, strip: int) -> str:
    parts = [part for part in name.split("/") if part not in {"", "."}][strip:]
    return "/" + "/".join([part for part in root.split("/") if part] + parts)


def _entry(info: tarfile.TarInfo, path: str, file_type: FileType, sha256: str = "") -> FileEntry:
    is_device = file_type in {FileType.CHARACTER_DEVICE, FileType.BLOCK_DEVICE}
    return FileEntry(
        path=path,
        type=file_type,
        mode=info.mode & 0o7777,
        uid=info.uid,
        gid=info.gid,
        size_bytes=info.size if file_type is FileType.FILE else 0,
        sha256=sha256,
        link_target=info.linkname if file_type is FileType.SYMLINK else "",
        device=f"{info.devmajor}:{info.devminor}" if is_device else "",
    )


def sha256_hex(content: IO[bytes]) -> str:
    """Hex sha256 of a stream, read to its end in bounded memory."""
    digest = hashlib.sha256()
    while chunk := content.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()
