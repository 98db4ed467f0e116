"""Reading what managers of packages write, within bounds: a stranger may have written it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from snapshot.changeset.entry import FileType
from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.links import resolve
from snapshot.changeset.member import Chunk
from snapshot.errors import InvalidInput
from snapshot.packages.interface import NotReadable

_LONGEST_VALUE = 1000
#: More of a line is not kept: it has a field that is not asked for, or one that is too long.
_LONGEST_LINE_BYTES = 8192


def content_of(files: ImageFiles, path: str, most_bytes: int) -> Iterator[Chunk] | None:
    """The content of the file that ``path`` leads to, in pieces; ``None`` where that is no file.

    The pieces raise :class:`~snapshot.packages.interface.NotReadable` after ``most_bytes``.
    """
    member = files.at(path)
    if member is not None and member.entry.type is FileType.SYMLINK:
        try:
            member = files.at(resolve(files, path))
        except InvalidInput:
            return None
    if member is None or member.entry.type is not FileType.FILE:
        return None
    return _bounded(member.content(), path, most_bytes)


def stanzas(content: Iterable[Chunk], path: str, fields: Collection[bytes]) -> Iterator[Mapping[bytes, str]]:
    """Groups of ``FIELD:VALUE`` lines, parted by empty lines, as dpkg, apk and pip write them.

    Only these fields are told, the first one of each name; groups without any are left out. Raises
    :class:`~snapshot.packages.interface.NotReadable` for a value that is too long to be one of a package.
    """
    found: dict[bytes, str] = {}
    for line in _lines(content):
        if not line.strip():
            if found:
                yield found
                found = {}
            continue
        name, _, value = line.partition(b":")
        if name in fields:
            text = value.strip().decode("utf-8", "surrogateescape")
            found.setdefault(name, short_value(text, path))
    if found:
        yield found


def short_value(value: str, path: str) -> str:
    """A name or a version, as it is.

    Raises :class:`~snapshot.packages.interface.NotReadable` for one that is too long to be one.
    """
    if len(value) > _LONGEST_VALUE:
        raise NotReadable(f"'{path}' has a value of more than {_LONGEST_VALUE:,} characters.")
    return value


def _bounded(content: Iterable[Chunk], path: str, most_bytes: int) -> Iterator[Chunk]:
    left = most_bytes
    for piece in content:
        # What is wanted may stand at the top: of that, as much is given as may be.
        yield piece[:left]
        left -= len(piece)
        if left < 0:
            raise NotReadable(f"'{path}' has more than {most_bytes >> 20} MiB, and is not read any further.")


def _lines(content: Iterable[Chunk]) -> Iterator[bytes]:
    rest = b""
    for piece in content:
        *whole, rest = (rest + bytes(piece)).split(b"\n")
        for line in whole:
            yield line[:_LONGEST_LINE_BYTES]
        rest = rest[:_LONGEST_LINE_BYTES]
    yield rest
