"""Types into a command at a terminal of its own, as a person would."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import pexpect

from snapshot.engine.process_types import TerminalSize
from snapshot.journal.asciicast import Event, Recorder
from snapshot.journal.readable import readable_text

_TIMEOUT_S = 60
_SIZE = TerminalSize(120, 24)


class Line(NamedTuple):
    """What is typed when the prompt has come; the key Enter follows."""

    prompt: str
    keys: str


class _Log:
    """A recorder in the shape of a file."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def write(self, text: str) -> None:
        self._recorder.output(text.encode())

    def flush(self) -> None:
        """Nothing is held back."""


def typed(
    command: str,
    lines: Sequence[Line],
    *,
    size: TerminalSize = _SIZE,
    pause_s: float = 0.0,
    recorder: Recorder | None = None,
) -> str:
    """Run a shell command at a terminal, type the lines, and return what a person would have read.

    Between keys ``pause_s`` seconds go by, and some more of them between lines. ``recorder`` gets what is
    shown.
    """
    with pexpect.spawn(
        "bash", ["-c", command], dimensions=(size.rows, size.columns), encoding="utf-8", timeout=_TIMEOUT_S
    ) as terminal:
        terminal.logfile_read = _Log(recorder) if recorder else None
        shown = []
        for line in lines:
            terminal.expect_exact(line.prompt)
            shown.append(f"{terminal.before}{terminal.after}")
            time.sleep(pause_s * 12)
            for key in f"{line.keys}\r":
                terminal.send(key)
                if pause_s:
                    # What comes back is to be recorded when it comes.
                    terminal.expect_exact(key if key != "\r" else "\n")
                    shown.append(f"{terminal.before}{terminal.after}")
                    time.sleep(pause_s)
        terminal.expect(pexpect.EOF)
        shown.append(terminal.before)
    return readable_text([Event(0.0, "".join(shown))], size)
