"""Which containers can be read."""

from __future__ import annotations

from snapshot.engine.client import Engine
from snapshot.engine.types import Container
from snapshot.errors import ContainerUnusable, InvalidInput


def usable_container(engine: Engine, name: str) -> Container:
    """The container of that name or ID, if its files can be read.

    Raises :class:`~snapshot.errors.ContainerNotFound`, and
    :class:`~snapshot.errors.ContainerUnusable` for one that is dead or being removed.
    """
    if not name:
        raise InvalidInput("An empty name is no container's.", "`snap ls` lists the containers.")
    container = engine.container(name)
    if container.state in {"dead", "removing"}:
        raise ContainerUnusable(
            f"The container '{container.name}' is {container.state}: its files are gone or going.",
            "Take another container; `docker rm` clears this one away.",
        )
    return container
