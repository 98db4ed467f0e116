"""What a name that the user gave stands for: a container or an image of the engine."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import NamedTuple

from snapshot.engine.client import Engine
from snapshot.engine.types import Container, Image
from snapshot.errors import ContainerNotFound, ContainerUnusable, ImageNotFound, InvalidInput, NotFound
from snapshot.image.reference import Reference

_FULL_ID = re.compile("(?:sha256:)?([0-9a-f]{64})")


class Named(NamedTuple):
    """What a name stands for; ``shares_name`` where it is a container's, and an image is called the same."""

    thing: Container | Image
    shares_name: bool = False


def named(engine: Engine, name: str) -> Named:
    """The container or image of that name or ID; where both are called so, the container.

    Raises :class:`~snapshot.errors.NotFound`.
    """
    try:
        container = container_named(engine, name)
    except ContainerNotFound:
        image = _image_named(engine, name)
        if image is None:
            raise NotFound(
                f"Neither a container nor an image is named '{name}'.",
                "`snap ls` lists what snap made, `docker image ls` all images.",
            ) from None
        return Named(image)
    return Named(container, shares_name=_image_named(engine, name) is not None)


def image_named(engine: Engine, name: str) -> Image:
    """The image of that name or ID.

    Raises :class:`~snapshot.errors.ImageNotFound`, which says so where a container has that name.
    """
    image = _image_named(engine, name)
    if image is not None:
        return image
    container = None
    with suppress(InvalidInput, NotFound):
        container = container_named(engine, name)
    if container is None:
        raise ImageNotFound(
            f"No image is named '{name}' here.", "`docker image ls` lists the images of this engine."
        )
    raise ImageNotFound(
        f"'{name}' is a container, and no image.",
        f"It was made from {container.image_name}; `snap commit {name} IMAGE` makes an image of it.",
    )


def container_named(engine: Engine, name: str) -> Container:
    """The container of that name or ID; raises :class:`~snapshot.errors.ContainerNotFound`."""
    if not name:
        raise InvalidInput("An empty name is no container's.", "`snap ls` lists the containers.")
    return engine.container(name)


def usable_container(engine: Engine, name: str) -> Container:
    """As :func:`container_named`, if its files can be read (:func:`require_usable`)."""
    container = container_named(engine, name)
    require_usable(container)
    return container


def require_usable(container: Container) -> None:
    """Raise :class:`~snapshot.errors.ContainerUnusable` for a container that is dead or being removed."""
    if container.state in {"dead", "removing"}:
        raise ContainerUnusable(
            f"The container '{container.name}' is {container.state}: its files are gone or going.",
            "Take another container; `docker rm` clears this one away.",
        )


def _image_named(engine: Engine, name: str) -> Image | None:
    try:
        if full_id := _FULL_ID.fullmatch(name):
            # Podman refuses to look for bare digits.
            return engine.image(f"sha256:{full_id[1]}")
        Reference.parse(name)
        return engine.image(name)
    except (InvalidInput, NotFound):
        # A container may be called what no image can be, and engines refuse to look for that.
        return None
