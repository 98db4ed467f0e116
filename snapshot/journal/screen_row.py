"""The rows of a terminal's screen."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from snapshot.journal.screen_style import PLAIN, Style


class Cell(NamedTuple):
    """One place of a row. A character that takes two places has an empty cell after it."""

    text: str
    style: Style


#: A place where nothing was written.
BLANK = Cell(" ", PLAIN)


class Row:
    """A row of the screen; what lies right of its cells is blank.

    ``wrapped`` says that the text goes on in the next row; ``told`` is for who reads rows as they go, and is
    taken back by every change (:meth:`touch`).
    """

    __slots__ = ("_text", "cells", "told", "wrapped")

    def __init__(self) -> None:
        self.cells: list[Cell] = []
        self.wrapped = False
        self.told = False
        self._text: str | None = None

    @property
    def text(self) -> str:
        """What stands in it, without blanks at its end unless it goes on."""
        # Kept, since output can have all rows of a large window asked for again and again.
        if self._text is None:
            self._text = "".join(cell.text for cell in self.cells)
        return self._text if self.wrapped else self._text.rstrip(" ")

    @property
    def is_new(self) -> bool:
        """Whether nothing was done to it yet."""
        return not (self.cells or self.wrapped or self.told)

    def touch(self) -> None:
        """Note that its cells change."""
        self.told = False
        self._text = None

    def put(self, column: int, cells: list[Cell], *, insert: bool = False) -> None:
        """Write cells over those that stand at ``column``, or in between."""
        self.touch()
        if len(self.cells) < column:
            self.cells += [BLANK] * (column - len(self.cells))
        self.cells[column : column if insert else column + len(cells)] = cells

    def erase(self, begin: int, end: int, style: Style) -> None:
        """Blank the places from ``begin`` to before ``end``; they keep the background of ``style``."""
        is_plain = style.background == PLAIN.background
        blank = BLANK if is_plain else Cell(" ", PLAIN._replace(background=style.background))
        if not is_plain or end < len(self.cells):
            self.put(begin, [blank] * (end - begin))
        elif begin < len(self.cells):
            self.touch()
            del self.cells[begin:]
        self.wrapped = self.wrapped and end < len(self.cells)

    def mend(self, column: int) -> None:
        """Blank the half of a wide character that is left before or at ``column`` without its other half."""
        if not 0 < column <= len(self.cells):
            return
        before = self.cells[column - 1]
        after = self.cells[column] if column < len(self.cells) else BLANK
        if is_wide(before.text) and after.text:
            self.cells[column - 1] = before._replace(text=" ")
        elif not after.text and not is_wide(before.text):
            self.cells[column] = after._replace(text=" ")


def filled_rows(rows: Sequence[Row]) -> int:
    """How many rows there are up to the last one that is not blank."""
    return max((number for number, row in enumerate(rows, 1) if row.cells and row.text), default=0)


def is_wide(text: str) -> bool:
    """Whether a character takes two places (Unicode, UAX 11)."""
    return text != "" and unicodedata.east_asian_width(text[0]) in "WF"


def joins(char: str) -> bool:
    """Whether a character is shown in the place of the one before it."""
    return unicodedata.category(char) in ("Mn", "Me") or char in "\u200c\u200d"
