"""Helper containers: through them an image's files are read, or a check of the user's is run."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import Event, Timer

from snapshot.changeset.source import FileSource
from snapshot.engine.client import Engine
from snapshot.engine.types import ContainerSpec
from snapshot.errors import SnapError
from snapshot.image.record import HELPER_LABEL
from snapshot.workflow.sessions.pump import pump
from snapshot.workflow.sessions.streams import Streams

_MOST_OUTPUT_BYTES = 1 << 20


@contextmanager
def files_of_image(engine: Engine, image_id: str) -> Iterator[FileSource]:
    """The files of an image, through a container that is made and never started."""
    spec = ContainerSpec(
        image=image_id,
        name=helper_name("verify"),
        # The engine wants a command, where an image has none; this one is never run.
        command=("/never-started",),
        # The engine makes the working folder where it is missing, and it may be what was deleted.
        working_dir="/",
        network="none",
        labels={HELPER_LABEL: "verify"},
    )
    with helper_container(engine, spec) as container_id:
        yield engine.files(container_id)


def run_throw_away(
    engine: Engine, image_id: str, argv: tuple[str, ...], timeout_s: float
) -> tuple[int, bytes]:
    """Run a command in a container without network that is removed at once.

    Returns its exit status and the first MiB of its stdout. Raises :class:`TimeoutError` when it runs
    longer than ``timeout_s`` seconds.
    """
    spec = ContainerSpec(
        image=image_id,
        name=helper_name("verify"),
        entrypoint=argv[:1],
        command=argv[1:],
        network="none",
        labels={HELPER_LABEL: "verify"},
    )
    processes = engine.processes
    output = bytearray()

    def take(stdout: bytes | None, _stderr: bytes | None) -> None:
        nonlocal output
        output += (stdout or b"")[: _MOST_OUTPUT_BYTES - len(output)]

    with (
        helper_container(engine, spec) as container_id,
        closing(processes.attach(container_id, stdin=False)) as duplex,
    ):
        processes.start(container_id)
        with _killed_after(engine, container_id, timeout_s) as expired:
            # Read before it has ended: once the engine's buffer is full, the command waits for a reader.
            pump(duplex, Streams(output=take), tty=False)
            exit_code = processes.wait_exit(container_id)
    if expired.is_set():
        raise TimeoutError(f"still running after {timeout_s} s")
    return exit_code, bytes(output)


@contextmanager
def helper_container(engine: Engine, spec: ContainerSpec) -> Iterator[str]:
    """A container for as long as the work inside takes, by its ID."""
    container_id = engine.create(spec)
    try:
        yield container_id
    finally:
        engine.remove(container_id)


@contextmanager
def _killed_after(engine: Engine, container_id: str, timeout_s: float) -> Iterator[Event]:
    """Kill the container if the work inside takes longer than that; the event is then set."""
    expired = Event()

    def kill() -> None:
        expired.set()
        with suppress(SnapError):
            engine.signal(container_id, "SIGKILL")

    timer = Timer(timeout_s, kill)
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()
        timer.join()


def helper_name(purpose: str) -> str:
    """A name that is nobody else's, by which the engine can be asked for it at any point."""
    return f"snap-{purpose}-{secrets.token_hex(8)}"
