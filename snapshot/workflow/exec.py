"""``snap exec``: run a command in a container that runs."""

from __future__ import annotations

import time
from functools import partial

from snapshot.engine.process_types import ExecSpec
from snapshot.engine.processes import Processes
from snapshot.engine.types import Container
from snapshot.errors import NotFound
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

_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.5


def exec_(
    processes: Processes,
    container: str,
    spec: ExecSpec,
    sitting: Sitting = to_nobody,
    recording: RecordingPlace | None = None,
) -> SessionResult:
    """Run a command in a running container, as a step of it.

    Parameters
    ----------
    container:
        Name or ID; any container of the engine.
    sitting:
        Gives what the command's input and output are connected to.
    recording:
        Where the session is recorded, if it is.

    Raises
    ------
    ContainerNotFound, ContainerUnusable, CommandNotStarted
    Interrupted
        Ctrl-C or SIGTERM without a terminal; the command goes on in the container, as with Docker.
    """
    found = processes.container(container)
    require_running(found)
    connection = Connection(sitting, spec.tty, spec.detach_keys, recording)
    draft = Step(0, "exec", spec.argv, user=spec.user, working_dir=spec.working_dir)
    with StepKeeper(processes, found, draft, env=spec.env) as keeper:
        exec_id = processes.exec_create(found.id, spec)
        duplex = processes.exec_start(exec_id, spec)
        if duplex is not None:
            try:
                if not connection.carry(duplex, keeper, partial(processes.resize_exec, exec_id)):
                    keeper.exit_code = _exit_code(processes, found, exec_id)
            except KeyboardInterrupt as interrupt:
                raise left_alone(found, interrupt) from interrupt
    return SessionResult(found, keeper.exit_code, keeper.step, keeper.failure)


def _exit_code(processes: Processes, container: Container, exec_id: str) -> int:
    """The exit status of a command whose output has ended, a moment before the engine knows of that."""
    pause_s = _FIRST_PAUSE_S
    try:
        while (state := processes.exec_state(exec_id)).running:
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
    except NotFound as error:
        raise removed_meanwhile(container) from error
    return state.exit_code
