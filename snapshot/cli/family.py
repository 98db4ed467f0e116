"""What ``snap log --graph`` prints: the family tree of snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.text import count, note, print_json, printable, short_id

if TYPE_CHECKING:
    from snapshot.workflow.family import Relative


def named_in_words(names: Sequence[str], identifier: str, *, gone: bool = False) -> str:
    """``ch03:1 (0a1b2c3d4e5f)``; ``gone`` where the image is no longer here."""
    known = printable(", ".join(names)) or "without a name"
    return f"{known} ({short_id(printable(identifier))}{', not here' if gone else ''})"


def print_family(relatives: Sequence[Relative], marked: str, output_format: str) -> None:
    """Print the family tree of images, with a star at the one whose ID is ``marked``."""
    if output_format == "json":
        print_json(
            {"schema": "docker-snap.family/1", "images": [_relative_document(item) for item in relatives]}
        )
    elif relatives:
        for line in drawing(relatives, marked):
            click.echo(line)
    else:
        note("no image here was made by snap. Next: snap run IMAGE")


def drawing(relatives: Sequence[Relative], marked: str) -> list[str]:
    """The family tree, a line an image."""
    lines = []
    # Whether a line goes on downward at each depth, from the last image to the first.
    goes_on: list[bool] = []
    for item in reversed(relatives):
        goes_on = goes_on[: item.depth + 1] + [False] * (item.depth + 1 - len(goes_on))
        stem = "".join("│   " if on else "    " for on in goes_on[1 : item.depth])
        branch = ("├── " if goes_on[item.depth] else "└── ") if item.depth else ""
        goes_on[item.depth] = True
        lines.append(f"{stem}{branch}{'* ' if item.id == marked else ''}{_relative_in_words(item)}")
    return lines[::-1]


def _relative_in_words(item: Relative) -> str:
    words = [named_in_words(item.names, item.id, gone=not item.is_here)]
    if item.message:
        words.append(f'"{printable(item.message)}"')
    if item.step_count is not None:
        words.append(count(item.step_count, "step"))
    if item.damage:
        words.append("record damaged")
    return ", ".join(words)


def _relative_document(item: Relative) -> dict[str, Any]:
    return {
        "id": item.id,
        "names": list(item.names),
        "parent": item.parent_id or None,
        "message": item.message or None,
        "steps": item.step_count,
        "is_here": item.is_here,
        "damage": item.damage or None,
    }
