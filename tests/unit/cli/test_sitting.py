"""The terminal lent to a process and taken back, on real pseudo-terminals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

PATIENCE_S = 60.0
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
PROGRAM = """
import os, select, signal, sys
from snapshot.cli.sitting import need_terminal, sitting
from snapshot.errors import SnapError

def kill(number):
    os.kill(os.getpid(), number)
    signal.pause()

"""


def script(body: str) -> list[str]:
    """The arguments of a Python that runs ``body`` with ``sitting`` at hand."""
    return ["-c", PROGRAM + body]


@contextmanager
def terminal(program: str, *arguments: str) -> Iterator[pexpect.spawn[bytes]]:
    """A program on a terminal of its own."""
    # Whoever runs the tests may have some signals ignored, and a new process inherits that.
    words = ["--default-signal", program, *arguments]
    child: pexpect.spawn[bytes] = pexpect.spawn(
        "/usr/bin/env", words, env=ENVIRONMENT, timeout=PATIENCE_S, dimensions=(24, 80), echo=True
    )
    child.delaybeforesend = None
    try:
        yield child
    finally:
        child.close(force=True)


def attributes(child: pexpect.spawn[bytes]) -> list[object]:
    return list(termios.tcgetattr(child.fileno()))


def is_raw(child: pexpect.spawn[bytes]) -> bool:
    iflag, oflag, _, lflag, *_ = termios.tcgetattr(child.fileno())
    cooked = (
        lflag & (termios.ICANON | termios.ECHO | termios.ISIG),
        iflag & termios.ICRNL,
        oflag & termios.OPOST,
    )
    return not any(cooked)


@pytest.mark.parametrize(
    "end",
    [
        "pass",
        "raise RuntimeError",
        "sys.exit(3)",
        "kill(signal.SIGINT)",
        "kill(signal.SIGTERM)",
        "kill(signal.SIGHUP)",
        "kill(signal.SIGQUIT)",
        "os.system('for i in 1 2 3 4 5 6 7 8 9; do kill -TERM $PPID; done &'); time.sleep(30)",
    ],
)
def test_the_terminal_is_raw_meanwhile_and_afterwards_as_it_was(end: str) -> None:
    body = (
        "sys.stdin.readline()\n"
        "with sitting(tty=True, stdin=True) as streams:\n"
        "    os.write(1, b'it is raw')\n"
        "    os.read(0, 1)\n"
        f"    {end}\n"
    )
    with terminal(sys.executable, *script(body)) as child:
        before = attributes(child)
        child.send(b"begin\n")
        child.expect_exact(b"it is raw")
        raw = is_raw(child)
        child.send(b"x")
        child.expect(pexpect.EOF)

        assert raw
        assert attributes(child) == before


def test_a_request_to_end_is_told_after_the_terminal_is_back() -> None:
    body = (
        "from snapshot.errors import Terminated\n"
        "try:\n"
        "    with sitting(tty=True, stdin=True):\n"
        "        kill(signal.SIGHUP)\n"
        "except Terminated:\n"
        "    print('a\\nb')\n"
    )
    with terminal(sys.executable, *script(body)) as child:
        child.expect_exact(b"a\r\nb\r\n")


def test_a_signal_that_is_ignored_stays_so() -> None:
    body = (
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "with sitting(tty=True, stdin=True):\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "print('went on', signal.getsignal(signal.SIGHUP).name)\n"
    )
    with terminal(sys.executable, *script(body)) as child:
        child.expect_exact(b"went on SIG_IGN")


def test_handlers_are_as_before_afterwards() -> None:
    body = (
        "numbers = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}\n"
        "before = [signal.getsignal(number) for number in numbers]\n"
        "with sitting(tty=True, stdin=True):\n    pass\n"
        "print('same' if before == [signal.getsignal(number) for number in numbers] else 'others')\n"
    )
    with terminal(sys.executable, *script(body)) as child:
        assert child.expect_exact([b"same", b"others"]) == 0


def test_what_is_typed_ahead_is_not_lost_and_each_key_comes_as_it_is() -> None:
    body = (
        "print('ready', flush=True)\n"
        "select.select([0], [], [])\n"
        "with sitting(tty=True, stdin=True) as streams:\n"
        "    ahead = os.read(streams.stdin, 10)\n"
        "    os.write(1, b'raw')\n"
        "    keys = b''\n"
        "    while len(keys) < 6: keys += os.read(streams.stdin, 10)\n"
        "print(ahead, keys)\n"
    )
    with terminal(sys.executable, *script(body)) as child:
        child.expect_exact(b"ready")
        child.send(b"ahead\n")
        child.expect_exact(b"raw")
        # Ctrl-C, Ctrl-Z, Ctrl-\, Ctrl-D, a byte that is no UTF-8, and a carriage return.
        child.send(b"\x03\x1a\x1c\x04\xff\r")
        child.expect_exact(rb"b'ahead\n' b'\x03\x1a\x1c\x04\xff\r'")


def test_stopped_from_outside_it_leaves_the_terminal_and_takes_it_again() -> None:
    body = (
        "with sitting(tty=True, stdin=True) as streams:\n"
        "    os.write(1, b'pid %d.' % os.getpid())\n"
        "    while (key := os.read(0, 1)) != b'q': os.write(1, b'<' + key + b'>')\n"
    )
    shell = 'set -m; "$0" "$@"; echo stopped; read line; fg >/dev/null; echo ended'
    with terminal("/bin/sh", "-c", shell, sys.executable, *script(body)) as child:
        before = attributes(child)
        child.expect_exact(b"pid ")
        child.expect_exact(b".")
        assert child.before
        os.kill(int(child.before), signal.SIGTSTP)
        child.expect_exact(b"stopped\r\n")
        while_stopped = attributes(child)
        child.send(b"go\n")
        child.expect_exact(b"go\r\n")
        wait_for_raw(child)
        child.send(b"\x03")
        child.expect_exact(b"<\x03>")
        child.send(b"q")
        child.expect_exact(b"ended\r\n")

        assert while_stopped == before
        assert attributes(child) == before


def wait_for_raw(child: pexpect.spawn[bytes]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_raw(child):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_window_that_changes_wakes_and_its_size_is_known() -> None:
    body = (
        "with sitting(tty=True, stdin=True) as streams:\n"
        "    os.write(1, b'first %d %d.' % streams.window())\n"
        "    select.select([streams.wake], [], [])\n"
        "    os.write(1, b'then %d %d.' % streams.window())\n"
    )
    with terminal(sys.executable, *script(body)) as child:
        child.expect_exact(b"first 80 24.")
        child.setwinsize(40, 132)
        child.expect_exact(b"then 132 40.")


@pytest.mark.parametrize(("tty", "stdin"), [(True, False), (False, True), (False, False)])
def test_without_a_terminal_for_its_keys_the_terminal_is_left_alone(tty: bool, stdin: bool) -> None:
    body = (
        f"with sitting(tty={tty}, stdin={stdin}) as streams:\n"
        "    os.write(1, b'within')\n"
        "    sys.stdin.readline()\n"
    )
    with terminal(sys.executable, *script(body)) as child:
        child.expect_exact(b"within")
        assert not is_raw(child)
        child.send(b"\n")
        child.expect(pexpect.EOF)


def run(body: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[bytes]:
    """Run a script without a terminal."""
    return subprocess.run(
        [sys.executable, *script(body)],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
        timeout=PATIENCE_S,
    )


def test_keys_are_refused_where_there_is_no_terminal() -> None:
    body = (
        "for ask in need_terminal, lambda **asked: sitting(**asked).__enter__():\n"
        "    try:\n        ask(tty=True, stdin=True)\n"
        "    except SnapError as error:\n        print(error.exit_code, error.hint)\n"
    )
    done = run(body)
    assert done.stdout.decode() == "2 Leave out -t where the input is a pipe or a file.\n" * 2, done.stderr


def test_a_terminal_without_keys_needs_none_here() -> None:
    done = run(
        "need_terminal(tty=True, stdin=False)\n"
        "with sitting(tty=True, stdin=False) as streams:\n    print(streams.window(), streams.stdin)\n"
    )
    assert done.stdout == b"None None\n", done.stderr


def test_output_goes_to_its_stream_after_what_was_printed_before() -> None:
    done = run(
        "print('before')\n"
        "with sitting(tty=False, stdin=False) as streams:\n"
        "    streams.output(b'out \\xff\\n', None)\n    streams.output(None, b'err \\xff')\n"
        "print('after')\n"
    )
    assert (done.stdout, done.stderr) == (b"before\nout \xff\nafter\n", b"err \xff")


def test_output_that_nobody_reads_any_more_is_said() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run(
            "from snapshot.errors import OutputClosed\n"
            "with sitting(tty=False, stdin=False) as streams:\n"
            "    try: streams.output(b'lost', None)\n"
            "    except OutputClosed: sys.stderr.write('closed')\n",
            stdout=writer,
        )
    finally:
        os.close(writer)
    assert done.stderr == b"closed"


def test_output_to_a_pipe_that_does_not_wait_is_whole() -> None:
    done = run(
        "os.set_blocking(1, False)\n"
        "with sitting(tty=False, stdin=False) as streams:\n    streams.output(b'x' * 3000000, None)\n"
    )
    assert done.stdout == b"x" * 3000000, done.stderr
