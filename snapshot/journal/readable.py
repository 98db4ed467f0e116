"""A recording as text: what a person at the terminal has seen, line by line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from snapshot.engine.process_types import TerminalSize
from snapshot.journal.asciicast import Event
from snapshot.journal.escapes import Splitter, Token
from snapshot.journal.screen import Screen
from snapshot.journal.screen_row import Row, filled_rows

#: Stands where an editor or a pager had the whole screen.
FULL_SCREEN = "[full-screen program]"


def readable_text(events: Iterable[Event], size: TerminalSize) -> str:
    """All lines of a recording, each with a line feed. See :func:`readable_lines`."""
    return "".join(f"{line}\n" for line in readable_lines(events, size))


def readable_lines(events: Iterable[Event], size: TerminalSize) -> Iterator[str]:
    """The lines of a recording made in a window of ``size``, as soon as they cannot change any more.

    A line stands as it was when it left the screen: what was typed and corrected is there once, and a
    progress bar as it ended. What was cleared was seen, so it stays. Colours and titles are dropped, lines
    that the window wrapped are whole, and what full-screen programs drew is one line, :data:`FULL_SCREEN`.
    The result holds nothing that steers a terminal.
    """
    return _Reader(size).lines(events)


class _Reader:
    def __init__(self, size: TerminalSize) -> None:
        self._screen = Screen(size, self._tell, coloured=False)
        self._splitter = Splitter()
        self._told: list[str] = []
        self._unfinished: list[str] = []

    def lines(self, events: Iterable[Event]) -> Iterator[str]:
        for event in events:
            if event.size:
                self._screen.resize(event.size)
                yield from self._newly_told()
            for token in self._splitter.feed(event.text):
                self._take(token)
                # A few characters can scroll out a whole screen: what is told is not collected.
                yield from self._newly_told()
        self._tell_all()
        yield from self._newly_told()

    def _newly_told(self) -> list[str]:
        told, self._told = self._told, []
        return told

    def _take(self, token: Token) -> None:
        was_full_screen = self._screen.full_screen
        self._screen.take(token)
        if self._screen.full_screen and not was_full_screen:
            self._tell_all()
            self._told.append(FULL_SCREEN)

    def _tell_all(self) -> None:
        """Tell what stands on the main screen, to its last row that is not blank."""
        rows = self._screen.main_rows
        for row in rows[: filled_rows(rows)]:
            self._tell(row)
            row.told = True
        if self._unfinished:
            self._end_line()

    def _tell(self, row: Row) -> None:
        if row.told:
            return
        self._unfinished.append(row.text)
        if not row.wrapped:
            self._end_line()

    def _end_line(self) -> None:
        self._told.append("".join(self._unfinished).rstrip(" "))
        self._unfinished.clear()
