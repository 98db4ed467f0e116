"""Progress on stderr: lines that are overwritten on a terminal, one line an event elsewhere."""

from __future__ import annotations

import os
import shutil
import sys

from snapshot.cli.text import printable
from snapshot.engine.types import PullEvent


class TerminalProgress:
    """Shows what long work is at (a :class:`snapshot.workflow.progress.Progress`)."""

    def __init__(self) -> None:
        self._animated = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._layers: dict[str, str] = {}
        self._lines_shown = 0

    def stage(self, text: str) -> None:
        """Name the stage of the work, on a terminal only: elsewhere it would be noise in a log."""
        self.clear()
        if self._animated:
            self._show([f"{text} …"])

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
