"""Long listings, a screen at a time: through a pager, as git does it."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from types import FrameType
from typing import Any, TypeVar

import click

from snapshot.cli.text import columns_of

_Function = TypeVar("_Function", bound=Callable[..., Any])
#: What a shell has to look at, beyond words that stand apart (git, run-command.c).
_FOR_THE_SHELL = frozenset("|&;<>()$`\\\"'*?[#~=%\n")


def pager_option(function: _Function) -> _Function:
    """``--pager/--no-pager``, as ``pager``: true, false, or ``None`` where neither was given."""
    return click.option(
        "--pager/--no-pager",
        default=None,
        help="Show it in $SNAP_PAGER, $PAGER or less, or never; by default if it is longer than the screen.",
    )(function)


def paged(lines: str | Iterable[str], wanted: bool | None = None) -> None:
    """Show text on stdout: in a pager where stdout is a terminal and the text is longer than its screen.

    The pager is ``$SNAP_PAGER``, else ``$PAGER``, else ``less``; none where that is empty or ``cat``, or is
    not on this machine. It gets ``LESS=FRX`` and ``LV=-c`` where these are not set, as git has it. Ctrl-C is
    the pager's as long as it runs. Whoever leaves it early wants no more lines, which is no failure.

    Parameters
    ----------
    lines:
        A text, or lines without their ends. They are asked for as they are shown.
    wanted:
        True for a pager also where everything fits on the screen, false for none at all.
    """
    rest = iter(lines.removesuffix("\n").split("\n") if isinstance(lines, str) else lines)
    if wanted is not False and sys.stdout.isatty() and (command := _command()):
        first = [] if wanted else _first_screen(rest)
        if first is None:
            return
        rest = chain(first, rest)
        if _show_in(command, rest, forced=wanted is True):
            return
    for line in rest:
        print(line)


def _command() -> list[str]:
    """The pager's words; none where there is no pager."""
    asked = next((os.environ[name] for name in ("SNAP_PAGER", "PAGER") if name in os.environ), None)
    if asked is None:
        asked = "" if os.environ.get("TERM") == "dumb" else "less"
    if asked.strip() in {"", "cat"}:
        return []
    if _FOR_THE_SHELL.isdisjoint(asked):
        words = asked.split()
        return words if shutil.which(words[0]) else []
    with suppress(ValueError):
        named = next((word for word in shlex.split(asked) if "=" not in word), "")
        if _FOR_THE_SHELL.isdisjoint(named) and not shutil.which(named):
            return []
    return ["/bin/sh", "-c", asked]


def _first_screen(lines: Iterator[str]) -> list[str] | None:
    """The lines that are more than a screen holds; where all fit, they are shown, and it is ``None``."""
    size = shutil.get_terminal_size()
    taken: list[str] = []
    rows = 0
    for line in lines:
        taken.append(line)
        rows += max(1, -(-columns_of(line) // max(1, size.columns)))
        # The shell's next prompt needs a row.
        if rows >= size.lines:
            return taken
    for line in taken:
        print(line)
    return None


def _show_in(command: list[str], lines: Iterator[str], *, forced: bool) -> bool:
    """Feed a pager, and wait until it is left; false where it cannot be started."""
    less = "RX" if forced else "FRX"
    sys.stdout.flush()
    try:
        pager = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            env={"LESS": less, "LV": "-c"} | os.environ,
            text=True,
            encoding=sys.stdout.encoding,
            errors="backslashreplace",
        )
    except OSError:
        return False
    try:
        with _interrupts_left_to(pager):
            _feed(pager, lines)
            pager.wait()
    except KeyboardInterrupt:
        # Without this process nobody waits for it, and it would share the terminal with the shell.
        pager.terminate()
        raise
    finally:
        _close(pager)
        pager.wait()
    return True


def _feed(pager: subprocess.Popen[str], lines: Iterator[str]) -> None:
    assert pager.stdin
    for line in lines:
        try:
            pager.stdin.write(f"{line}\n")
            # It is to be seen when it is there, not when a buffer is full.
            pager.stdin.flush()
        except BrokenPipeError:
            break
    _close(pager)


def _close(pager: subprocess.Popen[str]) -> None:
    assert pager.stdin
    with suppress(BrokenPipeError):
        pager.stdin.close()


@contextmanager
def _interrupts_left_to(pager: subprocess.Popen[str]) -> Iterator[None]:
    """Do nothing on Ctrl-C while the pager runs; the terminal sends it to both."""

    def interrupted(number: int, frame: FrameType | None) -> None:
        if pager.poll() is not None and callable(before):
            before(number, frame)

    before = signal.getsignal(signal.SIGINT)
    if not callable(before):
        # It is ignored anyway, by who started this.
        yield
        return
    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
