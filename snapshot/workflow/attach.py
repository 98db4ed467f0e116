"""``snap attach``: connect a terminal to the command that a container was started with."""

from __future__ import annotations

from functools import partial

from snapshot.engine.process_types import TerminalSize
from snapshot.engine.processes import Processes
from snapshot.errors import ContainerNotFound
from snapshot.journal.step import Step
from snapshot.workflow.sessions.connection import (
    Connection,
    SessionResult,
    left_alone,
    removed_meanwhile,
    require_running,
)
from snapshot.workflow.sessions.recording import RecordingPlace
from snapshot.workflow.sessions.streams import Sitting, to_nobody
from snapshot.workflow.steps import StepKeeper


def attach(
    processes: Processes,
    container: str,
    sitting: Sitting = to_nobody,
    *,
    stdin: bool = False,
    detach_keys: str = "",
    recording: RecordingPlace | None = None,
) -> SessionResult:
    """Connect to the first process of a running container until it ends or is detached from, as a step of it.

    Parameters
    ----------
    sitting:
        Gives input and output.
    stdin:
        Whether there is input; it is sent only where the container was made with an open one (``-i``).
    detach_keys:
        As Docker writes them, ``ctrl-p,ctrl-q`` by default.
    recording:
        Where the session is recorded, if it is.

    Raises
    ------
    ContainerNotFound, ContainerUnusable
    Interrupted
        Ctrl-C or SIGTERM without a terminal; the container runs on.
    """
    found = processes.container(container)
    require_running(found)
    connection = Connection(sitting, found.tty, detach_keys, recording)
    with (
        StepKeeper(processes, found, Step(0, "attach")) as keeper,
        # Asked in time: when its output has ended, it may be restarted already, or be removed.
        processes.exit_awaited(found.id) as exit_code,
    ):
        duplex = processes.attach(found.id, stdin=stdin and found.stdin, detach_keys=detach_keys)
        try:
            if not connection.carry(duplex, keeper, _Redrawing(processes, found.id)):
                keeper.exit_code = exit_code()
        except KeyboardInterrupt as interrupt:
            raise left_alone(found, interrupt) from interrupt
        except ContainerNotFound as error:
            raise removed_meanwhile(found) from error
    return SessionResult(found, keeper.exit_code, keeper.step, keeper.failure)


class _Redrawing:
    """Gives a container's terminal its size; another one first, so that what draws it draws it anew."""

    def __init__(self, processes: Processes, container_id: str) -> None:
        self._resize = partial(processes.resize_container, container_id)
        self._is_first = True

    def __call__(self, size: TerminalSize) -> bool:
        if self._is_first:
            self._is_first = not self._resize(size._replace(rows=size.rows + 1))
        return self._resize(size)
