"""One thing that stands in a container's file system, with its content, as any source of files gives it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from snapshot.changeset.entry import FileEntry

#: ``read(0)`` of a stream's buffer without a copy is a memoryview; both kinds can be hashed and written.
Chunk = bytes | memoryview

#: The extended attribute that holds a file's capabilities (capabilities(7)).
CAPABILITY = "security.capability"


def no_content() -> Iterable[Chunk]:
    """The content of whatever is no regular file."""
    return ()


def sha256_of(content: Iterable[Chunk]) -> str:
    """Hex sha256 of a content that comes in pieces."""
    digest = hashlib.sha256()
    for piece in content:
        digest.update(piece)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Member:
    """An entry with its content, or a further name of a file that came before (``link_to``).

    Attributes
    ----------
    entry:
        What stands there. Its ``sha256`` is empty: content is read by whoever wants it.
    mtime_s:
        Time of the last change in whole seconds since 1970, rounded down: an engine's archives have no more.
    link_to:
        For a further name of a file: the absolute path of the name that came before. Such a member has
        neither size nor content of its own.
    xattrs:
        Extended attributes that an image can hold: :data:`CAPABILITY` and ``user.*``.
    content:
        Gives the file's bytes in pieces. To be called once at most, before the next member is asked for;
        a piece is to be used before the next piece is asked for.
    """

    entry: FileEntry
    mtime_s: int
    link_to: str = ""
    xattrs: Mapping[str, bytes] = field(default_factory=dict)
    content: Callable[[], Iterable[Chunk]] = no_content
