"""Helper containers: through them an image's files are read, or a check of the user's is run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from snapshot.changeset.source import FileSource
from snapshot.engine.client import Engine
from snapshot.engine.types import ContainerSpec
from snapshot.image.record import HELPER_LABEL

_MOST_OUTPUT_BYTES = 1 << 20


@contextmanager
def files_of_image(engine: Engine, image_id: str) -> Iterator[FileSource]:
    """The files of an image, through a container that is made and never started."""
    spec = ContainerSpec(
        image=image_id,
        name="",
        # The engine wants a command, where an image has none; this one is never run.
        command=("/never-started",),
        network="none",
        labels={HELPER_LABEL: "verify"},
    )
    container_id = engine.create(spec)
    try:
        yield engine.files(container_id)
    finally:
        engine.remove(container_id)


def run_throw_away(
    engine: Engine, image_id: str, argv: tuple[str, ...], timeout_s: float
) -> tuple[int, bytes]:
    """Run a command in a container without network that is removed at once.

    Returns its exit status and the first MiB of its stdout. Raises :class:`TimeoutError` when it runs
    longer than ``timeout_s`` seconds.
    """
    spec = ContainerSpec(
        image=image_id,
        name="",
        entrypoint=argv[:1],
        command=argv[1:],
        network="none",
        labels={HELPER_LABEL: "verify"},
    )
    container_id = engine.create(spec)
    try:
        with closing(engine.attach(container_id)) as stream:
            engine.start(container_id)
            exit_code = engine.wait(container_id, timeout_s=timeout_s)
            output = bytearray()
            for stdout, _ in stream:
                output += (stdout or b"")[: _MOST_OUTPUT_BYTES - len(output)]
        return exit_code, bytes(output)
    finally:
        engine.remove(container_id)
