"""Recording a session while it goes on: what a process prints, between it and the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from snapshot.engine.process_types import TerminalSize
from snapshot.errors import SnapError
from snapshot.workflow.sessions.streams import Streams
from snapshot.workflow.steps import StepKeeper

_ASSUMED = TerminalSize(80, 24)


class RecordingPlace(NamedTuple):
    """Where a session is to be recorded: in ``file``, or, where that is ``None``, in the state folder."""

    file: Path | None = None


@contextmanager
def recorded(
    streams: Streams, recording: RecordingPlace | None, keeper: StepKeeper, *, tty: bool
) -> Iterator[Streams]:
    """The streams, with what goes through them recorded as long as the work inside takes.

    ``tty`` says whether the process has a terminal. What goes wrong with the recording does not stop the
    session: ``keeper.failure`` says it.
    """
    if recording is None or (recording.file is None and not keeper.number):
        yield streams
        return
    # Loaded where it is used: most sessions are not recorded, and are to start quickly.
    from snapshot.journal.asciicast import Recorder
    from snapshot.workflow.sessions.kept import session_path

    window = streams.window
    path = recording.file or session_path(keeper.container.id, keeper.number)
    try:
        recorder = Recorder(
            path,
            (window() if window else None) or _ASSUMED,
            title=f"snap {keeper.draft.verb} {keeper.container.name}",
            command=" ".join(keeper.draft.argv),
            term=os.environ.get("TERM", ""),
            shell=os.environ.get("SHELL", ""),
            terminal=tty,
            # A file of that name in the state folder is left from a step that never was.
            replace=recording.file is None,
        )
    except SnapError as error:
        keeper.failure = keeper.failure or error.what
        yield streams
        return
    keeper.session = path.name if recording.file is None else str(path.absolute())

    def output(stdout: bytes | None, stderr: bytes | None) -> None:
        recorder.output(stdout or stderr or b"", stderr=stderr is not None)
        if streams.output:
            streams.output(stdout, stderr)

    def seen_window() -> TerminalSize | None:
        size = window() if window else None
        if size:
            recorder.resized(size)
        return size

    try:
        yield streams._replace(output=output, window=seen_window if window else None)
    finally:
        recorder.close()
        keeper.failure = keeper.failure or recorder.failure or ""
