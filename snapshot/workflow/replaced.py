"""A container that another one of its name takes the place of: it goes only when the new one stands."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from snapshot.engine.client import Engine
from snapshot.engine.patience import tried_again
from snapshot.engine.types import Container
from snapshot.errors import ContainerNotFound


def _container_with_name(engine: Engine, name: str) -> Container | None:
    """The container of exactly that name, where there is one."""
    try:
        found = engine.container(name) if name else None
    except ContainerNotFound:
        return None
    # A name given as an ID or its beginning would find a container of another name.
    return found if found and found.name == name else None


@contextmanager
def name_made_free(engine: Engine, name: str) -> Iterator[Container | None]:
    """Move the container of that name away; it is removed if the work inside succeeds, else put back.

    Gives that container as it was, or ``None`` where the name is free (or empty).
    """
    old = _container_with_name(engine, name)
    if old is None:
        yield None
        return
    try:
        engine.rename(old.id, f"{name}-replaced-{secrets.token_hex(4)}")
        yield old
    except BaseException:
        # Asked, not assumed: the call to rename may have been interrupted on either side of its effect.
        with suppress(ContainerNotFound):
            if engine.container(old.id).name != name:
                tried_again(lambda: engine.rename(old.id, name))
        raise
    engine.remove(old.id)
