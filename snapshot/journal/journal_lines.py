"""The file of a journal: lines of JSON that are only ever appended, by one process at a time."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from snapshot.errors import DiskFull, SnapError
from snapshot.journal.private_files import make_private

#: How long to wait for the other processes that write to a journal.
LOCK_TIMEOUT_S = 10.0

_BLOCK_BYTES = 8192

# A journal's lines matter, its times do not. Not every system has the quicker call.
_to_disk = getattr(os, "fdatasync", os.fsync)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects in a file of JSON lines, none where it is missing; foreign lines are passed over."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unusable(path, error) from error
    for line in data.split(b"\n"):
        value = _parsed(line)
        if value is not None:
            yield value


class LockedLines:
    """A file of JSON lines that no other process writes to meanwhile (see :func:`locked_lines`)."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def backwards(self) -> Iterator[dict[str, Any]]:
        """The objects in the file, newest first; no more of it is read than is asked for."""
        start = os.fstat(self._descriptor).st_size
        rest = b""
        while start > 0:
            size = min(max(_BLOCK_BYTES, len(rest)), start)
            start -= size
            first, *lines = (os.pread(self._descriptor, size, start) + rest).split(b"\n")
            for line in reversed(lines):
                value = _parsed(line)
                if value is not None:
                    yield value
            rest = first
        value = _parsed(rest)
        if value is not None:
            yield value

    def append(self, values: list[Mapping[str, Any]]) -> None:
        """Append a line for each value, in one write; returns when the disk has them.

        Raises :class:`~snapshot.errors.SnapError` where the file cannot be written; it is as before then.
        """
        size = os.fstat(self._descriptor).st_size
        # What a crash tore off has no end: it must not spoil the next line.
        torn = size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n"
        text = "".join(json.dumps(value, separators=(",", ":")) + "\n" for value in values)
        data = memoryview(b"\n" * torn + text.encode("ascii"))
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
            _to_disk(self._descriptor)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._descriptor, size)
            raise _unusable(self._path, error) from error


@contextmanager
def locked_lines(path: Path) -> Iterator[LockedLines]:
    """Open a file of JSON lines, made where it is missing, and keep all other writers out.

    Raises :class:`~snapshot.errors.SnapError` where that cannot be, or the others take longer than
    :data:`LOCK_TIMEOUT_S`.
    """
    try:
        descriptor = _open_locked(path)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        yield LockedLines(path, descriptor)
    finally:
        # This gives the lock back too.
        os.close(descriptor)


def _open_locked(path: Path) -> int:
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        for folder in (path.parent.parent, path.parent):
            make_private(folder)
        with suppress(FileNotFoundError):
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600)
            try:
                _lock(path, descriptor, deadline)
                opened = os.fstat(descriptor)
                if opened.st_mode & 0o077:
                    os.fchmod(descriptor, 0o600)
                # Whoever had the lock before may have removed the file.
                if os.path.samestat(opened, path.stat()):
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)


def _lock(path: Path, descriptor: int, deadline: float) -> None:
    pause_s = 0.001
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise SnapError(
                    f"The journal {path} has been locked by another process for {LOCK_TIMEOUT_S:.0f} s.",
                    "See which snap process hangs (`ps aux | grep snap`), end it and try again.",
                ) from None
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.02)


def _parsed(line: bytes) -> dict[str, Any] | None:
    if not line.startswith(b"{"):
        return None
    try:
        value = json.loads(line.decode("ascii"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _unusable(path: Path, error: OSError) -> SnapError:
    words = f"The journal {path} cannot be used: {error.strerror or error}."
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(words, "Free some room on that disk, or set XDG_STATE_HOME to a folder elsewhere.")
    return SnapError(words, "Let this user read and write it, or set XDG_STATE_HOME to a folder elsewhere.")
