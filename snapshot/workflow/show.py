"""``snap show``: what a snapshot or a container is."""

from __future__ import annotations

from dataclasses import dataclass

from snapshot.changeset.entry import Changeset, PathChange
from snapshot.changeset.manifest import ManifestDamaged
from snapshot.changeset.paths import is_engine_path
from snapshot.changeset.squash import changes_against, names_of
from snapshot.engine.client import Engine
from snapshot.engine.types import Container, Image
from snapshot.image.record import Record, RecordDamaged
from snapshot.workflow.diff import compare
from snapshot.workflow.diff_images import holds, side_of
from snapshot.workflow.difference import Difference, FoundBy, Side, SideKind
from snapshot.workflow.layer_contents import layer_contents
from snapshot.workflow.ls import started_by_snap
from snapshot.workflow.named import named
from snapshot.workflow.progress import SILENT, Progress
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


def changed_files(
    engine: Engine, view: ContainerView | ImageView, name: str, *, progress: Progress = SILENT
) -> Difference:
    """All that a container or an image changed, as :func:`~snapshot.workflow.diff.compare` tells it.

    Where the list of an image is kept elsewhere, its layers tell it: the base is not needed.

    Parameters
    ----------
    view:
        What :func:`show` gave for ``name``.

    Raises as :func:`~snapshot.workflow.diff.compare` does.
    """
    if isinstance(view, ImageView) and view.record and view.changes is None:
        image, record = view.image, view.record
        if holds(record, image):
            return _from_layers(engine, image, record, name, progress)
    return compare(engine, name, progress=progress).difference


def _from_layers(engine: Engine, image: Image, record: Record, name: str, progress: Progress) -> Difference:
    """What the layers above the base's change; the layers of the base tell what was there before."""
    found = layer_contents(engine, image, range(len(image.layers)), progress=progress)
    contents = [found[number] for number in range(len(image.layers))]
    count = record.base.layer_count
    names = [names_of(layer) for layer in contents]
    entries = {entry.path: entry for layer in contents[count:] for entry in layer.entries}
    changes = [
        PathChange(change.kind, change.path, entries.get(change.path))
        for change in changes_against(names[:count], names[count:], ())
        if not is_engine_path(change.path)
    ]
    old = Side(SideKind.IMAGE, record.base.id, record.base.shown)
    return Difference(old, side_of(image, name), Changeset(tuple(changes)), FoundBy.FILES)
