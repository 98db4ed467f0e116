"""``snap tree``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.family import branches, named_in_words
from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.options import format_option
from snapshot.cli.pager import paged, pager_option
from snapshot.cli.text import (
    bytes_in_words,
    columns_of,
    count,
    note,
    print_json,
    printable,
    screen_columns,
    without_middle,
)

if TYPE_CHECKING:
    from snapshot.workflow.tree import Branch, Tree

#: What names and messages are brought down to until a line fits on the terminal.
_TEXT_COLUMNS = (None, 60, 40, 30, 20, 12)


@click.command()
@format_option
@pager_option
@click.argument("name", metavar="[IMAGE]", required=False)
@pass_invocation
def command(invocation: Invocation, output_format: str, pager: bool | None, name: str | None) -> None:
    """Draw which images here stand on which, and what each adds.

    An image stands on the one that has all of its other layers. Layers that several images begin with are
    drawn where no image consists of them. Snapshots tell their message and steps, and what they were made
    from where that is another image: after a squash or a rebase. With IMAGE, only the tree that it is in.

    \b
    $ snap tree
    $ snap tree ch03-change
    """
    from snapshot.workflow.tree import tree

    progress = invocation.progress()
    found = tree(invocation.engine(), name or "", progress=progress)
    progress.clear()
    if output_format == "json":
        print_json(_document(found))
    elif found.branches:
        paged(_drawing(found), pager)
    else:
        note("no image is here. Next: snap run IMAGE")


def _drawing(found: Tree) -> Iterator[str]:
    most = screen_columns()
    for stem, branch in zip(branches([item.depth for item in found.branches]), found.branches, strict=True):
        before = f"{stem}{'* ' if branch.id and branch.id == found.marked else ''}"
        lines = (f"{before}{', '.join(_words(branch, columns))}" for columns in _TEXT_COLUMNS)
        line = next((line for line in lines if most is None or columns_of(line) <= most), "")
        # Such a line goes on in the next row.
        yield line or f"{before}{', '.join(_words(branch, _TEXT_COLUMNS[-1]))}"


def _words(branch: Branch, most_columns: int | None) -> Iterator[str]:
    """What is said of a branch; names and messages are brought down to so many columns of a terminal."""

    def short(text: str) -> str:
        shown = printable(text)
        return shown if most_columns is None else without_middle(shown, most_columns)

    def named(names: tuple[str, ...], image_id: str, *, gone: bool = False) -> str:
        return named_in_words([short(", ".join(names))] if names else (), image_id, gone=gone)

    yield named(branch.names, branch.id) if branch.id else "no image of their own"
    more = "+" if branch.depth else ""
    if branch.layer_count or not branch.depth:
        yield f"{more}{count(branch.layer_count, 'layer')}, {more}{bytes_in_words(branch.own_bytes)}"
    else:
        yield "the same layers"
    if branch.step_count is not None:
        message = f' "{short(branch.message)}"' if branch.message else ""
        yield f"snapshot{message}, {count(branch.step_count, 'step')}"
    if origin := branch.made_from:
        yield f"made from {named(origin.names, origin.id, gone=not origin.is_here)}"
    if branch.is_kept_result:
        yield "kept result"
    if branch.damage:
        yield "record damaged"


def _document(found: Tree) -> dict[str, Any]:
    line: list[int] = []
    documents = []
    for number, branch in enumerate(found.branches):
        line[branch.depth :] = [number]
        documents.append(_branch_document(branch, line[-2] if branch.depth else None))
    return {"schema": "docker-snap.tree/1", "marked": found.marked or None, "branches": documents}


def _branch_document(branch: Branch, parent: int | None) -> dict[str, Any]:
    origin = branch.made_from
    return {
        "id": branch.id or None,
        "names": list(branch.names),
        "parent": parent,
        "layers": branch.layer_count,
        "own_bytes": branch.own_bytes,
        "size_bytes": branch.size_bytes,
        "message": branch.message or None,
        "steps": branch.step_count,
        "made_from": {"id": origin.id, "names": list(origin.names), "is_here": origin.is_here}
        if origin
        else None,
        "is_kept_result": branch.is_kept_result,
        "damage": branch.damage or None,
    }
