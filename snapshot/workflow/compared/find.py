"""Finding what a name stands for that is to be compared."""

from __future__ import annotations

import re

from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.errors import InvalidInput
from snapshot.workflow.compared.archive_image import ArchiveImage
from snapshot.workflow.compared.engine_container import EngineContainer
from snapshot.workflow.compared.engine_image import EngineImage
from snapshot.workflow.diff_images import side_of
from snapshot.workflow.named import named, require_usable

_ARCHIVE = re.compile("oci:|docker-archive:")


def is_archive(name: str) -> bool:
    """Whether a name is an archive's: ``oci:PATH[:TAG]`` or ``docker-archive:FILE[:NAME]``.

    >>> is_archive("oci:build/image"), is_archive("diamol/ch03-lab")
    (True, False)
    """
    return _ARCHIVE.match(name) is not None


def find_compared(engine: Engine | None, name: str) -> EngineContainer | EngineImage | ArchiveImage:
    """The container, image or archive of that name; where a container and an image have it, the container.

    Raises
    ------
    NotFound
        The engine has neither a container nor an image of that name.
    InvalidInput
        There is no such file or no such image in it; or ``engine`` is ``None`` and the name is no archive's.
    ContainerUnusable
        The container is dead or being removed.
    """
    if is_archive(name):
        return ArchiveImage(name)
    if engine is None:
        raise InvalidInput(f"'{name}' is no archive, and no engine was given.")
    found = named(engine, name)
    if isinstance(found.thing, Image):
        return EngineImage(engine, found.thing, side_of(found.thing, name))
    require_usable(found.thing)
    return EngineContainer(engine, found.thing, shares_name=found.shares_name)
