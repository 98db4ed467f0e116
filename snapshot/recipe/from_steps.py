"""The steps of a container as runs of a recipe, or why they are none; nothing here asks an engine."""

from __future__ import annotations

import posixpath
from typing import NamedTuple

from snapshot.engine.types import Config
from snapshot.journal.step import Step
from snapshot.recipe.instructions import Run

_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh"})
#: Why a step whose words are not whole cannot be replayed.
CUT = "something was cut from it, as a secret could have been or as it was too long"


class Unreplayable(NamedTuple):
    """Why a step cannot be replayed."""

    why: str


class Idle(NamedTuple):
    """Why a step need not be replayed."""

    why: str


class Surroundings(NamedTuple):
    """What a command of a container has of the container: its image's config, and what it was started with.

    ``config`` is ``None`` where the image is not known any more.
    """

    config: Config | None
    user: str = ""
    working_dir: str = ""
    env_names: tuple[str, ...] = ()

    def started(self, step: Step) -> Surroundings:
        """The same after the container was started with that step."""
        return self._replace(user=step.user, working_dir=step.working_dir, env_names=step.env_names)


def is_idle(step: Step) -> bool:
    """Whether it is known that a step changed nothing."""
    changes = step.changes
    return changes is not None and changes.exact and not changes.total and not step.overlaps


def as_run(step: Step, around: Surroundings) -> Run | Idle | Unreplayable:
    """What a step of a container (``run``, ``exec``, and those that cannot be replayed) is in a recipe."""
    if is_idle(step):
        return Idle("it changed nothing")
    if step.verb == "reset":
        return Idle("it made the container anew")
    if step.verb in _NEVER:
        return Unreplayable(_NEVER[step.verb])
    if step.cut:
        return Unreplayable(CUT)
    argv = _whole_command(step, around.config)
    if not argv:
        return Unreplayable("nobody knows the command that its image had")
    if is_interactive(argv):
        return Unreplayable("it was interactive, or read its commands from elsewhere")
    if step.verb == "run" and step.exit_code is None and _only_waits(argv):
        return Idle("it only kept the container running")
    if step.interrupted or step.exit_code is None:
        return Unreplayable("its end is not known: it was still running, or was interrupted")
    if step.exit_code:
        return Unreplayable(f"it ended with status {step.exit_code}")
    return Run(
        argv,
        tuple(dict.fromkeys((*around.env_names, *step.env_names))),
        user=step.user or around.user,
        working_dir=step.working_dir or around.working_dir,
    )


_NEVER = {
    "start": "the container's own command ran once more",
    "attach": "it was interactive",
    "unknown": "nobody knows what was done",
}


def _whole_command(step: Step, config: Config | None) -> tuple[str, ...]:
    """What was executed: an image's entrypoint comes before what ``run`` was given."""
    if step.verb != "run":
        return step.argv
    if config is None:
        return step.argv
    return (*config.entrypoint, *(step.argv or config.cmd))


def is_interactive(argv: tuple[str, ...]) -> bool:
    """Whether it is a shell that is given neither commands nor a file with some.

    >>> is_interactive(("bash", "-l")), is_interactive(("sh", "-ec", "ls")), is_interactive(("sh", "x.sh"))
    (True, False, False)
    """
    name, *arguments = argv
    if posixpath.basename(name) not in _SHELLS:
        return False
    return all(
        argument.startswith(("-", "+")) and (argument.startswith("--") or "c" not in argument)
        for argument in arguments
    )


def _only_waits(argv: tuple[str, ...]) -> bool:
    name = posixpath.basename(argv[0])
    return name in {"sleep", "pause"} or (name == "tail" and argv[1:2] == ("-f",))
