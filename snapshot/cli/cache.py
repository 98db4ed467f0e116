"""``snap cache``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.options import format_option
from snapshot.cli.text import note, print_json, printable, short_id, shortened, table

if TYPE_CHECKING:
    from snapshot.workflow.cache import KeptImage

_KEY_CHARS = 12
_MOST_WORDS_CHARS = 48


@click.group()
def command() -> None:
    """List the kept results of steps, or clear them away.

    What the steps of a patch or a recipe make is kept as an image of the engine and used again as long as
    the base, the steps up to there, the content of what they copy and the variables of their runs are the
    same. It is found by this user alone.

    \b
    $ snap cache ls
    $ snap cache gc
    """


@command.command()
@format_option
@pass_invocation
def ls(invocation: Invocation, output_format: str) -> None:
    """List what is kept, newest first: the last step, and what uses it.

    SIZE is that of the whole image, the base's layers too, which it shares with others.
    """
    from snapshot.workflow.cache import list_cache

    results = list_cache(invocation.engine())
    if output_format == "json":
        print_json({"schema": "docker-snap.cache/1", "results": [_document(result) for result in results]})
    elif results:
        headers = ["KEY", "STEPS", "LAST STEP", "SIZE", "CREATED", "USED BY"]
        click.echo(table([_row(result) for result in results], headers=headers, right=(1, 3)))
    else:
        note("nothing is kept. Next: snap patch IMAGE --run COMMAND")


@command.command()
@format_option
@pass_invocation
def gc(invocation: Invocation, output_format: str) -> None:
    """Remove what is kept, and print its names.

    A result that a container was made from stays. One that has another name loses ours alone, and layers that
    other images stand on are theirs: nothing is removed by force.
    """
    from snapshot.workflow.cache import gc_cache

    collected = gc_cache(invocation.engine())
    if output_format == "json":
        print_json(
            {
                "schema": "docker-snap.cache-gc/1",
                "removed": [_document(result) for result in collected.removed],
                "kept": [_document(result) | {"why": why} for result, why in collected.kept],
            }
        )
    else:
        click.echo("".join(f"{result.name}\n" for result in collected.removed), nl=False)
    for result, why in collected.kept:
        note(f"{result.name} is kept: {why}")
    for result in collected.removed:
        if result.other_names:
            note(f"{short_id(result.image.id)} is still here as {', '.join(result.other_names)}")
    if not collected.removed and not collected.kept:
        note("nothing was kept")


def _row(result: KeptImage) -> list[str]:
    users = [f"container {name}" for name in result.containers] + [
        f"image {name}" for name in result.other_names
    ]
    return [
        result.name.partition(":")[2][:_KEY_CHARS],
        f"{len(result.steps):,}",
        shortened(printable(result.steps[-1].words), _MOST_WORDS_CHARS),
        f"{result.image.size_bytes / 1e6:,.1f} MB",
        printable(result.image.created[:19]),
        printable(", ".join(users)) or "-",
    ]


def _document(result: KeptImage) -> dict[str, Any]:
    return {
        "name": result.name,
        "id": result.image.id,
        "steps": [
            {"key": step.key.key, "words": step.words, "duration_s": step.duration_s} for step in result.steps
        ],
        "size_bytes": result.image.size_bytes,
        "created": result.image.created,
        "containers": list(result.containers),
        "other_names": list(result.other_names),
    }
