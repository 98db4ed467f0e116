"""``snap rebase``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.made import note_moved, note_next, show_made
from snapshot.cli.options import format_option, timestamp_option
from snapshot.cli.text import note, print_json, printable, table

if TYPE_CHECKING:
    from snapshot.workflow.rebase import Conflicts

_SCHEMA = "docker-snap.rebase/1"


@click.command()
@click.option("--onto", required=True, metavar="NEWBASE", help="The image to carry the changes to.")
@click.option("-t", "--tag", metavar="NAME[:TAG]", help="Name for the new image; by default IMAGE's own.")
@click.option("--ours", is_flag=True, help="Where both changed something, take IMAGE's.")
@click.option("--theirs", is_flag=True, help="Where both changed something, take NEWBASE's.")
@click.option("--merge", is_flag=True, help="Merge what both changed in different places, such as text.")
@click.option(
    "--from", "old_base", default="", metavar="OLDBASE", help="Carry what IMAGE changed against this one."
)
@click.option("-m", "--message", default="", help="What was done, for history and record.")
@click.option("-a", "--author", default="", help="Who did it.")
@timestamp_option
@click.option("-q", "--quiet", is_flag=True, help="Print the image's ID alone.")
@format_option
@click.argument("image")
@pass_invocation
def command(
    invocation: Invocation,
    image: str,
    onto: str,
    tag: str | None,
    ours: bool,
    theirs: bool,
    merge: bool,
    old_base: str,
    message: str,
    author: str,
    timestamp: int | None,
    quiet: bool,
    output_format: str,
) -> None:
    """Carry the changes of an image, files and config, to another base, such as a newer one.

    All that snap added to IMAGE's first base becomes one layer on NEWBASE. What both changed in different
    ways is listed, and nothing is made, unless one side is chosen: ours is IMAGE's, theirs is NEWBASE's.

    \b
    $ snap rebase shop:1 --onto alpine:3.20 -t shop:2
    $ snap rebase shop:1 --onto alpine:3.20 --merge
    """
    from snapshot.changeset.carry import Choice
    from snapshot.workflow.making import MakingOptions
    from snapshot.workflow.rebase import RebaseConflict, RebaseOptions, rebase

    choices = {"ours": ours, "theirs": theirs, "merge": merge}
    if sum(choices.values()) > 1:
        raise click.UsageError("--ours, --theirs and --merge exclude each other.")
    choice = next((name for name, chosen in choices.items() if chosen), "")
    progress = invocation.progress()
    as_json = output_format == "json"
    try:
        result = rebase(
            invocation.engine(),
            image,
            onto,
            tag,
            RebaseOptions(
                MakingOptions(message, author, timestamp), Choice(choice) if choice else None, old_base
            ),
            progress=progress,
        )
    except RebaseConflict as error:
        progress.clear()
        if as_json:
            print_json({"schema": _SCHEMA, "id": None, **_document(error.conflicts, "")})
        elif not quiet:
            click.echo(_table(error.conflicts, ""))
        raise
    progress.clear()
    document: dict[str, Any] = {"schema": _SCHEMA, "old_base": result.old_base}
    document |= _document(result.conflicts, choice)
    show_made(result.made, document, quiet=quiet, as_json=as_json)
    if result.conflicts and not as_json:
        print(_table(result.conflicts, choice), file=sys.stderr, flush=True)
    note(f"carried over is what {image} changed against {result.old_base}")
    note_moved(result.made)
    if not quiet:
        note_next(result.made)


def _table(conflicts: Conflicts, taken: str) -> str:
    rows = [
        [
            printable(item.path),
            printable(item.ours) + (f" (and {item.below:,} below)" if item.below else ""),
            printable(item.theirs),
            item.resolved,
        ]
        for item in conflicts.paths
    ]
    rows += [
        [
            printable(f"config: {item.part}"),
            printable(f"{item.old or 'none'} -> {item.ours or 'none'}"),
            printable(f"{item.old or 'none'} -> {item.theirs or 'none'}"),
            taken,
        ]
        for item in conflicts.config
    ]
    headers = ["WHAT", "OURS", "THEIRS", "TAKEN"]
    if not taken:
        return table([row[:3] for row in rows], headers[:3])
    return table(rows, headers)


def _document(conflicts: Conflicts, taken: str) -> dict[str, Any]:
    return {
        "conflicts": [
            {
                "path": item.path,
                "kind": item.kind.name.lower().replace("_", "-"),
                "ours": item.ours,
                "theirs": item.theirs,
                "below": item.below,
                "taken": item.resolved or None,
            }
            for item in conflicts.paths
        ],
        "config_conflicts": [
            {
                "part": item.part,
                "old": item.old or None,
                "ours": item.ours or None,
                "theirs": item.theirs or None,
                "taken": taken or None,
            }
            for item in conflicts.config
        ],
    }
