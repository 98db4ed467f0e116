"""``snap run``: start a named container that is kept."""

from __future__ import annotations

import enum
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace

from snapshot.engine.client import Engine
from snapshot.engine.types import ContainerSpec, Image
from snapshot.errors import (
    ContainerNotFound,
    EngineError,
    ImageNotFound,
    Interrupted,
    InvalidInput,
    NameInUse,
    SnapError,
    Terminated,
)
from snapshot.image.record import STARTED_LABEL
from snapshot.image.reference import Reference, container_name_for
from snapshot.workflow.progress import SILENT, Progress

_MOST_NAMES_TRIED = 100
_GRACE_S = 3.0


class PullPolicy(enum.Enum):
    """When an image is pulled: as ``docker run --pull`` has it."""

    ALWAYS = "always"
    MISSING = "missing"
    NEVER = "never"


#: Takes output as it comes: a piece of stdout, and one of stderr; one of them is ``None``.
OutputSink = Callable[[bytes | None, bytes | None], None]


@dataclass(frozen=True)
class RunResult:
    """A container that was started; ``exit_code`` is ``None`` while it runs on (``detach``)."""

    container_id: str
    name: str
    image: Image
    exit_code: int | None


def run(
    engine: Engine,
    spec: ContainerSpec,
    *,
    pull: PullPolicy = PullPolicy.MISSING,
    detach: bool = False,
    replace_existing: bool = False,
    output: OutputSink | None = None,
    progress: Progress = SILENT,
) -> RunResult:
    """Start a named container, stream its output, and keep it when its command ends.

    Parameters
    ----------
    spec:
        What the container is to be. An empty name is made from the image's; a number is added where
        that is taken.
    detach:
        Return when it has been started.
    replace_existing:
        Remove a container of the same name; only once the new one has been started.

    Raises
    ------
    NameInUse, ImageNotFound, PullRefused, CommandNotStarted, EngineError
        Nothing is left of the new container, and the one to be replaced is as it was.
    Interrupted
        Ctrl-C or SIGTERM: the command was stopped, its container is kept.
    """
    image = _image_for(engine, spec, pull, progress)
    marked = replace(spec, labels={**spec.labels, STARTED_LABEL: image.id})
    with _name_made_free(engine, spec.name if replace_existing else ""):
        container_id, name = _create(engine, marked)
        stream = None
        try:
            stream = None if detach else engine.attach(container_id)
            engine.start(container_id)
        except BaseException:
            if stream:
                stream.close()
            engine.remove(container_id)
            raise
    if stream is None:
        return RunResult(container_id, name, image, None)
    with closing(stream):
        try:
            for stdout, stderr in stream:
                if output:
                    output(stdout, stderr)
            exit_code = engine.wait(container_id)
        except KeyboardInterrupt as interrupt:
            raise _stopped(engine, container_id, name, interrupt) from interrupt
    return RunResult(container_id, name, image, exit_code)


def _image_for(engine: Engine, spec: ContainerSpec, policy: PullPolicy, progress: Progress) -> Image:
    try:
        if policy is not PullPolicy.ALWAYS:
            image = engine.image(spec.image)
            if policy is PullPolicy.NEVER or _is_for(image, spec.platform):
                return image
    except ImageNotFound as not_found:
        if policy is PullPolicy.NEVER:
            raise
        try:
            reference = Reference.parse(spec.image)
        except InvalidInput as invalid:
            # An ID can't be pulled; a name that can't be one is the user's mistake.
            raise (not_found if spec.image.startswith("sha256:") else invalid) from invalid
    else:
        reference = Reference.parse(spec.image)
    progress.stage(f"pulling {reference.familiar}")
    try:
        for event in engine.pull(reference.name, reference.digest or reference.tag, spec.platform):
            progress.pull(event)
    except KeyboardInterrupt as interrupt:
        raise Interrupted(
            f"The pull of '{reference.familiar}' was stopped; nothing was started.",
            exit_code=143 if isinstance(interrupt, Terminated) else 130,
        ) from interrupt
    return engine.image(spec.image)


def _is_for(image: Image, platform: str) -> bool:
    parts = [image.os, image.architecture, image.variant]
    return all(not wanted or wanted == part for wanted, part in zip(platform.split("/"), parts, strict=False))


def _create(engine: Engine, spec: ContainerSpec) -> tuple[str, str]:
    """Make the container under the name asked for, or under the first free one made from the image's."""
    if spec.name:
        return engine.create(spec), spec.name
    stem = container_name_for(spec.image)
    for number in range(1, _MOST_NAMES_TRIED + 1):
        name = stem if number == 1 else f"{stem}-{number}"
        with suppress(NameInUse):
            return engine.create(replace(spec, name=name)), name
    raise EngineError(
        f"The names '{stem}' to '{stem}-{_MOST_NAMES_TRIED}' are all in use.", "Choose one with --name."
    )


@contextmanager
def _name_made_free(engine: Engine, name: str) -> Iterator[None]:
    """Move the container of that name away; it is removed if the work inside succeeds, else put back."""
    try:
        old = engine.container(name) if name else None
    except ContainerNotFound:
        old = None
    # A name given as an ID or its beginning would find a container of another name.
    if old is None or old.name != name:
        yield
        return
    try:
        engine.rename(old.id, f"{name}-replaced-{secrets.token_hex(4)}")
        yield
    except BaseException:
        # Asked, not assumed: the call to rename may have been interrupted on either side of its effect.
        if engine.container(old.id).name != name:
            engine.rename(old.id, name)
        raise
    engine.remove(old.id)


def _stopped(engine: Engine, container_id: str, name: str, interrupt: KeyboardInterrupt) -> Interrupted:
    """Stop the command as the terminal would: the same signal, and SIGKILL if it does not heed it."""
    terminated = isinstance(interrupt, Terminated)
    with suppress(SnapError):
        engine.signal(container_id, "SIGTERM" if terminated else "SIGINT")
        try:
            engine.wait(container_id, timeout_s=_GRACE_S)
        except TimeoutError:
            engine.signal(container_id, "SIGKILL")
    return Interrupted(
        f"Stopped: the command of container '{name}' was ended, the container is kept.",
        f"`snap diff {name}` shows what it changed until then.",
        exit_code=143 if terminated else 130,
    )
