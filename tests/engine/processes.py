"""snap as a process of its own, for what a finished command cannot show: streams, signals, closed pipes."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

import pytest
from sandbox import SNAP, Sandbox

#: Longer than anything here takes; what takes longer hangs.
PATIENCE_S = 120.0


@contextmanager
def started_snap(
    sandbox: Sandbox,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    through: Sequence[str] = (),
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> Iterator[subprocess.Popen[bytes]]:
    """A snap command that goes on; it is ended with the block, if it has not ended by then.

    ``through`` is a program, with its arguments, that starts the command.
    """
    process = subprocess.Popen(
        [*through, *SNAP, *arguments],
        env=sandbox.environment(env),
        cwd=sandbox.home,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def finished(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    """Wait for the end; returns the status and what is left of stdout and stderr."""
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    return process.returncode, _text(stdout), _text(stderr)


def snap_in_bytes(sandbox: Sandbox, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run a snap command, with its output as it is."""
    with started_snap(sandbox, *arguments) as process:
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def read_until(stream: IO[bytes] | None, sign: bytes) -> bytes:
    """Read until ``sign`` has come, and return all that came; fails when it does not come."""
    assert stream is not None
    seen = b""
    end = time.monotonic() + PATIENCE_S
    while sign not in seen:
        ready, _, _ = select.select([stream], [], [], max(0.0, end - time.monotonic()))
        piece = os.read(stream.fileno(), 65536) if ready else b""
        if not piece:
            pytest.fail(f"{sign!r} did not come, but {seen!r}")
        seen += piece
    return seen


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so; fails when it takes too long."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"it did not come to this: {what}")
        time.sleep(0.05)


def _text(piece: bytes | None) -> str:
    return (piece or b"").decode("utf-8", "replace")
