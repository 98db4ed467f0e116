"""``snap layers``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.invocation import Invocation, pass_invocation
from snapshot.cli.options import format_option
from snapshot.cli.pager import paged, pager_option
from snapshot.cli.text import (
    bytes_in_words,
    coloured,
    count,
    print_json,
    printable,
    screen_columns,
    table,
    without_middle,
)

if TYPE_CHECKING:
    from snapshot.changeset.layer_use import HiddenPath, LayerUse
    from snapshot.engine.types import HistoryEntry
    from snapshot.workflow.layers import LayersView, LayerView

_HEADERS = ["#", "SIZE", "FILES", "DELETED", "WASTED", "SHARED", "CREATED BY"]
_INDENT = " " * 5
#: What the numbers take of a terminal's width, and how wide the names beside them are at least.
_OTHER_COLUMNS = 47
_LEAST_COLUMNS = 11
_LEAST_COLUMNS_OF_A_PATH = 20
#: How builders write down an instruction: the classic one marks those that are not RUN.
_BY_SHELL = re.compile(r"^(?:RUN )?/bin/sh -c (#\(nop\) +)?")
_BY_BUILDKIT = " # buildkit"


@click.command()
@format_option
@click.option(
    "--files",
    "most_files",
    type=click.IntRange(1),
    metavar="N",
    help="List the N largest files of each layer.",
)
@click.option("--wasted", is_flag=True, help="List what is stored again or deleted higher up, largest first.")
@click.option("--history", is_flag=True, help="List the steps that made no layer too, such as ENV and CMD.")
@click.option(
    "--no-trunc",
    is_flag=True,
    help="Name all images that share a layer; cut nothing to the width of the terminal.",
)
@pager_option
@click.argument("name", metavar="IMAGE")
@pass_invocation
def command(
    invocation: Invocation,
    output_format: str,
    most_files: int | None,
    wasted: bool,
    history: bool,
    no_trunc: bool,
    pager: bool | None,
    name: str,
) -> None:
    """Show the layers of an image: what each weighs, wastes and shares, and what made it.

    The base's first layer, 0, comes first and the newest last. SIZE counts the contents of files, one of
    several names once. What a higher layer stores again or deletes is WASTED: nobody sees it, and it stays in
    the image. The other images here that a layer is SHARED with have it at no cost: it is on the disk once.
    What snap made tells its steps.

    \b
    $ snap layers ch03-change
    $ snap layers --wasted diamol/ch03-lab
    $ snap layers --history --no-trunc ch03-change
    """
    if most_files and wasted:
        raise click.UsageError("--files and --wasted exclude each other.")
    from snapshot.workflow.layers import layers

    progress = invocation.progress()
    most_paths = sys.maxsize if wasted else most_files or 20
    view = layers(invocation.engine(), name, most_paths=most_paths, progress=progress)
    progress.clear()
    if output_format == "json":
        print_json(_document(view))
    else:
        paged(table_lines(view, most_files or 0, wasted=wasted, history=history, cut=not no_trunc), pager)


def table_lines(
    view: LayersView, most_files: int, *, wasted: bool, history: bool, cut: bool
) -> Iterator[str]:
    """A line a layer, its largest or its wasted files below it, and a line on what all adds up to."""
    columns = screen_columns() if cut else None
    shown = _shown(view, history=history)
    rows = [_row(layer, columns, cut=cut) if layer else _other_row(entry) for layer, entry in shown]
    header, *told = table(rows, headers=_HEADERS, right=(1, 2, 3, 4), shorten=6 if cut else ()).splitlines()
    yield header
    for (layer, _), line in zip(shown, told, strict=True):
        yield line
        if layer and wasted:
            yield from _indented([_hidden_row(path) for path in layer.use.hidden], columns)
        elif layer and most_files:
            sized = [[f"{path.size_bytes:,}", printable(path.path)] for path in layer.use.largest]
            yield from _indented(sized, columns)
            if rest := layer.use.files - layer.use.hard_links - len(layer.use.largest):
                yield f"{_INDENT}and {count(rest, 'more file')}"
    yield _sum_in_words(view)


def _shown(view: LayersView, *, history: bool) -> list[tuple[LayerView | None, HistoryEntry]]:
    """The layers, and with the whole ``history`` what made none between them, oldest first."""
    from snapshot.image.history import is_step

    if not history:
        return [(layer, layer.step) for layer in view.layers]
    return [
        (None if layer is None else view.layers[layer], entry)
        for entry, layer in view.steps
        # The steps of a snapshot are told with its layer.
        if layer is not None or not is_step(entry)
    ]


def _row(layer: LayerView, columns: int | None, *, cut: bool) -> list[str]:
    use = layer.use
    names = [printable(name) for name in layer.shared_with]
    shared = ", ".join(names) or "-"
    if cut and names:
        others = f" +{len(names) - 1}" if len(names) > 1 else ""
        most = max(_LEAST_COLUMNS, (columns - _OTHER_COLUMNS) // 3) - len(others) if columns else None
        shared = (without_middle(names[0], most) if most else names[0]) + others
    return [
        str(layer.number),
        bytes_in_words(use.size_bytes),
        f"{use.files:,}",
        _number(use.deleted + use.emptied),
        coloured(bytes_in_words(use.hidden_bytes), "removed") if use.hidden_bytes else "-",
        shared,
        _in_words(layer.made_by),
    ]


def _other_row(entry: HistoryEntry) -> list[str]:
    return ["-"] * 6 + [_in_words((entry.created_by or entry.comment,))]


def _in_words(made_by: Iterable[str]) -> str:
    """Instructions as a Dockerfile has them: they are what a narrow column has room for."""
    instructions = (
        _BY_SHELL.sub(lambda found: "" if found[1] else "RUN ", words).removesuffix(_BY_BUILDKIT)
        for words in made_by
    )
    return printable("; ".join(instructions)) or "-"


def _number(number: int) -> str:
    return f"{number:,}" if number else "-"


def _hidden_row(path: HiddenPath) -> list[str]:
    how = "stored again in" if path.stored_again else "deleted by"
    return [f"{path.size_bytes:,}", f"{how} layer {path.by_layer}", printable(path.path)]


def _indented(rows: list[list[str]], columns: int | None) -> Iterator[str]:
    """Rows below a layer's own, of which the last cell is a path, which gives way."""
    if columns and rows:
        widths = (2 + max(map(len, cells)) for cells in zip(*(row[:-1] for row in rows), strict=True))
        most = max(_LEAST_COLUMNS_OF_A_PATH, columns - len(_INDENT) - sum(widths))
        rows = [[*row[:-1], without_middle(row[-1], most)] for row in rows]
    for line in table(rows, right=(0,)).splitlines():
        yield _INDENT + line


