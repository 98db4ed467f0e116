"""An image of an engine as a side of a comparison."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.layer_contents import LayerContents
from snapshot.changeset.reader import read_everything
from snapshot.changeset.trees import Tree
from snapshot.engine.client import Engine
from snapshot.engine.types import Config, Image, Mount
from snapshot.workflow.difference import Side
from snapshot.workflow.helper import files_of_image
from snapshot.workflow.image_files import files_of
from snapshot.workflow.layer_contents import layer_contents
from snapshot.workflow.methods.interface import CaptureWay
from snapshot.workflow.progress import Progress


@dataclass(frozen=True)
class EngineImage:
    """An image of an engine (a :class:`~snapshot.workflow.compared.interface.ComparedImage`)."""

    engine: Engine
    image: Image
    side: Side
    way: CaptureWay = CaptureWay.AUTO

    @property
    def layers(self) -> tuple[str, ...]:
        """The diff IDs of its layers."""
        return self.image.layers

    @property
    def config(self) -> Config:
        """How it runs."""
        return self.image.config

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """None: an image has no mounts."""
        return ()

    def files(self) -> AbstractContextManager[ImageFiles]:
        """Its files, path by path."""
        return files_of(self.engine, self.image, self.way)

    def tree(self, progress: Progress) -> Tree:
        """All that stands in it, from an export of a container that is never started."""
        progress.stage(f"reading the files of {self.side.name}")
        with files_of_image(self.engine, self.image.id) as files:
            return read_everything(files)

    def above(self, count: int, progress: Progress) -> tuple[LayerContents, ...]:
        """What the layers on the first ``count`` hold."""
        numbers = range(count, len(self.layers))
        found = layer_contents(
            self.engine, self.image, numbers, hash_content=True, way=self.way, progress=progress
        )
        return tuple(found[number] for number in numbers)
