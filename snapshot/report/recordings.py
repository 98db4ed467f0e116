"""The section of the recordings: each is played by the page's script, and can be read without it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from snapshot.report.markup import isolated, text
from snapshot.report.model import Report
from snapshot.report.quantity import count, duration_in_words
from snapshot.report.recording import RecordingView

#: What all recordings of a page take together, in characters; the rest are counted.
MOST_RECORDING_CHARS = 6 << 20


def recordings_told(report: Report) -> tuple[RecordingView, ...]:
    """Those recordings for which there is room."""
    told: list[RecordingView] = []
    room = MOST_RECORDING_CHARS
    for recording in report.recordings:
        size = len(recording.data) + len(recording.text)
        if size <= room:
            room -= size
            told.append(recording)
    return tuple(told)


def recordings_section(report: Report) -> Iterator[str]:
    """Each recording with its text."""
    told = recordings_told(report)
    for recording in told:
        yield from _recording(recording)
    left_out = len(report.recordings) - len(told)
    if left_out:
        yield f'<p class="more">{count(left_out, "recording")} too large to be shown here.</p>\n'


def _recording(recording: RecordingView) -> Iterator[str]:
    title = f": {isolated(recording.title)}" if recording.title else ""
    step = recording.step
    yield f'<article class="recording" id="recording-{step}"><h3>Step {step}{title}</h3>\n'
    size = f"{recording.columns:,} by {recording.rows:,} characters"
    yield f'<p class="dim">{duration_in_words(recording.duration_s)}, {size}</p>\n'
    if recording.note:
        yield f'<p class="dim">{isolated(recording.note)}</p>\n'
    if recording.data:
        yield (
            '<div class="player" hidden></div>\n<script type="application/json" class="recording-data">'
            f"{harmless_json(recording.data)}</script>\n"
        )
    lines = "\n".join(text(line) for line in recording.text.split("\n"))
    yield f"<details><summary>As text</summary><pre>\n{lines}</pre></details>\n</article>\n"


def harmless_json(document: str) -> str:
    r"""JSON that stays inside of its ``<script>``, whatever its strings hold.

    >>> harmless_json('["</script>"]')
    '["\\u003c/script\\u003e"]'
    """
    return re.sub("[<>&\u2028\u2029\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", document)
