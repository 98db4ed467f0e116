"""A run: a command in a container of the image so far, and what it changed as a layer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, NamedTuple

from snapshot.changeset.paths import absolute
from snapshot.engine.client import Engine
from snapshot.engine.types import Config, ContainerSpec, Image
from snapshot.errors import CommandNotStarted, SnapError
from snapshot.image.record import HELPER_LABEL
from snapshot.recipe.instructions import Run
from snapshot.workflow.described import base_of
from snapshot.workflow.helper import helper_container, helper_name
from snapshot.workflow.methods.interface import CaptureWay, CommitOrder
from snapshot.workflow.progress import Progress
from snapshot.workflow.sessions.pump import pump
from snapshot.workflow.sessions.streams import OutputSink, Streams

if TYPE_CHECKING:
    from snapshot.changeset.capture import Captured

# What Docker takes where an image has no shell of its own (Dockerfile reference, SHELL).
_SHELL = ("/bin/sh", "-c")


class RunOutcome(NamedTuple):
    """What a run changed, and how long the command took, in seconds."""

    captured: Captured
    duration_s: float


class RunSettings(NamedTuple):
    """What runs are given that is in no image.

    Attributes
    ----------
    env:
        Values of variables, by name: each run gets those that it names.
    network:
        Network mode of runs that name none; empty for the engine's default.
    output:
        Takes what the commands print.
    """

    env: Mapping[str, str]
    network: str = ""
    output: OutputSink = lambda _stdout, _stderr: None


def run_captured(
    engine: Engine,
    image: Image,
    config: Config,
    run: Run,
    settings: RunSettings,
    *,
    capture: CaptureWay,
    fixed_time_s: int | None,
    progress: Progress,
    stack: ExitStack,
) -> RunOutcome:
    """Run a command as a Dockerfile's RUN would, and take what it changed; the container goes at once.

    Parameters
    ----------
    image:
        What the container is made from; it has ``config``.
    stack:
        The captured layer can be read as long as it is open.

    Raises
    ------
    SnapError
        The command failed; the message has its status. What it printed was given to ``settings.output``.
    """
    # It takes long to load, and most patches run nothing.
    from snapshot.workflow.methods.sealed import captured_layer

    shown = run.command if isinstance(run.command, str) else " ".join(run.command)
    with helper_container(engine, _spec(image, config, run, settings)) as container_id:
        begun_s = time.monotonic()
        progress.stage(f"running {shown}")
        try:
            exit_code = _ran(engine, container_id, settings.output)
        except CommandNotStarted as error:
            # Its exit code is one of a container's, and here it is a step that failed.
            raise SnapError(error.what, error.hint) from error
        duration_s = round(time.monotonic() - begun_s, 3)
        if exit_code:
            raise SnapError(
                f"The command '{shown}' ended with status {exit_code}; nothing was made.",
                "Mend the command; the steps before it are kept, if the cache is used.",
            )
        order = CommitOrder(
            container=engine.container(container_id),
            base=image,
            base_name="",
            wanted=config,
            origin=base_of("", image),
            capture=capture,
            fixed_time_s=fixed_time_s,
        )
        return RunOutcome(captured_layer(engine, order, progress, stack), duration_s)


def command_line(run: Run, config: Config) -> tuple[str, ...]:
    """The arguments that a run executes: text goes to the image's shell.

    >>> command_line(Run("echo a b"), Config())
    ('/bin/sh', '-c', 'echo a b')
    """
    if isinstance(run.command, str):
        return (*(config.shell or _SHELL), run.command)
    return run.command


def _spec(image: Image, config: Config, run: Run, settings: RunSettings) -> ContainerSpec:
    program, *arguments = command_line(run, config)
    given = tuple(f"{name}={settings.env[name]}" for name in run.env_names if name in settings.env)
    return ContainerSpec(
        image=image.id,
        name=helper_name("patch"),
        entrypoint=(program,),
        command=tuple(arguments),
        env=(*config.env, *given),
        working_dir=absolute(run.working_dir, config.working_dir) if run.working_dir else config.working_dir,
        user=run.user or config.user,
        network=run.network or settings.network,
        labels={HELPER_LABEL: "patch"},
    )


def _ran(engine: Engine, container_id: str, output: OutputSink) -> int:
    processes = engine.processes
    with closing(processes.attach(container_id, stdin=False)) as duplex:
        processes.start(container_id)
        pump(duplex, Streams(output=output), tty=False)
        return processes.wait_exit(container_id)
