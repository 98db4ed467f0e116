"""Writing a layer: a canonical tar in a spool file, hashed while it is written.

The same pieces give the same bytes, in whatever order they came: lexical by path components, as an engine's
archives are. What came in that order is the layer as it was written; any other layer is put together of what
was written, each time that it is read.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.member import Chunk, Member
from snapshot.changeset.paths import component_order
from snapshot.changeset.tar_header import END, entry_in_tar, header, padding, whiteout_header
from snapshot.errors import ContainerUnusable, DiskFull

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """What a layer holds at one path; ``offset`` says where a file's content stands in the spool."""

    entry: FileEntry
    mtime_s: int
    xattrs: Mapping[str, bytes] = field(default_factory=dict)
    offset: int = -1

    def as_link(self, path: str, first: str) -> Piece:
        """The same file under another name; ``first`` is its first name, empty where this one is to be it."""
        return replace(self, entry=replace(self.entry, path=path, hard_link=first))


@dataclass(frozen=True)
class Whiteout:
    """A path of the layers below that is not to be seen (OCI image spec, ``layer.md``, whiteouts)."""

    path: str


@dataclass(frozen=True)
class Layer:
    """A finished layer: an uncompressed tar that can be read as often as wanted.

    Attributes
    ----------
    diff_id:
        ``sha256:…`` of the tar (OCI image spec, ``rootfs.diff_ids``).
    parts:
        Gives the tar where it is not what the file holds from beginning to end.
    """

    file: IO[bytes]
    size_bytes: int
    diff_id: str
    parts: Callable[[], Iterator[bytes]] | None = None

    def chunks(self) -> Iterator[bytes]:
        """The tar from its beginning, in pieces of about 1 MiB."""
        if self.parts is not None:
            yield from self.parts()
            return
        position = 0
        while chunk := os.pread(self.file.fileno(), _PIECE_BYTES, position):
            yield chunk
            position += len(chunk)


class LayerSpool:
    """A layer that is being written.

    Parameters
    ----------
    whiteouts:
        The deleted paths, in canonical order.
    latest_mtime_s:
        Files that are newer get this time.
    on_bytes:
        Told how many bytes of content have been written since it was told last.
    """

    reads_content = True

    def __init__(
        self,
        whiteouts: Sequence[str] = (),
        *,
        latest_mtime_s: int | None = None,
        on_bytes: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._whiteouts = list(reversed(whiteouts))
        self.latest_mtime_s = latest_mtime_s
        self._on_bytes = on_bytes
        self._file = _Spool()
        self._written: list[Piece | Whiteout] = []
        self._last_key: list[bytes] = []
        self._in_order = True

    def __enter__(self) -> LayerSpool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, member: Member) -> Piece:
        """Take a member with its content; what it became has the content's sha256."""
        self._before(member.entry.path)
        entry = member.entry
        self._file.write(header(entry, self._mtime_s(member.mtime_s), member.xattrs))
        if entry.type is not FileType.FILE:
            return self._noted(Piece(entry, member.mtime_s, member.xattrs))
        offset = self._file.position
        digest = hashlib.sha256()
        for chunk in member.content():
            digest.update(chunk)
            self._file.write(chunk)
            self._on_bytes(len(chunk))
        if self._file.position - offset != entry.size_bytes:
            raise ContainerUnusable(
                f"'{entry.path}' was changed while it was read.", "Try again when it rests."
            )
        self._file.write(padding(entry.size_bytes))
        return self._noted(Piece(_hashed(entry, digest.hexdigest()), member.mtime_s, member.xattrs, offset))

    def add_link(self, piece: Piece) -> Piece:
        """Take a further name (``entry.hard_link``) of a file that was added before."""
        self._before(piece.entry.path)
        self._file.write(header(piece.entry, self._mtime_s(piece.mtime_s), piece.xattrs))
        return self._noted(piece)

    def seal(self, pieces: Sequence[Piece | Whiteout]) -> Layer:
        """The layer that holds ``pieces``, which are in canonical order; closing the spool ends it.

        Nothing may be added afterwards.
        """
        self._flush_whiteouts(None)
        if not self._in_order or self._written != list(pieces):
            return self._put_together(pieces)
        self._file.write(END)
        return Layer(self._file.raw, self._file.position, f"sha256:{self._file.hexdigest()}")

    def content(self, piece: Piece) -> Iterator[bytes]:
        """What a file holds that was added, at any time and as often as wanted."""
        self._file.flush()
        yield from self._file.read(piece.offset, piece.entry.size_bytes)

    def _mtime_s(self, mtime_s: int) -> int:
        return mtime_s if self.latest_mtime_s is None else min(mtime_s, self.latest_mtime_s)

    def _noted(self, piece: Piece) -> Piece:
        self._written.append(piece)
        return piece

    def _before(self, path: str) -> None:
        key = component_order(path)
        if self._whiteouts:
            self._flush_whiteouts(key)
        self._in_order = self._in_order and (self._last_key < key or not self._written)
        self._last_key = key
        if not self._in_order:
            self._file.hashes = False

    def _flush_whiteouts(self, key: list[bytes] | None) -> None:
        while self._whiteouts and (key is None or component_order(self._whiteouts[-1]) < key):
            path = self._whiteouts.pop()
            self._file.write(whiteout_header(path))
            self._written.append(Whiteout(path))

    def _put_together(self, pieces: Sequence[Piece | Whiteout]) -> Layer:
        self._file.flush()
        parts = partial(_gathered, partial(self._parts, tuple(pieces)))
        digest = hashlib.sha256()
        size_bytes = 0
        for part in parts():
            digest.update(part)
            size_bytes += len(part)
        return Layer(self._file.raw, size_bytes, f"sha256:{digest.hexdigest()}", parts)

    def _parts(self, pieces: Sequence[Piece | Whiteout]) -> Iterator[Chunk]:
        for piece in pieces:
            if isinstance(piece, Whiteout):
                yield whiteout_header(piece.path)
                continue
            content = partial(self._file.read, piece.offset, piece.entry.size_bytes)
            yield from entry_in_tar(piece.entry, self._mtime_s(piece.mtime_s), piece.xattrs, content)
        yield END


