"""``snap patch``."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.edits import EditingCommand, edit_options, edits_in_order, for_all_runs
from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.made import note_moved, note_next, show_made
from snapshot.cli.options import format_option, timestamp_option
from snapshot.cli.patching import explained_document, note_skipped, show_explained, to_stderr
from snapshot.cli.text import note, print_json, printable

if TYPE_CHECKING:
    from snapshot.changeset.entry import Changeset


@click.command(cls=EditingCommand)
@click.option("-t", "--tag", metavar="NAME[:TAG]", help="Name for the new image.")
@click.option("--in-place", is_flag=True, help="Take the image's name, and rename that one.")
@click.option("--amend", is_flag=True, help="Remake snap's last layer; add none.")
@click.option("--dry-run", is_flag=True, help="Make no image, show what would change. Commands run.")
@edit_options
@click.option("-m", "--message", default="", help="What was done, for history and record.")
@click.option("-a", "--author", default="", help="Who did it.")
@click.option("--no-cache", is_flag=True, help="Neither use kept results of steps nor keep any.")
@click.option("--explain", is_flag=True, help="Say which steps were reused, and why not.")
@click.option(
    "--save",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the edits as a recipe.",
)
@timestamp_option
@click.option("-q", "--quiet", is_flag=True, help="Print the image's ID alone.")
@format_option
@click.argument("image")
@pass_invocation
def command(
    invocation: Invocation,
    image: str,
    tag: str | None,
    in_place: bool,
    amend: bool,
    dry_run: bool,
    message: str,
    author: str,
    no_cache: bool,
    explain: bool,
    save: Path | None,
    timestamp: int | None,
    quiet: bool,
    output_format: str,
) -> None:
    """Change an image: edit files and config in the order given, and verify the result before naming it.

    Without --run no container is started. Links are followed inside the image alone.

    \b
    $ snap patch shop:1 -t shop:1-fix --replace '/etc/shop.conf=debug = true=>debug = false'
    $ snap patch base -t web --workdir /web --copy app.sh:. --chmod 0755 --cmd '["/web/app.sh"]'
    """
    from snapshot.recipe.instructions import Run
    from snapshot.recipe.words import instructions_of
    from snapshot.workflow.making import MakingOptions
    from snapshot.workflow.patch import PatchOptions, patch
    from snapshot.workflow.patching.player import PlaySettings
    from snapshot.workflow.patching.running import RunSettings

    words, network, env = for_all_runs(edits_in_order())
    progress = invocation.progress()
    result = patch(
        invocation.engine(),
        image,
        [
            replace(item, network=item.network or network) if isinstance(item, Run) else item
            for item in instructions_of(words)
        ],
        tag,
        PlaySettings(
            RunSettings(env, output=to_stderr(progress.clear)),
            use_cache=not no_cache,
            explain=explain,
            stdin=None if sys.stdin.isatty() else sys.stdin.buffer,
        ),
        PatchOptions(MakingOptions(message, author, timestamp), in_place, amend, dry_run, save),
        progress=progress,
    )
    progress.clear()
    built = result.built
    note_skipped(built.skipped)
    as_json = output_format == "json"
    document: dict[str, Any] = {"schema": "docker-snap.patch/1", **explained_document(built.explained)}
    if built.made:
        show_made(built.made, document, quiet=quiet, as_json=as_json)
        show_explained(built.explained, built.advice)
        note_moved(built.made, result.kept_as)
        if not quiet:
            note_next(built.made)
    else:
        _show_changes(built.changeset, document, quiet=quiet, as_json=as_json)
        show_explained(built.explained, built.advice)
        note("nothing was made, as asked")


def _show_changes(changeset: Changeset, document: dict[str, Any], *, quiet: bool, as_json: bool) -> None:
    from snapshot.cli.diff import change_document, changes_table

    if as_json:
        print_json(document | {"id": None, "changes": [change_document(item) for item in changeset.changes]})
    elif quiet:
        click.echo("".join(f"{printable(item.path)}\n" for item in changeset.changes), nl=False)
    elif changeset.changes:
        click.echo(changes_table(changeset.changes))
