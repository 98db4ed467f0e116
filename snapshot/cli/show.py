"""``snap show``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.diff import changes_table, note_mounts
from snapshot.cli.diff_json import change_document
from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.ls import container_document
from snapshot.cli.made import base_in_words, changes_in_words
from snapshot.cli.options import format_option
from snapshot.cli.pager import paged, pager_option
from snapshot.cli.text import count, note, print_json, printable, short_id, table

if TYPE_CHECKING:
    from snapshot.changeset.entry import PathChange
    from snapshot.image.record import Record
    from snapshot.workflow.show import ContainerView, ImageView

_MOST_PATHS_SHOWN = 20


@click.command()
@format_option
@click.option("--files", "with_files", is_flag=True, help="List all that it changed, as `snap diff` does.")
@pager_option
@click.argument("name", metavar="IMAGE|CONTAINER")
@pass_invocation
def command(
    invocation: Invocation, output_format: str, with_files: bool, pager: bool | None, name: str
) -> None:
    """Show the record of an image that snap made, or what a container is.

    Where both have that name, the container is shown. With --files the changed paths of an image are listed
    also where their list is kept elsewhere: its layers tell them.

    \b
    $ snap show ch03-change
    $ snap show --files ch03
    """
    from snapshot.workflow.show import ContainerView, changed_files, show

    engine, progress = invocation.engine(), invocation.progress()
    view = show(engine, name)
    files = changed_files(engine, view, name, progress=progress) if with_files else None
    progress.clear()
    changes = files.changeset.changes if files else None
    if isinstance(view, ContainerView):
        if view.shares_name and files is None:
            note(f"'{name}' names an image too; give its ID or a tag to see that")
        document, rows = _container_document(view), _container_rows(view)
    else:
        document, rows = _image_document(view), _image_rows(view, brief=files is None)
    if output_format == "json":
        print_json(document if changes is None else document | _changes_document(changes))
    else:
        told = table([[key, printable(value)] for key, value in rows])
        paged(told if changes is None else f"{told}\n{changes_table(changes)}", pager)
    for text in files.notes if files else ():
        note(text)
    if files and files.container:
        note_mounts(files.container.mounts)


def _container_rows(view: ContainerView) -> list[tuple[str, str]]:
    container = view.container
    mounts = [f"{mount.kind} at {mount.destination}" for mount in container.mounts]
    return [
        ("container", container.name),
        ("id", container.id),
        ("image", f"{container.image_name} ({container.image_id})"),
        ("state", f"{container.state}, exit status {container.exit_code}"),
        ("created", container.created),
        ("by snap", "yes" if view.by_snap else "no"),
        ("mounts", ", ".join(mounts) or "none"),
    ]


def _image_rows(view: ImageView, *, brief: bool) -> list[tuple[str, str]]:
    """What is known of an image, with the first of its changes where it is to be ``brief``."""
    image, record = view.image, view.record
    rows = [("image", ", ".join(image.tags) or "no name"), ("id", image.id), ("created", image.created)]
    if record is None:
        return [*rows, ("record", f"damaged: {view.damage}" if view.damage else "none")]
    rows += [
        ("base", base_in_words(record)),
        ("container", record.container or "not told"),
        ("message", record.message or "none"),
        ("author", record.author or "none"),
        ("changes", changes_in_words(record)),
        ("layer", _layer_in_words(record)),
        ("manifest", record.manifest_digest),
        ("made by", record.tool),
    ]
    if record.first_base:
        rows.insert(4, ("first base", f"{record.first_base.name} ({short_id(record.first_base.digest)})"))
    if record.kept_by_engine:
        rows.append(("from the container", ", ".join(record.kept_by_engine)))
    if record.left_out:
        saved = f"{count(record.left_out, 'path')}, {count(record.left_out_bytes, 'byte')}"
        rows.append(("left out", f"{saved}, by {', '.join(record.left_out_by)}"))
    if record.skipped:
        rows.append(("not in it", ", ".join(record.skipped)))
    if not brief:
        return rows
    if view.changes is None:
        return [*rows, ("paths", "listed where it was committed, and with --files")]
    rows += [("", f"{change.kind.value} {change.path}") for change in view.changes[:_MOST_PATHS_SHOWN]]
    hidden = len(view.changes) - _MOST_PATHS_SHOWN
    return [*rows, ("", f"and {hidden:,} more: --files lists all")] if hidden > 0 else rows


def _layer_in_words(record: Record) -> str:
    if record.method != "sealed":
        return "made by the engine"
    return ", ".join(record.added_layers) or "none was added"


def _container_document(view: ContainerView) -> dict[str, Any]:
    container = view.container
    return {
        "schema": "docker-snap.show/1",
        "kind": "container",
        **container_document(container),
        "by_snap": view.by_snap,
        "mounts": [{"kind": mount.kind, "destination": mount.destination} for mount in container.mounts],
    }


def _image_document(view: ImageView) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "schema": "docker-snap.show/1",
        "kind": "image",
        "id": view.image.id,
        "names": list(view.image.tags),
        "created": view.image.created,
        "record": asdict(view.record) if view.record else None,
        "damage": view.damage or None,
        **({"changes": None} if view.changes is None else _changes_document(view.changes)),
    }


def _changes_document(changes: Sequence[PathChange]) -> dict[str, Any]:
    return {"changes": [change_document(change) for change in changes]}
