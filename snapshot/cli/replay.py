"""``snap replay``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.made import note_moved, note_next, show_made
from snapshot.cli.options import format_option, timestamp_option, variable
from snapshot.cli.patching import explained_document, note_skipped, show_explained, to_stderr
from snapshot.cli.text import count, note, short_id

if TYPE_CHECKING:
    from snapshot.workflow.first_result import Comparison


@click.command()
@click.option("-t", "--tag", metavar="NAME[:TAG]", help="Name for the new image.")
@click.option("--base", default="", metavar="IMAGE", help="Play it on that image, not on the recipe's base.")
@click.option(
    "--set",
    "values",
    multiple=True,
    type=variable,
    metavar="KEY[=VALUE]",
    help="Give the recipe's commands a variable, which goes into no image.",
)
@click.option("--network", default="", metavar="MODE", help="Network of commands that name none.")
@click.option("--check", is_flag=True, help="Fail where the result differs, and leave nothing of it.")
@click.option("--changes", is_flag=True, help="Carry over what the steps changed; play none of them.")
@click.option("-m", "--message", default="", help="What was done, for history and record.")
@click.option("-a", "--author", default="", help="Who did it.")
@click.option("--no-cache", is_flag=True, help="Neither use kept results of steps nor keep any.")
@click.option("--explain", is_flag=True, help="Say which steps were reused, and why not.")
@timestamp_option
@click.option("-q", "--quiet", is_flag=True, help="Print the image's ID alone.")
@format_option
@click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False))
@pass_invocation
def command(
    invocation: Invocation,
    recipe: Path,
    tag: str | None,
    base: str,
    values: tuple[tuple[str, str], ...],
    network: str,
    check: bool,
    changes: bool,
    message: str,
    author: str,
    no_cache: bool,
    explain: bool,
    timestamp: int | None,
    quiet: bool,
    output_format: str,
) -> None:
    """Make an image from a recipe, and say how it differs from the first one that came of it.

    A recipe is what `snap log IMAGE --recipe` prints, or one that you wrote. Files are compared by content,
    owner and mode, not by time; where the first image is on the engine, you are told each path.

    \b
    $ snap log shop:1-fix --recipe > fix.toml
    $ snap replay fix.toml -t shop:2-fix --base shop:2
    $ snap replay fix.toml --check
    """
    from snapshot.recipe.toml_reader import load_recipe
    from snapshot.workflow.making import MakingOptions
    from snapshot.workflow.patching.player import PlaySettings
    from snapshot.workflow.patching.running import RunSettings
    from snapshot.workflow.replay import ReplayOptions, replay

    progress = invocation.progress()
    # A mistake in it is told before any engine is asked.
    read = load_recipe(recipe)
    result = replay(
        invocation.engine(),
        read,
        tag,
        PlaySettings(
            RunSettings(dict(values), network, to_stderr(progress.clear)),
            use_cache=not no_cache,
            explain=explain,
        ),
        ReplayOptions(MakingOptions(message, author, timestamp), base, check, changes),
        progress=progress,
    )
    progress.clear()
    note_skipped(result.skipped)
    document: dict[str, Any] = {
        "schema": "docker-snap.replay/1",
        **explained_document(result.explained),
        "difference": _document(result.comparison),
    }
    show_made(result.made, document, quiet=quiet, as_json=output_format == "json")
    show_explained(result.explained, result.advice)
    _show_difference(result.comparison, as_text=not quiet and output_format != "json")
    note_moved(result.made)
    if not quiet:
        note_next(result.made)


def _show_difference(comparison: Comparison, *, as_text: bool) -> None:
    """Say how the image differs from the first one; each path where there is a table on stdout."""
    from snapshot.cli.diff import changes_table
    from snapshot.workflow.first_result import Sameness

    if comparison.sameness is Sameness.UNKNOWN:
        # The recipe was written by hand, and tells of no first image.
        return
    note(_in_words(comparison))
    if comparison.changes and comparison.changes.changes and as_text:
        click.echo()
        click.echo(changes_table(comparison.changes.changes))
    for part in comparison.config:
        note(f"not as in the first image: {part}")


def _in_words(comparison: Comparison) -> str:
    from snapshot.workflow.first_result import Sameness

    first = f"the first image ({short_id(comparison.first.id)})" if comparison.first else "the first image"
    if comparison.sameness is Sameness.LAYERS:
        return f"the same as {first}, byte for byte"
    if comparison.sameness is Sameness.CHANGES:
        return f"the same changes as in {first}, with other times or in other layers"
    if comparison.changes is not None:
        return f"this differs from {first}: {count(len(comparison.changes.changes), 'path')}"
    gone = "" if comparison.first else ", which is not here"
    return f"it is not the same as {first}{gone}: what differs cannot be told"


def _document(comparison: Comparison) -> dict[str, Any]:
    from snapshot.cli.diff import change_document

    changes = comparison.changes
    return {
        "sameness": comparison.sameness.value,
        "first": comparison.first.id if comparison.first else None,
        "changes": None if changes is None else [change_document(change) for change in changes.changes],
        "config": list(comparison.config),
    }
