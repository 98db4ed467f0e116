"""The list of changed paths that a record speaks of: in the image's labels, or in the state folder."""

from __future__ import annotations

from snapshot.changeset.entry import PathChange
from snapshot.changeset.manifest import ManifestDamaged, decode_manifest, manifest_digest
from snapshot.engine.types import Image
from snapshot.image.record import MANIFEST_LABEL, Record
from snapshot.workflow.state import kept_manifest


def recorded_changes(record: Record, image: Image) -> tuple[PathChange, ...] | None:
    """The changes that the record of ``image`` speaks of, ``None`` where their list is in neither place.

    Raises :class:`~snapshot.changeset.manifest.ManifestDamaged` where it cannot be read, or is another one.
    """
    text = image.config.labels.get(MANIFEST_LABEL) or kept_manifest(record.manifest_digest)
    return as_recorded(record, decode_manifest(text)) if text else None


def as_recorded(record: Record, changes: tuple[PathChange, ...]) -> tuple[PathChange, ...]:
    """These changes, if they are the recorded ones.

    Raises :class:`~snapshot.changeset.manifest.ManifestDamaged`.
    """
    if manifest_digest(changes) != record.manifest_digest:
        raise ManifestDamaged("the list of files is not the recorded one")
    return changes
