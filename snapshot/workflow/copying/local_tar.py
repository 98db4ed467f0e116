"""Local files as a stream of tar that notes what is in it.

Nothing is kept in memory but the piece at hand. The names in the tar are those below the folder that an
engine unpacks it in.
"""

from __future__ import annotations

import errno
import hashlib
import os
import posixpath
import stat
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from snapshot.changeset.entry import FILE_TYPES, FileEntry, FileType
from snapshot.changeset.member import CAPABILITY
from snapshot.changeset.tar_header import END, header, padding
from snapshot.errors import SnapError
from snapshot.journal.step import Copied

#: So many files are noted with their digests; what comes after them is counted, and no more.
MOST_NOTED = 1_000

# Files up to this size are read before their header is written: they are whole in the tar, or not in it.
_READ_WHOLE_BYTES = 1 << 20
_PIECE_BYTES = 256 << 10
_BATCH_BYTES = 64 << 10


class Contents:
    """What a stream brought by now.

    Attributes
    ----------
    files, size_bytes:
        Number of regular files, and their bytes; a further name of a file counts as a file without bytes.
    copied:
        The first :data:`MOST_NOTED` files with their digests, under their paths in the container.
    skipped:
        Local paths that no tar can hold: sockets.
    """

    def __init__(self) -> None:
        self.files = self.size_bytes = 0
        self.copied: list[Copied] = []
        self.skipped: list[str] = []

    def note(self, path: str, sha256: str, size_bytes: int, *, further_name: bool = False) -> None:
        """Count a file; ``path`` is where it stands in the container."""
        self.files += 1
        if not further_name:
            self.size_bytes += size_bytes
        if len(self.copied) < MOST_NOTED:
            self.copied.append(Copied(path, sha256, size_bytes))


class _Found(NamedTuple):
    """Something that is to be copied: its local path, its name in the tar, and what the kernel says of it."""

    path: Path
    name: str
    stat: os.stat_result


class _First(NamedTuple):
    """The name that a file of many names came under, and what it held."""

    path: str
    sha256: str
    size_bytes: int


