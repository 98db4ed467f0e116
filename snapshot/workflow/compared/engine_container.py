"""A container of an engine as a side of a comparison."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property

from snapshot.changeset.archive_files import ArchiveFiles
from snapshot.changeset.image_files import ImageFiles, expect
from snapshot.changeset.layer_contents import LayerContents
from snapshot.changeset.layer_folder import contents_of_folder
from snapshot.changeset.member import Member
from snapshot.changeset.overlay import NotReadableDirectly
from snapshot.changeset.reader import Hashes, read_everything
from snapshot.changeset.tar_layer import LayerRefused
from snapshot.changeset.trees import Tree
from snapshot.changeset.upper_files import UpperFiles
from snapshot.changeset.upper_walk import changed_meanwhile
from snapshot.engine.client import Engine
from snapshot.engine.types import Config, Container, Mount
from snapshot.errors import ContainerUnusable, ImageNotFound
from snapshot.workflow.compared.engine_image import EngineImage
from snapshot.workflow.difference import Side, SideKind
from snapshot.workflow.image_files import files_of
from snapshot.workflow.methods.interface import CaptureWay
from snapshot.workflow.progress import Progress
from snapshot.workflow.reader import open_upper

_NOT_DIRECTLY = (NotReadableDirectly, ContainerUnusable, LayerRefused)


@dataclass(frozen=True)
class EngineContainer:
    """A container of an engine (a :class:`~snapshot.workflow.compared.interface.Readable`).

    For a true picture it should not run while it is read. ``shares_name`` says that an image is called so.
    """

    engine: Engine
    container: Container
    way: CaptureWay = CaptureWay.AUTO
    shares_name: bool = False

    @property
    def side(self) -> Side:
        """What it is."""
        return Side(SideKind.CONTAINER, self.container.id, self.container.name)

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """The diff IDs of its image's layers; none where the image is gone."""
        with suppress(ImageNotFound):
            return self.engine.image(self.container.image_id).layers
        return ()

    @property
    def config(self) -> Config:
        """How it runs."""
        return self.container.config

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """What is mounted in it."""
        return self.container.mounts

    @contextmanager
    def files(self) -> Iterator[ImageFiles]:
        """Its files, path by path: from its folders where these can be read here, else over the API."""
        with ExitStack() as stack:
            yield _Files(self, stack)

    def tree(self, progress: Progress) -> Tree:
        """All that stands in it, from an export."""
        progress.stage(f"reading the files of {self.side.name}")
        return read_everything(self.engine.files(self.container.id))

    def above(self, count: int, progress: Progress) -> tuple[LayerContents, ...] | None:
        """What its image's layers on the first ``count`` hold, and what stands in its own upper folder.

        All that a container changed stands there: overlayfs writes nowhere else. ``None`` where the folder is
        not to be read here.
        """
        if self.way is CaptureWay.API or not self.layers:
            return None
        image = self.engine.image(self.container.image_id)
        lower = EngineImage(self.engine, image, self.side, self.way).above(count, progress)
        progress.stage(f"reading what {self.container.name} changed")
        try:
            with open_upper(self.engine, self.container):
                own = contents_of_folder(self.container.upper_folder, "", Hashes(), changed_meanwhile)
        except _NOT_DIRECTLY as error:
            progress.detail(f"'{self.container.name}' is exported: {error}")
            return None
        return (*lower, own)


class _Files:
    """The files of a container (an :class:`~snapshot.changeset.image_files.ImageFiles`).

    Its upper folder is walked when something is looked up for the first time.
    """

    def __init__(self, side: EngineContainer, stack: ExitStack) -> None:
        self._side = side
        self._stack = stack

    def at(self, path: str) -> Member | None:
        """What stands at ``path``."""
        return self._files.at(path)

    def names(self, folder: str) -> Collection[str]:
        """The names of what stands in a folder, sorted."""
        return self._files.names(folder)

    def expect(self, looked_up: Collection[str], read: Collection[str]) -> None:
        """Pass on what will be wanted."""
        expect(self._files, looked_up, read)

    @cached_property
    def _files(self) -> ImageFiles:
        engine, container = self._side.engine, self._side.container
        if self._side.way is not CaptureWay.API:
            with suppress(*_NOT_DIRECTLY, ImageNotFound), ExitStack() as trial:
                image = engine.image(container.image_id)
                trial.enter_context(open_upper(engine, container))
                below = trial.enter_context(files_of(engine, image, self._side.way))
                files = trial.enter_context(closing(UpperFiles(container.upper_folder, below)))
                self._stack.push(trial.pop_all())
                return files
        return ArchiveFiles(engine.files(container.id))
