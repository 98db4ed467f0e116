"""Progress on stderr: lines that are overwritten on a terminal, one line an event elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
import time

from snapshot.cli.text import printable
from snapshot.engine.types import PullEvent

_SHOW_EVERY_S = 0.2


class TerminalProgress:
    """Shows what long work is at (a :class:`snapshot.workflow.progress.Progress`)."""

    def __init__(self, *, details: bool = False) -> None:
        self._animated = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._details = details
        self._stage = ""
        self._total_bytes = self._done_bytes = 0
        self._began_s = self._shown_s = 0.0
        self._layers: dict[str, str] = {}
        self._lines_shown = 0

    def stage(self, text: str, total_bytes: int = 0) -> None:
        """Name the stage of the work, on a terminal only: elsewhere it would be noise in a log."""
        self._stage, self._total_bytes, self._done_bytes = text, total_bytes, 0
        self._began_s = self._shown_s = time.monotonic()
        self.clear()
        if self._animated:
            self._show([f"{text} …"])

    def advance(self, byte_count: int) -> None:
        """Show bytes and rate, a few times a second."""
        self._done_bytes += byte_count
        now_s = time.monotonic()
        if not self._animated or now_s - self._shown_s < _SHOW_EVERY_S:
            return
        self._shown_s = now_s
        self.clear()
        self._show([f"{self._stage} … {self._amount(now_s)}"])

    def detail(self, text: str) -> None:
        """Print it, where details are wanted."""
        if self._details:
            self.clear()
            print(printable(text), file=sys.stderr, flush=True)

    def _amount(self, now_s: float) -> str:
        done = f"{self._done_bytes / 1e6:,.1f}"
        total = f" of {self._total_bytes / 1e6:,.1f}" if self._total_bytes >= self._done_bytes else ""
        rate = self._done_bytes / 1e6 / (now_s - self._began_s)
        return f"{done}{total} MB, {rate:,.0f} MB/s"

    def pull(self, event: PullEvent) -> None:
        """Show a layer's state: a line each that is kept up to date, or a line for each new state."""
        text = event.status
        if event.current is not None and event.total:
            text += f" {event.current / 1e6:.1f} of {event.total / 1e6:.1f} MB"
        if not self._animated:
            # Without a terminal only new states are lines; the bytes would be thousands.
            if event.status and self._layers.get(event.layer) != event.status:
                prefix = f"{event.layer}: " if event.layer else ""
                print(printable(prefix + event.status), file=sys.stderr, flush=True)
            self._layers[event.layer] = event.status
            return
        self._layers[event.layer] = text
        self.clear()
        self._show([f"{layer}: {state}" if layer else state for layer, state in self._layers.items()])

    def stop(self) -> None:
        """Show nothing on a terminal from here on: what is printed while the work goes on has it."""
        self.clear()
        if self._animated:
            self._animated = self._details = False

    def clear(self) -> None:
        """Take what is shown off the terminal."""
        if self._lines_shown:
            sys.stderr.write(f"\x1b[{self._lines_shown}A\x1b[J")
            sys.stderr.flush()
        self._lines_shown = 0

    def _show(self, lines: list[str]) -> None:
        size = shutil.get_terminal_size()
        # A line that wraps, or a list longer than the screen, could not be taken back.
        shown = [printable(line)[: size.columns - 1] for line in lines][-(size.lines - 2) :]
        sys.stderr.write("".join(f"{line}\n" for line in shown))
        sys.stderr.flush()
        self._lines_shown = len(shown)
