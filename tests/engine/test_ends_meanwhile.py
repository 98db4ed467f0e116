"""What a container or a command comes to while snap is connected with it, or is about to be."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from processes import finished, read_until, started_snap, wait_until
from sandbox import Sandbox
from terminal import shell_at_terminal, snap_piped

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def box(space: Sandbox) -> str:
    """A container that many tests run their commands in."""
    return space.hold()


def made_elsewhere(sandbox: Sandbox, *argv: str, **host_config: Any) -> str:
    """A container of the engine's own tools that runs at once, by name."""
    name = sandbox.name()
    sandbox.client.create_container(
        sandbox.base_image,
        list(argv),
        name=name,
        stdin_open=True,
        host_config=sandbox.client.create_host_config(network_mode="none", **host_config),
    )
    sandbox.client.start(name)
    return name


def steps_of(sandbox: Sandbox, name: str) -> list[dict[str, Any]]:
    """The container's steps, oldest first."""
    found: list[dict[str, Any]] = json.loads(sandbox.snap("log", "--format", "json", name).stdout)["steps"]
    return found


# --- ends that nobody can ask about afterwards ---


def test_a_container_that_goes_when_it_ends_still_tells_how_it_ended(sandbox: Sandbox) -> None:
    name = made_elsewhere(sandbox, "sh", "-c", "read line; exit 7", auto_remove=True)
    status, _, stderr = snap_piped(sandbox, b"go\n", "attach", name)
    # Podman looks a few times a second, and sometimes the container is gone before it does.
    assert status == 7 or (sandbox.is_podman and b"was removed meanwhile" in stderr), stderr


def test_a_container_that_is_started_again_by_the_engine_still_tells_how_it_ended(sandbox: Sandbox) -> None:
    name = made_elsewhere(sandbox, "sh", "-c", "read line; exit 7", restart_policy={"Name": "always"})
    status, _, stderr = snap_piped(sandbox, b"go\n", "attach", name)
    assert status == 7, stderr


@pytest.mark.only_on(
    "docker20", "docker28", "docker28-containerd", reason="Podman takes 10 s to remove what heeds no signal"
)
@pytest.mark.parametrize("verb", ["run", "exec"])
def test_a_container_that_is_removed_under_a_command_is_said_so(sandbox: Sandbox, verb: str) -> None:
    name = sandbox.name()
    command = ["sh", "-c", "echo begun; sleep 600"]
    if verb == "exec":
        sandbox.hold()
        words = ["exec", name, *command]
    else:
        words = ["run", "--network", "none", "--name", name, sandbox.base_image, *command]
    with started_snap(sandbox, *words) as process:
        read_until(process.stdout, b"begun")
        sandbox.client.remove_container(name, force=True)
        status, _, stderr = finished(process)
    # Where the engine still knows, the status is that of a process that was killed.
    assert status in {125, 137}
    assert "Traceback" not in stderr
    if status == 125:
        assert stderr == (
            f"snap: The container '{name}' was removed meanwhile, and nobody knows how its command ended.\n"
        )


# --- signals ---


def test_a_second_ctrl_c_does_not_wait_for_a_command_that_heeds_none(sandbox: Sandbox) -> None:
    name = sandbox.name()
    script = "trap '' INT; echo begun; while :; do sleep 1; done"
    words = ["run", "--network", "none", "--name", name, sandbox.base_image, "sh", "-c", script]
    with started_snap(sandbox, *words) as process:
        read_until(process.stdout, b"begun")
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        status, _, stderr = finished(process)
    assert status == 130
    assert "was ended, the container is kept" in stderr
    assert sandbox.state(name) == "exited"
    assert steps_of(sandbox, name)[0]["exit_code"] == 137


def test_a_terminal_that_hangs_up_ends_the_command_of_run_and_its_step(sandbox: Sandbox) -> None:
    name = sandbox.name()
    with shell_at_terminal(sandbox, name) as terminal:
        terminal.hangs_up()
        wait_until(lambda: sandbox.state(name) == "exited", "the command has ended")
        wait_until(lambda: not is_alive(terminal.pid), "snap has ended")
    (step,) = steps_of(sandbox, name)
    assert not step.get("interrupted")
    assert step["exit_code"] is not None


def is_alive(pid: int) -> bool:
    """Whether a child of this process still runs."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


# --- what snap cannot do well ---


def test_a_recording_that_cannot_be_written_does_not_stop_the_command(space: Sandbox, box: str) -> None:
    # Who may write is asked before; of this folder that is not the truth.
    done = space.snap("exec", "--record", "/proc/x.cast", box, "sh", "-c", "echo went on; exit 3", expect=3)
    assert done.stdout == "went on\n"
    assert done.stderr.startswith("snap: A recording cannot be written to '/proc/x.cast'")


def test_attach_without_keys_for_the_terminal_says_what_to_do_and_is_no_step(sandbox: Sandbox) -> None:
    name = sandbox.name()
    sandbox.snap("run", "-dit", "-q", "--network", "none", "--name", name, sandbox.base_image, "sh")
    status, _, stderr = snap_piped(sandbox, b"", "attach", name)
    assert status == 2
    assert b"--no-stdin" in stderr
    assert [step["verb"] for step in steps_of(sandbox, name)] == ["run"]


@pytest.mark.parametrize(
    ("stem", "command", "status"),
    [
        ("nobody", ["true"], 125),
        ("ended", ["true"], 1),
        ("box", ["no-such-program"], 127),
        ("box", ["/etc"], 126),
        ("box", ["sh", "-c", "echo out; echo err >&2; exit 9"], 9),
    ],
)
def test_exec_says_the_same_with_and_without_options(
    space: Sandbox, box: str, stem: str, command: list[str], status: int
) -> None:
    name = box if stem == "box" else space.name(stem)
    if stem == "ended":
        space.snap("run", "--replace", "-q", "--network", "none", "--name", name, space.base_image, "true")
    plain = space.snap("exec", name, *command, expect=status)
    with_options = space.snap("exec", "-q", name, *command, expect=status)
    if not (space.is_podman and status in {126, 127}):
        # Podman has several errors then, and gives one or the other.
        assert plain.stdout == with_options.stdout
        assert plain.stderr == with_options.stderr
