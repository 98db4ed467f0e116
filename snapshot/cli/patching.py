"""What is shown of instructions that were played: by patch and replay."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from snapshot.cli.text import coloured, note, printable, shortened, table

if TYPE_CHECKING:
    from snapshot.recipe.explained import ExplainedStep
    from snapshot.workflow.sessions.streams import OutputSink


# The words of a step, where a column stands right of them.
_MOST_WORDS_CHARS = 60


def to_stderr(clear: Callable[[], None]) -> OutputSink:
    """What commands print goes to stderr: stdout is for what snap itself answers."""

    def take(stdout: bytes | None, stderr: bytes | None) -> None:
        clear()
        sys.stderr.buffer.write(stdout or stderr or b"")
        sys.stderr.flush()

    return take


def show_explained(steps: Iterable[ExplainedStep], advice: str) -> None:
    """Say on stderr what became of each step."""
    rows = [
        [
            str(step.number),
            coloured(step.status),
            shortened(printable(step.words), _MOST_WORDS_CHARS),
            printable(step.why),
        ]
        for step in steps
    ]
    if rows:
        print(table(rows, ["STEP", "CACHE", "WHAT", "WHY"], right=(0,)), file=sys.stderr, flush=True)
    if advice:
        note(advice)


def explained_document(steps: Iterable[ExplainedStep]) -> Mapping[str, Any]:
    """The same as JSON shows it."""
    values = [
        {"number": step.number, "words": step.words, "cache": step.status, "why": step.why or None}
        for step in steps
    ]
    return {"explained": values} if values else {}


def note_skipped(paths: Iterable[str]) -> None:
    """Say which local paths no image can hold."""
    for path in paths:
        note(f"left out, being a socket: {path}")
