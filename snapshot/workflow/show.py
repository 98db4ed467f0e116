"""``snap show``: what a snapshot or a container is."""

from __future__ import annotations

from dataclasses import dataclass

from snapshot.changeset.entry import PathChange
from snapshot.changeset.manifest import ManifestDamaged
from snapshot.engine.client import Engine
from snapshot.engine.types import Container, Image
from snapshot.image.record import Record, RecordDamaged
from snapshot.workflow.ls import started_by_snap
from snapshot.workflow.named import named
from snapshot.workflow.recorded_changes import recorded_changes


@dataclass(frozen=True)
class ContainerView:
    """A container, and whether snap started it; ``shares_name`` where an image is called the same."""

    container: Container
    by_snap: bool
    shares_name: bool


@dataclass(frozen=True)
class ImageView:
    """An image with its record and the changed paths that it lists.

    ``damage`` says why a record that is there cannot be read; ``changes`` is ``None`` where the list is kept
    elsewhere.
    """

    image: Image
    record: Record | None
    damage: str
    changes: tuple[PathChange, ...] | None


def show(engine: Engine, name: str) -> ContainerView | ImageView:
    """The container or image of that name or ID; where both are called so, the container.

    Raises :class:`~snapshot.errors.NotFound`.
    """
    found = named(engine, name)
    if isinstance(found.thing, Image):
        return _image_view(found.thing)
    return ContainerView(found.thing, started_by_snap(found.thing), found.shares_name)


def _image_view(image: Image) -> ImageView:
    try:
        record = Record.from_labels(image.config.labels)
    except RecordDamaged as error:
        return ImageView(image, None, str(error), None)
    if record is None:
        return ImageView(image, None, "", None)
    try:
        changes = recorded_changes(record, image)
    except ManifestDamaged:
        changes = None
    return ImageView(image, record, "", changes)
