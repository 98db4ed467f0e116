"""``snap attach``: connect a terminal to the command that a container was started with."""

from __future__ import annotations

from functools import partial

from snapshot.engine.process_types import TerminalSize
from snapshot.engine.processes import Processes
from snapshot.journal.step import Step
from snapshot.workflow.recording import Recording
from snapshot.workflow.session import Connection, SessionResult, left_alone, require_running
from snapshot.workflow.steps import StepKeeper
from snapshot.workflow.streams import Sitting, to_nobody


def attach(
    processes: Processes,
    container: str,
    sitting: Sitting = to_nobody,
    *,
    stdin: bool = False,
    detach_keys: str = "",
    recording: Recording | None = None,
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
    with StepKeeper(processes, found, Step(0, "attach")) as keeper:
        duplex = processes.attach(found.id, stdin=stdin and found.stdin, detach_keys=detach_keys)
        try:
            if not connection.carry(duplex, keeper, _Redrawing(processes, found.id)):
                keeper.exit_code = processes.wait_exit(found.id)
        except KeyboardInterrupt as interrupt:
            raise left_alone(found, interrupt) from interrupt
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
