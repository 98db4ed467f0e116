"""The record of a snapshot, and the labels that go with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from snapshot import __version__
from snapshot.changeset.capture import LeftOut
from snapshot.changeset.entry import Changeset
from snapshot.changeset.manifest import encode_manifest, manifest_digest
from snapshot.engine.types import ChangeKind, Config, Container, Image
from snapshot.errors import SnapError
from snapshot.image.record import (
    MOST_MANIFEST_CHARS,
    OCI_AUTHORS,
    OCI_BASE_DIGEST,
    OCI_BASE_NAME,
    OCI_CREATED,
    OCI_OF_THE_BASE_ALONE,
    PREFIX,
    Base,
    Record,
    chain_id,
    config_digests,
)
from snapshot.image.reference import Reference
from snapshot.workflow.methods.interface import Order
from snapshot.workflow.state import keep_manifest


def created_at(order: Order) -> str:
    """The time that the image says it was made at: RFC 3339, UTC, whole seconds."""
    if order.fixed_time_s is not None:
        moment = datetime.fromtimestamp(order.fixed_time_s, timezone.utc)
    else:
        moment = datetime.now(timezone.utc)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def base_of(container: Container, image: Image) -> Base:
    """What a record says of the image that a container was started from."""
    try:
        reference = Reference.parse(container.image_name)
        # In full, as the annotation's definition wants it.
        name = f"{reference.domain}/{reference.path}" + (f":{reference.tag}" if reference.tag else "")
        digests = [d for d in image.repo_digests if d.startswith(f"{reference.name}@")]
    except SnapError:
        # Started by an ID.
        name, digests = "", list(image.repo_digests)
    digest = digests[0].partition("@")[2] if digests else image.id
    return Base(name, image.id, digest, chain_id(image.layers), len(image.layers))


def own_labels(order: Order, created: str) -> dict[str, str]:
    """The labels that the image gets beside its record: the wanted ones, and the OCI keys made true.

    What the base says of itself alone (its version, title, revision, …) is not true of the snapshot, so it
    goes, unless the user asked for it.
    """
    inherited = order.base.config.labels
    labels = {
        key: value
        for key, value in order.wanted.labels.items()
        if not (
            key.startswith(f"{PREFIX}.") or (key in OCI_OF_THE_BASE_ALONE and inherited.get(key) == value)
        )
    }
    labels |= {
        OCI_CREATED: created,
        OCI_BASE_NAME: order.origin.name,
        OCI_BASE_DIGEST: order.origin.digest,
    }
    if order.author:
        labels[OCI_AUTHORS] = order.author
    return labels


def described(
    order: Order,
    created: str,
    changeset: Changeset,
    config: Config,
    *,
    method: str,
    diff_id: str = "",
    kept_by_engine: tuple[str, ...] = (),
    left_out: Sequence[LeftOut] = (),
) -> tuple[Record, Mapping[str, str]]:
    """The record of an image with ``config``, and the labels that hold it."""
    counts = changeset.counts
    manifest = encode_manifest(changeset.changes)
    record = Record(
        tool=f"docker-snap {__version__}",
        created=created,
        # Two containers with the same change shall give the same image, where the time is fixed.
        container=order.container.name if order.fixed_time_s is None else "",
        message=order.message,
        author=order.author,
        base=order.origin,
        manifest_digest=manifest_digest(changeset.changes),
        added=counts[ChangeKind.ADDED],
        changed=counts[ChangeKind.CHANGED],
        deleted=counts[ChangeKind.DELETED],
        size_bytes=changeset.size_bytes,
        config=config_digests(config),
        method=method,
        diff_id=diff_id,
        first_base=order.first_base,
        kept_by_engine=kept_by_engine,
        skipped=tuple(entry.path for entry in changeset.skipped),
        left_out_by=tuple(sorted({item.rule for item in left_out})),
        left_out=len(left_out),
        left_out_bytes=sum(item.size_bytes for item in left_out),
    )
    if len(manifest) > MOST_MANIFEST_CHARS:
        keep_manifest(record.manifest_digest, manifest)
    return record, record.to_labels(manifest)
