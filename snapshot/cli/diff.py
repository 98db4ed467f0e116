"""``snap diff``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from snapshot.cli.diff_json import change_document as change_document
from snapshot.cli.diff_json import difference_document
from snapshot.cli.diff_views import Views
from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.options import format_option
from snapshot.cli.pager import paged, pager_option
from snapshot.cli.text import coloured, note, print_json, printable, table

if TYPE_CHECKING:
    from snapshot.changeset.entry import PathChange
    from snapshot.engine.client import Engine
    from snapshot.engine.types import Mount
    from snapshot.workflow.difference import Difference

_DEFAULT_CONTEXT_LINES = 3


@click.command()
@format_option
@click.option("-p", "--patch", is_flag=True, help="Show what differs inside files, as text for patch(1) too.")
@click.option(
    "-U",
    "--unified",
    "context_lines",
    type=click.IntRange(0),
    metavar="N",
    help=f"So many lines around each difference, by default {_DEFAULT_CONTEXT_LINES}; implies --patch.",
)
@click.option(
    "--full", is_flag=True, help="With --patch: all lines on a terminal too, and files of up to 64 MB."
)
@click.option("--stat", is_flag=True, help="Sum up the changes of each folder, with bars of bytes.")
@click.option("--packages", is_flag=True, help="List the packages that came, went or have another version.")
@click.option("--summary", is_flag=True, help="One sentence, as for `snap commit -m`.")
@click.option("-q", "--quiet", "--name-only", "name_only", is_flag=True, help="Paths alone.")
@click.option(
    "--thorough", is_flag=True, help="Compare contents, not times: all that differs and nothing else."
)
@click.option("--all", "with_engine_paths", is_flag=True, help="List what the engine itself put there too.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if there is any change.")
@click.option(
    "--since", type=int, metavar="STEP", help="What CONTAINER changed after that step of `snap log`."
)
@click.option("--old-host", metavar="URL", help="Address of the engine that has the first of two names.")
@click.option("--old-context", metavar="NAME", help="Docker context that names that engine.")
@pager_option
@click.argument("words", metavar="NAME [NAME] [PATH]...", nargs=-1, required=True)
@pass_invocation
def command(
    invocation: Invocation,
    output_format: str,
    patch: bool,
    context_lines: int | None,
    full: bool,
    stat: bool,
    packages: bool,
    summary: bool,
    name_only: bool,
    thorough: bool,
    with_engine_paths: bool,
    exit_code: bool,
    since: int | None,
    old_host: str | None,
    old_context: str | None,
    pager: bool | None,
    words: tuple[str, ...],
) -> int:
    """Show what a container or an image changed.

    With one name: against its base image, which for an image is the one that its record names. With two: what
    makes the second of the first, by the content of all files; a container is always taken for the second.
    Where a container and an image have that name, the container is shown. Step 0 is it as it was made. A name
    can be that of an archive: oci:PATH[:TAG] or docker-archive:FILE[:NAME]. What begins with a slash is a
    path: then only what is at or below these is shown.

    A line a path: A added, C changed or D deleted; type, mode, owner, size in bytes, path. With two names a
    folder is listed where its own mode or owner changed, not for what is in it. Bytes of a name that a
    terminal could take amiss are shown as escapes; the JSON has them as they are, and so has the text of
    --patch where it does not go to a terminal.

    \b
    $ snap diff --patch ch03 /diamol
    $ snap diff --since 2 ch03
    $ snap diff --exit-code ch03-lab ch03-change
    """
    names, paths = _names_and_paths(words)
    patch = patch or context_lines is not None
    views = Views(
        patch=patch,
        stat=stat,
        packages=packages,
        summary=summary,
        context_lines=_DEFAULT_CONTEXT_LINES if context_lines is None else context_lines,
        full=full,
    )
    _check_together(views, name_only=name_only, as_json=output_format == "json")
    from snapshot.workflow.diff import compare

    engine, old_engine = _engines(invocation, names, old_host, old_context)
    progress = invocation.progress()
    comparison = compare(
        engine,
        names[-1],
        against=names[0] if len(names) == 2 else None,
        old_engine=old_engine,
        since=since,
        with_engine_paths=with_engine_paths,
        thorough=thorough,
        paths=paths,
        progress=progress,
    )
    difference = comparison.difference
    changes = difference.changeset.changes
    if output_format == "json":
        document = difference_document(difference) | views.documents(comparison, progress)
        progress.clear()
        print_json(document)
    elif views.any:
        views.show(comparison, pager, progress)
    else:
        progress.clear()
        _show_list(changes, pager, name_only=name_only)
    if not (changes or name_only or summary or output_format == "json"):
        note(_nothing_in_words(difference, paths, alone=len(names) == 1))
    for text in difference.notes:
        note(text)
    if difference.container:
        note_mounts(difference.container.mounts)
    return int(exit_code and bool(changes))


def _names_and_paths(words: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """One or two names, and the paths that come after them."""
    names = [word for word in words if not word.startswith("/")]
    paths = [word for word in words if word.startswith("/")]
    if not names or words[: len(names)] != tuple(names):
        raise click.UsageError("A name comes first: one or two of them, then paths.")
    if len(names) > 2:
        raise click.UsageError(
            f"Two things can be compared, and {len(names)} are named: paths begin with a slash."
        )
    return names, paths


def _check_together(views: Views, *, name_only: bool, as_json: bool) -> None:
    # In a document the sentence has a key of its own.
    alone = ["--name-only"] * name_only + ["--summary"] * (views.summary and not as_json)
    others = [name for name in ("patch", "stat", "packages") if getattr(views, name)]
    if alone and len(alone) + len(others) > 1:
        other = alone[1] if len(alone) > 1 else f"--{others[0]}"
        raise click.UsageError(f"{alone[0]} stands alone: leave out {other}.")
    if views.full and not views.patch:
        raise click.UsageError("--full belongs to --patch.")


def _engines(
    invocation: Invocation, names: list[str], old_host: str | None, old_context: str | None
) -> tuple[Engine | None, Engine | None]:
    """The engine, and another one that has the first of two names; none where only archives are named."""
    from snapshot.workflow.compared.find import is_archive

    if old_host or old_context:
        if len(names) != 2 or is_archive(names[0]):
            raise click.UsageError("--old-host and --old-context say where the first of two names is.")
        if old_host and old_context:
            raise click.UsageError("--old-host and --old-context exclude each other.")
    engine = None if all(map(is_archive, names)) else invocation.engine()
    if not (old_host or old_context):
        return engine, None
    return engine, Invocation(old_host, old_context, invocation.debug).engine()


def _show_list(changes: tuple[PathChange, ...], pager: bool | None, *, name_only: bool) -> None:
    if name_only:
        paged([printable(change.path) for change in changes], pager)
    elif changes:
        paged(changes_table(changes), pager)


def note_mounts(mounts: tuple[Mount, ...]) -> None:
    """Say which data can be in no image."""
    for mount in mounts:
        note(f"not part of this, nor of any image: the data of the {mount.kind} at {mount.destination}")


def changes_table(changes: Iterable[PathChange]) -> str:
    """Changes as people read them, a line each."""
    return table([_row(change) for change in changes], right=(4,), shorten=5)


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


def _nothing_in_words(difference: Difference, paths: list[str], *, alone: bool) -> str:
    old, new = difference.old, difference.new
    where = f" at or below {' and '.join(paths)}" if paths else ""
    if old.step is not None:
        return f"'{new.name}' changed nothing{where} since step {old.step}."
    if alone:
        return f"'{new.name}' changed nothing{where}."
    return f"'{old.name}' and '{new.name}' hold the same files{where}."
