"""``snap log``."""

from __future__ import annotations

from collections.abc import Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.family import named_in_words, print_family
from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.options import format_option
from snapshot.cli.pager import paged, pager_option
from snapshot.cli.text import count, note, print_json, printable, short_id, table
from snapshot.report.quantity import duration_in_words

if TYPE_CHECKING:
    from snapshot.image.generations import Generation
    from snapshot.journal.step import Step
    from snapshot.workflow.log import Log, LoggedImage


@click.command()
@format_option
@click.option("-q", "--quiet", is_flag=True, help="The steps in words alone.")
@click.option("-v", "--verbose", is_flag=True, help="List what each step changed and what was copied.")
@click.option("--graph", is_flag=True, help="Draw which snapshots here were made from which.")
@click.option(
    "--session", "number", type=click.IntRange(1), metavar="STEP", help="Say what a step's recording is."
)
@click.option("--play", is_flag=True, help="Play that recording as it was.")
@click.option("--speed", type=float, default=1.0, show_default=True, help="How many times as fast to play.")
@click.option("--idle-limit", type=float, metavar="SECONDS", help="Cut longer pauses to this.")
@click.option("--text", is_flag=True, help="Print what that recording shows as plain text.")
@click.option("--recipe", is_flag=True, help="Write the steps of an image as a recipe for `snap replay`.")
@click.option(
    "--files",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Put its larger contents there; by default into FILE.files where the recipe goes to FILE.toml.",
)
@pager_option
@click.argument("name", metavar="[IMAGE|CONTAINER]", required=False)
@pass_invocation
def command(
    invocation: Invocation,
    output_format: str,
    quiet: bool,
    verbose: bool,
    graph: bool,
    number: int | None,
    play: bool,
    speed: float,
    idle_limit: float | None,
    text: bool,
    recipe: bool,
    files: Path | None,
    pager: bool | None,
    name: str | None,
) -> None:
    """Show the steps that made an image or a container, newest last.

    An image tells those of the snapshots below it too, back to the first base. Where a container and an image
    have that name, the container is shown. With --graph the name may be left out.

    \b
    $ snap log ch03-change
    $ snap log --session 2 --play ch03
    $ snap log ch03-change --recipe > ch03.toml
    """
    _check_together(quiet=quiet, graph=graph, number=number, play=play, text=text, name=name)
    _check_recipe(recipe, files, others=quiet or verbose or graph or number or output_format == "json")
    from snapshot.workflow.log import log

    engine = invocation.engine()
    if name and recipe:
        from snapshot.cli.recipe import print_recipe

        print_recipe(engine, name, files)
        return
    found = log(engine, name) if name else None
    if found and found.shares_name:
        note(f"'{name}' names an image too; give its ID or a tag to see that")
    if graph:
        from snapshot.workflow.family import family

        marked = found.image.id if found and found.image else ""
        print_family(family(engine), marked, output_format, pager)
    elif found and number:
        _print_recording(
            found, number, output_format, play=play, speed=speed, idle_limit=idle_limit, text=text
        )
    elif found and output_format == "json":
        print_json(_document(found))
    elif found:
        _print_log(found, quiet=quiet, verbose=verbose, name=name or "", pager=pager)


def _check_together(
    *, quiet: bool, graph: bool, number: int | None, play: bool, text: bool, name: str | None
) -> None:
    if not name and not graph:
        raise click.UsageError("Missing argument 'IMAGE|CONTAINER'.")
    if (play or text) and not number:
        raise click.UsageError("--play and --text want to know which recording: give --session STEP.")
    if play and text:
        raise click.UsageError("--play and --text exclude each other.")
    if graph and (quiet or number):
        raise click.UsageError("--graph draws images; it knows neither --quiet nor --session.")


def _check_recipe(recipe: bool, files: Path | None, *, others: object) -> None:
    if recipe and others:
        raise click.UsageError("--recipe writes TOML, and knows none of the options for showing steps.")
    if files and not recipe:
        raise click.UsageError("--files belongs to --recipe.")


def _print_recording(
    found: Log,
    number: int,
    output_format: str,
    *,
    play: bool,
    speed: float,
    idle_limit: float | None,
    text: bool,
) -> None:
    from snapshot.cli.playing import play_session, print_session, print_session_text
    from snapshot.workflow.log import recording_of

    recording, source = recording_of(found, number)
    if play:
        play_session(recording, speed=speed, idle_limit_s=idle_limit)
    elif text:
        print_session_text(recording)
    else:
        print_session(recording, number, source, output_format)


def _print_log(found: Log, *, quiet: bool, verbose: bool, name: str, pager: bool | None) -> None:
    from snapshot.journal.step_words import step_in_words

    parts = [(_heading(told), told.generation.steps, told.generation.summed_up) for told in found.generations]
    if found.container:
        parts.append((_heading_of_container(found), found.steps, 0))
    steps = [step for _, those, _ in parts for step in those]
    if quiet:
        paged([printable(step_in_words(step)) for step in steps], pager)
    elif steps or found.generations:
        paged(_lines(parts, frozenset(found.recorded), verbose=verbose), pager)
    _note_what_is_missing(found, bool(steps), name)


def _note_what_is_missing(found: Log, any_steps: bool, name: str) -> None:
    if found.journal_failure:
        note(f"the steps of '{name}' itself cannot be told: {found.journal_failure}")
    if found.damage:
        note(f"the steps of its image cannot be told: {found.damage}")
    elif found.image is None:
        note("the steps of its image cannot be told: the image was removed")
    elif not any_steps and not found.generations and not found.journal_failure:
        what = (
            f"nothing was done to '{name}' since it was made;"
            if found.container
            else f"nothing is known of how '{name}' was made;"
        )
        image = next(iter(found.image.tags), short_id(found.image.id))
        note(f"{what} `snap layers --history {image}` tells of the layers")


def _lines(
    parts: Sequence[tuple[str, Sequence[Step], int]], recorded: Set[int], *, verbose: bool
) -> list[str]:
    """A line for each step under the heading of its generation, all in the same columns."""
    last = len(parts) - 1
    rows = [
        _row(step, has_recording=number == last and step.number in recorded)
        for number, (_, steps, _) in enumerate(parts)
        for step in steps
    ]
    headers = ["STEP", "STARTED", "TOOK", "EXIT", "CHANGES", "WHAT"]
    header, *told = table(rows, headers=headers, right=(0, 2, 3)).splitlines()
    lines = [f"  {header}"] if rows else []
    waiting = iter(told)
    for heading, steps, summed_up in parts:
        lines.append(heading)
        if summed_up:
            from snapshot.journal.step_words import earlier_in_words

            lines.append(f"  {earlier_in_words(summed_up)} {'is' if summed_up == 1 else 'are'} summed up")
        elif not steps:
            lines.append("  it records no steps")
        for step in steps:
            lines.append(f"  {next(waiting)}")
            lines += [f"        {line}" for line in (_details(step) if verbose else ())]
    return lines


def _row(step: Step, *, has_recording: bool) -> list[str]:
    from snapshot.journal.step_words import UNKNOWN_WORDS, changes_in_words, step_in_words

    words = UNKNOWN_WORDS if step.verb == "unknown" else printable(step_in_words(step))
    return [
        str(step.number),
        printable(step.started.replace("T", " ")) or "-",
        _took(step.duration_s),
        "cut off" if step.interrupted else "-" if step.exit_code is None else str(step.exit_code),
        changes_in_words(step.changes),
        words + (" (recorded)" if has_recording else ""),
    ]


def _took(duration_s: float | None) -> str:
    return "-" if duration_s is None else duration_in_words(duration_s)


def _details(step: Step) -> list[str]:
    changes = step.changes
    lines = [printable(line) for line in changes.listed] if changes else []
    if changes and not lines and any(changes[:3]):
        lines.append("too many changes to be listed")
    lines += [
        f"copied {printable(file.path)}, {count(file.size_bytes, 'byte')}, sha256:{printable(file.sha256)}"
        for file in step.copied
    ]
    if changes and not changes.exact:
        lines.append("changes of paths that had been changed before may be missing")
    if step.overlaps:
        lines.append("another step was at work at the same time: the changes may be of either")
    if step.interrupted:
        lines.append("its end was never written: snap was stopped meanwhile")
    return lines


def _heading(told: LoggedImage) -> str:
    made = told.generation
    if told.image_id:
        image = f"image {named_in_words(told.names, told.image_id, gone=not told.is_here)}"
    else:
        image = "an image that was folded into the next one"
    base = printable(made.base_name) or short_id(printable(made.base_id)) or "that"
    message = f', message "{printable(made.message)}"' if made.message else ""
    return f"{image} from {base}{message}"


def _heading_of_container(found: Log) -> str:
    assert found.container
    container = found.container
    named = f"container {printable(container.name)} ({short_id(container.id)})"
    return f"{named} from {printable(container.image_name)}"


def _document(found: Log) -> dict[str, Any]:
    from snapshot.journal.step_json import step_to_json

    container, image = found.container, found.image
    return {
        "schema": "docker-snap.log/1",
        "kind": "container" if container else "image",
        "id": container.id if container else image.id if image else None,
        "names": [container.name] if container else list(image.tags) if image else [],
        "image": {"id": image.id, "names": list(image.tags)} if image else None,
        "generations": [
            {
                "image": {"id": told.image_id or None, "names": list(told.names), "is_here": told.is_here},
                **_generation_document(told.generation),
            }
            for told in found.generations
        ],
        "steps": [step_to_json(step) for step in found.steps] if container else None,
        "recorded": list(found.recorded),
        "damage": found.damage or None,
        "journal_failure": found.journal_failure or None,
    }


def _generation_document(made: Generation) -> dict[str, Any]:
    from snapshot.journal.step_json import step_to_json

    return {
        "base": {"id": made.base_id or None, "name": made.base_name or None},
        "container": made.container or None,
        "message": made.message or None,
        "created": made.created,
        "summed_up": made.summed_up,
        "steps": [step_to_json(step) for step in made.steps],
    }
