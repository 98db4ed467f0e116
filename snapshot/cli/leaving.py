"""How the program ends: what went wrong leaves as a sentence and an exit status. ``click`` is not needed."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from snapshot.cli.text import printable
from snapshot.errors import (
    DiskFull,
    EngineError,
    Interrupted,
    OutputClosed,
    SnapError,
    Terminated,
    VerificationFailed,
)

_AGAIN_AFTER_S = 0.01


def prepare() -> None:
    """Make signals that end the program exceptions, and standard streams what the rest can rely on.

    A stream that was closed from the start leads nowhere from here on: else the next file that is opened
    would have its number. What no encoding of this terminal can hold is shown legible.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        # nohup(1) has SIGHUP ignored.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)
    sys.unraisablehook = _told_again
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            _discard(descriptor)
            setattr(sys, name, open(descriptor, "w" if descriptor else "r", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def report(error: BaseException, *, debug: bool) -> int:
    """Say on stderr what went wrong, and return the exit status that tells it."""
    if debug:
        import traceback

        told = "".join(traceback.format_exception(error)).splitlines()
        print("\n".join(map(printable, told)), file=sys.stderr)
    known = _as_snap_error(error)
    lines = [f"snap: {printable(known.what)}"]
    if isinstance(known, VerificationFailed):
        lines += [f"  FAIL {printable(finding)}" for finding in known.findings]
    if known.hint:
        lines.append(f"  {printable(known.hint)}")
    # Nobody may listen any more: a pipe without a reader, a terminal that is gone.
    with suppress(OSError):
        print("\n".join(lines), file=sys.stderr)
    _flush()
    return known.exit_code


@contextmanager
def refusals_as_docker() -> Iterator[None]:
    """Within it what an engine refuses is 125, so that it is not taken for the command's own status."""
    try:
        yield
    except EngineError as error:
        if error.exit_code == EngineError.exit_code:
            error.exit_code = 125
        raise


def leave(status: int) -> NoReturn:
    """End at once, without the tidying up that an interpreter does and nothing here needs."""
    _flush()
    os._exit(status)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # What is left in the buffer would fail once more at the end, and change the status.
            _discard(stream.fileno())


def _as_snap_error(error: BaseException) -> SnapError:
    """What the program did not foresee, as an error that says so in a sentence."""
    if isinstance(error, SnapError):
        return error
    if isinstance(error, Terminated):
        hung_up = error.signal_number == signal.SIGHUP
        words = "Stopped: the terminal is gone." if hung_up else "Stopped by a request to terminate."
        return Interrupted(words, by=error)
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("Stopped by Ctrl-C.")
    if isinstance(error, BrokenPipeError):
        return OutputClosed("The output was closed before everything was written.")
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(f"This machine's disk is full: {error}", "Make room, then try again.")
    if isinstance(error, OSError):
        return SnapError(str(error))
    return SnapError(
        f"snap itself failed: {type(error).__name__}: {error}",
        "`snap --debug …` shows where; please report it.",
    )


def _discard(descriptor: int) -> None:
    """Let a descriptor lead nowhere, whatever it is now."""
    null = os.open(os.devnull, os.O_RDWR)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)


def _told_again(lost: sys.UnraisableHookArgs) -> None:
    """A signal that came while an object was being cleared away, where no exception gets out, comes again."""
    if not isinstance(lost.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    from threading import Timer

    number = lost.exc_value.signal_number if isinstance(lost.exc_value, Terminated) else signal.SIGINT
    # Later, since here it would be lost once more.
    again = Timer(_AGAIN_AFTER_S, os.kill, (os.getpid(), number))
    again.daemon = True
    again.start()


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated(number)
