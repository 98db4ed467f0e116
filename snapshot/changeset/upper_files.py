"""Reading a container's files from its upper folder and those of its image below, path by path."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import partial

from snapshot.changeset.entry import FileType
from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.laid_layers import LaidLayers
from snapshot.changeset.layer_folder import content_of_place, contents_of_folder, opened_folder
from snapshot.changeset.member import Member
from snapshot.changeset.overlay import open_place
from snapshot.changeset.reader import Headers
from snapshot.changeset.upper_walk import Chain, changed_meanwhile


class UpperFiles:
    """The files of a container (an :class:`~snapshot.changeset.image_files.ImageFiles`); to be closed.

    It is to rest meanwhile.

    Parameters
    ----------
    upper:
        Its upper folder, which can be read here.
    below:
        The files of its image.

    Raises :class:`~snapshot.changeset.overlay.NotReadableDirectly` where overlayfs keeps something elsewhere,
    and :class:`~snapshot.errors.ContainerUnusable` where the container changes what is read.
    """

    def __init__(self, upper: str, below: ImageFiles) -> None:
        own = contents_of_folder(upper, "", Headers(), changed_meanwhile)
        self._laid = LaidLayers(below, [own])
        self._root = opened_folder(upper)

    def close(self) -> None:
        """Close the folder."""
        os.close(self._root)

    def at(self, path: str) -> Member | None:
        """What stands at ``path``."""
        member = self._laid.at(path)
        if member is None or member.entry.type is not FileType.FILE or not self._laid.knows(path):
            return member
        content = partial(self._content, path, member.entry.size_bytes)
        return replace(member, entry=replace(member.entry, hard_link=""), content=content)

    def names(self, folder: str) -> Collection[str]:
        """The names of what stands in a folder, sorted."""
        return self._laid.names(folder)

    def _content(self, path: str, size_bytes: int) -> Iterator[bytes]:
        above, _, name = path.rpartition("/")
        try:
            with Chain(self._root) as chain:
                place = open_place(name, chain.folder(above or "/"))
        except OSError as error:
            raise changed_meanwhile(path) from error
        try:
            if not stat.S_ISREG(os.fstat(place).st_mode):
                raise changed_meanwhile(path)
            yield from content_of_place(place, path, size_bytes, changed_meanwhile)
        finally:
            os.close(place)
