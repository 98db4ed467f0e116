"""``snap import-diff``."""

from __future__ import annotations

from pathlib import Path

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.made import note_moved, note_next, show_made
from snapshot.cli.options import format_option


@click.command()
@format_option
@click.option("-q", "--quiet", is_flag=True, help="Print the ID of the new image alone.")
@click.option("--base", required=True, metavar="IMAGE", help="The image that the difference is for.")
@click.option("-t", "--tag", metavar="NAME[:TAG]", help="Name for the new image.")
@click.option("--no-verify", is_flag=True, help="Do not verify the image before naming it.")
@click.argument("file", type=click.Path(path_type=Path))
@pass_invocation
def command(
    invocation: Invocation,
    output_format: str,
    quiet: bool,
    base: str,
    tag: str | None,
    no_verify: bool,
    file: Path,
) -> None:
    """Make the image that `snap export --diff` wrote, on a machine that has its base.

    The image has the same config and layers as the one that was exported. The base is known by its layers,
    whatever its name is here; all that the file says is held against its digests.

    \b
    $ snap export ch03-change --diff ch03.tar
    $ snap import-diff ch03.tar --base diamol/ch03-lab -t ch03-change
    """
    from snapshot.workflow.export.import_diff import import_diff

    progress = invocation.progress()
    made = import_diff(invocation.engine(), file, base, tag, check=not no_verify, progress=progress)
    progress.clear()
    show_made(made, {"schema": "docker-snap.import-diff/1"}, quiet=quiet, as_json=output_format == "json")
    note_moved(made)
    if not quiet:
        note_next(made)
