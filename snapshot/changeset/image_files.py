"""What an editor of files needs of an image: what stands where, path by path."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

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
