"""What is said on stderr when a session has ended: what it changed, and what to do next."""

from __future__ import annotations

import posixpath
import sys
from typing import TYPE_CHECKING

import click

from snapshot.cli.text import coloured, count, note, printable, table
from snapshot.engine.types import Image
from snapshot.journal.step import StepChanges

if TYPE_CHECKING:
    from snapshot.workflow.run import RunResult
    from snapshot.workflow.sessions.connection import SessionResult

_SHELLS = {"sh", "ash", "bash", "dash", "zsh", "ksh", "fish", "busybox"}


def tell_after(name: str, result: RunResult | SessionResult, *, is_session: bool, quiet: bool) -> None:
    """Say what a run, exec or attach left in the container of that name.

    ``is_session`` where a person sat at a terminal: then there is a table of what changed.
    """
    if result.failure:
        note(result.failure)
    if quiet:
        return
    step = result.step
    if is_session and step and step.changes:
        _tell_changes(name, step.changes)
    if step and step.session:
        where = f"snap log {name} --session {step.number}" if "/" not in step.session else step.session
        note(f"recorded: {where}")
    if result.exit_code is None and step and step.verb == "exec":
        # There is no way back to it: what one can attach to is the container's own command.
        note(f"the command runs on in '{name}'. Next: snap diff {name}, snap commit {name} IMAGE")
    elif result.exit_code is None:
        back = f"snap attach {name}, " if is_session else ""
        note(f"'{name}' runs. Next: {back}snap diff {name}, snap commit {name} IMAGE")
    else:
        note(f"'{name}' is kept. Next: snap diff {name}, snap commit {name} IMAGE")


def _tell_changes(name: str, changes: StepChanges) -> None:
    if not changes.total:
        note(f"nothing was changed in '{name}'")
        return
    note(f"{count(changes.total, 'path')} changed in '{name}':")
    rows = [line.split(" ", 1) for line in changes.listed] or [
        [letter, f"{number:,} paths"]
        for letter, number in (("A", changes.added), ("C", changes.changed), ("D", changes.deleted))
        if number
    ]
    click.echo(table([[coloured(letter), printable(path)] for letter, path in rows]), err=True)


def tell_how_to_get_a_shell(image: Image, name: str) -> None:
    """Where a person starts an image that is a shell's, and gave it no terminal, say how to get one."""
    argv = [*image.config.entrypoint, *image.config.cmd]
    if sys.stdin.isatty() and argv and posixpath.basename(argv[0]) in _SHELLS:
        note(f"the command of '{name}' is a shell, which had no input. To get it: snap run -it {name}")
