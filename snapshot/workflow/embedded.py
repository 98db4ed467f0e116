"""Recordings of steps that an image carries in a label: only those that were asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from snapshot.errors import InvalidInput
from snapshot.image.record import MOST_LABEL_CHARS, SESSIONS_LABEL
from snapshot.journal.asciicast import Recording
from snapshot.journal.step import Step
from snapshot.workflow.sessions import decode_session, encode_session, find_session


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
