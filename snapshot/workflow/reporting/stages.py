"""How an image or a container was made, as a report tells it, and the recordings of its steps."""

from __future__ import annotations

from collections.abc import Iterator

from snapshot.errors import SnapError
from snapshot.report.model import Stage
from snapshot.report.recording import RecordingView, recording_view
from snapshot.workflow.log import Log, LoggedImage, recording_of

#: Drawing one takes some seconds at the most.
MOST_RECORDINGS = 10


def stages_of(log: Log) -> tuple[Stage, ...]:
    """The generations of the image, then what was done to the container itself."""
    stages = [_stage(made) for made in log.generations]
    if log.container:
        stages.append(Stage(log.container.name, log.container.image_name, steps=log.steps))
    return tuple(stages)


def _stage(logged: LoggedImage) -> Stage:
    made = logged.generation
    return Stage(
        name=next(iter(logged.names), _short(logged.image_id)),
        base=made.base_name or _short(made.base_id) or "an image that is not told",
        message=made.message,
        created=made.created,
        steps=made.steps,
        summed_up=made.summed_up,
    )


def _short(image_id: str) -> str:
    return image_id.removeprefix("sha256:")[:12]


def recordings_of(log: Log, notes: list[str]) -> Iterator[RecordingView]:
    """The recordings of the steps of the last stage; what cannot be read is noted."""
    for number in log.recorded[:MOST_RECORDINGS]:
        try:
            recording, _ = recording_of(log, number)
            yield recording_view(recording, number)
        except SnapError as error:
            notes.append(error.what)
    if (more := len(log.recorded) - MOST_RECORDINGS) > 0:
        notes.append(f"Recordings of {more:,} more steps are not shown.")
