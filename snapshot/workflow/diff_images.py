"""What images hold that others do not: by a snapshot's own list, or by reading all files of both sides."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress

from snapshot.changeset.entry import Changeset
from snapshot.changeset.manifest import ManifestDamaged
from snapshot.changeset.reader import read_everything
from snapshot.changeset.source import FileSource
from snapshot.changeset.trees import changes_between_trees
from snapshot.engine.client import Engine
from snapshot.engine.types import Container, Image
from snapshot.errors import ImageNotFound, InvalidInput, SnapError
from snapshot.image.record import Base, Record, RecordDamaged, chain_id
from snapshot.image.reference import Reference, is_digest
from snapshot.workflow.difference import Difference, FoundBy, Side, SideKind
from snapshot.workflow.helper import files_of_image
from snapshot.workflow.layer_checks import layer_findings
from snapshot.workflow.progress import Progress
from snapshot.workflow.recorded_changes import recorded_changes


def side_of(thing: Image | Container, name: str = "") -> Side:
    """An image, under the name that it was asked for by, or a container as a side of a comparison."""
    if isinstance(thing, Container):
        return Side(SideKind.CONTAINER, thing.id, thing.name)
    return Side(SideKind.IMAGE, thing.id, name or next(iter(thing.tags), thing.id))


def diff_from_base(
    engine: Engine, image: Image, name: str, *, with_engine_paths: bool, progress: Progress
) -> Difference:
    """What a snapshot changed against the image that it was made from.

    Where its record and its layers hold, and the list of changes is in the record or kept here, that list is
    given: it is what ``snap diff`` said of the container, and has the folders that something changed in, as
    an engine lists them. Neither files nor the base are needed for it. Else the files of base and image are
    compared, as :func:`diff_files` does.

    Raises
    ------
    InvalidInput
        The image has no record, so nobody knows its base.
    ImageNotFound
        The list is not to be had, and the base is not on this engine.
    SnapError
        The record was edited.
    """
    ask = f"Name the image to hold it against: `snap diff BASE {name}`."
    try:
        record = Record.from_labels(image.config.labels)
    except RecordDamaged as error:
        raise SnapError(f"The base of '{name}' is not known: {error}.", ask) from error
    if record is None:
        raise InvalidInput(f"'{name}' has no record of snap's, so its base is not known.", ask)
    holds = all(finding.passed for finding in layer_findings(record, image))
    changes = None
    if holds:
        with suppress(ManifestDamaged):
            changes = recorded_changes(record, image)
    if changes is not None:
        old = Side(SideKind.IMAGE, record.base.id, record.base.shown)
        return Difference(old, side_of(image, name), Changeset(changes), FoundBy.RECORD)
    base = base_on_engine(engine, record.base)
    if base is None:
        raise ImageNotFound(
            f"The base of '{name}', {record.base.shown}, is not here, and without its files"
            " nobody can tell what changed.",
            f"Pull it, or name another image to hold it against: `snap diff IMAGE {name}`.",
        )
    note = () if holds else (f"the layers of '{name}' are not the recorded ones: all files were compared",)
    sides = (side_of(base, record.base.name), side_of(image, name))
    changeset = diff_files(
        engine, base, image, sides=sides, with_engine_paths=with_engine_paths, progress=progress
    )
    return Difference(*sides, changeset, FoundBy.FILES, notes=note)


def diff_files(
    engine: Engine,
    old: Image | Container,
    new: Image | Container,
    *,
    sides: tuple[Side, Side],
    with_engine_paths: bool,
    progress: Progress,
) -> Changeset:
    """What makes the files of ``new`` of those of ``old``, all of them read once and hashed.

    A folder is listed only where its own mode or owner changed, unlike in an engine's list, which has each
    folder that something changed in. Times are not compared. Sockets are in no list: engines do not hand them
    out. It takes as long as reading both sides; what is kept of them in memory is a line for each path.
    """
    if isinstance(old, Image) and isinstance(new, Image) and old.layers == new.layers:
        return Changeset(())
    trees = []
    mounts: list[str] = []
    for thing, side in zip((old, new), sides, strict=True):
        progress.stage(f"reading the files of {side.name}")
        with _files(engine, thing) as files:
            trees.append(read_everything(files))
        mounts += [mount.destination for mount in thing.mounts] if isinstance(thing, Container) else []
    before, after = trees
    return changes_between_trees(before, after, mounts, with_engine_paths=with_engine_paths)


def _files(engine: Engine, thing: Image | Container) -> AbstractContextManager[FileSource]:
    if isinstance(thing, Container):
        return nullcontext(engine.files(thing.id))
    return files_of_image(engine, thing.id)


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
