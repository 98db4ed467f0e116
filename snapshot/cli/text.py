"""What is shown on a terminal: text made safe, tables, messages, and JSON documents."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from snapshot.journal.printable import printable as printable
from snapshot.journal.printable import shortened as shortened
from snapshot.report.quantity import bytes_in_words as bytes_in_words
from snapshot.report.quantity import count as count

#: Letters, verdicts and the kinds of lines in a diff, as git and ls colour what means the same.
_STYLES: dict[str, dict[str, Any]] = {
    "A": {"fg": "green"},
    "C": {"fg": "yellow"},
    "D": {"fg": "red"},
    "ok": {"fg": "green"},
    "FAIL": {"fg": "red"},
    "added": {"fg": "green"},
    "removed": {"fg": "red"},
    "hunk": {"fg": "cyan"},
    "head": {"bold": True},
}
#: A column that is made narrower than this tells nothing any more.
_LEAST_COLUMNS = 20
_GAP_COLUMNS = 2


def coloured(word: str, meaning: str = "") -> str:
    """A text in the colour of its meaning, by default its own, where stdout is a terminal that wants one.

    A meaning is a letter (``A``, ``C``, ``D``), a verdict (``ok``, ``FAIL``), or what a line of a diff is
    (``added``, ``removed``, ``hunk``, ``head``). No colour says what the text does not
    (https://no-color.org).
    """
    import click

    style = _STYLES.get(meaning or word)
    wanted = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return click.style(word, **style) if wanted and style else word


def table(
    rows: list[list[str]],
    headers: list[str] | None = None,
    right: tuple[int, ...] = (),
    shorten: int | tuple[int, ...] = (),
) -> str:
    """Rows in aligned columns.

    Parameters
    ----------
    right:
        The numbers of the columns that are aligned to the right.
    shorten:
        The number of the column whose texts give way where stdout is a terminal that is too narrow: they
        lose their middle. Of several the first gives way first. Anywhere else all stands there.
    """
    from tabulate import tabulate

    if not rows and not headers:
        return ""
    columns = len(headers or rows[0])
    if screen := screen_columns():
        for column in shorten if isinstance(shorten, tuple) else (shorten,):
            rows = _narrowed(rows, headers, column, screen)
    text = tabulate(
        rows,
        headers=headers or (),
        tablefmt="plain",
        # An ID such as 1234567e5 would be shown as a number.
        disable_numparse=True,
        colalign=["right" if column in right else "left" for column in range(columns)] if rows else None,
    )
    return "\n".join(line.rstrip() for line in text.splitlines())


def _narrowed(
    rows: list[list[str]], headers: list[str] | None, column: int, screen_columns: int
) -> list[list[str]]:
    from tabulate import MIN_PADDING

    taken = 0
    for number in range(len(rows[0]) if rows else 0):
        if number != column:
            least = columns_of(headers[number]) + MIN_PADDING if headers else 0
            taken += _GAP_COLUMNS + max(least, *(columns_of(row[number]) for row in rows))
    most = max(_LEAST_COLUMNS, screen_columns - taken)
    return [[*row[:column], without_middle(row[column], most), *row[column + 1 :]] for row in rows]


def screen_columns() -> int | None:
    """How many columns the terminal has that stdout is; ``None`` where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def columns_of(text: str) -> int:
    """How many columns of a terminal a printable text takes; colours take none."""
    import click

    plain = click.unstyle(text).expandtabs()
    return len(plain) if plain.isascii() else sum(map(_columns_of_char, plain))


@lru_cache(maxsize=4096)
def _columns_of_char(char: str) -> int:
    from snapshot.journal.screen_row import is_wide, joins

    return 0 if joins(char) else 2 if is_wide(char) else 1


def without_middle(text: str, most_columns: int) -> str:
    """A text in at most so many columns of a terminal; one that took more has ``…`` in its middle.

    >>> without_middle("/usr/share/doc/curl/copyright", 20)
    '/usr/shar…/copyright'
    """
    if columns_of(text) <= most_columns:
        return text
    start = _beginning(text, (most_columns - 1) // 2)
    end = _beginning(reversed(text), most_columns - 1 - columns_of(start))
    return f"{start}…{end[::-1]}"


def _beginning(chars: Iterable[str], most_columns: int) -> str:
    taken, columns = [], 0
    for char in chars:
        columns += _columns_of_char(char)
        if columns > most_columns:
            break
        taken.append(char)
    return "".join(taken)


def print_json(document: dict[str, Any]) -> None:
    """One JSON document on stdout; its ``schema`` names its form, which only grows."""
    print(json.dumps(document, indent=2))


def note(text: str) -> None:
    """A message for the person at the terminal, on stderr."""
    print(f"snap: {printable(text)}", file=sys.stderr, flush=True)


def short_id(identifier: str) -> str:
    """The first 12 digits of an ID, as Docker's CLI shows it."""
    return identifier.removeprefix("sha256:")[:12]
