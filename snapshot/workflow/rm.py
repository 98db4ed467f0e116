"""``snap rm``: remove a container, and not by mistake what only it holds."""

from __future__ import annotations

from typing import NamedTuple

from snapshot.engine.client import Engine
from snapshot.engine.types import Container
from snapshot.workflow.named import container_named
from snapshot.workflow.steps import forget_steps
from snapshot.workflow.unsaved import Confirm, agreed, loss_of


class Removal(NamedTuple):
    """What became of a container; ``removed`` is false where the answer to the question was no."""

    container: Container
    removed: bool


def rm(engine: Engine, container: str, *, force: bool = False, confirm: Confirm | None = None) -> Removal:
    """Remove a container with its anonymous volumes, its journal and its recordings.

    Parameters
    ----------
    container:
        Name or ID; any container of the engine, not only snap's.
    force:
        Remove it whatever is lost, without asking.
    confirm:
        Asked where it runs, has changes that no image holds, or has anonymous volumes.

    Raises
    ------
    Refused
        Something would be lost, and there is nobody to ask.
    """
    found = container_named(engine, container)
    if not force:
        loss = loss_of(engine, found)
        if (loss.runs or loss.loses_data) and not agreed(loss, f"Removing '{found.name}'", confirm):
            return Removal(found, removed=False)
    engine.remove(found.id)
    forget_steps(found.id)
    return Removal(found, removed=True)
