"""How the program begins and ends, whatever its streams are."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from snapshot.cli.leaving import report
from snapshot.errors import EngineUnreachable

PATIENCE_S = 60.0
# What is printed is to wait in a buffer, as it does for users.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONUNBUFFERED": ""}
BEGINNING = "import os, signal, sys\nfrom snapshot.cli.leaving import leave, prepare, report\nprepare()\n"


def run(body: str, redirection: str = "") -> subprocess.CompletedProcess[bytes]:
    """A prepared program, started by a shell with that redirection."""
    # Whoever runs the tests may have some signals ignored, and a new process inherits that.
    return subprocess.run(
        [
            "/usr/bin/env",
            "--default-signal",
            "/bin/sh",
            "-c",
            f'exec "$0" "$@" {redirection}',
            sys.executable,
            "-c",
            BEGINNING + body,
        ],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=PATIENCE_S,
    )


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_leads_nowhere(redirection: str, tmp_path: Path) -> None:
    body = (
        f"other = os.open({str(tmp_path / 'file')!r}, os.O_RDWR | os.O_CREAT)\n"
        "print('out', flush=True)\n"
        "os.write(1, b'out')\n"
        "os.write(2, b'err')\n"
        "print('err', file=sys.stderr, flush=True)\n"
        "assert os.read(0, 10) == b'' and sys.stdin.read() == ''\n"
        "leave(report(ValueError('wrong'), debug=False) + (10 if other > 2 else 0))\n"
    )
    done = run(body, redirection)
    assert done.returncode == 11, done.stderr
    assert done.stdout == (b"" if redirection.startswith(">") or " >" in redirection else b"out\nout")
    assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.parametrize("end", ["leave(status)", "sys.exit(status)"])
@pytest.mark.parametrize("redirection", ["2>/dev/full", ">/dev/full", ">/dev/full 2>&1"])
def test_an_error_that_nobody_can_read_has_its_status_all_the_same(redirection: str, end: str) -> None:
    body = (
        "from snapshot.errors import EngineUnreachable\n"
        "print('what is left')\n"
        f"status = report(EngineUnreachable('gone'), debug=False)\n{end}\n"
    )
    assert run(body, redirection).returncode == 5


def test_an_error_at_a_terminal_that_is_gone_has_its_status_all_the_same() -> None:
    body = (
        "from snapshot.errors import EngineUnreachable\n"
        "sys.stdin.readline()\n"
        "sys.exit(report(EngineUnreachable('gone'), debug=False))\n"
    )
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", BEGINNING + body], env=ENVIRONMENT, stdin=theirs, stdout=theirs, stderr=theirs
    ) as program:
        os.close(theirs)
        os.close(ours)
        assert program.wait(PATIENCE_S) == 5


@pytest.mark.parametrize(
    ("number", "status", "words"),
    [
        (signal.SIGINT, 130, b"Stopped by Ctrl-C."),
        (signal.SIGTERM, 143, b"Stopped by a request to terminate."),
        (signal.SIGHUP, 129, b"Stopped: the terminal is gone."),
    ],
)
def test_a_signal_leaves_as_a_sentence_and_its_status(number: int, status: int, words: bytes) -> None:
    body = (
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"try:\n    os.kill(os.getpid(), {number})\n    signal.pause()\n"
        "except KeyboardInterrupt as error:\n    leave(report(error, debug=False))\n"
    )
    done = run(body)
    assert (done.returncode, done.stderr) == (status, b"snap: " + words + b"\n")


def test_a_hang_up_that_is_ignored_stays_so() -> None:
    body = "os.kill(os.getpid(), signal.SIGHUP)\nprint('went on', flush=True)\nleave(0)\n"
    done = run(f"signal.signal(signal.SIGHUP, signal.SIG_IGN)\nprepare()\n{body}")
    assert done.stdout == b"went on\n"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_something_is_cleared_away_is_not_lost(number: int, status: int) -> None:
    body = (
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Cleared:\n"
        "    def __del__(self):\n"
        f"        os.kill(os.getpid(), {number})\n"
        "        for _ in range(1000):\n            pass\n"
        "try:\n    cleared = Cleared()\n    del cleared\n    signal.pause()\n"
        "except KeyboardInterrupt as error:\n    leave(report(error, debug=False))\n"
    )
    assert run(body).returncode == status


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_the_program_is_loaded_leaves_as_a_sentence_too(number: int, status: int) -> None:
    # What is loaded next sends it: nothing of it has begun then.
    body = (
        "import importlib.abc\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Finder(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name == 'click': os.kill(os.getpid(), {number})\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from snapshot.cli import snap\n"
        "sys.argv = ['snap', 'ps']\n"
        "snap()\n"
    )
    done = run(body)
    assert done.returncode == status
    assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize(
    ("words", "is_traced"),
    [(["--debug", "exec", "-q", "web", "prog"], True), (["exec", "-q", "web", "prog", "--debug"], False)],
)
def test_debug_is_an_option_of_snap_and_not_of_the_command(
    tmp_path: Path, words: list[str], is_traced: bool
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "snapshot", *words],
        env={**ENVIRONMENT, "DOCKER_HOST": f"unix://{tmp_path}/nobody"},
        capture_output=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 5
    assert (b"Traceback" in done.stderr) is is_traced


def test_a_traceback_shows_what_a_stranger_wrote_legible(capsys: pytest.CaptureFixture[str]) -> None:
    report(EngineUnreachable("\x1b]0;mine\x07"), debug=True)
    told = capsys.readouterr().err
    assert "EngineUnreachable" in told
    assert not {"\x1b", "\x07"} & set(told)