def _gathered(parts: Callable[[], Iterator[Chunk]]) -> Iterator[bytes]:
    """The same bytes, small pieces joined to large ones."""
    waiting: list[Chunk] = []
    size = 0
    for part in parts():
        waiting.append(part)
        size += len(part)
        if size >= _PIECE_BYTES:
            yield b"".join(waiting)
            waiting.clear()
            size = 0
    yield b"".join(waiting)


class _Spool:
    """A nameless file that is hashed while it is written."""

    def __init__(self) -> None:
        self.raw = tempfile.TemporaryFile(prefix="docker-snap-", buffering=0)  # noqa: SIM115
        self.position = 0
        self.hashes = True
        self._digest = hashlib.sha256()
        self._waiting: list[Chunk] = []
        self._waiting_bytes = 0

    def write(self, chunk: Chunk) -> None:
        """Write; small pieces are gathered into large ones."""
        size = len(chunk)
        self.position += size
        if size >= _PIECE_BYTES // 4:
            self.flush()
            self._put(chunk)
            return
        # A view shows a buffer that its owner will fill anew.
        self._waiting.append(bytes(chunk) if isinstance(chunk, memoryview) else chunk)
        self._waiting_bytes += size
        if self._waiting_bytes >= _PIECE_BYTES // 4:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        if self._waiting:
            self._put(b"".join(self._waiting))
            self._waiting.clear()
            self._waiting_bytes = 0

    def hexdigest(self) -> str:
        """Hex sha256 of all that was written."""
        self.flush()
        return self._digest.hexdigest()

    def read(self, offset: int, size_bytes: int) -> Iterator[bytes]:
        """A part of what was written, in pieces."""
        end = offset + size_bytes
        while offset < end:
            chunk = os.pread(self.raw.fileno(), min(_PIECE_BYTES, end - offset), offset)
            offset += len(chunk)
            yield chunk

    def close(self) -> None:
        """Give the room back."""
        self.raw.close()

    def _put(self, chunk: Chunk) -> None:
        if self.hashes:
            self._digest.update(chunk)
        view = memoryview(chunk)
        try:
            while view:
                view = view[self.raw.write(view) :]
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise _no_room(f"after {self.position:,} bytes") from error
            raise


def check_room(size_bytes: int) -> None:
    """Raise :class:`~snapshot.errors.DiskFull` where the spool folder has no room for so many bytes."""
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < size_bytes:
        raise _no_room(f"{size_bytes:,} bytes are needed, {free:,} are free")


def _no_room(detail: str) -> DiskFull:
    return DiskFull(
        f"The layer does not fit into the spool folder '{Path(tempfile.gettempdir())}': {detail}.",
        "Make room there, or set TMPDIR to a folder with more.",
    )


def _hashed(entry: FileEntry, sha256: str) -> FileEntry:
    # dataclasses.replace takes four times as long, and this is done for every file.
    return FileEntry(
        entry.path,
        entry.type,
        entry.mode,
        entry.uid,
        entry.gid,
        entry.size_bytes,
        sha256,
        entry.link_target,
        entry.hard_link,
        entry.device,
        entry.capability,
    )
