"""The files that an image in an archive is made of: in a folder, or in a tar. All of it is a stranger's."""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import tarfile
import tempfile
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import IO, NamedTuple, Protocol, cast

from snapshot.changeset.layer import check_room
from snapshot.errors import InvalidInput

#: Configs, manifests and indexes: containerd refuses them from there on too (``images.go``).
MOST_DOCUMENT_BYTES = 4 << 20
#: An image has a layer and some documents for each step; an archive may hold several images.
_MOST_FILES = 20_000
_MOST_LINKS = 8
_PIECE_BYTES = 1 << 20
# Between two looks at how much room is left.
_ROOM_BYTES = 64 << 20
_GZIP = b"\x1f\x8b"
_BLOB = re.compile("blobs/sha256/[0-9a-f]{64}")
_OF_A_LAYOUT = frozenset({"oci-layout", "index.json"})
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Unreadable(ValueError):
    """Why an archive cannot be read: words that go on a sentence."""


class Blobs(Protocol):
    """Files by their names in an archive."""

    def opened(self, name: str) -> IO[bytes]:
        """A file, to be read from its beginning and to be closed; raises :class:`Unreadable`."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


def document(blobs: Blobs, name: str) -> bytes:
    """What a small file holds; raises :class:`Unreadable` for one with more than 4 MiB."""
    with blobs.opened(name) as file:
        content = file.read(MOST_DOCUMENT_BYTES + 1)
    if len(content) > MOST_DOCUMENT_BYTES:
        raise Unreadable(f"its '{name}' has more than {MOST_DOCUMENT_BYTES:,} bytes")
    return content


def open_blobs(path: Path) -> Blobs:
    """The files in a folder or tar.

    Raises :class:`~snapshot.errors.InvalidInput` where there is nothing to read, and :class:`Unreadable`.
    """
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            return FolderBlobs(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        if not stat.S_ISREG(found.st_mode):
            raise InvalidInput(f"'{path}' is neither a file nor a folder.")
        return TarBlobs(path)
    except OSError as error:
        raise InvalidInput(f"'{path}' cannot be read: {error.strerror}.") from error


class FolderBlobs:
    """The files of an OCI image layout in a folder; no link in it is followed."""

    def __init__(self, folder: int) -> None:
        self._folder = folder

    def opened(self, name: str) -> IO[bytes]:
        """A file of the layout: ``index.json``, or a blob by its digest."""
        if not (_BLOB.fullmatch(name) or name in _OF_A_LAYOUT):
            raise Unreadable(f"'{name}' is no file of a layout")
        *folders, last = name.split("/")
        with ExitStack() as stack:
            above = self._folder
            try:
                for part in folders:
                    above = os.open(part, _FOLDER_FLAGS, dir_fd=above)
                    stack.callback(os.close, above)
                file = os.open(last, _FILE_FLAGS, dir_fd=above)
            except FileNotFoundError as error:
                raise Unreadable(f"it lacks '{name}'") from error
            except OSError as error:
                raise Unreadable(f"its '{name}' cannot be opened: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise Unreadable(f"its '{name}' is no file")
        return open(file, "rb")  # noqa: PTH123

    def close(self) -> None:
        """Close the folder."""
        os.close(self._folder)


class _Place(NamedTuple):
    """Where a file stands in a tar."""

    offset: int
    size_bytes: int


class TarBlobs:
    """The files of a tar, which may be compressed with gzip; links are followed among its own names alone."""

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = path.open("rb")
        try:
            if self._file.read(2) == _GZIP:
                self._file = _uncompressed(self._file)
            self._places: dict[str, _Place] = {}
            self._links: dict[str, str] = {}
            self._scan()
        except BaseException:
            self._file.close()
            raise

    def opened(self, name: str) -> IO[bytes]:
        """A file by its name, or by that of a link to it."""
        asked = name
        for _ in range(_MOST_LINKS):
            place = self._places.get(name)
            if place:
                return cast("IO[bytes]", io.BufferedReader(_Part(self._file.fileno(), place), _PIECE_BYTES))
            name = self._links.get(name, "")
        raise Unreadable(f"it lacks '{asked}'")

    def close(self) -> None:
        """Close the tar."""
        self._file.close()

    def _scan(self) -> None:
        self._file.seek(0)
        reader = cast("IO[bytes]", _Headers(self._file))
        try:
            with tarfile.open(fileobj=reader, mode="r:") as tar:
                for number, info in enumerate(tar):
                    if number >= _MOST_FILES:
                        raise Unreadable(f"it has more than {_MOST_FILES:,} files")
                    name = info.name.removeprefix("./")
                    self._places.pop(name, None)
                    self._links.pop(name, None)
                    if info.isreg() and not info.issparse():
                        self._places[name] = _Place(info.offset_data, info.size)
                    elif info.issym() or info.islnk():
                        # Docker 20.10 has "../ID/layer.tar" for a layer that is there already, Podman too.
                        self._links[name] = info.linkname.removeprefix("../").removeprefix("./")
        except (tarfile.TarError, OSError, ValueError, EOFError, RecursionError, MemoryError) as error:
            raise Unreadable(f"it is no tar that can be read ({error})") from error


def _uncompressed(packed: IO[bytes]) -> IO[bytes]:
    """The same file unpacked in the spool folder, as far as there is room."""
    packed.seek(0)
    out = tempfile.TemporaryFile(prefix="docker-snap-")  # noqa: SIM115
    try:
        written = 0
        with packed, gzip.GzipFile(fileobj=packed) as unpacked:
            while piece := unpacked.read(_PIECE_BYTES):
                if written % _ROOM_BYTES < len(piece):
                    check_room(2 * _ROOM_BYTES)
                written += out.write(piece)
        out.flush()
    except (OSError, EOFError, zlib.error) as error:
        out.close()
        raise Unreadable(f"it cannot be unpacked ({error})") from error
    except BaseException:
        out.close()
        raise
    return cast("IO[bytes]", out)


class _Headers:
    """A tar that gives headers alone: a hostile one may say that they are as long as the file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        if not 0 <= size <= _PIECE_BYTES:
            raise tarfile.ReadError("a header is too long")
        return self._file.read(size)

    def seek(self, position: int) -> int:
        """Go to a place."""
        return self._file.seek(position)

    def tell(self) -> int:
        """Where it is."""
        return self._file.tell()

    def close(self) -> None:
        """Leave the file open: it is read from afterwards."""


class _Part(io.RawIOBase):
    """A part of a file, read without moving in it."""

    def __init__(self, file: int, place: _Place) -> None:
        self._file = file
        self._place = place
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._place.size_bytes}
        self._position = starts[whence] + offset
        return self._position

    def readinto(self, buffer: object, /) -> int:
        view = memoryview(cast("bytearray", buffer))[: self._place.size_bytes - self._position]
        count = os.preadv(self._file, [view], self._place.offset + self._position) if view else 0
        self._position += count
        return count
