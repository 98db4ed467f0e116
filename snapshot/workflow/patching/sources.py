"""Reading what is copied into an image: a local file or folder, a tar, or content that is given."""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from lzma import LZMAError
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple, cast

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.layer import LayerSpool, Piece, check_room
from snapshot.changeset.layer_members import members_in_pieces
from snapshot.changeset.member import Member
from snapshot.changeset.tar_reader import read_members
from snapshot.errors import InvalidInput, PathNotFound, SnapError
from snapshot.recipe.instructions import FileContent, LocalPath, Source, TarFile
from snapshot.workflow.copying.local_tar import LocalTar
from snapshot.workflow.copying.passed_tar import decompressed
from snapshot.workflow.copying.rules import STREAM, must_be_folder
from snapshot.workflow.patching.collecting import Collector, check_length, content_digest

_PIECE_BYTES = 256 << 10

# What a tar may hold besides content: headers, and what tar programs write after the end.
_MOST_OVERHEAD_BYTES = 32 << 20
_MOST_OVERHEAD_BYTES_EACH = 8 << 10


class Gathered(NamedTuple):
    """What is to be copied, read once; its content is in a spool.

    Attributes
    ----------
    pieces:
        In canonical order, their paths as if the source's top were ``/``: of a folder what is in it, of a
        file the file itself under its name.
    name:
        What a single file is called; empty for all else.
    digest:
        ``sha256:…`` of the pieces without their times.
    skipped:
        Local paths that no image can hold: sockets.
    """

    pieces: tuple[Piece, ...]
    is_folder: bool
    name: str
    digest: str
    is_tar: bool
    skipped: tuple[str, ...] = ()


def gathered(source: Source, spool: LayerSpool, *, stdin: BinaryIO | None) -> Gathered:
    """Read all that is to be copied, bounded in memory whatever it is.

    A local source that is a link is followed, links inside a folder stay links, and all belongs to root, as
    with ``COPY``. A tar keeps its owners, modes, times and devices, as with ``ADD``; gzip, bzip2 and xz are
    unpacked. Names in it that begin with ``/`` count from its top.

    Raises
    ------
    PathNotFound
        There is no such local file.
    InvalidInput
        A tar is damaged, none at all, holds names with ``..`` or below a link, or more than may be; or the
        content is not what its ``sha256`` says.
    Refused
        A name marks another one as deleted (``.wh.``).
    SnapError
        Something cannot be read. All of it is fatal: nothing is left out but sockets.
    """
    if isinstance(source, LocalPath):
        return _local(source.path, spool)
    if isinstance(source, FileContent):
        return _content(source, spool)
    if source.content:
        return _tar(source, io.BytesIO(source.content), spool)
    if source.path != STREAM:
        with _opened(source.path) as file:
            return _tar(source, file, spool)
    if stdin is None:
        raise InvalidInput("There is no tar on stdin.", "Pipe one in, or name a file.")
    return _tar(source, stdin, spool)


def _local(written: str, spool: LayerSpool) -> Gathered:
    path = posixpath.normpath(posixpath.join(Path.cwd(), written))
    with _reading(written):
        # Links on the way to `..` count, as for the kernel.
        real = Path(os.path.realpath(written, strict=True))
        mode = real.stat().st_mode
    is_folder = stat.S_ISDIR(mode)
    if not is_folder and must_be_folder(written):
        raise InvalidInput(f"'{written}' is not a folder.", "Leave the slash at its end out.")
    if not is_folder and not stat.S_ISREG(mode):
        raise InvalidInput(f"'{written}' is neither a file nor a folder.")
    name = "" if is_folder else posixpath.basename(path)
    tar = LocalTar(real, name, "/", keep_owner=False)
    check_room(tar.size_bytes())
    collector = Collector(spool, f"'{written}'")
    try:
        for member in members_in_pieces(tar):
            collector.add(member)
    except SnapError as error:
        if type(error) is SnapError:
            # The words on what was copied by then are those of a copy into a container.
            raise SnapError(error.what, "Nothing was copied.") from error
        raise
    pieces = collector.pieces()
    return Gathered(pieces, is_folder, name, content_digest(pieces, name), False, tuple(tar.contents.skipped))


