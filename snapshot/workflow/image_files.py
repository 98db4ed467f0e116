"""Choosing how an image's files are read: directly where that is safe, else over the engine's API."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from snapshot.changeset.archive_files import ArchiveFiles
from snapshot.changeset.image_files import ImageFiles, expect
from snapshot.changeset.lower_files import LowerFiles, NotReadableDirectly
from snapshot.changeset.member import Member
from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.errors import Refused
from snapshot.workflow.helper import files_of_image
from snapshot.workflow.methods.interface import CaptureWay

_T = TypeVar("_T")


@contextmanager
def files_of(engine: Engine, image: Image, way: CaptureWay = CaptureWay.AUTO) -> Iterator[ImageFiles]:
    """The files of an image, path by path, each looked up when it is asked for.

    Directly that is from the folders of its layers, where the engine has an overlay driver on this machine
    and this process the rights; over the API from a container that is made and never started.

    Raises :class:`~snapshot.errors.Refused` where the direct way was asked for and is not to be had.
    """
    with ExitStack() as stack:
        if way is CaptureWay.API:
            yield _over_the_api(engine, image, stack)
            return
        try:
            direct = stack.enter_context(open_directly(engine, image))
        except NotReadableDirectly as error:
            if way is CaptureWay.DIRECT:
                raise refused_directly(image, error) from error
            yield _over_the_api(engine, image, stack)
            return
        may_change = way is not CaptureWay.DIRECT
        yield _DirectFirst(
            direct, image, (lambda: _over_the_api(engine, image, stack)) if may_change else None
        )


class _DirectFirst:
    """The files read directly, until something is met that cannot be."""

    def __init__(self, direct: LowerFiles, image: Image, otherwise: Callable[[], ImageFiles] | None) -> None:
        self._files: ImageFiles = direct
        self._image = image
        self._otherwise = otherwise

    @property
    def is_direct(self) -> bool:
        """Whether nothing of the kind was met."""
        return isinstance(self._files, LowerFiles)

    def at(self, path: str) -> Member | None:
        """What stands at ``path``."""
        return self._asked(lambda: self._files.at(path))

    def names(self, folder: str) -> Collection[str]:
        """The names of what stands in a folder, sorted."""
        return self._asked(lambda: self._files.names(folder))

    def expect(self, looked_up: Collection[str], read: Collection[str]) -> None:
        """Pass on what will be wanted."""
        expect(self._files, looked_up, read)

    def _asked(self, ask: Callable[[], _T]) -> _T:
        try:
            return ask()
        except NotReadableDirectly as error:
            if self._otherwise is None:
                raise refused_directly(self._image, error) from error
            self._files = self._otherwise()
            return ask()


def shows_attributes(files: ImageFiles) -> bool:
    """Whether members of :func:`files_of` have their ``user.*`` attributes: the engine's API gives none."""
    return isinstance(files, _DirectFirst) and files.is_direct


def _over_the_api(engine: Engine, image: Image, stack: ExitStack) -> ImageFiles:
    return ArchiveFiles(stack.enter_context(files_of_image(engine, image.id)))


def open_directly(engine: Engine, image: Image) -> LowerFiles:
    """The files of an image from the folders of its layers.

    Raises :class:`~snapshot.changeset.lower_files.NotReadableDirectly`.
    """
    if not engine.endpoint.url.startswith("unix://"):
        raise NotReadableDirectly("the engine may be on another machine")
    folders = ((image.upper_folder,) if image.upper_folder else ()) + image.lower_folders
    if not folders or len(folders) != len(image.layers):
        raise NotReadableDirectly("the engine does not say where the files of its layers are")
    return LowerFiles.open(folders)


def refused_directly(image: Image, error: NotReadableDirectly) -> Refused:
    """The error where the direct way was asked for."""
    return Refused(
        f"The files of '{image.id}' cannot be read directly: {error}.",
        "Leave out --capture direct: the engine's API reads them from anywhere.",
    )
