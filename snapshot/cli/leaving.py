"""How the program ends: what went wrong leaves as a sentence and an exit status. ``click`` is not needed."""

from __future__ import annotations

import errno
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from snapshot.cli.text import printable
from snapshot.errors import DiskFull, Interrupted, OutputClosed, SnapError, Terminated, VerificationFailed


def prepare() -> None:
    """Make SIGTERM an exception, and output that no encoding of this terminal can hold legible."""
    signal.signal(signal.SIGTERM, _on_sigterm)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def report(error: BaseException, *, debug: bool) -> int:
    """Say on stderr what went wrong, and return the exit status that tells it."""
    if debug:
        import traceback

        traceback.print_exception(error)
    known = _as_snap_error(error)
    lines = [f"snap: {printable(known.what)}"]
    if isinstance(known, VerificationFailed):
        lines += [f"  FAIL {printable(finding)}" for finding in known.findings]
    if known.hint:
        lines.append(f"  {printable(known.hint)}")
    try:
        print("\n".join(lines), file=sys.stderr, flush=True)
    except BrokenPipeError:
        _discard(sys.stderr.fileno())
    try:
        sys.stdout.flush()
    except OSError:
        # What is left in the buffer would fail once more when the interpreter ends, and change the status.
        _discard(sys.stdout.fileno())
    return known.exit_code


def leave(status: int) -> NoReturn:
    """End at once, without the tidying up that an interpreter does and nothing here needs."""
    for stream in (sys.stdout, sys.stderr):
        if stream:
            stream.flush()
    os._exit(status)


def _as_snap_error(error: BaseException) -> SnapError:
    """What the program did not foresee, as an error that says so in a sentence."""
    if isinstance(error, SnapError):
        return error
    if isinstance(error, Terminated):
        return Interrupted("Stopped by a request to terminate.", exit_code=143)
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
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def _on_sigterm(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated
