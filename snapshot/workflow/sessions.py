"""Recorded sessions: where they are kept, playing them, and carrying a small one in an image."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from snapshot.errors import InvalidInput, Refused, SnapError
from snapshot.journal.asciicast import Event, Recording, as_bytes, read_recording, recording_from_bytes
from snapshot.journal.harmless import Filter, ModesLeft
from snapshot.journal.step import Step
from snapshot.workflow.state import state_folder

#: An image carries a session of at most this many characters (base64 of zlib), in a label.
MOST_EMBEDDED_CHARS = 24 << 10
#: What a session may be before it is packed: more is not even read, as the label may be a stranger's.
MOST_UNPACKED_BYTES = 1 << 20
#: A longer pause is cut to this, whatever a recording says.
_LONGEST_PAUSE_S = 86_400.0

_CONTAINER_ID = re.compile(r"[0-9a-f]{12,64}")
_NAME = re.compile(r"[0-9]{1,9}\.cast")


class Facts(NamedTuple):
    """What is in a recording: its length in seconds, pieces of output, and characters in all of them."""

    duration_s: float
    pieces: int
    characters: int


def session_path(container_id: str, number: int) -> Path:
    """Where the session of a container's step is kept. Raises :class:`ValueError` for what is no ID."""
    return _folder(container_id) / f"{number}.cast"


def kept_sessions(container_id: str, steps: Iterable[Step]) -> dict[int, Path]:
    """The recordings that are still there, by the numbers of the steps of the container's own journal."""
    paths = {step.number: _path(container_id, step) for step in steps if step.session}
    return {number: path for number, path in paths.items() if path and path.is_file()}


def find_session(container_id: str, steps: Sequence[Step], number: int) -> Path:
    """The recording of a step of the container's own journal.

    Raises :class:`~snapshot.errors.InvalidInput` where there is no such step or it was not recorded, and
    :class:`~snapshot.errors.SnapError` where the recording is gone.
    """
    step = next((step for step in steps if step.number == number), None)
    kept = kept_sessions(container_id, steps)
    if number in kept:
        return kept[number]
    hint = (
        f"Sessions are recorded of {'step' if len(kept) == 1 else 'steps'} {', '.join(map(str, kept))}."
        if kept
        else "`--record` on run, exec or attach records a session."
    )
    if step is None:
        raise InvalidInput(f"There is no step {number}.", hint)
    if not step.session:
        raise InvalidInput(f"Step {number} was not recorded.", hint)
    raise SnapError(f"The recording of step {number} is gone: '{_path(container_id, step) or step.session}'.")


def _path(container_id: str, step: Step) -> Path | None:
    if _NAME.fullmatch(step.session):
        return _folder(container_id) / step.session
    # What was recorded to a file of the user's own choice is named in full.
    return Path(step.session) if step.session.startswith("/") else None


def _folder(container_id: str) -> Path:
    if not _CONTAINER_ID.fullmatch(container_id):
        raise ValueError(f"{container_id!r} is no ID of a container")
    return state_folder() / "sessions" / container_id


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


def encode_session(path: Path) -> str:
    """A recording as text for a label: asciicast without times of day and variables, zlib, base64.

    Raises :class:`~snapshot.errors.Refused` where that is more than an image should carry, and
    :class:`~snapshot.errors.InvalidInput` where the file is no recording.
    """
    import base64
    import zlib

    recording = read_recording(path)
    size_bytes = path.stat().st_size
    if size_bytes > MOST_UNPACKED_BYTES:
        raise _too_large(path, f"{size_bytes:,} bytes", f"{MOST_UNPACKED_BYTES:,}")
    content = as_bytes(recording)
    text = base64.b64encode(zlib.compress(content, 9)).decode("ascii")
    if len(text) > MOST_EMBEDDED_CHARS or len(content) > MOST_UNPACKED_BYTES:
        raise _too_large(path, f"{len(text):,} characters when packed", f"{MOST_EMBEDDED_CHARS:,}")
    return text


def decode_session(text: str) -> Recording:
    """The recording that an image carries; its output is cut down to what only draws (it is a stranger's).

    Raises :class:`~snapshot.errors.InvalidInput` where it is damaged or too large.
    """
    import base64
    import zlib

    if len(text) > MOST_EMBEDDED_CHARS:
        raise InvalidInput(
            f"The session in the image is too large: {len(text):,} characters, "
            f"where {MOST_EMBEDDED_CHARS:,} is the most."
        )
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(base64.b64decode(text, validate=True), MOST_UNPACKED_BYTES + 1)
    except (ValueError, zlib.error):
        raise InvalidInput("The session in the image is damaged.") from None
    if len(content) > MOST_UNPACKED_BYTES:
        raise InvalidInput(
            f"The session in the image is too large: more than {MOST_UNPACKED_BYTES:,} bytes unpacked."
        )
    if not unpacker.eof:
        raise InvalidInput("The session in the image is damaged.")
    recording = recording_from_bytes(content, "The session in the image")
    return recording._replace(events=_HarmlessEvents(recording.events))


class _HarmlessEvents:
    """The events of a stranger's recording, with one filter over all of their output."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = events

    def __iter__(self) -> Iterator[Event]:
        cut = Filter()
        for event in self._events:
            yield event._replace(text=cut.feed(event.text))


def _too_large(path: Path, size: str, most: str) -> Refused:
    return Refused(
        f"The session '{path}' cannot go into the image: it takes {size}, and {most} is the most.",
        "Record a shorter one, or keep the file beside the image.",
    )
