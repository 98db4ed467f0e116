"""``snap ps``: the containers that snap started, and whether anything of theirs is not in an image yet."""

from __future__ import annotations

from typing import NamedTuple

from snapshot.engine.client import Engine
from snapshot.engine.types import Container
from snapshot.image.record import STARTED_LABEL
from snapshot.workflow.ls import started_by_snap
from snapshot.workflow.steps import journal_of
from snapshot.workflow.unsaved import Unsaved, unsaved


class ListedContainer(NamedTuple):
    """A container that snap started; ``step_count`` counts the steps in its journal here."""

    container: Container
    step_count: int
    unsaved: Unsaved


def ps(engine: Engine, *, everything: bool = False) -> tuple[ListedContainer, ...]:
    """The containers that snap started, newest first: those that are up, or ``everything``."""
    return tuple(
        ListedContainer(container, len(journal_of(container.id).steps()), unsaved(engine, container))
        for container in engine.containers_with_label(STARTED_LABEL)
        if started_by_snap(container) and (everything or container.is_up)
    )
