"""Holding a container still while its files are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from snapshot.engine.client import Engine
from snapshot.engine.types import Container
from snapshot.errors import EngineError, NotFound


@contextmanager
def frozen(engine: Engine, container: Container, pause: bool) -> Iterator[None]:
    """Pause a running container, and let it run again whatever happens; one that the user paused stays so."""
    if not (pause and container.state == "running"):
        yield
        return
    try:
        engine.pause(container.id)
        yield
    finally:
        try:
            _let_run(engine, container)
        except KeyboardInterrupt:
            # The engine may be at it yet, and then refuses to do it twice.
            with suppress(EngineError):
                _let_run(engine, container)
            raise


def _let_run(engine: Engine, container: Container) -> None:
    # Asked, not assumed: a call to pause or unpause may have been interrupted on either side of its effect.
    with suppress(NotFound):
        if engine.container(container.id).state == "paused":
            engine.unpause(container.id)
