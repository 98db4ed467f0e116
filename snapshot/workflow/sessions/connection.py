"""A process in a container, connected with what is on this side: until it ends, or is detached from."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

from snapshot.engine.process_types import Duplex, TerminalSize
from snapshot.engine.types import Container
from snapshot.errors import ContainerNotFound, ContainerUnusable, Interrupted
from snapshot.journal.step import Step
from snapshot.workflow.sessions.pump import pump
from snapshot.workflow.sessions.recording import RecordingPlace, recorded
from snapshot.workflow.sessions.streams import Sitting
from snapshot.workflow.steps import StepKeeper


class SessionResult(NamedTuple):
    """What became of a command, or of a terminal that was attached.

    Attributes
    ----------
    exit_code:
        ``None`` where the process runs on: it was detached from, or left alone from the beginning.
    step:
        The step as the journal has it; ``None`` where it could not be written.
    failure:
        Why the step or the recording is not whole; empty where it is.
    """

    container: Container
    exit_code: int | None
    step: Step | None
    failure: str


class Connection(NamedTuple):
    """How a process is connected.

    Attributes
    ----------
    sitting:
        Gives its input and output on this side.
    tty:
        Whether it has a terminal.
    detach_keys:
        As Docker writes them, ``ctrl-p,ctrl-q`` by default.
    recording:
        Where the session is recorded, if it is.
    """

    sitting: Sitting
    tty: bool
    detach_keys: str = ""
    recording: RecordingPlace | None = None

    def carry(self, duplex: Duplex, keeper: StepKeeper, resize: Callable[[TerminalSize], object]) -> bool:
        """Carry input and output until the output ends; true where the process was detached from instead.

        ``duplex`` is closed. ``resize`` gives the process's terminal another size.
        """
        with (
            closing(duplex),
            self.sitting() as streams,
            recorded(streams, self.recording, keeper, tty=self.tty) as seen,
        ):
            return pump(duplex, seen, tty=self.tty, resize=resize, detach_keys=self.detach_keys)


def require_running(container: Container) -> None:
    """Raise :class:`~snapshot.errors.ContainerUnusable` where nothing can be connected with the container."""
    if container.state == "paused":
        raise ContainerUnusable(
            f"The container '{container.name}' is paused.",
            f"`docker unpause {container.name}` lets it go on.",
        )
    if not container.is_up:
        raise ContainerUnusable(
            f"The container '{container.name}' does not run ({container.state}).",
            f"`snap start {container.name}` starts it again.",
        )


def removed_meanwhile(container: Container) -> ContainerNotFound:
    """The error for a container that somebody removed while something of it was connected."""
    return ContainerNotFound(
        f"The container '{container.name}' was removed meanwhile, and nobody knows how its command ended."
    )


def left_alone(container: Container, interrupt: KeyboardInterrupt) -> Interrupted:
    """The error for a signal that ends snap, and not what it is connected to."""
    return Interrupted(f"Stopped; what runs in '{container.name}' was left alone.", by=interrupt)
