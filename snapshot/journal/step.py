"""A step: one thing that was done to a container."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

#: The verbs that make steps. ``unknown`` stands for what was done behind snap's back.
VERBS = ("run", "start", "exec", "attach", "cp", "reset", "patch", "unknown")

#: A step lists its changes up to this number of paths.
MOST_LISTED = 20


class Copied(NamedTuple):
    """A regular file that was copied into a container: ``path`` there, and what it held (hex sha256)."""

    path: str
    sha256: str
    size_bytes: int


class StepChanges(NamedTuple):
    """What a step changed against the one before it.

    Attributes
    ----------
    added, changed, deleted:
        Numbers of paths; folders that only hold changed ones do not count.
    listed:
        The changes as ``A /path``, where there are at most :data:`MOST_LISTED`; else empty.
    exact:
        Whether a path that had been changed before the step was looked at closely enough to see another
        change of it.
    """

    added: int = 0
    changed: int = 0
    deleted: int = 0
    listed: tuple[str, ...] = ()
    exact: bool = True

    @property
    def total(self) -> int:
        """How many paths in all."""
        return self.added + self.changed + self.deleted


class Step(NamedTuple):
    """One thing that was done to a container, with all secrets cut.

    Attributes
    ----------
    number:
        Counts from 1 within a container's journal.
    verb:
        One of :data:`VERBS`.
    argv:
        The command, what was copied (source and destination), or the options of a patch.
    user, working_dir:
        Empty where the container's own were in force.
    env_names:
        Names of the variables that were given; never their values.
    copied:
        What ``cp`` or ``patch`` brought in.
    started:
        RFC 3339, UTC, by the clock of this machine: the order of steps is that of their numbers.
    duration_s:
        In seconds; ``None`` where the step's end is not known.
    exit_code:
        ``None`` where it is not known: the process runs on, was detached from, or snap was killed.
    changes:
        ``None`` where nobody could look.
    session:
        Name of the recording of its terminal, empty where there is none.
    interrupted:
        Whether the end was never written: snap, or the machine, was stopped meanwhile.
    overlaps:
        Whether another step was at work at the same time, so that changes may be of either.
    cut:
        Whether something was cut from ``argv``: what could hold a secret, or in an image's labels what is too
        long for them.
    """

    number: int
    verb: str
    argv: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    env_names: tuple[str, ...] = ()
    copied: tuple[Copied, ...] = ()
    started: str = ""
    duration_s: float | None = None
    exit_code: int | None = None
    changes: StepChanges | None = None
    session: str = ""
    interrupted: bool = False
    overlaps: bool = False
    cut: bool = False


def numbered(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Steps of several containers or images as one list, numbered through from 1."""
    return tuple(step._replace(number=number) for number, step in enumerate(steps, 1))
