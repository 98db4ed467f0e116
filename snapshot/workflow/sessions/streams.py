"""What a process in a container is connected to on this side."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from snapshot.engine.process_types import TerminalSize

#: Takes output as it comes: a piece of stdout, and one of stderr; one of them is ``None``.
OutputSink = Callable[[bytes | None, bytes | None], None]


class Streams(NamedTuple):
    """Input, output and window of a process; by default it has none of them.

    Attributes
    ----------
    stdin:
        A descriptor to read input from; ``None`` where there is no input.
    output:
        Takes what the process prints; with a terminal all of it is stdout.
    window:
        Gives the size of the terminal's window now, ``None`` where that is not known.
    wake:
        A descriptor that becomes readable when the window may have another size (it is read empty then);
        ``None`` where nobody tells.
    """

    stdin: int | None = None
    output: OutputSink | None = None
    window: Callable[[], TerminalSize | None] | None = None
    wake: int | None = None


#: Connects a process when all before it has been done: a terminal is in raw mode no longer than needed.
Sitting = Callable[[], AbstractContextManager[Streams]]


def to_nobody() -> AbstractContextManager[Streams]:
    """A sitting without input, whose output goes nowhere."""
    return nullcontext(Streams())
