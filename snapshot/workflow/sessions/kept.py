"""Where the recordings of steps are kept: under the container's full ID, in the state folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from snapshot.errors import InvalidInput, SnapError
from snapshot.journal.step import Step
from snapshot.workflow.steps import journal_of

_CONTAINER_ID = re.compile(r"[0-9a-f]{12,64}")
_NAME = re.compile(r"[0-9]{1,9}\.cast")


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
    return journal_of(container_id).sessions_folder
