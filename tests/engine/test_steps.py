"""What snap does to a container is in the container's journal, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from typing import Any

import pytest
from processes import wait_until
from sandbox import SNAP, Sandbox

pytestmark = [
    pytest.mark.engine,
    pytest.mark.only_on(
        "docker20",
        "docker28-containerd",
        reason="files are looked at directly, or asked for, as on one of the others",
    ),
]


def steps(sandbox: Sandbox, name: str) -> list[dict[str, Any]]:
    """The steps of a container, as ``snap log`` tells them."""
    answer = json.loads(sandbox.snap("log", "--format", "json", name).stdout)
    found: list[dict[str, Any]] = answer["steps"]
    return found


def changes(step: dict[str, Any]) -> list[str]:
    """The paths that a step changed, each with its letter."""
    listed: list[str] = step["changes"].get("listed", [])
    return listed


def test_each_step_has_what_it_alone_changed(sandbox: Sandbox) -> None:
    box = sandbox.hold()
    for script in (
        "echo a > /a; echo b > /b",
        "echo more >> /a; rm /b; rm /bin/wc",
        "chmod 600 /a",
        "true",
        "mkdir -p /deep/er; echo c > /deep/er/c",
        "rm -r /deep",
    ):
        sandbox.snap("exec", box, "--", "sh", "-c", script)
    assert [changes(step) for step in steps(sandbox, box)[1:]] == [
        ["A /a", "A /b"],
        ["C /a", "D /b", "D /bin/wc"],
        ["C /a"],
        [],
        ["A /deep", "A /deep/er", "A /deep/er/c"],
        ["D /deep", "D /deep/er", "D /deep/er/c"],
    ]


def test_what_was_done_behind_snaps_back_is_a_step_that_nobody_knows(sandbox: Sandbox) -> None:
    box = sandbox.hold()
    sandbox.sh(box, "echo x > /behind")
    sandbox.snap("exec", box, "true")
    sandbox.sh(box, "rm /behind")
    told = steps(sandbox, box)
    assert [step["verb"] for step in told] == ["run", "unknown", "exec", "unknown"]
    assert (changes(told[1]), changes(told[3])) == (["A /behind"], ["D /behind"])


def test_a_container_of_the_same_name_has_a_journal_of_its_own(sandbox: Sandbox) -> None:
    box = sandbox.hold()
    sandbox.snap("exec", box, "touch", "/old")
    sandbox.client.remove_container(box, force=True)
    sandbox.hold()
    assert [step["verb"] for step in steps(sandbox, box)] == ["run"]


def test_a_command_that_snap_was_killed_in_is_told_as_interrupted(sandbox: Sandbox) -> None:
    box = sandbox.hold()
    with subprocess.Popen(
        [*SNAP, "exec", box, "sh", "-c", "touch /begun; sleep 599"],
        env=sandbox.environment(),
        stdout=subprocess.DEVNULL,
    ) as process:
        wait_until(lambda: "begun" in sandbox.sh(box, "ls /"), "the command has begun")
        process.send_signal(signal.SIGKILL)
    sandbox.snap("exec", box, "touch", "/after")
    told = steps(sandbox, box)
    killed = next(step for step in told if "sleep 599" in " ".join(step.get("argv", ())))
    assert killed["interrupted"]
    assert "exit_code" not in killed or killed["exit_code"] is None
    assert told[-1]["argv"] == ["touch", "/after"]
    assert changes(told[-1]) == ["A /after"]


def test_commands_at_the_same_time_are_all_there_and_say_that_they_overlap(sandbox: Sandbox) -> None:
    box = sandbox.hold()
    running = [
        subprocess.Popen(
            [*SNAP, "exec", box, "sh", "-c", f"touch /go{number}; while ! [ -e /end ]; do sleep 0.05; done"],
            env=sandbox.environment(),
        )
        for number in range(3)
    ]
    try:
        wait_until(lambda: sandbox.sh(box, "ls /").count("go") == 3, "all have begun")
        sandbox.sh(box, "touch /end")
        assert [process.wait(60) for process in running] == [0, 0, 0]
    finally:
        for process in running:
            process.kill()
            process.wait()
    told = [step for step in steps(sandbox, box) if step["verb"] == "exec"]
    assert len({step["number"] for step in told}) == 3
    assert all(step["overlaps"] for step in told)


def test_a_journal_that_cannot_be_written_is_said_and_stops_nothing(sandbox: Sandbox) -> None:
    box = sandbox.hold()
    state = sandbox.home / "no-folder"
    state.write_text("")
    done = sandbox.snap("exec", box, "echo", "done", env={"XDG_STATE_HOME": str(state)})
    assert done.stdout == "done\n"
    assert "the step is not in the journal" in done.stderr


def test_only_this_user_can_read_the_journal(sandbox: Sandbox) -> None:
    before = os.umask(0)
    try:
        box = sandbox.hold()
        sandbox.snap("exec", box, "touch", "/new")
    finally:
        os.umask(before)
    journals = sandbox.home / ".local" / "state" / "docker-snap" / "journals"
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in [journals, *journals.rglob("*")]}
    assert modes == {(True, 0o700), (False, 0o600)}
