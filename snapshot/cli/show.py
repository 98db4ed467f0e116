"""``snap show``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.diff import change_document
from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.ls import container_document
from snapshot.cli.made import base_in_words, changes_in_words
from snapshot.cli.options import format_option
from snapshot.cli.text import count, note, print_json, printable, short_id, table

if TYPE_CHECKING:
    from snapshot.image.record import Record
    from snapshot.workflow.show import ContainerView, ImageView

_MOST_PATHS_SHOWN = 20


@click.command()
@format_option
@click.argument("name", metavar="IMAGE|CONTAINER")
@pass_invocation
def command(invocation: Invocation, output_format: str, name: str) -> None:
    """Show the record of an image that snap made, or what a container is.

    Where both have that name, the container is shown.

    \b
    $ snap show ch03-change
    $ snap show --format json ch03
    """
    from snapshot.workflow.show import ContainerView, show

    view = show(invocation.engine(), name)
    if isinstance(view, ContainerView):
        if view.shares_name:
            note(f"'{name}' names an image too; give its ID or a tag to see that")
        document, rows = _container_document(view), _container_rows(view)
    else:
        document, rows = _image_document(view), _image_rows(view)
    if output_format == "json":
        print_json(document)
    else:
        click.echo(table([[key, printable(value)] for key, value in rows]))


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


def _image_rows(view: ImageView) -> list[tuple[str, str]]:
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
    if view.changes is None:
        return [*rows, ("paths", "listed where it was committed")]
    rows += [("", f"{change.kind.value} {change.path}") for change in view.changes[:_MOST_PATHS_SHOWN]]
    hidden = len(view.changes) - _MOST_PATHS_SHOWN
    return [*rows, ("", f"and {hidden:,} more: --format json has all")] if hidden > 0 else rows


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
        "changes": None if view.changes is None else [change_document(change) for change in view.changes],
    }