def _content(source: FileContent, spool: LayerSpool) -> Gathered:
    name = source.name
    if not name or "/" in name or "\0" in name or name in {".", ".."}:
        raise InvalidInput(f"'{name}' cannot be the name of a file.")
    check_length(f"/{name}")
    collector = Collector(spool, f"'{name}'")
    if isinstance(source.content, Path):
        # It is in a folder of contents, where nothing is a link.
        with _opened(str(source.content), os.O_NOFOLLOW) as file:
            size = os.fstat(file.fileno()).st_size
            collector.add(_member(source, size, iter(partial(file.read, _PIECE_BYTES), b"")))
    else:
        collector.add(_member(source, len(source.content), (source.content,)))
    pieces = collector.pieces()
    _hold_against(source.sha256, pieces[0].entry.sha256, f"'{name}'")
    return Gathered(pieces, False, name, content_digest(pieces, name), False)


def _member(source: FileContent, size_bytes: int, content: Iterable[bytes]) -> Member:
    entry = FileEntry(f"/{source.name}", FileType.FILE, source.mode & 0o7777, 0, 0, size_bytes)
    return Member(entry, source.mtime_s or 0, content=lambda: content)


def _tar(source: TarFile, file: BinaryIO, spool: LayerSpool) -> Gathered:
    shown = "the tar on stdin" if source.path == STREAM else f"the tar '{source.path}'"
    raw = _Hashed(file)
    stream = _BoundedTar(raw, shown)
    collector = Collector(spool, shown)
    members = read_members(
        cast("IO[bytes]", stream), "/", strip=0, broken=lambda reason: _damaged(shown, reason)
    )
    for member in members:
        stream.expect(member.entry.size_bytes)
        collector.add(member)
    # Tar programs write zeros after the end, and would fail if nobody read them.
    while stream.read(_PIECE_BYTES):
        pass
    if source.sha256:
        while raw.read(_PIECE_BYTES):
            pass
        _hold_against(source.sha256, raw.hexdigest(), shown)
    pieces = collector.pieces()
    return Gathered(pieces, True, "", content_digest(pieces, ""), True)


class _Hashed:
    """A stream that is hashed while it is read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self._digest.update(piece)
        return piece

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


class _BoundedTar:
    """What a tar holds, unpacked; more that is no content than an honest one has is refused."""

    def __init__(self, raw: _Hashed, shown: str) -> None:
        self._shown = shown
        self._left = _MOST_OVERHEAD_BYTES
        self._plain = decompressed(cast("BinaryIO", raw))

    def expect(self, content_bytes: int) -> None:
        """A member has come, with so much content."""
        self._left += _MOST_OVERHEAD_BYTES_EACH + content_bytes

    def read(self, size: int = -1) -> bytes:
        try:
            piece = self._plain.read(size)
        except (EOFError, zlib.error, LZMAError, OSError) as error:
            raise _damaged(self._shown, str(error)) from error
        self._left -= len(piece)
        if self._left < 0:
            raise _damaged(self._shown, "too much in it belongs to no file")
        return piece


@contextmanager
def _opened(path: str, further_flags: int = 0) -> Iterator[BinaryIO]:
    with _reading(path):
        # Without O_NONBLOCK a pipe would keep us waiting.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | further_flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InvalidInput(f"'{path}' is not a regular file.")
        with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
            yield cast("BinaryIO", file)
    finally:
        os.close(descriptor)


@contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PathNotFound(f"There is nothing at '{path}' here.") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "such a path cannot be"
        raise SnapError(f"'{path}' cannot be read: {reason}.") from error


def _hold_against(wanted: str, found: str, shown: str) -> None:
    if wanted and wanted != found:
        raise InvalidInput(
            f"{shown[:1].upper()}{shown[1:]} is not what it was: its sha256 is {found}, not {wanted}.",
            "Bring back what it was, or correct the sha256.",
        )


def _damaged(shown: str, reason: str) -> InvalidInput:
    return InvalidInput(f"{shown[:1].upper()}{shown[1:]} is damaged, or none at all ({reason}).")
