"""A film: frames of a recording, with how long the last one stands."""

from __future__ import annotations

from dataclasses import dataclass

from snapshot.engine.process_types import TerminalSize
from snapshot.report.recording_frames import Frame


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