class LocalTar:
    """A tar of a local file or folder; links in it stay links.

    Mode, time (in whole seconds, as Docker sends them), hard links and ``security.capability`` are kept.

    Parameters
    ----------
    path:
        The file or folder. Where it is a link, the link itself is meant.
    name:
        What it is called in the tar; for a folder it may be empty: then what is in it stands at the top.
    folder:
        The folder in the container, for the paths in :attr:`contents`.
    keep_owner:
        Keep the numbers of user and group; else all belongs to root.
    """

    def __init__(self, path: Path, name: str, folder: str, *, keep_owner: bool) -> None:
        self.contents = Contents()
        self._path = path
        self._name = name
        self._folder = folder
        self._keep_owner = keep_owner
        self._firsts: dict[tuple[int, int], _First] = {}

    def size_bytes(self) -> int:
        """The bytes of all files in it, once it is sure that each can be read.

        Raises :class:`~snapshot.errors.SnapError` for the first that cannot, before anything is copied.
        """
        total = 0
        for found in self._walk():
            kind = stat.S_IFMT(found.stat.st_mode)
            if kind == stat.S_IFREG:
                if not os.access(found.path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
                    raise _unreadable(found.path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
                total += found.stat.st_size
        return total

    def __iter__(self) -> Iterator[bytes]:
        """The tar in pieces.

        Raises :class:`~snapshot.errors.SnapError` for what cannot be read, and for a file that was cut or
        grew while it was read. A small file is then not in the tar at all. One of more than a megabyte is
        there in part, since the first of its bytes are gone already.
        """
        return batched(self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        for found in self._walk():
            kind = FILE_TYPES.get(stat.S_IFMT(found.stat.st_mode))
            if kind is None:
                self.contents.skipped.append(str(found.path))
            elif kind is FileType.FILE:
                yield from self._file(found)
            else:
                target = ""
                if kind is FileType.SYMLINK:
                    with _reading(found.path):
                        target = str(found.path.readlink())
                device = ""
                if kind in {FileType.CHARACTER_DEVICE, FileType.BLOCK_DEVICE}:
                    device = f"{os.major(found.stat.st_rdev)}:{os.minor(found.stat.st_rdev)}"
                yield self._header(found, kind, link_target=target, device=device)
        yield END

    def _walk(self) -> Iterator[_Found]:
        """All that is to be copied, in lexical order, a folder before what is in it."""
        pending = [(self._path, self._name)]
        while pending:
            path, name = pending.pop()
            with _reading(path):
                found = _Found(path, name, path.lstat())
            if name:
                yield found
            if stat.S_ISDIR(found.stat.st_mode):
                with _reading(path):
                    below = sorted(path.iterdir(), key=os.fsencode, reverse=True)
                pending += [(entry, posixpath.join(name, entry.name)) for entry in below]

    def _file(self, found: _Found) -> Iterator[bytes]:
        identity = (found.stat.st_dev, found.stat.st_ino)
        first = self._firsts.get(identity)
        if first:
            self.contents.note(self._there(found), first.sha256, first.size_bytes, further_name=True)
            yield self._header(found, FileType.FILE, hard_link=f"/{first.path}")
            return
        # Without O_NONBLOCK a pipe that took the file's place would keep us waiting.
        with _reading(found.path):
            descriptor = os.open(found.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            now = os.fstat(descriptor)
            if (now.st_dev, now.st_ino) != identity:
                raise self._changed(found.path, in_part=False)
            xattrs = _capability_of(descriptor)
            if now.st_size > _READ_WHOLE_BYTES:
                sha256 = yield from self._large_file(found._replace(stat=now), file, xattrs)
                size = now.st_size
            else:
                content = self._whole(found.path, file)
                size = len(content)
                sha256 = hashlib.sha256(content).hexdigest()
                yield self._header(found, FileType.FILE, size_bytes=size, xattrs=xattrs)
                yield content + padding(size)
        if found.stat.st_nlink > 1:
            self._firsts[identity] = _First(found.name, sha256, size)
        self.contents.note(self._there(found), sha256, size)

    def _whole(self, path: Path, file: IO[bytes]) -> bytes:
        """All of a small file. Files of ``/proc`` say that they are empty, and are not."""
        content = bytearray()
        with _reading(path):
            while piece := file.read(_READ_WHOLE_BYTES + 1):
                content += piece
                if len(content) > _READ_WHOLE_BYTES:
                    raise self._changed(path, in_part=False)
        return bytes(content)

    def _large_file(
        self, found: _Found, file: IO[bytes], xattrs: dict[str, bytes]
    ) -> Generator[bytes, None, str]:
        """A file in pieces; returns its digest."""
        size = left = found.stat.st_size
        digest = hashlib.sha256()
        yield self._header(found, FileType.FILE, size_bytes=size, xattrs=xattrs)
        while left:
            with _reading(found.path):
                piece = file.read(min(left, _PIECE_BYTES))
            if not piece:
                raise self._changed(found.path, in_part=True)
            left -= len(piece)
            digest.update(piece)
            if not left and os.fstat(file.fileno()).st_size != size:
                # Before its last piece is sent, so that it does not look whole.
                raise self._changed(found.path, in_part=True)
            yield piece
        yield padding(size)
        return digest.hexdigest()

    def _header(
        self,
        found: _Found,
        kind: FileType,
        *,
        size_bytes: int = 0,
        link_target: str = "",
        hard_link: str = "",
        device: str = "",
        xattrs: dict[str, bytes] | None = None,
    ) -> bytes:
        owner = (found.stat.st_uid, found.stat.st_gid) if self._keep_owner else (0, 0)
        entry = FileEntry(
            f"/{found.name}",
            kind,
            stat.S_IMODE(found.stat.st_mode),
            *owner,
            size_bytes,
            link_target=link_target,
            hard_link=hard_link,
            device=device,
        )
        return header(entry, int(found.stat.st_mtime_ns // 10**9), xattrs or {})

    def _there(self, found: _Found) -> str:
        return posixpath.join(self._folder, found.name)

    def _changed(self, path: Path, *, in_part: bool) -> SnapError:
        what = f"'{path}' changed while it was copied."
        if not in_part:
            return SnapError(what, "Copy again when nothing writes to it; this file was not copied.")
        return SnapError(
            what, "A part of it may be in the container now: copy it again when nothing writes to it."
        )


def batched(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in fewer pieces: each costs a call."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _BATCH_BYTES:
            # Content that fills a batch by itself is not copied once more.
            yield b"".join(waiting) if len(waiting) > 1 else piece
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> SnapError:
    return SnapError(f"'{path}' cannot be read: {error.strerror}.")


def _capability_of(descriptor: int) -> dict[str, bytes]:
    if not hasattr(os, "getxattr"):
        return {}
    try:
        return {CAPABILITY: os.getxattr(descriptor, CAPABILITY)}
    except OSError:
        # The file has none, or its file system knows no attributes.
        return {}
