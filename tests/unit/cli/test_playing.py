from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from snapshot.cli.playing import play_session, print_session, print_session_text
from snapshot.journal.asciicast import Recording, recording_from_bytes


def recording(*lines: str) -> Recording:
    header = (
        '{"version": 2, "width": 80, "height": 24, "timestamp": 1700000000, "title": "snap\\u001b[2J run"}'
    )
    return recording_from_bytes("\n".join([header, *lines]).encode(), "it")


def test_the_facts_of_a_session_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_session(recording('[1.25, "o", "hi"]'), 3, "/tmp/3.cast", "table")
    rows = dict(re.split(" {2,}", line) for line in capsys.readouterr().out.splitlines())
    assert rows == {
        "session": "of step 3",
        "title": "snap\\x1b[2J run",
        "command": "none",
        "started": "2023-11-14T22:13:20Z",
        "duration": "1.2 s",
        "window": "80 x 24",
        "output": "2 characters in 1 piece",
        "kept in": "/tmp/3.cast",
    }


def test_the_facts_of_a_session_are_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_session(recording('[1.25, "o", "hi"]'), 3, "/tmp/3.cast", "json")
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "docker-snap.session/1"
    assert (document["step"], document["duration_s"], document["command"]) == (3, 1.25, None)


def test_the_text_of_a_session_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_session_text(recording('[0, "o", "\\u001b[31mhellp\\b \\bo\\r\\n"]'))
    assert capsys.readouterr().out == "hello\n"


def test_a_session_is_played_as_it_was_printed(capsys: pytest.CaptureFixture[str]) -> None:
    play_session(recording('[0, "o", "a\\r"]', '[9, "o", "b\\n"]'), idle_limit_s=0)
    assert capsys.readouterr().out == "a\rb\n"


def test_the_terminal_is_as_it_was_after_playing_and_keeps_no_keys(tmp_path: Path) -> None:
    (tmp_path / "1.cast").write_text(
        '{"version": 2, "width": 80, "height": 24}\n[0, "o", "go"]\n[1.0, "o", "shown"]\n'
    )
    program = (
        "import select, sys; from pathlib import Path\n"
        "from snapshot.cli.playing import play_session\n"
        "from snapshot.journal.asciicast import read_recording\n"
        "sys.stdin.readline()\n"
        "play_session(read_recording(Path(sys.argv[1])))\n"
        "print('left', len(select.select([0], [], [], 0)[0]))\n"
    )
    here, there = pty.openpty()
    before = termios.tcgetattr(there)
    done = subprocess.Popen(
        [sys.executable, "-c", program, tmp_path / "1.cast"], stdin=there, stdout=there, stderr=there
    )
    try:
        output = b""
        os.write(here, b"\n")
        while b"go" not in output:
            output += os.read(here, 4096)
        # As if a terminal answered a question of the recording.
        os.write(here, b"\x1b[1;1R")
        while b"left" not in output or not output.endswith(b"\n"):
            output += os.read(here, 4096)
        assert done.wait(20) == 0
        assert b"shown" in output
        assert b"left 0" in output
        assert b"1R" not in output
        assert termios.tcgetattr(there) == before
    finally:
        done.kill()
        done.wait()
        os.close(here)
        os.close(there)
