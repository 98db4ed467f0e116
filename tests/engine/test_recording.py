"""Sessions that are recorded while they go on, at real terminals."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from sandbox import Sandbox
from terminal import CTRL_P, CTRL_Q, SHELL, shell_at_terminal, snap_at_terminal

pytestmark = [
    pytest.mark.engine,
    pytest.mark.only_on("docker20", "podman", reason="what happens on this side is the same for each kind"),
]


@pytest.fixture(scope="module")
def box(space: Sandbox) -> str:
    """A container that the tests run their commands in."""
    return space.hold()


def read(path: Path) -> tuple[dict[str, Any], list[list[Any]]]:
    """The header and the events of a recording."""
    header, *events = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return header, events


def test_a_session_is_recorded_with_its_sizes_and_without_what_is_not_shown(sandbox: Sandbox) -> None:
    name, cast = sandbox.name(), sandbox.home / "session.cast"
    with snap_at_terminal(
        sandbox,
        *("run", "-it", f"--record={cast}", "-e", "TOKEN=hush-hush", "--network", "none", "--name", name),
        *(sandbox.base_image, "sh", "-c", "sh; : --password=hunter2"),
    ) as terminal:
        terminal.sees(SHELL)
        terminal.answers("echo caf\u00e9", "caf\u00e9\r\n")
        terminal.resize(100, 30)
        terminal.answers("stty size", "30 100")
        terminal.types_line("stty -echo; read secret; stty echo")
        terminal.types_line("typed-in-secret")
        terminal.sees(SHELL)
        terminal.types_line("exit")
        status, said = terminal.ends()
    assert status == 0
    assert f"recorded: {cast}" in said
    header, events = read(cast)
    assert (header["version"], header["width"], header["height"]) == (2, 80, 24)
    assert [100, 30] in [list(map(int, text.split("x"))) for _, code, text in events if code == "r"]
    times = [time_s for time_s, _, _ in events]
    assert times == sorted(times)
    assert times[-1] > 0
    shown = "".join(text for _, code, text in events if code == "o")
    assert "caf\u00e9" in shown
    assert "typed-in-secret" not in cast.read_text()
    assert "hush-hush" not in cast.read_text()
    assert "hunter2" not in cast.read_text()
    assert stat.S_IMODE(cast.stat().st_mode) == 0o600


def test_a_command_that_is_recorded_can_be_read_and_played(space: Sandbox, box: str) -> None:
    script = "echo first; sleep 0.3; echo second >&2"
    said = space.snap("exec", "--record", box, "--", "sh", "-c", script).stderr
    steps = json.loads(space.snap("log", "--format", "json", box).stdout)
    number = str(steps["steps"][-1]["number"])
    assert f"recorded: snap log {box} --session {number}" in said
    assert space.snap("log", box, "--session", number, "--text").stdout == "first\nsecond\n"
    played = space.snap("log", box, "--session", number, "--play", "--speed", "10")
    assert played.stdout.split() == ["first", "second"]


def test_a_session_that_was_attached_to_is_recorded(sandbox: Sandbox) -> None:
    name = sandbox.name()
    with shell_at_terminal(sandbox, name) as terminal:
        terminal.types(CTRL_P + CTRL_Q)
        assert terminal.ends()[0] == 0
    with snap_at_terminal(sandbox, "attach", "--record", name) as terminal:
        terminal.waits_for_keys()
        terminal.answers("echo at''tached", "attached\r\n")
        terminal.types_line("exit")
        assert terminal.ends()[0] == 0
    assert "attached" in sandbox.snap("log", name, "--session", "2", "--text").stdout.splitlines()


def test_a_file_that_is_there_is_not_written_over_and_nothing_is_run(space: Sandbox, box: str) -> None:
    cast = space.home / "there.cast"
    cast.write_text("mine")
    done = space.snap("exec", "--record", str(cast), box, "touch", "/ran", expect=2)
    assert "is there already" in done.stderr
    assert cast.read_text() == "mine"
    assert "ran" not in space.sh(box, "ls /")
