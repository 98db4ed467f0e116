"""``snap undo``."""

from __future__ import annotations

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.options import format_option
from snapshot.cli.text import note, print_json, printable, short_id, table


@click.command()
@click.option("-q", "--quiet", is_flag=True, help="Print the ID of the image that has the name now, alone.")
@format_option
@click.argument("name")
@pass_invocation
def command(invocation: Invocation, name: str, quiet: bool, output_format: str) -> None:
    """Set a name back to the image that the one which has it now was made from.

    No image is removed: the undone one can be reached by its ID.

    \b
    $ snap undo shop:1
    """
    from snapshot.workflow.undo import undo

    undone = undo(invocation.engine(), name)
    if quiet:
        click.echo(undone.image_id)
    elif output_format == "json":
        print_json(
            {
                "schema": "docker-snap.undo/1",
                "name": undone.name,
                "id": undone.image_id,
                "names": [undone.name, *undone.also_named],
                "undone": undone.undone_id,
                "undone_names": list(undone.other_names),
            }
        )
    else:
        rows = [["image", undone.name], ["id", undone.image_id]]
        if undone.also_named:
            rows.append(["also", printable(", ".join(undone.also_named))])
        rows.append(["undone", undone.undone_id])
        click.echo(table(rows))
    if undone.other_names:
        note(f"the undone image is kept as {', '.join(undone.other_names)}")
    else:
        note(
            f"the undone image has no name now, and `docker image prune` would remove it; to have it back:"
            f" docker tag {short_id(undone.undone_id)} {undone.name}"
        )
