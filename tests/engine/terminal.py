"""snap at a terminal of its own, typed at key by key."""

from __future__ import annotations

import os
import select
import subprocess
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pexpect
import pytest
from processes import wait_until
from sandbox import SNAP, Sandbox

#: Longer than anything here takes, also on a busy machine.
PATIENCE_S = 120.0
SHELL = "# "  #: the end of the shell's prompt in the test images
CTRL_C, CTRL_D, CTRL_P, CTRL_Q, CTRL_Z, ESCAPE = "\x03", "\x04", "\x10", "\x11", "\x1a", "\x1b"
#: The attributes of a terminal, as termios(3) has them.
Attributes = list[int | list[bytes | int]]


class Terminal:
    """A program on a pseudo-terminal, and the keys and the screen of that.

    Attributes
    ----------
    before:
        The terminal's attributes before the program could change them.
    """

    def __init__(self, child: pexpect.spawn[bytes]) -> None:
        self._child = child
        self.before = self.attributes()

    @property
    def pid(self) -> int:
        """The program's process."""
        assert self._child.pid is not None
        return self._child.pid

    def types(self, keys: str | bytes) -> None:
        """Type keys; all of them, also where the terminal takes a few at a time."""
        rest = memoryview(keys if isinstance(keys, bytes) else keys.encode())
        terminal = self._child.fileno()
        os.set_blocking(terminal, False)
        try:
            while rest:
                if not select.select([], [terminal], [], PATIENCE_S)[1]:
                    pytest.fail(f"the last {len(rest)} keys were not taken")
                with suppress(BlockingIOError):
                    rest = rest[os.write(terminal, rest) :]
        finally:
            os.set_blocking(terminal, True)

    def types_line(self, text: str) -> None:
        """Type text and the return key."""
        self.types(f"{text}\r")

    def sees(self, *texts: str | bytes) -> bytes:
        """Wait until the texts have come, one after the other; returns what came before the last."""
        shown = b""
        for text in texts:
            wanted = text if isinstance(text, bytes) else text.encode()
            try:
                self._child.expect_exact(wanted, timeout=PATIENCE_S)
            except (pexpect.TIMEOUT, pexpect.EOF) as error:
                pytest.fail(f"{wanted!r} did not come, but {self._child.before!r} ({type(error).__name__})")
            shown = self._child.before or b""
        return shown

    def answers(self, line: str, *texts: str) -> None:
        """Type a line at the shell's prompt, and wait for what it prints and the next prompt."""
        self.types_line(line)
        self.sees(*texts, SHELL)

    def ends(self) -> tuple[int, str]:
        """Wait for the program's end; returns its exit status and what else it printed."""
        try:
            self._child.expect(pexpect.EOF, timeout=PATIENCE_S)
        except pexpect.TIMEOUT:
            pytest.fail(f"it did not end, but printed {self._child.before!r}")
        rest = (self._child.before or b"").decode("utf-8", "replace")
        self._child.wait()
        status: int | None = self._child.exitstatus
        assert status is not None, f"ended by signal {self._child.signalstatus}"
        return status, rest.replace("\r\n", "\n")

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal's window another size."""
        self._child.setwinsize(rows, columns)

    def hangs_up(self) -> None:
        """Take the terminal away, as where its window is closed or its line breaks."""
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, self._child.fileno())
        os.close(null)

    def attributes(self) -> Attributes:
        """How the terminal is set now."""
        return list(termios.tcgetattr(self._child.fileno()))

    def waits_for_keys(self) -> None:
        """Wait until the terminal is raw: keys mean nothing to it any more."""
        wait_until(self._is_raw, "the terminal is raw")

    def _is_raw(self) -> bool:
        local_modes = self.attributes()[3]
        assert isinstance(local_modes, int)
        return not local_modes & (termios.ICANON | termios.ISIG)


@contextmanager
def snap_at_terminal(
    sandbox: Sandbox,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stderr: Path | None = None,
    size: tuple[int, int] = (80, 24),
) -> Iterator[Terminal]:
    """A snap command on a terminal; it is killed with the block, if it has not ended by then.

    Parameters
    ----------
    stderr:
        A file for its messages, where they are not to be on the terminal.
    size:
        Columns and rows of the window.
    """
    # Whoever runs the tests may have some signals ignored, and a new process inherits that.
    words = ["/usr/bin/env", "--default-signal", *SNAP, *arguments]
    if stderr:
        words = ["/bin/sh", "-c", 'exec 2>"$0"; exec "$@"', str(stderr), *words]
    columns, rows = size
    child: pexpect.spawn[bytes] = pexpect.spawn(
        words[0],
        words[1:],
        cwd=os.fspath(sandbox.home),
        env=sandbox.environment(env),
        dimensions=(rows, columns),
        echo=True,
    )
    try:
        yield Terminal(child)
    finally:
        child.close(force=True)


@contextmanager
def shell_at_terminal(
    sandbox: Sandbox,
    name: str,
    *options: str,
    image: str | None = None,
    stderr: Path | None = None,
    size: tuple[int, int] = (80, 24),
) -> Iterator[Terminal]:
    """``snap run -it`` at the prompt of the image's shell, in a new container of that name."""
    words = ["run", "-it", *options, "--network", "none", "--name", name, image or sandbox.base_image]
    with snap_at_terminal(sandbox, *words, stderr=stderr, size=size) as terminal:
        terminal.sees(SHELL)
        yield terminal


def snap_piped(sandbox: Sandbox, content: bytes, *arguments: str) -> tuple[int, bytes, bytes]:
    """Run a snap command with that input, which ends; its status and what it printed."""
    done = subprocess.run(
        [*SNAP, *arguments],
        env=sandbox.environment(),
        cwd=sandbox.home,
        input=content,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr
