"""``snap commit``."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.diff import note_mounts
from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.made import base_in_words, changes_document, changes_in_words, verified_in_words
from snapshot.cli.options import format_option, key_value, timestamp_option
from snapshot.cli.text import count, note, print_json, printable, short_id, table

if TYPE_CHECKING:
    from snapshot.changeset.capture import LeftOut
    from snapshot.changeset.exclusion import Rule
    from snapshot.workflow.commit import CommitResult

_IGNORE_FILE = Path(".snapignore")


def _show_junk(context: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if asked:
        from snapshot.changeset.junk import junk_as_ignore_file

        click.echo(junk_as_ignore_file(), nl=False)
        context.exit()


def _ignored() -> list[Rule]:
    """The rules of the ``.snapignore`` in the folder where the command is run."""
    from snapshot.changeset.exclusion import MOST_FILE_CHARACTERS, parse_ignore_file

    try:
        with _IGNORE_FILE.open(encoding="utf-8", errors="surrogateescape") as file:
            return parse_ignore_file(file.read(MOST_FILE_CHARACTERS + 1))
    except FileNotFoundError:
        return []


@click.command()
@click.option("-m", "--message", default="", help="What was done, for history and record.")
@click.option("-a", "--author", default="", help="Who did it.")
@click.option("-l", "--label", multiple=True, type=key_value, metavar="KEY=VALUE", help="Label on the image.")
@click.option(
    "-c",
    "--change",
    multiple=True,
    metavar="INSTRUCTION",
    help="Dockerfile instruction to apply, as in 'CMD [\"app\"]'.",
)
@click.option("--env", multiple=True, type=key_value, metavar="KEY=VALUE", help="Variable of the image.")
@click.option("--cmd", metavar="COMMAND", help="Default command: a JSON list, or a line for the shell.")
@click.option("--entrypoint", metavar="COMMAND", help="Entrypoint, likewise; it clears the base's command.")
@click.option("--workdir", metavar="PATH", help="Working folder.")
@click.option("--user", metavar="USER[:GROUP]", help="User, by name or number.")
@click.option("--expose", multiple=True, metavar="PORT[/PROTOCOL]", help="Port that the image listens on.")
@click.option("--volume", multiple=True, metavar="PATH", help="Path that shall be a volume.")
@click.option("--stop-signal", metavar="SIGNAL", help="Signal that ends it.")
@click.option("--healthcheck", metavar="CHECK", help="'[--interval=5s …] CMD COMMAND' or 'NONE'.")
@click.option("--onbuild", multiple=True, metavar="INSTRUCTION", help="Instruction for builds on this image.")
@click.option("--keep-env", is_flag=True, help="Take the env that the container was given into the image.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out these changed paths.")
@click.option("--include", multiple=True, metavar="GLOB", help="Take in again what others leave out.")
@click.option("--junk", is_flag=True, help="Leave out caches, logs, histories, temporary files.")
@click.option(
    "--show-junk",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_junk,
    help="Print what --junk leaves out, as a .snapignore, and exit.",
)
@click.option(
    "--embed-session",
    "embed_sessions",
    multiple=True,
    type=click.IntRange(1),
    metavar="STEP",
    help="Put the recording of a step into the image.",
)
@click.option("--squash", is_flag=True, help="Fold the layers that snap added to the base into one.")
@timestamp_option
@click.option(
    "--method",
    type=click.Choice(["auto", "sealed", "engine"]),
    default="auto",
    show_default=True,
    help="Make the layer here, or leave it to the engine's own commit.",
)
@click.option(
    "--capture",
    type=click.Choice(["auto", "direct", "api"]),
    default="auto",
    show_default=True,
    help="Read files where the engine keeps them, or through its API.",
)
@click.option(
    "--pause/--no-pause", default=True, show_default=True, help="Freeze a running container meanwhile."
)
@click.option("--no-verify", is_flag=True, help="Do not verify the image.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the image to a file, an OCI and Docker archive, and not to the engine.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print the image's ID alone.")
@click.option(
    "--iidfile", type=click.Path(path_type=Path, dir_okay=False), help="Write the image's ID to a file."
)
@click.option(
    "--metadata-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write what `--format json` prints to a file.",
)
@format_option
@click.argument("container")
@click.argument("image", required=False, metavar="[IMAGE[:TAG]]")
@pass_invocation
def command(
    invocation: Invocation,
    /,
    container: str,
    image: str | None,
    message: str,
    author: str,
    keep_env: bool,
    exclude: tuple[str, ...],
    include: tuple[str, ...],
    junk: bool,
    embed_sessions: tuple[int, ...],
    squash: bool,
    timestamp: int | None,
    method: str,
    capture: str,
    pause: bool,
    no_verify: bool,
    output: Path | None,
    quiet: bool,
    iidfile: Path | None,
    metadata_file: Path | None,
    output_format: str,
    **edits: Any,
) -> None:
    """Make an image of what CONTAINER changed, and verify it before naming it.

    It holds a record of the changes and of the steps that led to them. Its config is that of the base image,
    not of the container, with what the options change.

    \b
    $ snap commit ch03 ch03-change -m "sign the lab"
    $ snap commit ping web-ping -c 'CMD ["node","/web-ping/app.js"]' --env METHOD=HEAD --workdir /web-ping
    """
    for path in (iidfile, metadata_file, output):
        check_can_be_written(path)
    from snapshot.changeset.exclusion import Exclusion
    from snapshot.changeset.junk import junk_rules
    from snapshot.image.config_edits import ConfigEdits
    from snapshot.workflow.commit import CommitOptions, Method, commit
    from snapshot.workflow.methods.interface import CaptureWay

    progress = invocation.progress()
    result = commit(
        invocation.engine(),
        container,
        image,
        CommitOptions(
            message=message,
            author=author,
            edits=ConfigEdits(
                instructions=edits["change"],
                env=dict(edits["env"]),
                labels=dict(edits["label"]),
                cmd=edits["cmd"],
                entrypoint=edits["entrypoint"],
                working_dir=edits["workdir"],
                user=edits["user"],
                exposed_ports=edits["expose"],
                volumes=edits["volume"],
                stop_signal=edits["stop_signal"],
                healthcheck=edits["healthcheck"],
                on_build=edits["onbuild"],
            ),
            keep_env=keep_env,
            exclusion=Exclusion.of(
                junk=junk_rules() if junk else (), ignored=_ignored(), exclude=exclude, include=include
            ),
            squash=squash,
            method=Method(method),
            capture=CaptureWay(capture),
            fixed_time_s=timestamp,
            pause=pause,
            check=not no_verify,
            output=output,
            embed_sessions=embed_sessions,
        ),
        progress=progress,
    )
    progress.clear()
    if iidfile:
        iidfile.write_text(result.image_id)
    if metadata_file:
        metadata_file.write_text(json.dumps(_document(result), indent=2) + "\n")
    if quiet:
        click.echo(result.image_id)
    elif output_format == "json":
        print_json(_document(result))
    else:
        click.echo(table(_rows(result)))
    _note_surprises(result, quiet)


def check_can_be_written(path: Path | None) -> None:
    """Find out before the work whether its result can be written down."""
    folder = path.absolute().parent if path else Path()
    if path and not (folder.is_dir() and os.access(path if path.exists() else folder, os.W_OK)):
        raise click.BadParameter(f"{str(path)!r} cannot be written.")


def _rows(result: CommitResult) -> list[list[str]]:
    record = result.record
    if result.output:
        made = ["file", f"{printable(str(result.output))}, {count(result.output.stat().st_size, 'byte')}"]
    else:
        verification = result.verification
        made = ["verified", verified_in_words(len(verification.findings) if verification else None)]
    return [
        ["image", result.name or "no name"],
        ["id", result.image_id],
        ["base", base_in_words(record)],
        ["changes", changes_in_words(record)],
        made,
    ]


def _left_out_in_words(left_out: Sequence[LeftOut]) -> list[str]:
    """A line for each rule that left something out: how many paths, and the bytes saved."""
    by_rule: dict[str, list[LeftOut]] = {}
    for item in left_out:
        by_rule.setdefault(item.rule, []).append(item)
    return [
        f"left out by {rule}: {count(len(items), 'path')},"
        f" {count(sum(item.size_bytes for item in items), 'byte')}"
        for rule, items in by_rule.items()
    ]


def _note_surprises(result: CommitResult, quiet: bool) -> None:
    from snapshot.workflow.commit import MANY_LAYERS

    if result.moved_from:
        note(
            f"{result.name} named {short_id(result.moved_from)} before; that image is kept, without this name"
        )
    if result.record.kept_by_engine:
        note(
            f"went in from the container, since the engine's commit leaves nothing out:"
            f" {', '.join(result.record.kept_by_engine)}"
        )
    if result.fell_back:
        note(f"made by the engine's own commit, and read back: {result.fell_back}")
    if result.record.method == "engine" and result.steps:
        note("its history shows the command of the container and no steps: the engine wrote it")
    if result.journal_failure:
        note(f"the steps of {result.container.name} cannot be told: {result.journal_failure}")
    if cut := sum(step.cut for step in result.steps):
        note(f"what could hold a secret was cut from {count(cut, 'step')}")
    for line in _left_out_in_words(result.left_out):
        note(line)
    if result.layer_count >= MANY_LAYERS:
        note(f"the image has {result.layer_count} layers; --squash folds those that snap added into one")
    for entry in result.changeset.skipped:
        note(f"not in the image: {entry.path} ({entry.reason})")
    note_mounts(result.container.mounts)
    if not quiet and not result.output:
        name = result.name or short_id(result.image_id)
        note(f"Next: snap verify {name}, snap run {name}")


def _document(result: CommitResult) -> dict[str, Any]:
    record = result.record
    return {
        "schema": "docker-snap.commit/1",
        "id": result.image_id,
        "name": result.name or None,
        "moved_from": result.moved_from or None,
        "container": {"id": result.container.id, "name": result.container.name},
        "base": {"name": record.base.name, "id": record.base.id, "digest": record.base.digest},
        "created": record.created,
        "changes": changes_document(record),
        "method": record.method,
        "fell_back": result.fell_back or None,
        "layer": record.diff_id or None,
        "left_out": [
            {"path": item.path, "rule": item.rule, "size_bytes": item.size_bytes} for item in result.left_out
        ],
        "kept_by_engine": list(record.kept_by_engine),
        "steps": len(result.steps),
        "skipped": list(record.skipped),
        "output": str(result.output) if result.output else None,
        "verified": None if result.verification is None else result.verification.passed,
    }
