"""``snap ps``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.ls import container_document, state_in_words
from snapshot.cli.options import format_option
from snapshot.cli.text import note, print_json, printable, short_id, table

if TYPE_CHECKING:
    from snapshot.workflow.ps import ListedContainer
    from snapshot.workflow.unsaved import Unsaved

_HEADERS = ["NAME", "ID", "IMAGE", "STATE", "STEPS", "UNSAVED", "CREATED"]


@click.command()
@click.option("-a", "--all", "everything", is_flag=True, help="Those that have ended too.")
@format_option
@click.option("-q", "--quiet", is_flag=True, help="IDs alone.")
@pass_invocation
def command(invocation: Invocation, everything: bool, output_format: str, quiet: bool) -> None:
    """List the containers that snap started and that run, newest first.

    STEPS counts what was done to one through snap. UNSAVED says whether it has changes that no image
    holds; it is `?` where the engine cannot tell quickly.

    \b
    $ snap ps
    $ snap ps -a --format json
    """
    from snapshot.workflow.ps import ps

    listed = ps(invocation.engine(), everything=everything)
    if output_format == "json":
        print_json({"schema": "docker-snap.ps/1", "containers": [_document(item) for item in listed]})
    elif quiet:
        click.echo("".join(f"{item.container.id}\n" for item in listed), nl=False)
    elif listed:
        click.echo(table([_row(item) for item in listed], headers=_HEADERS, right=(4,)))
    elif everything:
        note("no container here was started by snap. Next: snap run IMAGE")
    else:
        note("no container that snap started runs; -a lists those that have ended too")


def _row(item: ListedContainer) -> list[str]:
    container = item.container
    return [
        printable(container.name),
        short_id(container.id),
        printable(container.image_name),
        state_in_words(container),
        str(item.step_count),
        _in_a_word(item.unsaved),
        container.created[:19],
    ]


def _in_a_word(unsaved: Unsaved) -> str:
    return "?" if unsaved.paths is None else "yes" if unsaved.paths else "no"


def _document(item: ListedContainer) -> dict[str, Any]:
    container = item.container
    return {
        **container_document(container),
        "steps": item.step_count,
        "unsaved_paths": item.unsaved.paths,
        "last_commit": item.unsaved.image_id or None,
    }