def _sum_in_words(view: LayersView) -> str:
    """``2 layers with 4 kB in files: 3 kB are seen, 1 kB wasted (1 kB deleted higher up)``."""
    uses = [layer.use for layer in view.layers]
    holds = f"{count(len(uses), 'layer')} with {bytes_in_words(view.size_bytes)} in files"
    if not view.wasted_bytes:
        return f"{holds}, none of them wasted"
    again, deleted = _wasted(uses)
    parts = [
        f"{bytes_in_words(size_bytes)} {how}"
        for size_bytes, how in ((again, "stored again"), (deleted, "deleted"))
        if size_bytes
    ]
    shown = bytes_in_words(view.size_bytes - view.wasted_bytes)
    wasted = f"{bytes_in_words(view.wasted_bytes)} wasted ({', '.join(parts)} higher up)"
    return f"{holds}: {shown} are seen, {wasted}"


def _wasted(uses: Sequence[LayerUse]) -> tuple[int, int]:
    return sum(use.stored_again_bytes for use in uses), sum(use.deleted_bytes for use in uses)


def _document(view: LayersView) -> dict[str, Any]:
    again, deleted = _wasted([layer.use for layer in view.layers])
    return {
        "schema": "docker-snap.layers/1",
        "id": view.image.id,
        "names": list(view.image.tags),
        "size_bytes": view.size_bytes,
        "wasted_bytes": view.wasted_bytes,
        "stored_again_bytes": again,
        "deleted_bytes": deleted,
        "layers": [_layer_document(layer) for layer in view.layers],
        "history": [
            {
                "created": step.entry.created or None,
                "created_by": step.entry.created_by,
                "comment": step.entry.comment or None,
                "layer": step.layer,
            }
            for step in view.steps
        ],
        "folders": [folder._asdict() for folder in view.folders],
    }


def _layer_document(layer: LayerView) -> dict[str, Any]:
    use = layer.use
    return {
        "number": layer.number,
        "diff_id": layer.diff_id,
        "chain_id": layer.chain_id,
        "created": layer.step.created or None,
        "created_by": list(layer.made_by),
        "shared_with": list(layer.shared_with),
        "size_bytes": use.size_bytes,
        "engine_size_bytes": layer.step.size_bytes,
        "files": use.files,
        "hard_links": use.hard_links,
        "folders": use.folders,
        "symlinks": use.symlinks,
        "others": use.others,
        "deleted": use.deleted,
        "emptied": use.emptied,
        "stored_again_bytes": use.stored_again_bytes,
        "deleted_bytes": use.deleted_bytes,
        "largest": [path._asdict() for path in use.largest],
        "wasted": [path._asdict() for path in use.hidden],
        "wasted_files": use.hidden_files,
    }
