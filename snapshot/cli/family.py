"""What ``snap log --graph`` prints: the family tree of snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from snapshot.cli.pager import paged
from snapshot.cli.text import count, note, print_json, printable, short_id

if TYPE_CHECKING:
    from snapshot.workflow.family import Relative


def named_in_words(names: Sequence[str], identifier: str, *, gone: bool = False) -> str:
    """``ch03:1 (0a1b2c3d4e5f)``; ``gone`` where the image is no longer here."""
    known = printable(", ".join(names)) or "without a name"
    return f"{known} ({short_id(printable(identifier))}{', not here' if gone else ''})"


def print_family(relatives: Sequence[Relative], marked: str, output_format: str, pager: bool | None) -> None:
    """Print the family tree of images, with a star at the one whose ID is ``marked``."""
    if output_format == "json":
        print_json(
            {"schema": "docker-snap.family/1", "images": [_relative_document(item) for item in relatives]}
        )
    elif relatives:
        paged(drawing(relatives, marked), pager)
    else:
        note("no image here was made by snap. Next: snap run IMAGE")


def drawing(relatives: Sequence[Relative], marked: str) -> list[str]:
    """The family tree, a line an image."""
    stems = branches([item.depth for item in relatives])
    return [
        f"{stem}{'* ' if item.id == marked else ''}{_relative_in_words(item)}"
        for stem, item in zip(stems, relatives, strict=True)
    ]


def branches(depths: Sequence[int]) -> list[str]:
    """What is drawn before each thing of a tree, given how deep each is, in the order they are drawn.

    >>> branches([0, 1, 2, 1])
    ['', '├── ', '│   └── ', '└── ']
    """
    drawn = []
    # Whether a line goes on downward at each depth, from the last thing to the first.
    goes_on: list[bool] = []
    for depth in reversed(depths):
        goes_on = goes_on[: depth + 1] + [False] * (depth + 1 - len(goes_on))
        stem = "".join("│   " if on else "    " for on in goes_on[1:depth])
        drawn.append(stem + (("├── " if goes_on[depth] else "└── ") if depth else ""))
        goes_on[depth] = True
    return drawn[::-1]


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
