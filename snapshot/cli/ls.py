"""``snap ls``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.made import base_in_words, changes_document, changes_in_words
from snapshot.cli.options import format_option
from snapshot.cli.pager import paged, pager_option
from snapshot.cli.text import note, print_json, printable, short_id, table

if TYPE_CHECKING:
    from snapshot.engine.types import Container
    from snapshot.workflow.ls import Listing, Snapshot


@click.command()
@format_option
@click.option("-q", "--quiet", is_flag=True, help="IDs alone.")
@pager_option
@pass_invocation
def command(invocation: Invocation, output_format: str, quiet: bool, pager: bool | None) -> None:
    """List the containers that snap started and the images that it made, newest first.

    \b
    $ snap ls
    $ snap ls --format json
    """
    from snapshot.workflow.ls import ls

    listing = ls(invocation.engine())
    ids = [item.id for item in listing.containers] + [item.image.id for item in listing.snapshots]
    if output_format == "json":
        print_json(_document(listing))
    elif quiet:
        paged(ids, pager)
    elif ids:
        headers = ["KIND", "NAME", "ID", "FROM", "STATE", "CREATED"]
        paged(table(_rows(listing), headers, shorten=(3, 1)), pager)
    else:
        note("nothing here was made by snap. Next: snap run IMAGE")


def _rows(listing: Listing) -> list[list[str]]:
    containers = [
        [
            "container",
            printable(item.name),
            short_id(item.id),
            printable(item.image_name),
            state_in_words(item),
            item.created[:19],
        ]
        for item in listing.containers
    ]
    return containers + [_image_row(snapshot) for snapshot in listing.snapshots]


def _image_row(snapshot: Snapshot) -> list[str]:
    image, record = snapshot.image, snapshot.record
    return [
        "image",
        printable(", ".join(image.tags)) or "-",
        short_id(image.id),
        printable(base_in_words(record)) if record else "-",
        changes_in_words(record) if record else "record damaged",
        printable(image.created[:19]),
    ]


def state_in_words(container: Container) -> str:
    """``running``, ``exited (0)``."""
    return f"exited ({container.exit_code})" if container.state == "exited" else container.state


def container_document(container: Container) -> dict[str, Any]:
    """A container as JSON shows it."""
    return {
        "id": container.id,
        "name": container.name,
        "image": {"id": container.image_id, "name": container.image_name},
        "state": container.state,
        "exit_code": container.exit_code,
        "created": container.created,
    }


def _document(listing: Listing) -> dict[str, Any]:
    return {
        "schema": "docker-snap.ls/1",
        "containers": [container_document(item) for item in listing.containers],
        "images": [
            {
                "id": item.image.id,
                "names": list(item.image.tags),
                "created": item.image.created,
                "base": {"name": item.record.base.name, "digest": item.record.base.digest}
                if item.record
                else None,
                "message": item.record.message if item.record else None,
                "changes": changes_document(item.record) if item.record else None,
            }
            for item in listing.snapshots
        ],
    }
