"""What images hold that others do not: by a snapshot's own list, or by reading the files of both sides."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from snapshot.changeset.between import Between, changes_between_layers
from snapshot.changeset.entry import Changeset
from snapshot.changeset.manifest import ManifestDamaged
from snapshot.changeset.trees import changes_between_trees
from snapshot.engine.client import Engine
from snapshot.engine.types import Container, Image
from snapshot.errors import ImageNotFound, InvalidInput, SnapError
from snapshot.image.record import Base, Record, RecordDamaged, chain_id
from snapshot.image.reference import Reference, is_digest
from snapshot.workflow.compared.interface import ComparedImage, Readable
from snapshot.workflow.difference import Side, SideKind
from snapshot.workflow.image_files import shows_attributes
from snapshot.workflow.layer_checks import layer_findings
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.recorded_changes import recorded_changes


def side_of(thing: Image | Container, name: str = "") -> Side:
    """An image, under the name that it was asked for by, or a container as a side of a comparison."""
    if isinstance(thing, Container):
        return Side(SideKind.CONTAINER, thing.id, thing.name)
    return Side(SideKind.IMAGE, thing.id, name or next(iter(thing.tags), thing.id))


def files_that_differ(
    old: Readable, new: Readable, *, with_engine_paths: bool = False, progress: Progress = SILENT
) -> Between:
    """What makes the files of ``new`` of those of ``old``, by content.

    Where both stand on the same layers, only those above are read, and of the others what these have in place
    of. Of a container that is its upper folder, where that can be read here. Else all files of both sides are
    read once. What is kept of them in memory is a line for each path.

    A folder is listed only where its own mode or owner changed, unlike in an engine's list, which has each
    folder that something changed in. Times are not compared. Sockets are in no list: engines do not hand them
    out. Layers of the same digest are taken for the same, unread.
    """
    mounts = [mount.destination for mount in (*old.mounts, *new.mounts)]
    count = _common(old.layers, new.layers)
    if count:
        before = old.above(count, progress)
        after = None if before is None else new.above(count, progress)
        if before is not None and after is not None:
            if not before and not after:
                return Between(Changeset(()), attributes_seen=True)
            progress.stage(f"comparing {old.side.name} with {new.side.name}")
            with old.files() as old_files, new.files() as new_files:
                return changes_between_layers(
                    old_files,
                    before,
                    new_files,
                    after,
                    mounts,
                    attributes_shown=lambda: (shows_attributes(old_files), shows_attributes(new_files)),
                    with_engine_paths=with_engine_paths,
                )
    trees = old.tree(progress), new.tree(progress)
    changeset = changes_between_trees(*trees, mounts, with_engine_paths=with_engine_paths)
    return Between(changeset, attributes_seen=False)


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    """How many of the lowest layers are the same."""
    count = 0
    while count < min(len(old), len(new)) and old[count] == new[count]:
        count += 1
    return count


def from_record(new: ComparedImage, name: str) -> tuple[Record, Changeset | None]:
    """What an image's record says that it changed; ``None`` where the list is not to be had or does not hold.

    Raises :class:`~snapshot.errors.InvalidInput` where it has no record, and
    :class:`~snapshot.errors.SnapError` where that was edited.
    """
    ask = f"Name the image to hold it against: `snap diff BASE {name}`."
    try:
        record = Record.from_labels(new.config.labels)
    except RecordDamaged as error:
        raise SnapError(f"The base of '{name}' is not known: {error}.", ask) from error
    if record is None:
        raise InvalidInput(f"'{name}' has no record of snap's, so its base is not known.", ask)
    changes = None
    if holds(record, new.image):
        with suppress(ManifestDamaged):
            changes = recorded_changes(record, new.image)
    return record, None if changes is None else Changeset(changes)


def holds(record: Record, image: Image) -> bool:
    """Whether the layers of an image are the recorded ones."""
    return all(finding.passed for finding in layer_findings(record, image))


def base_on_engine(engine: Engine, base: Base) -> Image | None:
    """The image that a record names as its base, known by its layers; ``None`` where it is not here."""
    asked = [base.id] if is_digest(base.id) else []
    with suppress(InvalidInput):
        asked.append(Reference.parse(base.name).familiar)
    for name in asked:
        try:
            found = engine.image(name)
        except ImageNotFound:
            continue
        if chain_id(found.layers) == base.chain_id:
            return found
    return None
