"""What is shown on a terminal: text made safe, tables, messages, and JSON documents."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from snapshot.journal.printable import printable as printable
from snapshot.journal.printable import shortened as shortened

_COLOURS = {"A": "green", "C": "yellow", "D": "red", "ok": "green", "FAIL": "red"}


def coloured(word: str) -> str:
    """A letter or verdict in its colour, where stdout is a terminal that wants one (https://no-color.org)."""
    import click

    wanted = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return click.style(word, fg=_COLOURS[word]) if wanted and word in _COLOURS else word


def table(rows: list[list[str]], headers: list[str] | None = None, right: tuple[int, ...] = ()) -> str:
    """Rows in aligned columns; those numbered in ``right`` are aligned to the right."""
    from tabulate import tabulate

    if not rows and not headers:
        return ""
    columns = len(headers or rows[0])
    text = tabulate(
        rows,
        headers=headers or (),
        tablefmt="plain",
        # An ID such as 1234567e5 would be shown as a number.
        disable_numparse=True,
        colalign=["right" if column in right else "left" for column in range(columns)] if rows else None,
    )
    return "\n".join(line.rstrip() for line in text.splitlines())


def print_json(document: dict[str, Any]) -> None:
    """One JSON document on stdout; its ``schema`` names its form, which only grows."""
    print(json.dumps(document, indent=2))


def note(text: str) -> None:
    """A message for the person at the terminal, on stderr."""
    print(f"snap: {printable(text)}", file=sys.stderr, flush=True)


def count(number: int, noun: str) -> str:
    """``1 path``, ``2 paths``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def short_id(identifier: str) -> str:
    """The first 12 digits of an ID, as Docker's CLI shows it."""
    return identifier.removeprefix("sha256:")[:12]
