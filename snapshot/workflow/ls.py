"""``snap ls``: the containers and images that snap made."""

from __future__ import annotations

from dataclasses import dataclass

from snapshot.engine.client import Engine
from snapshot.engine.types import Container, Image
from snapshot.image.record import RECORD_LABEL, STARTED_LABEL, Record, RecordDamaged


@dataclass(frozen=True)
class Snapshot:
    """An image with a record; ``record`` is ``None`` where it cannot be read."""

    image: Image
    record: Record | None


@dataclass(frozen=True)
class Listing:
    """What snap made on this engine, newest first."""

    containers: tuple[Container, ...]
    snapshots: tuple[Snapshot, ...]


def started_by_snap(container: Container) -> bool:
    """Whether snap itself started this container.

    Its label names the image it was started from, which no image can hold of itself: a container of an
    image that inherited the label has another one.
    """
    return container.config.labels.get(STARTED_LABEL) == container.image_id


def ls(engine: Engine) -> Listing:
    """The containers that snap started and the images that it made."""
    containers = engine.containers_with_label(STARTED_LABEL)
    images = engine.images_with_label(RECORD_LABEL)
    return Listing(
        containers=tuple(container for container in containers if started_by_snap(container)),
        snapshots=tuple(snapshot for image in images if (snapshot := _snapshot(image))),
    )


def _snapshot(image: Image) -> Snapshot | None:
    try:
        record = Record.from_labels(image.config.labels)
    except RecordDamaged:
        return Snapshot(image, None)
    return Snapshot(image, record) if record else None
