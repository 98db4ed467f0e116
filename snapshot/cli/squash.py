"""``snap squash``."""

from __future__ import annotations

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.made import note_moved, note_next, show_made
from snapshot.cli.options import format_option, timestamp_option


@click.command()
@click.option("-t", "--tag", metavar="NAME[:TAG]", help="Name for the new image; by default IMAGE's own.")
@click.option("-m", "--message", default="", help="What was done; by default what IMAGE says.")
@click.option("-a", "--author", default="", help="Who did it.")
@timestamp_option
@click.option("-q", "--quiet", is_flag=True, help="Print the image's ID alone.")
@format_option
@click.argument("image")
@pass_invocation
def command(
    invocation: Invocation,
    image: str,
    tag: str | None,
    message: str,
    author: str,
    timestamp: int | None,
    quiet: bool,
    output_format: str,
) -> None:
    """Fold all layers that snap added to an image into one; its files, config and steps stay as they are.

    \b
    $ snap squash shop:7
    """
    from snapshot.workflow.making import MakingOptions
    from snapshot.workflow.squash import squash

    progress = invocation.progress()
    made = squash(
        invocation.engine(), image, tag, MakingOptions(message, author, timestamp), progress=progress
    )
    progress.clear()
    show_made(made, {"schema": "docker-snap.squash/1"}, quiet=quiet, as_json=output_format == "json")
    note_moved(made)
    if not quiet:
        note_next(made)
