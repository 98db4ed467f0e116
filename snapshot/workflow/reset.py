"""``snap reset``: a container as it was made, or as a snapshot of it has it."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from snapshot.engine.client import Engine
from snapshot.engine.types import Container, Image
from snapshot.errors import ImageNotFound, NotFound, Refused
from snapshot.image.record import STARTED_LABEL, Record
from snapshot.journal.step import Step
from snapshot.workflow.named import usable_container
from snapshot.workflow.replaced import name_made_free
from snapshot.workflow.steps import StepKeeper, forget_steps
from snapshot.workflow.stop import end
from snapshot.workflow.unsaved import Confirm, agreed, loss_of

# Of snapshots of snapshots: a chain of records comes from strangers, and could be made to have no end.
_MOST_GENERATIONS = 200


class Reset(NamedTuple):
    """A container that was made anew.

    Attributes
    ----------
    container_id:
        Of the new container; empty where the answer to the question was no, and nothing was done.
    name:
        Its name, which is the old one's.
    image:
        What it was made from.
    runs:
        Whether it was started, as the old one was.
    journal_failure:
        Why the step is not in the journal, empty where it is.
    """

    container_id: str
    name: str
    image: Image
    runs: bool
    journal_failure: str = ""


def reset(
    engine: Engine, container: str, *, to: str = "", force: bool = False, confirm: Confirm | None = None
) -> Reset:
    """Put a container back to its image, or to a snapshot of it.

    A new container takes the place of the old one: same name, command, variables, mounts, networks and
    limits. What it had of these from its image, the new one has from its own. Named volumes and folders of
    the host keep their data, anonymous volumes are new and empty. The journal begins anew.

    Parameters
    ----------
    container:
        Name or ID; any container of the engine, not only snap's.
    to:
        The container's image, or a snapshot that was made from it; empty means its image.
    force:
        Ask nothing, and take any image.
    confirm:
        Asked where changes that no image holds, or anonymous volumes, would be lost.

    Raises
    ------
    Refused
        Something would be lost and there is nobody to ask, or ``to`` is no snapshot of the container's image.
    ImageNotFound, NameInUse, CommandNotStarted, EngineError
        The old container is as it was; where it ran, its processes may have been started anew.
    """
    old = usable_container(engine, container)
    image = engine.image(to or old.image_id)
    if image.id != old.image_id and not force and not _is_made_from(engine, image, old.image_id):
        raise Refused(
            f"The image '{to}' is no snapshot of '{old.image_name}', which '{old.name}' was started from.",
            "`snap ls` lists the snapshots; --force takes any image.",
        )
    loss = None if force else loss_of(engine, old)
    if loss and loss.loses_data and not agreed(loss, f"Resetting '{old.name}'", confirm):
        return Reset("", old.name, image, runs=old.is_up)
    with name_made_free(engine, old.name):
        container_id = engine.create_like(
            old, to or _name_of(engine, old), name=old.name, labels={STARTED_LABEL: image.id}
        )
        try:
            failure = _begin(engine, old, container_id, to)
        except BaseException:
            engine.remove(container_id)
            forget_steps(container_id)
            _start_again(engine, old)
            raise
    forget_steps(old.id)
    return Reset(container_id, old.name, image, old.is_up, failure)


def _begin(engine: Engine, old: Container, container_id: str, to: str) -> str:
    """Start the new container if the old one ran, as the first step of its journal.

    Returns why the step is not there, empty where it is.
    """
    new = engine.container(container_id)
    keeper = StepKeeper(engine.processes, new, Step(0, "reset", ("--to", to) if to else ()))
    with keeper:
        if old.is_up:
            # Both may want the same ports and volumes. One with data that stays may end in its own time.
            has_data = any(mount.kind != "tmpfs" for mount in old.mounts)
            end(engine, old, timeout_s=None if has_data else 0)
            engine.processes.start(container_id)
        else:
            keeper.exit_code = 0
    return keeper.failure


def _start_again(engine: Engine, old: Container) -> None:
    # One that is removed when it ends is gone.
    with suppress(NotFound):
        if old.is_up and not engine.container(old.id).is_up:
            engine.processes.start(old.id)


def _name_of(engine: Engine, container: Container) -> str:
    """What to call the container's image: the name that the user gave, while it means that image."""
    with suppress(NotFound):
        if engine.image(container.image_name).id == container.image_id:
            return container.image_name
    return container.image_id


def _is_made_from(engine: Engine, image: Image, base_id: str) -> bool:
    """Whether the records of ``image``, and of the snapshots below it, lead to that base.

    Records come from strangers, so the layers have to agree.
    """
    base = engine.image(base_id)
    if image.layers[: len(base.layers)] != base.layers:
        return False
    for _ in range(_MOST_GENERATIONS):
        record = Record.if_intact(image.config.labels)
        if record is None:
            return False
        if base_id in {record.base.id, record.origin.id}:
            return True
        try:
            image = engine.image(record.base.id)
        except ImageNotFound:
            return False
    return False
