"""What a terminal shows: a screen that takes output as terminals do, far enough for shells, vi and nano."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from snapshot.engine.process_types import TerminalSize
from snapshot.journal.escapes import Kind, Splitter, Token, is_plain, numbers, shows
from snapshot.journal.screen_row import Cell, Row, filled_rows, is_wide, joins
from snapshot.journal.screen_style import PLAIN, Style, styled

_TAB = 8
_LINE_DRAWING = str.maketrans("`afgjklmnopqrstuvwxyz{|}~", "◆▒°±┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·")
#: A base character with its combining ones is kept up to this length.
_LONGEST_CELL = 8


class _Cursor(NamedTuple):
    row: int = 0
    column: int = 0
    style: Style = PLAIN
    charsets: tuple[str, str] = ("B", "B")
    shift: int = 0


class Screen:
    """A terminal's screen, and what output makes of it.

    Parameters
    ----------
    size:
        The window.
    gone:
        Called with each row that leaves the main screen: it is scrolled out at the top, or all is cleared.
    coloured:
        False keeps no colours, which is quicker: nothing that is erased leaves anything then.

    Attributes
    ----------
    rows:
        The rows that are shown now, from the top.
    row, column:
        Where the cursor is, from 0.
    cursor_visible:
        Whether it is shown.
    """

    def __init__(
        self, size: TerminalSize, gone: Callable[[Row], None] = lambda _row: None, *, coloured: bool = True
    ) -> None:
        self.size = size
        self._coloured = coloured
        self.rows = [Row() for _ in range(size.rows)]
        self.row = self.column = 0
        self.cursor_visible = True
        self._gone = gone
        self._splitter = Splitter()
        self._main_rows: list[Row] | None = None
        self._style = PLAIN
        self._charsets = ("B", "B")
        self._shift = 0
        self._saved = _Cursor()
        self._saved_by_program = _Cursor()
        self._region = (0, size.rows - 1)
        self._wraps = True
        self._inserts = False
        self._from_region = False
        self._last = " "

    @property
    def full_screen(self) -> bool:
        """Whether a program has the alternate screen, as editors and pagers do."""
        return self._main_rows is not None

    @property
    def main_rows(self) -> list[Row]:
        """The rows of the main screen, also while it is hidden."""
        return self.rows if self._main_rows is None else self._main_rows

    def feed(self, text: str) -> None:
        """Take output."""
        for token in self._splitter.feed(text):
            self.take(token)

    def take(self, token: Token) -> None:
        """Take one token of output."""
        if token.kind is Kind.TEXT:
            self._write(token.text)
        elif token.kind is Kind.CONTROL:
            self._control(token.text)
        elif token.kind is Kind.ESCAPE:
            self._escape(token)
        elif token.kind is Kind.SEQUENCE:
            self._sequence(token)

    def resize(self, size: TerminalSize) -> None:
        """Give the window another size. Text is not wrapped anew; rows above the cursor go first."""
        for rows in [self.rows] if self._main_rows is None else [self.rows, self._main_rows]:
            surplus = len(rows) - size.rows
            below = max(0, min(surplus, len(rows) - 1 - self.row))
            if below:
                del rows[-below:]
            for row in rows[: max(0, surplus - below)]:
                if rows is self.main_rows:
                    self._gone(row)
            del rows[: max(0, surplus - below)]
            rows += [Row() for _ in range(size.rows - len(rows))]
            if rows is self.rows:
                self.row -= max(0, surplus - below)
        self.size = size
        self._region = (0, size.rows - 1)
        self._move(self.row, self.column)

    # Writing

    def _write(self, text: str) -> None:
        if self._charsets[self._shift] == "0":
            text = text.translate(_LINE_DRAWING)
        if text.isascii():
            while text:
                self._wrap_if_full()
                room = self.size.columns - self.column
                part, text = text[:room], text[room:]
                if text and not self._wraps:
                    part, text = part[:-1] + text[-1], ""
                self._put([Cell(char, self._style) for char in part])
            return
        for char in filter(shows, text):
            self._write_character(char)

    def _write_character(self, char: str) -> None:
        if joins(char):
            self._combine(char)
            return
        width = min(1 + is_wide(char), self.size.columns)
        self._wrap_if_full()
        if self.column + width > self.size.columns:
            self.column = self.size.columns
            self._wrap_if_full()
        self.column = min(self.column, self.size.columns - width)
        self._put([Cell(char, self._style)] + [Cell("", self._style)] * (width - 1))

    def _combine(self, char: str) -> None:
        cells = self.rows[self.row].cells
        column = min(self.column, len(cells)) - 1
        while column > 0 and not cells[column].text:
            column -= 1
        if column >= 0 and len(cells[column].text) < _LONGEST_CELL:
            self.rows[self.row].put(column, [Cell(cells[column].text + char, cells[column].style)])

    def _put(self, cells: list[Cell]) -> None:
        row = self.rows[self.row]
        row.put(self.column, cells, insert=self._inserts)
        del row.cells[self.size.columns :]
        row.mend(self.column)
        row.mend(self.column + len(cells))
        self.column += len(cells)
        # The second half of a wide character is empty.
        self._last = cells[-1].text or cells[0].text or " "

    def _wrap_if_full(self) -> None:
        if self.column < self.size.columns:
            return
        if self._wraps:
            self.rows[self.row].wrapped = True
            self.column = 0
            self._line_feed()
        else:
            self.column = self.size.columns - 1

    # Control characters and escapes

    def _control(self, char: str) -> None:
        if char == "\r":
            self.column = 0
        elif char in "\n\v\f":
            self.rows[self.row].wrapped = False
            self._line_feed()
        elif char == "\b":
            self.column = max(0, min(self.column, self.size.columns - 1) - 1)
        elif char == "\t":
            self.column = min(self.size.columns - 1, (self.column // _TAB + 1) * _TAB)
        elif char in "\x0e\x0f":
            self._shift = int(char == "\x0e")

    def _escape(self, token: Token) -> None:
        if token.text in ("(", ")"):
            kept = self._charsets[token.text == "("]
            self._charsets = (token.final, kept) if token.text == "(" else (kept, token.final)
        elif token.text:
            return
        elif token.final in "78":
            self._save_or_restore(token.final == "7")
        elif token.final in "DE":
            self.column = 0 if token.final == "E" else self.column
            self._line_feed()
        elif token.final == "M":
            self._reverse_line_feed()
        elif token.final == "c":
            self._reset()

    def _reset(self) -> None:
        self._leave_full_screen()
        self._clear()
        self._restore(_Cursor())
        self._region = (0, self.size.rows - 1)
        self._wraps, self._inserts, self.cursor_visible = True, False, True
        self._from_region = False

    def _line_feed(self) -> None:
        if self.row == self._region[1]:
            self._scroll(self._region[0], 1)
        else:
            self.row = min(self.row + 1, self.size.rows - 1)

    def _reverse_line_feed(self) -> None:
        if self.row == self._region[0]:
            self._scroll(self._region[0], -1)
        else:
            self.row = max(self.row - 1, 0)

    def _scroll(self, top: int, count: int) -> None:
        """Move the rows from ``top`` to the region's end up, or down where ``count`` is negative."""
        bottom = self._region[1]
        for _ in range(min(abs(count), bottom - top + 1)):
            if count > 0:
                row = self.rows.pop(top)
                self.rows.insert(bottom, Row())
                if top == 0 and not self.full_screen:
                    self._gone(row)
            else:
                self.rows.pop(bottom)
                self.rows.insert(top, Row())

    # Control sequences

    def _sequence(self, token: Token) -> None:
        if token.final in "hl":
            for mode in numbers(token.text):
                self._set_mode(mode, token.text.startswith("?"), token.final == "h")
        elif is_plain(token.text):
            self._plain_sequence(token.final, token.text, numbers(token.text))

    def _plain_sequence(self, final: str, parameters: str, given: list[int]) -> None:
        count = max(given[0], 1)
        if final == "m":
            self._style = styled(self._style, parameters) if self._coloured else PLAIN
        elif final in "ABCDEFGHadef`":
            self._move_by(final, count, max(given[1], 1) if len(given) > 1 else 1)
        elif final in "JK":
            self._erase(final, given[0])
        elif final in "@PX":
            self._edit(final, count)
        elif final in "ST":
            self._scroll(self._region[0], count if final == "S" else -count)
        elif final in "LM":
            if self._region[0] <= self.row <= self._region[1]:
                self._scroll(self.row, count if final == "M" else -count)
                self.column = 0
        elif final == "b":
            self._write(self._last * min(count, self.size.columns))
        elif final == "r":
            self._set_region(count - 1, (given[1] if len(given) > 1 and given[1] else self.size.rows) - 1)
        elif final in "su":
            self._save_or_restore(final == "s")

    def _move_by(self, final: str, count: int, second: int) -> None:
        column = min(self.column, self.size.columns - 1)
        if final in "AF":
            stop = self._region[0] if self.row >= self._region[0] else 0
            self.row = max(stop, self.row - count)
        elif final in "BEe":
            stop = self._region[1] if self.row <= self._region[1] else self.size.rows - 1
            self.row = min(stop, self.row + count)
        elif final in "dHf":
            self.row = count - 1 + (self._region[0] if self._from_region else 0)
        if final in "Ca":
            column += count
        elif final == "D":
            column -= count
        elif final in "G`":
            column = count - 1
        elif final in "Hf":
            column = second - 1
        self._move(self.row, 0 if final in "EF" else column)

    def _move(self, row: int, column: int) -> None:
        self.row = max(0, min(row, self.size.rows - 1))
        self.column = max(0, min(column, self.size.columns - 1))

    def _erase(self, final: str, which: int) -> None:
        at_home = not self.row and not self.column
        if final == "J" and (which in (2, 3) or (which == 0 and at_home)):
            if which != 3:
                self._clear()
            return
        row, column = self.rows[self.row], min(self.column, self.size.columns - 1)
        begin = 0 if which in (1, 2) else column
        end = column + 1 if which == 1 else self.size.columns
        row.erase(begin, end, self._style)
        if final == "J":
            for other in self.rows[: self.row] if which == 1 else self.rows[self.row + 1 :]:
                other.erase(0, self.size.columns, self._style)

    def _clear(self) -> None:
        if not self.full_screen:
            for row in self.rows[: filled_rows(self.rows)]:
                self._gone(row)
        self.rows[:] = [row if row.is_new else Row() for row in self.rows]
        if self._style.background != PLAIN.background:
            for row in self.rows:
                row.erase(0, self.size.columns, self._style)

    def _edit(self, final: str, count: int) -> None:
        row, column = self.rows[self.row], min(self.column, self.size.columns - 1)
        count = min(count, self.size.columns - column)
        if final == "X":
            row.erase(column, column + count, self._style)
        elif final == "@":
            row.put(column, [Cell(" ", PLAIN)] * count, insert=True)
            del row.cells[self.size.columns :]
        else:
            row.touch()
            del row.cells[column : column + count]
        row.mend(column)

    def _set_region(self, top: int, bottom: int) -> None:
        bottom = min(bottom, self.size.rows - 1)
        if top < bottom:
            self._region = (top, bottom)
            self._move(top if self._from_region else 0, 0)

    # Modes and what is saved

    def _set_mode(self, mode: int, private: bool, on: bool) -> None:
        if not private:
            self._inserts = on if mode == 4 else self._inserts
        elif mode == 6:
            self._from_region = on
            self._move(self._region[0] if on else 0, 0)
        elif mode == 7:
            self._wraps = on
        elif mode == 25:
            self.cursor_visible = on
        elif mode in (47, 1047, 1049):
            if mode == 1049 and on and not self.full_screen:
                self._saved = self._cursor()
            was_full_screen = self.full_screen
            if on:
                self._enter_full_screen()
            else:
                self._leave_full_screen()
            if mode == 1049 and was_full_screen and not on:
                self._restore(self._saved)

    def _enter_full_screen(self) -> None:
        if self._main_rows is None:
            self._main_rows = self.rows
            self.rows = [Row() for _ in range(self.size.rows)]

    def _leave_full_screen(self) -> None:
        if self._main_rows is not None:
            self.rows, self._main_rows = self._main_rows, None

    def _save_or_restore(self, save: bool) -> None:
        if save:
            self._saved_by_program = self._cursor()
        else:
            self._restore(self._saved_by_program)

    def _cursor(self) -> _Cursor:
        return _Cursor(self.row, self.column, self._style, self._charsets, self._shift)

    def _restore(self, cursor: _Cursor) -> None:
        self._move(cursor.row, cursor.column)
        self._style, self._charsets, self._shift = cursor.style, cursor.charsets, cursor.shift
