"""``snap commit``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.diff import note_mounts
from snapshot.cli.options import format_option, key_value
from snapshot.cli.session import Session, pass_session
from snapshot.cli.text import count, note, print_json, printable, short_id, table

if TYPE_CHECKING:
    from snapshot.image.record import Record
    from snapshot.workflow.commit import CommitResult


@click.command()
@click.option("-m", "--message", default="", help="What was done, for the image's history and record.")
@click.option("-a", "--author", default="", help="Who did it.")
@click.option("-l", "--label", multiple=True, type=key_value, metavar="KEY=VALUE", help="Label on the image.")
@click.option(
    "-c",
    "--change",
    multiple=True,
    metavar="INSTRUCTION",
    help="Dockerfile instruction to apply: CMD, ENTRYPOINT, ENV, EXPOSE, … as in 'CMD [\"app\"]'.",
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
@click.option(
    "--pause/--no-pause", default=True, show_default=True, help="Freeze a running container meanwhile."
)
@click.option("--no-verify", is_flag=True, help="Do not read the image back.")
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
@pass_session
def command(
    session: Session,
    /,
    container: str,
    image: str | None,
    message: str,
    author: str,
    keep_env: bool,
    pause: bool,
    no_verify: bool,
    quiet: bool,
    iidfile: Path | None,
    metadata_file: Path | None,
    output_format: str,
    **edits: Any,
) -> None:
    """Make an image of what CONTAINER changed, with a record, and verify it before it gets its name.

    The image has the config of the base image, not of the container, with what the options change.

    \b
    $ snap commit ch03 ch03-change -m "sign the lab"
    $ snap commit ping web-ping -c 'CMD ["node","/web-ping/app.js"]' --env METHOD=HEAD --workdir /web-ping
    """
    for path in (iidfile, metadata_file):
        _check_can_be_written(path)
    from snapshot.image.config_edits import ConfigEdits
    from snapshot.workflow.commit import commit

    progress = session.progress()
    result = commit(
        session.engine(),
        container,
        image,
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
        pause=pause,
        check=not no_verify,
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


def changes_in_words(record: Record) -> str:
    """``1 added, 2 changed, 1,024 bytes``."""
    numbers = {"added": record.added, "changed": record.changed, "deleted": record.deleted}
    parts = [f"{number:,} {name}" for name, number in numbers.items() if number]
    return ", ".join([*parts, count(record.size_bytes, "byte")]) if parts else "none"


def base_in_words(record: Record) -> str:
    """The base's name and the beginning of its digest."""
    return f"{printable(record.base.name) or 'no name'} ({short_id(record.base.digest)})"


def _check_can_be_written(path: Path | None) -> None:
    """Find out before an image is made whether its ID can be written down."""
    if path and not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise click.BadParameter(f"{str(path)!r} cannot be written.")


def _rows(result: CommitResult) -> list[list[str]]:
    record = result.record
    if result.verification is None:
        verified = "no, as asked"
    else:
        verified = f"yes, {count(len(result.verification.findings), 'check')} passed"
    return [
        ["image", result.name or "no name"],
        ["id", result.image_id],
        ["base", base_in_words(record)],
        ["changes", changes_in_words(record)],
        ["verified", verified],
    ]


def _note_surprises(result: CommitResult, quiet: bool) -> None:
    if result.moved_from:
        note(
            f"{result.name} named {short_id(result.moved_from)} before; that image is kept, without this name"
        )
    if result.record.kept_by_engine:
        note(
            f"went in from the container, since the engine's commit leaves nothing out:"
            f" {', '.join(result.record.kept_by_engine)}"
        )
    for entry in result.changeset.skipped:
        note(f"not in the image: {entry.path} ({entry.reason})")
    note_mounts(result.container.mounts)
    if not quiet:
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
        "changes": {
            "added": record.added,
            "changed": record.changed,
            "deleted": record.deleted,
            "size_bytes": record.size_bytes,
            "digest": record.manifest_digest,
        },
        "kept_by_engine": list(record.kept_by_engine),
        "skipped": list(record.skipped),
        "verified": None if result.verification is None else result.verification.passed,
    }
