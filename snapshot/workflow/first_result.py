"""What came of a recipe the first time, and how another image that was made from it differs from that."""

from __future__ import annotations

import enum
from contextlib import ExitStack, suppress
from typing import NamedTuple

from snapshot.changeset.between import changes_between
from snapshot.changeset.entry import Changeset
from snapshot.changeset.manifest import ManifestDamaged
from snapshot.engine.client import Engine
from snapshot.engine.types import Config, Image
from snapshot.errors import ImageNotFound, SnapError
from snapshot.image.record import (
    OCI_BASE_DIGEST,
    OCI_BASE_NAME,
    OCI_CREATED,
    RECORD_LABEL,
    Base,
    Record,
    chain_id,
    config_digests,
)
from snapshot.image.reference import is_digest
from snapshot.recipe.document import Recipe, Result
from snapshot.workflow.diff_images import base_on_engine
from snapshot.workflow.image_files import files_of
from snapshot.workflow.making import MadeImage
from snapshot.workflow.own_changes import own_changes
from snapshot.workflow.progress import Progress
from snapshot.workflow.recorded_changes import recorded_changes

# They say when, and from what: where that differs, it is known already.
_OF_THE_MAKING = {f"label {name}" for name in (OCI_CREATED, OCI_BASE_NAME, OCI_BASE_DIGEST)}


class Sameness(enum.Enum):
    """How an image stands to the first one that came of its recipe.

    ``LAYERS``: its layers are the same, byte for byte. ``CHANGES``: it changes the same, with other times
    or in other layers. ``OTHER``: something differs. ``UNKNOWN``: the recipe tells of no first one.
    """

    LAYERS = "same layers"
    CHANGES = "same changes"
    OTHER = "other"
    UNKNOWN = "unknown"


class Comparison(NamedTuple):
    """What was found.

    Attributes
    ----------
    first:
        The first image, where it is on the engine.
    changes:
        What makes the new image's files of those of the first one; ``None`` where that cannot be told.
    config:
        The parts of the config that differ, by the names that people know; none where the first image is not
        here.
    """

    sameness: Sameness
    first: Image | None = None
    changes: Changeset | None = None
    config: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether anything is known to differ."""
        return self.sameness is Sameness.OTHER or bool(self.config)


def first_image(engine: Engine, result: Result) -> Image | None:
    """The image that came of a recipe when it was written down; ``None`` where it is not on the engine.

    It is known by its ID, else by what its record and its layers say: an ID is another one in another store.
    """
    with suppress(ImageNotFound):
        if is_digest(result.image_id):
            found = engine.image(result.image_id)
            if _is_first(found, result):
                return found
    return next((item for item in engine.images_with_label(RECORD_LABEL) if _is_first(item, result)), None)


def compared(engine: Engine, recipe: Recipe, made: MadeImage, base: Image, progress: Progress) -> Comparison:
    """Hold a new image, made from ``base``, against what the recipe tells of the first one."""
    result = recipe.result
    if result is None:
        return Comparison(Sameness.UNKNOWN)
    new = engine.image(made.image_id)
    first = first_image(engine, result)
    config = _other_parts(first.config, new.config) if first else ()
    if new.layers[len(base.layers) :] == result.layers:
        return Comparison(Sameness.LAYERS, first, Changeset(()), config)
    if result.changes_digest and made.record.manifest_digest == result.changes_digest:
        return Comparison(Sameness.CHANGES, first, Changeset(()), config)
    changes = _changes(engine, first, result, made, base, progress) if first else None
    sameness = Sameness.OTHER if changes is None or changes.changes else Sameness.CHANGES
    return Comparison(sameness, first, changes, config)


def _is_first(image: Image, result: Result) -> bool:
    record = Record.if_intact(image.config.labels)
    if record is None:
        return False
    if result.layers:
        return image.layers[-len(result.layers) :] == result.layers
    return bool(result.changes_digest) and record.manifest_digest == result.changes_digest


def _other_parts(first: Config, new: Config) -> tuple[str, ...]:
    before, after = config_digests(first), config_digests(new)
    names = before.keys() | after.keys()
    return tuple(sorted(name for name in names - _OF_THE_MAKING if before.get(name) != after.get(name)))


def _changes(
    engine: Engine, first: Image, result: Result, made: MadeImage, base: Image, progress: Progress
) -> Changeset | None:
    """What makes the new image's files of the first one's; ``None`` where the list of either is not known."""
    progress.stage("comparing with the first image")
    record = Record.from_labels(first.config.labels)
    assert record
    count = len(first.layers) - len(result.layers)
    of_first = record.base if record.base.layer_count == count else record.origin
    with ExitStack() as stack, suppress(SnapError):
        before = changes_of_first(engine, first, record, of_first, stack, progress)
        files = stack.enter_context(files_of(engine, base))
        first_files = files
        if of_first.chain_id != chain_id(base.layers):
            first_base = base_on_engine(engine, of_first)
            if first_base is None:
                return None
            first_files = stack.enter_context(files_of(engine, first_base))
        return changes_between(first_files, before, files, made.changeset)
    return None


def changes_of_first(
    engine: Engine, first: Image, record: Record, base: Base, stack: ExitStack, progress: Progress
) -> Changeset:
    """All that an image changed against its base, or the one below all snapshots that it stands on.

    Raises :class:`~snapshot.errors.SnapError` where that is not known, or not what its record says.
    """
    with suppress(ManifestDamaged):
        if base == record.base and (changes := recorded_changes(record, first)) is not None:
            return Changeset(changes)
    name = next(iter(first.tags), first.id)
    own = own_changes(engine, first, name, stack, origin=base != record.base, progress=progress)
    return own.changeset
