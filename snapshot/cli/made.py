"""What is shown of an image that was made of another one: by patch, replay, rebase, squash, import-diff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.text import count, note, print_json, printable, short_id, table
from snapshot.journal.step_words import counts_in_words

if TYPE_CHECKING:
    from snapshot.image.record import Record
    from snapshot.workflow.making import MadeImage

#: From so many on, it is said how they can be folded.
_MANY_LAYERS = 100


def show_made(made: MadeImage, document: dict[str, Any], *, quiet: bool, as_json: bool) -> None:
    """Print an image that was made: its ID alone, one JSON document, or a table, and what is surprising.

    ``document`` is what the verb has to tell beside that; it begins with its ``schema``.
    """
    if quiet:
        click.echo(made.image_id)
    elif as_json:
        print_json(document | made_document(made))
    else:
        click.echo(table(_rows(made)))
    if cut := sum(step.cut for step in made.steps):
        note(f"what could hold a secret was cut from {count(cut, 'step')}")
    if made.layer_count >= _MANY_LAYERS:
        note(f"the image has {made.layer_count} layers; `snap squash` folds those that snap added into one")
    for entry in made.changeset.skipped:
        note(f"not in the image: {entry.path} ({entry.reason})")


def note_moved(made: MadeImage, kept_as: str = "") -> None:
    """Say where a name was before; ``kept_as`` is another one that the old image has now."""
    if made.moved_from:
        kept = f"is kept as {kept_as}" if kept_as else "is kept, without this name"
        note(f"{made.name} named {short_id(made.moved_from)} before; that image {kept}")


def note_next(made: MadeImage) -> None:
    """Say what can be done next."""
    name = made.name or short_id(made.image_id)
    note(f"Next: snap verify {name}, snap diff {name}, snap run {name}")


def changes_in_words(record: Record) -> str:
    """``1 added, 2 changed, 1,024 bytes``."""
    words = counts_in_words(record.added, record.changed, record.deleted)
    return f"{words}, {count(record.size_bytes, 'byte')}" if words else "none"


def base_in_words(record: Record) -> str:
    """The base's name and the beginning of its digest."""
    return f"{printable(record.base.name) or 'no name'} ({printable(short_id(record.base.digest))})"


def verified_in_words(finding_count: int | None) -> str:
    """Whether the image was verified, and how many checks passed; ``None`` where it was not."""
    return "no, as asked" if finding_count is None else f"yes, {count(finding_count, 'check')} passed"


def made_document(made: MadeImage) -> dict[str, Any]:
    """The image as JSON shows it."""
    record = made.record
    return {
        "id": made.image_id,
        "name": made.name or None,
        "moved_from": made.moved_from or None,
        "base": {"name": record.base.name, "id": record.base.id, "digest": record.base.digest},
        "created": record.created,
        "changes": changes_document(record),
        "layers": list(record.added_layers),
        "steps": len(made.steps),
        "skipped": list(record.skipped),
        "verified": None if made.verification is None else made.verification.passed,
    }


def changes_document(record: Record) -> dict[str, Any]:
    """The numbers of a record as JSON shows them."""
    return {
        "added": record.added,
        "changed": record.changed,
        "deleted": record.deleted,
        "size_bytes": record.size_bytes,
        "digest": record.manifest_digest,
    }


def _rows(made: MadeImage) -> list[list[str]]:
    verification = made.verification
    return [
        ["image", made.name or "no name"],
        ["id", made.image_id],
        ["base", base_in_words(made.record)],
        ["changes", changes_in_words(made.record)],
        ["verified", verified_in_words(len(verification.findings) if verification else None)],
    ]
