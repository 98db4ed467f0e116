"""What a comparison needs of each of its sides."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.layer_contents import LayerContents
from snapshot.changeset.trees import Tree
from snapshot.engine.types import Config, Image, Mount
from snapshot.workflow.difference import Side
from snapshot.workflow.progress import Progress


class Compared(Protocol):
    """An image or a container whose files can be read, wherever it is."""

    @property
    def side(self) -> Side:
        """What it is and what it was asked for by."""
        ...

    @property
    def layers(self) -> tuple[str, ...]:
        """The diff IDs of its layers, base first; of a container those of its image."""
        ...

    @property
    def config(self) -> Config:
        """How it runs."""
        ...

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """What is mounted in a container; the data in these is no part of it."""
        ...

    def files(self) -> AbstractContextManager[ImageFiles]:
        """Its files, path by path."""
        ...


class Readable(Compared, Protocol):
    """A side that can be read without knowing what is looked for."""

    def tree(self, progress: Progress) -> Tree:
        """All that stands in it, files hashed, by path."""
        ...

    def above(self, count: int, progress: Progress) -> tuple[LayerContents, ...] | None:
        """What stands on the first ``count`` of its layers, the lowest layer first, files hashed.

        A container's own changes are the topmost one. ``None`` where that is not to be had.
        """
        ...


class ComparedImage(Readable, Protocol):
    """An image, of an engine or in an archive."""

    @property
    def image(self) -> Image:
        """What is known of it."""
        ...
