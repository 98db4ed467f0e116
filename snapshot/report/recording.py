"""A recording as a page plays it: what each moment changed on the screen, drawn beforehand, and its text.

The page has no terminal emulator: :mod:`snapshot.journal.screen` is asked here. ``data`` is JSON for
``player.js``::

    {"columns": 80, "rows": 24, "duration": 3.5,
     "styles": [["#d0d7de", "#161b22", ""], …],       foreground, background, words of :data:`WEIGHTS`
     "lines": [[], [[0, 5, "$ ls "], …], …],          runs: style, columns, text
     "frames": [[0, [0, 1], [0, 5]], …]}              seconds, row and line by turns, cursor or 0

A frame lists the rows that differ from the frame before; all are line 0 at the beginning.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from snapshot.engine.process_types import TerminalSize
from snapshot.errors import InvalidInput
from snapshot.journal.asciicast import Event, Recording
from snapshot.journal.escapes import Kind, Splitter, Token
from snapshot.journal.readable import readable_lines
from snapshot.journal.screen_style import Style
from snapshot.report.recording_frames import Frame, Line, frames_of
from snapshot.report.terminal_colours import drawn_colours

#: Bounds of one recording: its frames, the JSON, the text for who cannot play it.
MOST_FRAMES = 2000
MOST_DATA_BYTES = 2 << 20
MOST_TEXT_CHARS = 256 << 10
#: A window of more places than this is not played.
MOST_PLACES = 40_000
#: No more work is done than that of writing so many characters, some seconds.
MOST_WORK = 2_000_000

#: Longer pauses are cut to this, or nobody would wait for the end.
IDLE_LIMIT_S = 2.0
_SHORTEST_FRAME_S = 0.05
_LAST_FRAME_S = 1.0
_ROUNDED_S = 0.001
_WORK_OF_A_LINE = 20
#: How a character looks besides its colours.
WEIGHTS = ("bold", "dim", "italic", "underlined", "struck")


@dataclass(frozen=True)
class RecordingView:
    """A recording of a step, ready to be shown.

    Attributes
    ----------
    step:
        Number of the step, in the last stage of the report.
    title:
        What it is about, in its own words; may be empty.
    columns, rows:
        Of the window; the largest of them where it changed.
    duration_s:
        From its first to its last output, in seconds.
    note:
        What was left out of it: sentences, empty where it is all there.
    text:
        What a person at the terminal has read.
    data:
        For ``player.js``, as told above; empty where it cannot be played.
    """

    step: int
    title: str
    columns: int
    rows: int
    duration_s: float
    note: str
    text: str
    data: str


def recording_view(recording: Recording, step: int) -> RecordingView:
    """Draw a recording; it may be a stranger's: time, memory and result are bounded, and what is cut is said.

    A line that is no event ends it.
    """
    header = recording.header
    bounded = _Bounded(recording.events, header.size)
    text, lines_left_out = _text(readable_lines(bounded, header.size))
    notes = list(bounded.notes)
    if lines_left_out:
        notes.append(f"The end of its text is left out: {lines_left_out:,} more lines.")
    data = ""
    if bounded.largest_places > MOST_PLACES:
        size = f"{bounded.columns:,} by {bounded.rows:,}"
        notes.append(f"It is not played here: its window has {size} characters.")
    else:
        film = _Film()
        for frame in frames_of(bounded, header.size, IDLE_LIMIT_S, _SHORTEST_FRAME_S):
            film.add(frame)
            if film.is_full:
                notes.append(f"It is played up to {frame.begin_s:,.0f} seconds, where it becomes too much.")
                break
        data = film.data(bounded.columns, bounded.rows)
        if film.shortest_s > _SHORTEST_FRAME_S:
            notes.append(f"It is played in steps of {film.shortest_s:g} seconds.")
        if bounded.longest_pause_s > IDLE_LIMIT_S:
            notes.append(f"Pauses longer than {IDLE_LIMIT_S:g} seconds are cut to that.")
    return RecordingView(
        step,
        header.title or header.command,
        bounded.columns,
        bounded.rows,
        bounded.duration_s,
        " ".join(notes),
        text,
        data,
    )


class _Bounded:
    """Events of a recording up to a bound of work, and what is known once they were gone through."""

    def __init__(self, events: Iterable[Event], size: TerminalSize) -> None:
        self._events = events
        self._size = size
        self.columns, self.rows = size
        self.largest_places = size.columns * size.rows
        self.duration_s = self.longest_pause_s = 0.0
        self.notes: list[str] = []

    def __iter__(self) -> Iterator[Event]:
        self.notes = []
        work, splitter, size, last_s = 0, Splitter(), self._size, 0.0
        try:
            for event in self._events:
                if event.size:
                    size = event.size
                    self.columns, self.rows = max(size.columns, self.columns), max(size.rows, self.rows)
                    self.largest_places = max(self.largest_places, size.columns * size.rows)
                work += size.rows // 4 + sum(_work(token, size) for token in splitter.feed(event.text))
                if work > MOST_WORK:
                    self.notes.append(
                        f"It is cut off after {last_s:,.0f} seconds, where it becomes too long."
                    )
                    return
                self.longest_pause_s = max(self.longest_pause_s, event.time_s - last_s)
                last_s = max(last_s, event.time_s)
                self.duration_s = max(last_s, self.duration_s)
                yield event
        except InvalidInput as error:
            self.notes.append(error.what)


def _work(token: Token, size: TerminalSize) -> int:
    """About how many characters could be written in the time that a screen takes for a token."""
    if token.kind is Kind.TEXT:
        return len(token.text)
    if token.kind is Kind.SEQUENCE and token.final in "JSTLMhlr":
        return 4 * size.rows
    return size.columns if token.kind is Kind.SEQUENCE and token.final in "@PXKb" else 10


def _text(lines: Iterable[str]) -> tuple[str, int]:
    """The first lines as text, and how many more there are."""
    kept: list[str] = []
    size, left_out = 0, 0
    for line in lines:
        size += len(line) + 1
        if size > MOST_TEXT_CHARS:
            left_out += 1
        else:
            kept.append(f"{line}\n")
    return "".join(kept), left_out


class _Still(NamedTuple):
    begin_s: float
    rows: tuple[int, ...]
    cursor: tuple[int, int] | None


class _Film:
    """Frames as they come; of too many, those close to each other become one."""

    def __init__(self) -> None:
        self.shortest_s = _SHORTEST_FRAME_S
        self.is_full = False
        self._stills: list[_Still] = []
        self._before: dict[int, int] = {}
        self._frame: Frame | None = None
        self._lines: dict[str, int] = {"[]": 0}
        self._next_line = 1
        self._lines_bytes = self._work = 0
        self._styles: dict[Style, int] = {}

    def add(self, frame: Frame) -> None:
        """Take the next one."""
        numbers = [self._number(line) for line in frame.lines]
        # That frame is kept until the next one, so no other line can have the ID of one of its.
        self._before, self._frame = dict(zip(map(id, frame.lines), numbers, strict=True)), frame
        self._keep(_Still(frame.begin_s, tuple(numbers), frame.cursor))
        self.is_full = self._work > MOST_WORK
        while len(self._stills) > MOST_FRAMES or (
            self._lines_bytes > 2 * MOST_DATA_BYTES and len(self._stills) > 1
        ):
            self._thin_out()

    def data(self, columns: int, rows: int) -> str:
        """All of it as JSON, at most :data:`MOST_DATA_BYTES` long: it may become fewer frames for that."""
        while len(text := self._data(columns, rows)) > MOST_DATA_BYTES and len(self._stills) > 1:
            self._thin_out()
        return text

    def _keep(self, still: _Still) -> None:
        if self._stills and still.begin_s < self._stills[-1].begin_s + self.shortest_s - _ROUNDED_S:
            still = still._replace(begin_s=self._stills.pop().begin_s)
        self._stills.append(still)

    def _thin_out(self) -> None:
        self.shortest_s *= 2
        stills, self._stills = self._stills, []
        for still in stills:
            self._keep(still)
        used = {0, *self._before.values(), *(number for still in self._stills for number in still.rows)}
        self._lines = {text: number for text, number in self._lines.items() if number in used}
        self._lines_bytes = sum(map(len, self._lines))

    def _number(self, line: Line) -> int:
        if (known := self._before.get(id(line))) is not None:
            return known
        self._work += _WORK_OF_A_LINE + len(line)
        runs = groupby(line, key=lambda cell: cell.style)
        text = _compact([self._run(style, [cell.text for cell in cells]) for style, cells in runs])
        if text not in self._lines:
            self._lines[text] = self._next_line
            self._next_line += 1
            self._lines_bytes += len(text)
        return self._lines[text]

    def _run(self, style: Style, texts: list[str]) -> list[object]:
        return [self._styles.setdefault(style, len(self._styles)), len(texts), "".join(texts)]

    def _data(self, columns: int, rows: int) -> str:
        places = {number: place for place, number in enumerate(self._lines.values())}
        shown, frames = [0] * rows, []
        for still in self._stills:
            now = [places[number] for number in still.rows] + [0] * (rows - len(still.rows))
            differ = [part for row in range(rows) if now[row] != shown[row] for part in (row, now[row])]
            frames.append([round(still.begin_s, 2), differ, still.cursor or 0])
            shown = now
        parts = {
            "columns": _compact(columns),
            "rows": _compact(rows),
            "duration": _compact(round(self._stills[-1].begin_s + _LAST_FRAME_S, 2)),
            "styles": _compact([_drawn(style) for style in self._styles]),
            "lines": f"[{','.join(self._lines)}]",
            "frames": _compact(frames),
        }
        return "{" + ",".join(f'"{name}":{text}' for name, text in parts.items()) + "}"


def _drawn(style: Style) -> tuple[str, str, str]:
    return (*drawn_colours(style), " ".join(name for name in WEIGHTS if getattr(style, name)))


def _compact(value: object) -> str:
    # ASCII alone, so that its length is that of its bytes.
    return json.dumps(value, separators=(",", ":"))
