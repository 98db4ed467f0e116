"""Carries input to a process and its output back, in one loop."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from contextlib import suppress

from snapshot.engine.frames import FrameReader
from snapshot.engine.process_types import Duplex, TerminalSize
from snapshot.errors import EngineError, EngineGone, EngineUnreachable
from snapshot.workflow.sessions.detach_keys import KeyWatch, key_bytes
from snapshot.workflow.sessions.streams import Streams

_MOST_HELD_BYTES = 65536
_PIECE_BYTES = 65536
_FIRST_RETRY_S = 0.01
_RETRY_FOR_S = 5.0
_STDERR = 2


def pump(
    duplex: Duplex,
    streams: Streams,
    *,
    tty: bool,
    resize: Callable[[TerminalSize], object] | None = None,
    detach_keys: str = "",
) -> bool:
    """Send ``streams.stdin`` to a process and hand its output on, until the output ends or is detached from.

    The end of the input is passed on; input that the process does not take any more is left unread.
    ``duplex`` is not closed.

    Parameters
    ----------
    duplex:
        The connection to the process.
    streams:
        What is on this side of it.
    tty:
        Whether the process has a terminal: its output comes raw then, and in frames otherwise.
    resize:
        Gives the process's terminal a size; called at once and whenever ``streams.wake`` is readable. Where
        it answers ``False``, the process has not started yet: it is called again for a few seconds.
    detach_keys:
        Keys that end this when they are typed at a terminal, as Docker writes them; empty means
        ``ctrl-p,ctrl-q``. The process goes on when the connection is closed then.

    Returns
    -------
    bool
        Whether the process was detached from.

    Raises
    ------
    InvalidInput
        ``detach_keys`` cannot be read.
    EngineGone
        The connection broke, or ended in the middle of a piece of output.
    """
    watch = KeyWatch(key_bytes(detach_keys)) if tty else None
    return _Output(duplex, streams, tty).pump_with(
        _Input(duplex, streams.stdin, watch), _Window(streams, resize)
    )


class _Input:
    """What is read here and not sent yet; reading waits while that is much."""

    def __init__(self, duplex: Duplex, source: int | None, watch: KeyWatch | None) -> None:
        self._duplex = duplex
        self._source = source
        self._watch = watch
        self._held = bytearray()
        self._takes_more = source is not None

    @property
    def wanted(self) -> int | None:
        """The descriptor to be watched for input; ``None`` while none can be taken."""
        return self._source if len(self._held) < _MOST_HELD_BYTES else None

    @property
    def is_held(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._held)

    @property
    def is_detached(self) -> bool:
        """Whether the keys to detach have come, and what was typed before them has been sent."""
        return bool(self._watch and self._watch.seen and not self._held)

    def take(self) -> None:
        """Read what there is, and send what goes."""
        assert self._source is not None
        try:
            piece = os.read(self._source, _MOST_HELD_BYTES - len(self._held))
        except BlockingIOError:
            return
        except OSError:
            # A terminal that is gone or that other processes have now (EIO), or a descriptor that is closed.
            piece = b""
        if not piece:
            self._source = None
        if self._watch:
            piece = self._watch.feed(piece) if piece else self._watch.rest()
            if self._watch.seen:
                # The process is left alone: the end of this input is not the end of its own.
                self._source, self._takes_more = None, False
        self._held += piece
        self.send()

    def send(self) -> None:
        """Send what goes without waiting, and the end of the input after the last of it."""
        try:
            while self._held and (sent := self._duplex.write(memoryview(bytes(self._held)))):
                del self._held[:sent]
            if self._source is None and self._takes_more and not self._held:
                self._takes_more = False
                self._duplex.half_close()
        except BrokenPipeError:
            self._source, self._takes_more = None, False
            self._held.clear()


class _Window:
    """Tells the process how large its terminal is."""

    def __init__(self, streams: Streams, resize: Callable[[TerminalSize], object] | None) -> None:
        self._look = streams.window
        self._resize = resize
        self.wake = streams.wake
        self._again_at_s: float | None = None
        self._retry_s = self._until_s = 0.0

    def changed(self) -> None:
        """Tell the size of now."""
        self._retry_s = _FIRST_RETRY_S
        self._until_s = time.monotonic() + _RETRY_FOR_S
        self._tell()

    def woken(self) -> None:
        """Empty the descriptor that woke us, and tell the size."""
        assert self.wake is not None
        try:
            told = os.read(self.wake, 4096)
        except BlockingIOError:
            return
        if not told:
            self.wake = None
        self.changed()

    def due_in_ms(self) -> float | None:
        """When to call :meth:`tell_again`; ``None`` for never."""
        if self._again_at_s is None:
            return None
        return max(0.0, self._again_at_s - time.monotonic()) * 1000

    def tell_again(self) -> None:
        """Tell it once more, if it is time for that."""
        if self._again_at_s is not None and time.monotonic() >= self._again_at_s:
            self._tell()

    def _tell(self) -> None:
        self._again_at_s = None
        size = self._look() if self._look else None
        if size is None or self._resize is None:
            return
        done: object = False
        # A process whose terminal has the wrong size is better than none. (An engine that is gone is told of
        # by the connection to the process.)
        with suppress(EngineError, EngineUnreachable):
            done = self._resize(size)
        now_s = time.monotonic()
        if done is False and now_s < self._until_s:
            self._again_at_s = now_s + self._retry_s
            self._retry_s *= 2


class _Output:
    """Hands the process's output on as it comes."""

    def __init__(self, duplex: Duplex, streams: Streams, tty: bool) -> None:
        self._duplex = duplex
        self._sink = streams.output
        self._frames = None if tty else FrameReader()

    def pump_with(self, source: _Input, window: _Window) -> bool:
        """Run until the output ends (false) or is detached from (true)."""
        window.changed()
        while True:
            ready = self._ready(source, window)
            # Output first: when it has ended, nothing else matters any more.
            if self._duplex.fileno() in ready and not self._hand_on():
                return False
            if source.is_held and ready.get(self._duplex.fileno(), 0) & ~select.POLLIN:
                source.send()
            if source.wanted in ready:
                source.take()
            if source.is_detached:
                return True
            if window.wake in ready:
                window.woken()
            window.tell_again()

    def _ready(self, source: _Input, window: _Window) -> dict[int | None, int]:
        """Wait until something can be done; gives poll's events by descriptor."""
        poller = select.poll()
        # What is not wanted now is not watched at all: poll tells a hang-up whether it was asked for or not.
        poller.register(self._duplex.fileno(), select.POLLIN | (select.POLLOUT if source.is_held else 0))
        for descriptor in (source.wanted, window.wake):
            if descriptor is not None:
                poller.register(descriptor, select.POLLIN)
        ready: dict[int | None, int] = dict(
            poller.poll(0 if self._duplex.has_buffered else window.due_in_ms())
        )
        if self._duplex.has_buffered:
            ready[self._duplex.fileno()] = ready.get(self._duplex.fileno(), 0) | select.POLLIN
        return ready

    def _hand_on(self) -> bool:
        """Hand on what has come; false where that was the end."""
        piece = self._duplex.read(_PIECE_BYTES)
        if piece is None:
            return True
        if not piece:
            if self._frames and self._frames.incomplete:
                raise EngineGone(
                    "The process's output broke off in the middle of a piece: the engine went away.",
                    "`snap engine` shows whether it answers; the container and its changes are kept.",
                )
            return False
        if self._frames is None:
            self._write(piece, None)
        else:
            for stream, content in self._frames.feed(piece):
                if stream == _STDERR:
                    self._write(None, content)
                else:
                    self._write(content, None)
        return True

    def _write(self, stdout: bytes | None, stderr: bytes | None) -> None:
        if self._sink:
            self._sink(stdout, stderr)
