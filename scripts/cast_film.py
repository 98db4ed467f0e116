"""The moments of a recording: what the screen showed, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from snapshot.engine.process_types import TerminalSize
from snapshot.journal.asciicast import Recording
from snapshot.journal.screen import Screen
from snapshot.journal.screen_row import Cell

#: A row as it is drawn: its cells, without blanks at its end that have no colour.
Line = tuple[Cell, ...]


class Frame(NamedTuple):
    """What the screen showed from ``begin_s`` on; ``cursor`` is row and column, ``None`` where hidden."""

    begin_s: float
    lines: tuple[Line, ...]
    cursor: tuple[int, int] | None
    size: TerminalSize


@dataclass(frozen=True)
class Film:
    """Frames in order; the last one stands for ``last_s`` seconds."""

    frames: list[Frame]
    last_s: float

    @property
    def duration_s(self) -> float:
        """From the first frame's begin to the last one's end."""
        return self.frames[-1].begin_s - self.frames[0].begin_s + self.last_s

    @property
    def size(self) -> TerminalSize:
        """The window that every frame fits into."""
        return TerminalSize(
            max(frame.size.columns for frame in self.frames), max(frame.size.rows for frame in self.frames)
        )


def frames_of(recording: Recording, idle_limit_s: float, shortest_s: float) -> list[Frame]:
    """The frames of a recording: none shorter than ``shortest_s``, no pause longer than ``idle_limit_s``.

    A frame shows what came until ``shortest_s`` after its begin, so that no half-drawn screen is seen.
    """
    screen = Screen(recording.header.size)
    frames = [_frame(screen, 0.0)]
    now_s = last_event_s = 0.0
    begin_s: float | None = None
    for event in recording.events:
        now_s += min(max(event.time_s - last_event_s, 0.0), idle_limit_s)
        last_event_s = max(event.time_s, last_event_s)
        if begin_s is not None and now_s >= begin_s + shortest_s:
            _add(frames, _frame(screen, begin_s))
            begin_s = None
        if event.size:
            screen.resize(event.size)
        screen.feed(event.text)
        begin_s = now_s if begin_s is None else begin_s
    if begin_s is not None:
        _add(frames, _frame(screen, begin_s))
    return frames


def _add(frames: list[Frame], frame: Frame) -> None:
    if frame[1:] != frames[-1][1:]:
        if frame.begin_s == frames[-1].begin_s:
            frames.pop()
        frames.append(frame)


def _frame(screen: Screen, begin_s: float) -> Frame:
    lines = []
    for row in screen.rows:
        cells = row.cells[: screen.size.columns]
        while cells and cells[-1].text == " " and not _is_seen(cells[-1]):
            cells.pop()
        lines.append(tuple(cells))
    cursor = (screen.row, min(screen.column, screen.size.columns - 1)) if screen.cursor_visible else None
    return Frame(round(begin_s, 3), tuple(lines), cursor, screen.size)


def _is_seen(blank: Cell) -> bool:
    style = blank.style
    return style.background is not None or style.reversed or style.underlined or style.struck
