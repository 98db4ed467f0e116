"""A tar from somebody else on its way into a container."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, BinaryIO, cast

from snapshot.changeset.entry import FileType
from snapshot.changeset.tar_reader import read_members
from snapshot.errors import EngineGone, InvalidInput
from snapshot.workflow.copying.local_tar import MOST_NOTED, Contents, batched

_PIECE_BYTES = 256 << 10
# Between two members of an honest tar stand a few kilobytes of extended headers, if any.
_MOST_BETWEEN_BYTES = 32 << 20


class PassedTar:
    """A tar from somebody else that is passed on as it is, while what is in it is noted.

    gzip, bzip2 and xz are unpacked on the way. Its owners are kept.

    Parameters
    ----------
    stream:
        The tar; read once, to its end.
    folder:
        The folder in the container that it is to be unpacked in.
    """

    def __init__(self, stream: BinaryIO, folder: str) -> None:
        self.contents = Contents()
        self._folder = folder
        self._plain = decompressed(stream)
        self._passed: list[bytes] = []
        self._passed_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        """The tar in pieces.

        Raises :class:`~snapshot.errors.InvalidInput` where it is damaged or no tar, has a name with
        ``..``, or a sparse file. What came before that may be in the container.
        """
        return batched(self._pieces())

    def read(self, size: int = -1) -> bytes:
        """The next bytes, for who reads what is in the tar; they are passed on too."""
        try:
            piece = self._plain.read(size)
        except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
            raise InvalidInput(f"What is on stdin cannot be unpacked: {error}") from error
        self._passed.append(piece)
        self._passed_bytes += len(piece)
        if self._passed_bytes > _MOST_BETWEEN_BYTES:
            raise InvalidInput(
                f"The tar on stdin has more than {_MOST_BETWEEN_BYTES:,} bytes that belong to no file.",
                "What came before that may be in the container.",
            )
        return piece

    def _pieces(self) -> Iterator[bytes]:
        digests: dict[str, tuple[str, int]] = {}
        try:
            for member in read_members(cast("IO[bytes]", self), self._folder, strip=0):
                path = member.entry.path
                if member.link_to:
                    sha256, size = digests.get(member.link_to, ("", 0))
                    self.contents.note(path, sha256, size, further_name=True)
                elif member.entry.type is FileType.FILE:
                    digest = hashlib.sha256()
                    for piece in member.content():
                        digest.update(piece)
                        yield from self._taken()
                    self.contents.note(path, digest.hexdigest(), member.entry.size_bytes)
                    if len(digests) < MOST_NOTED:
                        digests[path] = (digest.hexdigest(), member.entry.size_bytes)
                yield from self._taken()
        except EngineGone as error:
            raise _not_a_tar(error) from error
        # Tar programs write zeros after the end, and would fail if nobody read them.
        while self.read(_PIECE_BYTES):
            yield from self._taken()
        yield from self._taken()

    def _taken(self) -> Iterable[bytes]:
        passed, self._passed, self._passed_bytes = self._passed, [], 0
        return passed


class _Stream:
    """A stream whose first bytes were looked at."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.first = b""
        while len(self.first) < 6 and (piece := stream.read(6 - len(self.first))):
            self.first += piece

    def read(self, size: int = -1) -> bytes:
        if self.first:
            piece, self.first = self.first, b""
            if 0 <= size < len(piece):
                piece, self.first = piece[:size], piece[size:]
            return piece
        return self._stream.read(size)


def decompressed(stream: BinaryIO) -> IO[bytes]:
    """What is in a stream that may be packed with gzip, bzip2 or xz, as its first bytes tell."""
    seen = _Stream(stream)
    source = cast("IO[bytes]", seen)
    if seen.first.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=source))
    if seen.first.startswith(b"BZh"):
        return cast("IO[bytes]", bz2.BZ2File(source))
    if seen.first.startswith(b"\xfd7zXZ\x00"):
        return cast("IO[bytes]", lzma.LZMAFile(source))
    return source


def _not_a_tar(error: EngineGone) -> InvalidInput:
    # The reader's words for an engine's archive; the reason stands in brackets.
    reason = error.what.rpartition("(")[2].rstrip(".").rstrip(")")
    return InvalidInput(
        f"The tar on stdin is damaged, or none at all ({reason}).",
        "What came before that may be in the container.",
    )
