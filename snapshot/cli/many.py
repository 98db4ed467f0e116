"""Verbs that take several containers: they go on after one that failed, and ask before something is lost."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from snapshot.cli.leaving import report
from snapshot.cli.text import note, printable
from snapshot.errors import EngineUnreachable, Interrupted, SnapError

if TYPE_CHECKING:
    from snapshot.workflow.unsaved import Confirm, Loss


def for_each(containers: Sequence[str], work: Callable[[str], bool]) -> int:
    """Do ``work`` for each container, and return the exit status: 1 where it failed, or gave false, for any.

    The error of a single container is raised, as is one that would be everybody's.
    """
    if len(containers) == 1:
        return 0 if work(containers[0]) else 1
    status = 0
    for container in containers:
        try:
            done = work(container)
        except (EngineUnreachable, Interrupted):
            raise
        except SnapError as error:
            report(error, debug=False)
            done = False
        status = status if done else 1
    return status


def confirm_on_terminal(doing: str, question: str) -> Confirm | None:
    """What asks before something is lost, where there is somebody to ask; the answer is no unless it is yes.

    Both texts have ``{name}`` in the place of the container's name.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def confirm(loss: Loss) -> bool:
        name = printable(loss.container.name)
        note(f"{doing.format(name=loss.container.name)} {loss.in_words()}.")
        return click.confirm(f"{question.format(name=name)}?", default=False, err=True)

    return confirm
