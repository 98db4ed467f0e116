"""The moments of a recording: what the screen showed, and from when on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from snapshot.engine.process_types import TerminalSize
from snapshot.journal.asciicast import Event
from snapshot.journal.screen import Screen
from snapshot.journal.screen_row import Cell, Row

#: A row as it is drawn: its cells, without blanks at its end that have no colour.
Line = tuple[Cell, ...]


class Frame(NamedTuple):
    """What the screen showed from ``begin_s`` on; ``cursor`` is row and column, ``None`` where hidden.

    A row that did not change since the frame before is the same object.
    """

    begin_s: float
    lines: tuple[Line, ...]
    cursor: tuple[int, int] | None
    size: TerminalSize


def frames_of(
    events: Iterable[Event], size: TerminalSize, idle_limit_s: float, shortest_s: float
) -> Iterator[Frame]:
    """The frames of a recording: none shorter than ``shortest_s``, no pause longer than ``idle_limit_s``.

    A frame shows what came until ``shortest_s`` after its begin, so that no half-drawn screen is seen. Only
    the frame before is kept in memory.
    """
    camera = _Camera(size)
    last = camera.frame(0.0)
    now_s = last_event_s = 0.0
    begin_s: float | None = None
    for event in events:
        now_s += min(max(event.time_s - last_event_s, 0.0), idle_limit_s)
        last_event_s = max(event.time_s, last_event_s)
        if begin_s is not None and now_s >= begin_s + shortest_s:
            frame, begin_s = camera.frame(begin_s), None
            if frame[1:] != last[1:]:
                if frame.begin_s != last.begin_s:
                    yield last
                last = frame
        camera.see(event)
        begin_s = now_s if begin_s is None else begin_s
    if begin_s is not None and (frame := camera.frame(begin_s))[1:] != last[1:]:
        if frame.begin_s != last.begin_s:
            yield last
        last = frame
    yield last


class _Camera:
    """A screen, and its rows as they were last drawn."""

    def __init__(self, size: TerminalSize) -> None:
        self._screen = Screen(size)
        self._drawn: dict[int, tuple[Row, Line]] = {}

    def see(self, event: Event) -> None:
        if event.size:
            self._screen.resize(event.size)
            self._drawn = {}
        self._screen.feed(event.text)

    def frame(self, begin_s: float) -> Frame:
        screen = self._screen
        # The rows are kept along with their lines: so no other row can have the ID of one of them.
        self._drawn = {id(row): (row, self._line(row)) for row in screen.rows}
        lines = tuple(self._drawn[id(row)][1] for row in screen.rows)
        cursor = (screen.row, min(screen.column, screen.size.columns - 1)) if screen.cursor_visible else None
        return Frame(round(begin_s, 3), lines, cursor, screen.size)

    def _line(self, row: Row) -> Line:
        if row.told and id(row) in self._drawn:
            return self._drawn[id(row)][1]
        row.told = True
        cells = row.cells[: self._screen.size.columns]
        while cells and cells[-1].text == " " and not _is_seen(cells[-1]):
            cells.pop()
        return tuple(cells)


def _is_seen(blank: Cell) -> bool:
    style = blank.style
    return style.background is not None or style.reversed or style.underlined or style.struck
