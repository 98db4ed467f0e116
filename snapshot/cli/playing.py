"""What ``snap log --session`` prints: facts of a recording, its text, or the recording played."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from snapshot.cli.text import count, print_json, printable, table

if TYPE_CHECKING:
    from snapshot.journal.asciicast import Recording


def print_session(recording: Recording, number: int, source: str, output_format: str) -> None:
    """Print what the recording of step ``number`` is; ``source`` says where it is (a file, an image)."""
    from snapshot.workflow.sessions.playing import facts

    header, found = recording.header, facts(recording)
    started = "" if header.started is None else _time(header.started)
    if output_format == "json":
        document: dict[str, Any] = {
            "schema": "docker-snap.session/1",
            "step": number,
            "source": source,
            "title": header.title or None,
            "command": header.command or None,
            "started": started or None,
            "duration_s": round(found.duration_s, 3),
            "columns": header.size.columns,
            "rows": header.size.rows,
            "characters": found.characters,
        }
        print_json(document)
        return
    rows = [
        ("session", f"of step {number}"),
        ("title", header.title or "none"),
        ("command", header.command or "none"),
        ("started", started or "not told"),
        ("duration", f"{found.duration_s:.1f} s"),
        ("window", f"{header.size.columns} x {header.size.rows}"),
        ("output", f"{count(found.characters, 'character')} in {count(found.pieces, 'piece')}"),
        ("kept in", source),
    ]
    click.echo(table([[key, printable(value)] for key, value in rows]))


def print_session_text(recording: Recording) -> None:
    """Print what a person at the terminal has seen, line by line, without anything that steers a terminal."""
    from snapshot.journal.readable import readable_lines

    for line in readable_lines(recording.events, recording.header.size):
        click.echo(line)


def play_session(recording: Recording, *, speed: float = 1.0, idle_limit_s: float | None = None) -> None:
    """Play a recording on stdout with its pauses; Ctrl-C ends it, and the terminal is put to rest.

    Its escape sequences are written as they are, also where stdout is no terminal.
    """
    from snapshot.workflow.sessions.playing import play

    with _keys_ignored():
        play(recording, _write, time.sleep, speed, idle_limit_s)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


@contextmanager
def _keys_ignored() -> Iterator[None]:
    """Neither show what is typed meanwhile nor leave it, or what the terminal answers, to the shell."""
    import termios

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    quiet = termios.tcgetattr(terminal)
    # Ctrl-C and Ctrl-Z still make signals.
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(terminal, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        # TCSAFLUSH throws away what has been typed and not read.
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)


def _time(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):
        return "not a time"
