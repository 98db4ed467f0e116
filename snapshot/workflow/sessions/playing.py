"""Playing a recording with its pauses, and what is to be said of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from snapshot.errors import InvalidInput
from snapshot.journal.asciicast import Recording
from snapshot.journal.harmless import ModesLeft

#: A longer pause is cut to this, whatever a recording says.
_LONGEST_PAUSE_S = 86_400.0


class Facts(NamedTuple):
    """What is in a recording: its length in seconds, pieces of output, and characters in all of them."""

    duration_s: float
    pieces: int
    characters: int


def facts(recording: Recording) -> Facts:
    """Go through a recording once and say what is in it."""
    duration_s, pieces, characters = 0.0, 0, 0
    for event in recording.events:
        duration_s = max(duration_s, event.time_s)
        pieces += 1 if event.text else 0
        characters += len(event.text)
    return Facts(duration_s, pieces, characters)


def play(
    recording: Recording,
    write: Callable[[str], object],
    sleep: Callable[[float], object],
    speed: float = 1.0,
    idle_limit_s: float | None = None,
) -> None:
    """Write a recording's output as it came, escape sequences and all, with its pauses.

    At the end, and where playing is broken off, what the output left switched in a terminal is put back: an
    editor's screen, a hidden cursor, colours.

    Parameters
    ----------
    recording:
        Its output goes to ``write`` raw: that of :func:`decode_session` is harmless, that of a file is what
        the process printed.
    write, sleep:
        Take a piece of output, and a pause in seconds.
    speed:
        2.0 plays twice as fast.
    idle_limit_s:
        Longer pauses of the recording are cut to this many seconds, before ``speed`` counts.

    Raises
    ------
    InvalidInput
        The speed is not above 0 or the limit below 0, or a line of the recording is no event.
    """
    if not 0 < speed < float("inf"):
        raise InvalidInput(f"A recording cannot be played at speed {speed:g}.", "Give a number above 0.")
    longest_s = _LONGEST_PAUSE_S if idle_limit_s is None else idle_limit_s
    if not longest_s >= 0:
        raise InvalidInput(f"Pauses cannot be limited to {longest_s:g} seconds.", "Give 0 or more.")
    modes = ModesLeft()
    now_s = 0.0
    try:
        for event in recording.events:
            # Clocks of other recorders go back at times.
            pause_s = min(max(event.time_s - now_s, 0.0), longest_s) / speed
            now_s = max(event.time_s, now_s)
            if pause_s:
                sleep(min(pause_s, _LONGEST_PAUSE_S))
            if event.text:
                modes.feed(event.text)
                write(event.text)
    finally:
        if left := modes.undo():
            write(left)
