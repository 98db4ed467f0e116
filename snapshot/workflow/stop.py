"""``snap stop``: end the processes of a container; its files stay."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from snapshot.engine.client import Engine
from snapshot.engine.types import Container
from snapshot.errors import ContainerNotFound
from snapshot.workflow.named import usable_container

#: As Docker has it.
DEFAULT_TIMEOUT_S = 10


class Stopped(NamedTuple):
    """A container that does not run now; ``was_running`` where it did before."""

    container: Container
    was_running: bool


def stop(engine: Engine, container: str, *, timeout_s: int | None = None, signal: str = "") -> Stopped:
    """Stop a container, by name or ID.

    Parameters
    ----------
    timeout_s:
        How long its first process may take before it is killed; ``None`` leaves that to the container's own
        setting, which is 10 seconds unless somebody said otherwise.
    signal:
        Sent in place of the one that the image asks for, by name or number.
    """
    found = usable_container(engine, container)
    if not found.is_up:
        return Stopped(found, was_running=False)
    end(engine, found, timeout_s=timeout_s, signal=signal)
    return Stopped(found, was_running=True)


def end(engine: Engine, container: Container, *, timeout_s: int | None = None, signal: str = "") -> None:
    """End the processes of a container that is up, paused or not."""
    if container.state == "paused":
        # A paused process cannot heed a signal, and Podman does not stop it.
        engine.unpause(container.id)
    if signal:
        # Of its own: engines before API 1.42, and Podman, pass over the signal in the call that stops.
        engine.signal(container.id, signal)
        patience_s = DEFAULT_TIMEOUT_S if timeout_s is None else timeout_s
        with suppress(TimeoutError, ContainerNotFound):
            engine.processes.wait_exit(container.id, timeout_s=patience_s)
        timeout_s = 0
    if timeout_s is None and engine.is_podman:
        # A container that was made through its API without a word on it has 0 seconds (4.3).
        timeout_s = DEFAULT_TIMEOUT_S
    # One that is removed when it ends may be gone by now.
    with suppress(ContainerNotFound):
        engine.processes.stop(container.id, timeout_s)
