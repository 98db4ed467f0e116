"""What an editor of files needs of an image: what stands where, path by path."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator
from typing import Protocol, runtime_checkable

from snapshot.changeset.member import Member


class ImageFiles(Protocol):
    """The files of an image, looked up by exact path: no link is followed, neither on the way nor at the end.

    Paths are absolute and normalised; bytes that are not UTF-8 are surrogate escapes.
    """

    def at(self, path: str) -> Member | None:
        """What stands at ``path``; ``None`` for nothing, and where a file is on the way.

        The member has no ``link_to``: each name of a file is a file by itself here, with its size. Its
        content can be read at any time, and again.
        """
        ...

    def names(self, folder: str) -> Collection[str]:
        """The names of what stands in a folder, sorted; none where no folder stands there."""
        ...


@runtime_checkable
class ReadsTogether(Protocol):
    """Files of which many are had with less work where it is known what will be wanted."""

    def expect(self, looked_up: Collection[str], read: Collection[str]) -> None:
        """Be told which paths will be looked up, and the content of which of them will be read, once each."""
        ...


def expect(files: ImageFiles, looked_up: Collection[str], read: Collection[str]) -> None:
    """Tell files what will be wanted of them, where that is of use to them."""
    if isinstance(files, ReadsTogether):
        files.expect(looked_up, read)


def paths_below(files: ImageFiles, folder: str) -> Iterator[str]:
    """All paths below a folder, each after the folder that it is in; none is looked up."""
    waiting = [folder]
    while waiting:
        above = waiting.pop()
        below = [posixpath.join(above, name) for name in files.names(above)]
        yield from below
        waiting += below
