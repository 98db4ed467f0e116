"""``snap start``: let a container run again."""

from __future__ import annotations

from typing import NamedTuple

from snapshot.engine.client import Engine
from snapshot.engine.types import Container
from snapshot.errors import CommandNotStarted, ContainerUnusable
from snapshot.journal.step import Step
from snapshot.workflow.named import usable_container
from snapshot.workflow.steps import StepKeeper


class Started(NamedTuple):
    """A container that runs now.

    ``was_running`` where it did before, which makes no step. ``journal_failure`` says why the step is not in
    the journal, empty where it is.
    """

    container: Container
    was_running: bool
    journal_failure: str = ""


def start(engine: Engine, container: str) -> Started:
    """Start a container, by name or ID, with the command that it was made with; it is one of its steps.

    Raises
    ------
    ContainerNotFound, ContainerUnusable
        There is none, or it is dead or paused.
    CommandNotStarted
        The container is as it was.
    """
    found = usable_container(engine, container)
    if found.state == "paused":
        raise ContainerUnusable(
            f"The container '{found.name}' is paused, not stopped.",
            f"`docker unpause {found.name}` lets its processes go on.",
        )
    if found.is_up:
        return Started(found, was_running=True)
    keeper = StepKeeper(engine.processes, found, Step(0, "start"))
    with keeper:
        try:
            engine.processes.start(found.id)
        except CommandNotStarted as error:
            keeper.exit_code = error.exit_code
            raise
    return Started(found, was_running=False, journal_failure=keeper.failure)
