"""``snap diff``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.options import format_option
from snapshot.cli.text import coloured, note, print_json, printable, table

if TYPE_CHECKING:
    from snapshot.changeset.entry import PathChange
    from snapshot.engine.types import Mount
    from snapshot.workflow.difference import Difference, Side


@click.command()
@format_option
@click.option("-q", "--quiet", is_flag=True, help="Paths alone.")
@click.option("--all", "with_engine_paths", is_flag=True, help="List what the engine itself put there too.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if there is any change.")
@click.option(
    "--since", type=int, metavar="STEP", help="What CONTAINER changed after that step of `snap log`."
)
@click.argument("name", metavar="CONTAINER|IMAGE")
@click.argument("other", metavar="[CONTAINER|IMAGE]", required=False)
@pass_invocation
def command(
    invocation: Invocation,
    output_format: str,
    quiet: bool,
    with_engine_paths: bool,
    exit_code: bool,
    since: int | None,
    name: str,
    other: str | None,
) -> int:
    """Show what a container or an image changed.

    With one name: against its base image, which for an image is the one that its record names. With two: what
    makes the second of the first, by the content of all files; a container is always taken for the second.
    Where a container and an image have that name, the container is shown. Step 0 is it as it was made.

    A line a path: A added, C changed or D deleted; type, mode, owner, size in bytes, path. With two names a
    folder is listed where its own mode or owner changed, not for what is in it. Bytes of a name that a
    terminal could take amiss are shown as escapes; the JSON has them as they are.

    \b
    $ snap diff --since 2 ch03
    $ snap diff --exit-code ch03-lab ch03-change
    """
    from snapshot.workflow.diff import diff

    progress = invocation.progress()
    difference = diff(
        invocation.engine(),
        name if other is None else other,
        against=name if other is not None else None,
        since=since,
        with_engine_paths=with_engine_paths,
        progress=progress,
    )
    progress.clear()
    changes = difference.changeset.changes
    if output_format == "json":
        print_json(_document(difference))
    elif quiet:
        click.echo("".join(f"{printable(change.path)}\n" for change in changes), nl=False)
    elif changes:
        click.echo(changes_table(changes))
    else:
        note(_nothing_in_words(difference, alone=other is None))
    for text in difference.notes:
        note(text)
    if difference.container:
        note_mounts(difference.container.mounts)
    return int(exit_code and bool(changes))


def note_mounts(mounts: tuple[Mount, ...]) -> None:
    """Say which data can be in no image."""
    for mount in mounts:
        note(f"not part of this, nor of any image: the data of the {mount.kind} at {mount.destination}")


def change_document(change: PathChange) -> dict[str, Any]:
    """A change as JSON shows it; the sha256 is there where the content was read."""
    document: dict[str, Any] = {"kind": change.kind.value, "path": change.path}
    file = change.file
    if file is None:
        return document | ({"skipped": change.skipped} if change.skipped else {})
    document |= {
        "type": file.type.value,
        "mode": f"{file.mode:04o}",
        "uid": file.uid,
        "gid": file.gid,
        "size_bytes": file.size_bytes,
    }
    optional = {
        "sha256": file.sha256,
        "link_target": file.link_target,
        "hard_link": file.hard_link,
        "device": file.device,
    }
    return document | {name: value for name, value in optional.items() if value}


def changes_table(changes: Iterable[PathChange]) -> str:
    """Changes as people read them, a line each."""
    return table([_row(change) for change in changes], right=(4,))


def _row(change: PathChange) -> list[str]:
    letter, path = coloured(change.kind.value), printable(change.path)
    file = change.file
    if file is None:
        return [letter, change.skipped or "-", "-", "-", "-", path]
    if file.link_target:
        path += f" -> {printable(file.link_target)}"
    elif file.hard_link:
        path += f" = {printable(file.hard_link)}"
    size = str(file.size_bytes) if file.type.value == "file" else file.device or "-"
    return [letter, file.type.value, f"{file.mode:04o}", file.owner, size, path]


def _nothing_in_words(difference: Difference, *, alone: bool) -> str:
    old, new = difference.old, difference.new
    if old.step is not None:
        return f"'{new.name}' changed nothing since step {old.step}."
    if alone:
        return f"'{new.name}' changed nothing."
    return f"'{old.name}' and '{new.name}' hold the same files."


def _document(difference: Difference) -> dict[str, Any]:
    container = difference.container
    document: dict[str, Any] = {"schema": "docker-snap.diff/1"}
    if container:
        document |= {
            "container": {"id": container.id, "name": container.name},
            "base": {"id": container.image_id, "name": container.image_name},
        }
    return document | {
        "old": _side_document(difference.old),
        "new": _side_document(difference.new),
        "found_by": difference.found_by.value,
        "changes": [change_document(change) for change in difference.changeset.changes],
        "engine_paths": list(difference.changeset.engine_paths),
        "mounts": [
            {"kind": mount.kind, "source": mount.source, "destination": mount.destination}
            for mount in (container.mounts if container else ())
        ],
    }


def _side_document(side: Side) -> dict[str, Any]:
    document: dict[str, Any] = {"kind": side.kind.value, "id": side.id, "name": side.name}
    return document if side.step is None else document | {"step": side.step}
