"""Recordings of steps that an image carries in a label: only those that were asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from snapshot.errors import InvalidInput, Refused
from snapshot.image.record import MOST_LABEL_CHARS, SESSIONS_LABEL
from snapshot.journal.asciicast import Event, Recording, as_bytes, read_recording, recording_from_bytes
from snapshot.journal.harmless import Filter
from snapshot.journal.step import Step
from snapshot.packing import TooLarge, packed, unpacked
from snapshot.workflow.sessions.kept import find_session

#: An image carries a session of at most this many characters (base64 of zlib), in a label.
MOST_EMBEDDED_CHARS = 24 << 10
#: What a session may be before it is packed: more is not even read, as the label may be a stranger's.
_MOST_UNPACKED_BYTES = 1 << 20


def embedded_sessions(container_id: str, steps: Sequence[Step], numbers: Sequence[int]) -> str:
    """What the label holds: the recordings of the steps with these numbers; empty for none.

    Raises
    ------
    InvalidInput
        There is no such step, or it was not recorded.
    Refused
        A recording is too large to go into an image.
    """
    if not numbers:
        return ""
    found = {
        str(number): encode_session(find_session(container_id, steps, number))
        for number in sorted(set(numbers))
    }
    return json.dumps(found, separators=(",", ":"))


def embedded_numbers(labels: Mapping[str, str]) -> tuple[int, ...]:
    """The numbers of the steps whose recordings an image with these labels carries."""
    return tuple(_packed(labels))


def embedded_session(labels: Mapping[str, str], number: int) -> Recording:
    """The recording of a step that an image carries, with nothing in it but what draws.

    Raises :class:`~snapshot.errors.InvalidInput` where it has none of that step, or one that is damaged.
    """
    packed = _packed(labels)
    if number not in packed:
        hint = (
            f"It carries those of {', '.join(map(str, packed))}."
            if packed
            else "`snap commit --embed-session` puts them in; a container has its own."
        )
        raise InvalidInput(f"The image carries no recording of step {number}.", hint)
    return decode_session(packed[number])


def _packed(labels: Mapping[str, str]) -> dict[int, str]:
    text = labels.get(SESSIONS_LABEL, "")
    try:
        value = json.loads(text) if text and len(text) <= MOST_LABEL_CHARS else {}
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise InvalidInput("The recordings in the image are damaged.")
        return {int(number): packed for number, packed in value.items()}
    except (ValueError, RecursionError):
        raise InvalidInput("The recordings in the image are damaged.") from None


def encode_session(path: Path) -> str:
    """A recording as text for a label: asciicast without times of day and variables, zlib, base64.

    Raises :class:`~snapshot.errors.Refused` where that is more than an image should carry, and
    :class:`~snapshot.errors.InvalidInput` where the file is no recording.
    """
    recording = read_recording(path)
    size_bytes = path.stat().st_size
    if size_bytes > _MOST_UNPACKED_BYTES:
        raise _too_large(path, f"{size_bytes:,} bytes", f"{_MOST_UNPACKED_BYTES:,}")
    content = as_bytes(recording)
    text = packed(content)
    if len(text) > MOST_EMBEDDED_CHARS or len(content) > _MOST_UNPACKED_BYTES:
        raise _too_large(path, f"{len(text):,} characters when packed", f"{MOST_EMBEDDED_CHARS:,}")
    return text


def decode_session(text: str) -> Recording:
    """The recording that an image carries; its output is cut down to what only draws (it is a stranger's).

    Raises :class:`~snapshot.errors.InvalidInput` where it is damaged or too large.
    """
    if len(text) > MOST_EMBEDDED_CHARS:
        raise InvalidInput(
            f"The session in the image is too large: {len(text):,} characters, "
            f"where {MOST_EMBEDDED_CHARS:,} is the most."
        )
    try:
        content = unpacked(text, _MOST_UNPACKED_BYTES)
    except TooLarge as error:
        raise InvalidInput(f"The session in the image is {error} unpacked.") from None
    except ValueError:
        raise InvalidInput("The session in the image is damaged.") from None
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
