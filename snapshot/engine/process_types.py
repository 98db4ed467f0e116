"""Processes in containers, and the terminals before them, as typed values; ``docker`` is not needed."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class TerminalSize(NamedTuple):
    """The size of a terminal's window in characters."""

    columns: int
    rows: int


class ExecSpec(NamedTuple):
    """A command that is to be run in a running container; empty values leave the container's own in force.

    ``env`` are ``KEY=VALUE``. ``detach_keys`` are as Docker writes them (``ctrl-p,ctrl-q``); empty means the
    engine's default. ``size`` is what its terminal has from the start (Docker from 23.0 on).
    """

    argv: tuple[str, ...]
    tty: bool = False
    stdin: bool = False
    detach: bool = False
    env: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    privileged: bool = False
    detach_keys: str = ""
    size: TerminalSize | None = None


class ExecState(NamedTuple):
    """What became of a command; ``exit_code`` counts where it does not run any more."""

    running: bool
    exit_code: int


class Duplex(Protocol):
    """A connection that carries a process's output here and its input there, both as raw bytes.

    Without a terminal the output comes in frames (:mod:`snapshot.engine.frames`).
    """

    def fileno(self) -> int:
        """A descriptor that can be waited for: it is readable when :meth:`read` may have something."""
        ...

    @property
    def has_buffered(self) -> bool:
        """Whether :meth:`read` has something even while the descriptor is not readable."""
        ...

    def read(self, size: int = 65536) -> bytes | None:
        """What has come; ``None`` where nothing has yet, ``b""`` at the end. Never waits.

        Raises :class:`~snapshot.errors.EngineGone` where the connection broke.
        """
        ...

    def write(self, data: bytes | memoryview) -> int:
        """Send as much as goes without waiting, and return how many bytes that were (0: not now).

        Raises :class:`BrokenPipeError` where the other side takes no more.
        """
        ...

    def half_close(self) -> None:
        """Say that no more input comes; output can still be read."""
        ...

    def close(self) -> None:
        """Close the connection; the process goes on."""
        ...
