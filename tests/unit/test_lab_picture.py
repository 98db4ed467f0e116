"""The picture in the README is drawn from the recording in the repository."""

from __future__ import annotations

from pathlib import Path

from cast_svg import picture

from snapshot.journal.asciicast import read_recording
from snapshot.journal.readable import readable_text

DOCS = Path(__file__).parents[2] / "docs"


def test_the_picture_is_what_the_script_draws_of_the_recording() -> None:
    recording = read_recording(DOCS / "lab.cast")
    drawn = picture(recording, still=False, idle_limit_s=2.0, most_bytes=200 << 10)
    assert drawn == (DOCS / "lab.svg").read_text("utf-8")


def test_the_recording_shows_the_lab_from_the_first_command_to_the_log_of_the_image() -> None:
    recording = read_recording(DOCS / "lab.cast")
    text = readable_text(recording.events, recording.header.size)
    for shown in ("snap run -it", "snap: 1 path changed in 'lab':", "Lab solution, by: Elton", "snap log"):
        assert shown in text
