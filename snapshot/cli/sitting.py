"""The streams and the terminal of this process, lent to a process in a container."""

from __future__ import annotations

import atexit
import errno
import os
import select
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import NoReturn

from snapshot.engine.process_types import TerminalSize
from snapshot.errors import InvalidInput, OutputClosed, Terminated
from snapshot.workflow.sessions.streams import Streams

_STDIN, _STDOUT, _STDERR = 0, 1, 2
#: These end the program, by default without a chance to put the terminal back.
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def need_terminal(*, tty: bool, stdin: bool) -> None:
    """Refuse a terminal for the process where its input would not come from one.

    Raises :class:`~snapshot.errors.InvalidInput`.
    """
    if tty and stdin and not os.isatty(_STDIN):
        raise InvalidInput(
            "-i and -t together need a terminal, and the input is none.",
            "Leave out -t where the input is a pipe or a file.",
        )


@contextmanager
def sitting(*, tty: bool, stdin: bool) -> Iterator[Streams]:
    """Lend stdin, stdout, stderr and the terminal to a process, and take them back whatever happens.

    With both ``tty`` and ``stdin`` the terminal is raw meanwhile: its keys, Ctrl-C among them, go to the
    process and do nothing here. So this is to be entered when the process is about to get the terminal (after
    a pull), and left before anything else is printed.

    Parameters
    ----------
    tty:
        Whether the process has a terminal of its own.
    stdin:
        Whether it is given input.

    Raises
    ------
    InvalidInput
        See :func:`need_terminal`.
    OutputClosed
        By the streams' ``output``: nobody reads stdout or stderr any more.
    Terminated
        SIGTERM, SIGHUP or SIGQUIT came; the terminal has been put back.
    """
    need_terminal(tty=tty, stdin=stdin)
    # What has been printed before stands before what the process prints.
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    with ExitStack() as stack:
        wake = stack.enter_context(_woken_by_the_window()) if tty else None
        if tty and stdin:
            stack.enter_context(_raw(_STDIN, wake[1] if wake else None))
        yield Streams(
            stdin=_STDIN if stdin else None,
            output=_write,
            window=window_size if tty else None,
            wake=wake[0] if wake else None,
        )


def window_size() -> TerminalSize | None:
    """The size of this process's terminal now; ``None`` where it has none, or one of no size."""
    for descriptor in (_STDOUT, _STDIN, _STDERR):
        with suppress(OSError):
            size = TerminalSize(*os.get_terminal_size(descriptor))
            if size.columns and size.rows:
                return size
    return None


@contextmanager
def _woken_by_the_window() -> Iterator[tuple[int, int]]:
    """A pipe that SIGWINCH writes a byte to: the ends to read from and to write to; neither waits."""
    reader, writer = os.pipe()
    try:
        for end in (reader, writer):
            os.set_blocking(end, False)
        with _handled(signal.SIGWINCH, lambda _number, _frame: _wake(writer)):
            yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def _wake(writer: int | None) -> None:
    if writer is not None:
        # A pipe that is full wakes as well.
        with suppress(BlockingIOError):
            os.write(writer, b"\0")


@contextmanager
def _raw(descriptor: int, wake: int | None) -> Iterator[None]:
    """Make a terminal raw; it is put back at the end, on signals, and while this process is stopped."""
    before = termios.tcgetattr(descriptor)
    raw = _as_raw(before)

    def put_back() -> None:
        # Also out of the background, where this signal would stop us.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        try:
            _set(descriptor, before)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTTOU})

    def on_stop(number: int, _frame: FrameType | None) -> None:
        put_back()
        with _handled(signal.Signals(number), signal.SIG_DFL):
            os.kill(os.getpid(), number)
        on_going_on(number, None)

    def on_going_on(_number: int, _frame: FrameType | None) -> None:
        _set(descriptor, raw)
        _wake(wake)

    def finish() -> None:
        put_back()
        atexit.unregister(put_back)

    # For a signal that interrupts even that.
    atexit.register(put_back)
    with ExitStack() as stack:
        for number in _ENDING:
            if signal.getsignal(number) is signal.SIG_DFL:
                stack.enter_context(_handled(number, _end))
        # Between the handlers: what could make it raw again goes before, what could end us after.
        stack.callback(finish)
        if signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
            stack.enter_context(_handled(signal.SIGTSTP, on_stop))
        stack.enter_context(_handled(signal.SIGCONT, on_going_on))
        _set(descriptor, raw)
        yield


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated(number)


@contextmanager
def _handled(
    number: signal.Signals, handler: Callable[[int, FrameType | None], object] | signal.Handlers
) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        # None stands for a handler that is not Python's.
        signal.signal(number, before or signal.SIG_DFL)


def _as_raw(attributes: list[int | list[bytes | int]]) -> list[int | list[bytes | int]]:
    """The attributes of a terminal that passes every byte on as it is, both ways; as cfmakeraw(3) has it."""
    iflag, oflag, cflag, lflag, ispeed, ospeed, characters = attributes
    assert isinstance(iflag, int)
    assert isinstance(oflag, int)
    assert isinstance(cflag, int)
    assert isinstance(lflag, int)
    assert isinstance(characters, list)
    iflag &= ~(termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP)
    iflag &= ~(termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON)
    oflag &= ~termios.OPOST
    cflag = cflag & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    lflag &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
    characters = list(characters)
    characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    return [iflag, oflag, cflag, lflag, ispeed, ospeed, characters]


def _set(descriptor: int, attributes: list[int | list[bytes | int]]) -> None:
    """Set a terminal's attributes at once: nothing typed ahead is lost. A terminal that is gone is fine."""
    while True:
        try:
            termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
        except termios.error as error:
            # Out of the background the call stops us, and is interrupted when we go on.
            if error.args[0] == errno.EINTR:
                continue
        return


def _write(stdout: bytes | None, stderr: bytes | None) -> None:
    """Write all of it to this process's own stdout and stderr; raises :class:`OutputClosed`."""
    for piece, descriptor in ((stdout, _STDOUT), (stderr, _STDERR)):
        if piece:
            _write_all(descriptor, piece)


def _write_all(descriptor: int, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            # Another process that has this terminal or pipe made it so.
            select.select([], [descriptor], [])
        except OSError as error:
            if error.errno not in {errno.EPIPE, errno.EIO}:
                raise
            raise OutputClosed(
                "The output was closed; the container runs on.",
                "`docker logs` has the rest of what its own command prints.",
            ) from error
