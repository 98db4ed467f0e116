"""The record of a snapshot, and the labels that go with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from snapshot import __version__
from snapshot.changeset.entry import Changeset
from snapshot.changeset.manifest import encode_manifest, manifest_digest
from snapshot.engine.types import ChangeKind, Config, Image
from snapshot.errors import InvalidInput, Refused, SnapError
from snapshot.image.generations import (
    Generation,
    at_a_fixed_time,
    folded_at_a_fixed_time,
    for_an_image,
    steps_label,
)
from snapshot.image.record import (
    MANIFEST_LABEL,
    MOST_LABEL_CHARS,
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
    label_chars,
)
from snapshot.image.reference import Reference
from snapshot.journal.step import Step
from snapshot.workflow.methods.interface import Order
from snapshot.workflow.state import keep_manifest

if TYPE_CHECKING:
    from snapshot.changeset.capture import LeftOut


def created_at(order: Order) -> str:
    """The time that the image says it was made at: RFC 3339, UTC, whole seconds."""
    return moment(order.fixed_time_s)


def moment(seconds: int | None) -> str:
    """Seconds since 1970, or now, in RFC 3339: UTC, whole seconds.

    >>> moment(1767225600)
    '2026-01-01T00:00:00Z'
    """
    found = datetime.now(timezone.utc) if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)
    return found.isoformat(timespec="seconds").replace("+00:00", "Z")


def told_steps(order: Order, created: str) -> tuple[Step, ...]:
    """The steps as the image tells them: with a fixed time without what two runs of them differ in."""
    return for_an_image(order.steps) if order.fixed_time_s is None else at_a_fixed_time(order.steps, created)


def full_name(name: str) -> str:
    """A name of an image in full, as the OCI annotation wants it; empty for an ID.

    >>> full_name("diamol/ch03-lab")
    'docker.io/diamol/ch03-lab:latest'
    """
    try:
        reference = Reference.parse(name)
    except SnapError:
        return ""
    return f"{reference.domain}/{reference.path}" + (f":{reference.tag}" if reference.tag else "")


def is_id_of(name: str, image: Image) -> bool:
    """Whether an image was asked for by its ID, in full or by how that begins, and not by a name."""
    if not name or not image.id.removeprefix("sha256:").startswith(name.removeprefix("sha256:")):
        return False
    try:
        return Reference.parse(name).familiar not in image.tags
    except InvalidInput:
        return True


def full_name_of(name: str, image: Image) -> str:
    """As :func:`full_name`, of what an image was asked for by; empty where that is how its ID begins."""
    return "" if is_id_of(name, image) else full_name(name)


def base_of(name: str, image: Image) -> Base:
    """What a record says of the image that was begun with; ``name`` is its full name, or empty."""
    digests = list(image.repo_digests)
    if name:
        repository = Reference.parse(name).name
        digests = [digest for digest in digests if digest.startswith(f"{repository}@")]
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
    layers: Sequence[str] = (),
    kept_by_engine: tuple[str, ...] = (),
    left_out: Sequence[LeftOut] = (),
) -> tuple[Record, Mapping[str, str]]:
    """The record of an image with ``config``, and the labels that hold it and its steps.

    ``layers`` are the digests of those that were added, lowest first.

    Raises :class:`~snapshot.errors.Refused` where labels have no room for the recordings that were asked for.
    """
    counts = changeset.counts
    manifest = encode_manifest(changeset.changes)
    record = Record(
        tool=f"docker-snap {__version__}",
        created=created,
        # Two containers with the same change shall give the same image, where the time is fixed.
        container=order.container_name if order.fixed_time_s is None else "",
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
        diff_id=layers[0] if len(layers) == 1 else "",
        layers=tuple(layers) if len(layers) > 1 else (),
        first_base=order.first_base,
        made_from=order.made_from,
        kept_by_engine=kept_by_engine,
        skipped=tuple(entry.path for entry in changeset.skipped),
        left_out_by=tuple(sorted({item.rule for item in left_out})),
        left_out=len(left_out),
        left_out_bytes=sum(item.size_bytes for item in left_out),
    )
    labels = record.to_labels(manifest, _steps_label(order, record), order.sessions)
    if order.sessions and label_chars(labels) > MOST_LABEL_CHARS:
        raise Refused(
            f"The recordings have {len(order.sessions):,} bytes packed, with the rest of the record"
            f" {label_chars(labels):,}: labels of an image hold {MOST_LABEL_CHARS:,}.",
            "Leave out --embed-session for long ones: their files can be kept beside the image.",
        )
    if manifest and not labels[MANIFEST_LABEL]:
        keep_manifest(record.manifest_digest, manifest)
    return record, labels


def _steps_label(order: Order, record: Record) -> str:
    newest = Generation(
        base_name=order.base_name,
        base_id=order.base.id,
        container=record.container,
        message=record.message,
        created=record.created,
        steps=told_steps(order, record.created),
    )
    generations = [*order.inherited, newest]
    if order.fixed_time_s is not None and order.origin.id != order.base.id:
        generations = folded_at_a_fixed_time(generations, record.created)
    return steps_label(generations[:-1], generations[-1], record)
