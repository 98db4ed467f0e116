"""``snap run``: start a named container that is kept."""

from __future__ import annotations

from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from functools import partial

from snapshot.engine.client import Engine
from snapshot.engine.processes import Processes
from snapshot.engine.types import Container, ContainerSpec, Image
from snapshot.errors import (
    ContainerNotFound,
    EngineError,
    Interrupted,
    NameInUse,
    SnapError,
    Terminated,
)
from snapshot.image.record import STARTED_LABEL
from snapshot.image.reference import container_name_for
from snapshot.journal.step import Step
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.pulling import PullPolicy, image_for
from snapshot.workflow.replaced import name_made_free
from snapshot.workflow.sessions.connection import Connection, removed_meanwhile
from snapshot.workflow.sessions.detach_keys import key_bytes
from snapshot.workflow.sessions.recording import RecordingPlace
from snapshot.workflow.sessions.streams import Sitting, to_nobody
from snapshot.workflow.steps import StepKeeper, forget_steps

_MOST_NAMES_TRIED = 100
_GRACE_S = 3.0


@dataclass(frozen=True)
class RunResult:
    """A container that was started.

    Attributes
    ----------
    exit_code:
        ``None`` while it runs on: it was started so (``detach``), or detached from.
    step:
        The step as the journal has it; ``None`` where it could not be written.
    failure:
        Why the step or the recording is not whole; empty where it is.
    """

    container_id: str
    name: str
    image: Image
    exit_code: int | None
    step: Step | None = None
    failure: str = ""


def run(
    engine: Engine,
    spec: ContainerSpec,
    *,
    pull: PullPolicy = PullPolicy.MISSING,
    replace_existing: bool = False,
    sitting: Sitting = to_nobody,
    detach_keys: str = "",
    recording: RecordingPlace | None = None,
    progress: Progress = SILENT,
) -> RunResult:
    """Start a named container, connect it with ``sitting``, and keep it when its command ends.

    Parameters
    ----------
    spec:
        What the container is to be. An empty name is made from the image's; a number is added where
        that is taken. With ``detach`` this returns when it has been started.
    replace_existing:
        Remove a container of the same name; only once the new one has been started.
    detach_keys:
        As Docker writes them, ``ctrl-p,ctrl-q`` by default; they leave the command running.

    Raises
    ------
    NameInUse, ImageNotFound, PullRefused, CommandNotStarted, EngineError
        Nothing is left of the new container, and the one to be replaced is as it was.
    Interrupted
        Ctrl-C, SIGTERM or SIGHUP: the command was stopped, its container is kept.
    """
    key_bytes(detach_keys)
    image = image_for(engine, spec.image, spec.platform, pull, progress)
    marked = replace(spec, labels={**spec.labels, STARTED_LABEL: image.id})
    processes = engine.processes
    connection = Connection(sitting, spec.tty, detach_keys, recording)
    with ExitStack() as stack:
        is_started = False
        try:
            with name_made_free(engine, spec.name if replace_existing else "") as replaced:
                container = processes.container(_create(engine, marked))
                try:
                    keeper = stack.enter_context(_step(processes, container, spec))
                    duplex = None
                    if not spec.detach:
                        duplex = processes.attach(container.id, stdin=spec.stdin, detach_keys=detach_keys)
                        stack.enter_context(closing(duplex))
                    processes.start(container.id, detach_keys)
                    is_started = True
                except BaseException:
                    stack.close()
                    engine.remove(container.id)
                    forget_steps(container.id)
                    raise
            if replaced:
                forget_steps(replaced.id)
            resize = partial(processes.resize_container, container.id)
            if duplex is not None and not connection.carry(duplex, keeper, resize):
                keeper.exit_code = _exit_code(processes, container)
        except KeyboardInterrupt as interrupt:
            if not is_started:
                raise
            raise _stopped(engine, container, keeper, interrupt) from interrupt
    return RunResult(container.id, container.name, image, keeper.exit_code, keeper.step, keeper.failure)


def _exit_code(processes: Processes, container: Container) -> int:
    try:
        return processes.wait_exit(container.id)
    except ContainerNotFound as error:
        raise removed_meanwhile(container) from error


def _step(processes: Processes, container: Container, spec: ContainerSpec) -> StepKeeper:
    draft = Step(0, "run", spec.command, user=spec.user, working_dir=spec.working_dir)
    return StepKeeper(processes, container, draft, env=spec.env, is_new=True)


def _create(engine: Engine, spec: ContainerSpec) -> str:
    """Make the container under the name asked for, or under the first free one made from the image's."""
    if spec.name:
        return engine.create(spec)
    stem = container_name_for(spec.image)
    for number in range(1, _MOST_NAMES_TRIED + 1):
        name = stem if number == 1 else f"{stem}-{number}"
        with suppress(NameInUse):
            return engine.create(replace(spec, name=name))
    raise EngineError(
        f"The names '{stem}' to '{stem}-{_MOST_NAMES_TRIED}' are all in use.", "Choose one with --name."
    )


def _stopped(
    engine: Engine, container: Container, keeper: StepKeeper, interrupt: KeyboardInterrupt
) -> Interrupted:
    """Stop the command as the terminal would: the same signal, and SIGKILL if it does not heed it.

    A second signal meanwhile means that it is to be SIGKILL at once.
    """
    with suppress(SnapError, TimeoutError):
        try:
            engine.signal(container.id, "SIGTERM" if isinstance(interrupt, Terminated) else "SIGINT")
            keeper.exit_code = engine.processes.wait_exit(container.id, timeout_s=_GRACE_S)
        except (TimeoutError, KeyboardInterrupt):
            engine.signal(container.id, "SIGKILL")
            keeper.exit_code = engine.processes.wait_exit(container.id, timeout_s=_GRACE_S)
    return Interrupted(
        f"Stopped: the command of container '{container.name}' was ended, the container is kept.",
        f"`snap diff {container.name}` shows what it changed until then.",
        by=interrupt,
    )
