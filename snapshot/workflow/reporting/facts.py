"""What an image or a container is and from what, as a report tells it."""

from __future__ import annotations

from collections.abc import Iterator

from snapshot.engine.types import Container, Image
from snapshot.image.record import Base, Record
from snapshot.journal.step_words import counts_in_words
from snapshot.report.model import Fact
from snapshot.report.quantity import bytes_in_words, count, moment_in_words


def facts_of_image(image: Image, record: Record | None) -> tuple[Fact, ...]:
    """What its engine says of an image, and its record; what is empty is left out."""
    platform = "/".join(filter(None, (image.os, image.architecture, image.variant)))
    told = [
        ("names", ", ".join(image.tags) or "none"),
        ("id", image.id),
        ("size", f"{bytes_in_words(image.size_bytes)}, as the engine counts it"),
        ("platform", platform),
        ("created", moment_in_words(image.created)),
        *(_of_record(record) if record else ()),
    ]
    return tuple(Fact(name, value) for name, value in told if value)


def _of_record(record: Record) -> Iterator[tuple[str, str]]:
    yield "base", _base_in_words(record.base)
    if record.first_base:
        yield "first base", _base_in_words(record.first_base)
    yield "made from", record.made_from
    yield "container", record.container
    yield "message", record.message
    yield "author", record.author
    yield "changes", counts_in_words(record.added, record.changed, record.deleted) or "none"
    yield "from the container", ", ".join(record.kept_by_engine)
    if record.left_out:
        paths = count(record.left_out, "path")
        rules = ", ".join(record.left_out_by)
        yield "left out", f"{paths}, {bytes_in_words(record.left_out_bytes)}, by {rules}"
    yield "not in it", ", ".join(record.skipped)
    yield "made by", record.tool


def _base_in_words(base: Base) -> str:
    return f"{base.name} ({base.digest})" if base.name else base.digest


def facts_of_container(container: Container, *, by_snap: bool) -> tuple[Fact, ...]:
    """What its engine says of a container."""
    mounts = [f"{mount.kind} at {mount.destination}" for mount in container.mounts]
    return (
        Fact("name", container.name),
        Fact("id", container.id),
        Fact("image", f"{container.image_name} ({container.image_id})"),
        Fact("state", f"{container.state}, exit status {container.exit_code}"),
        Fact("created", moment_in_words(container.created)),
        Fact("started by snap", "yes" if by_snap else "no"),
        Fact("mounts, no part of it", ", ".join(mounts) or "none"),
    )
