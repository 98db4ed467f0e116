"""The scripts, run as a person runs them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from sandbox import Sandbox

ROOT = Path(__file__).parents[2]


def run(
    *command: str, env: Mapping[str, str] | None = None, expect: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run a script from another folder, and see that it ends with ``expect``."""
    done = subprocess.run(
        [str(ROOT / command[0]), *command[1:]],
        cwd="/",
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done


@pytest.mark.parametrize("script", ["scripts/lab", "scripts/engine", "scripts/test", "scripts/bench"])
def test_every_script_says_what_it_does(script: str) -> None:
    assert f"sage: {script}" in run(script, "--help").stdout


@pytest.mark.engine
def test_the_lab_runs_twice_and_leaves_nothing(sandbox: Sandbox) -> None:
    before = sandbox.client.containers(all=True)
    for name in ("Elton", "Carla 'C' $HOME"):
        done = run("scripts/lab", "--name", name, env={"DOCKER_HOST": sandbox.host})
        assert done.stdout.splitlines()[-1] == f"Lab solution, by: {name}"
    assert sandbox.client.containers(all=True) == before
    assert sandbox.new_images() == set()


@pytest.mark.engine
def test_the_lab_fails_where_a_step_fails(tmp_path: Path) -> None:
    env = {"DOCKER_HOST": f"unix://{tmp_path}/nothing"}
    assert "Lab solution" not in run("scripts/lab", env=env, expect=5).stdout


@pytest.mark.engine
@pytest.mark.skipif(os.geteuid() != 0, reason="a private engine needs root")
def test_a_private_engine_goes_up_once_and_leaves_nothing_behind(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    # Sockets have short paths.
    home = Path("/tmp") / tmp_path_factory.mktemp("e").name / "x"
    env = {"SNAP_ENGINES": str(home)}
    try:
        assert "down" in run("scripts/engine", "status", "one", env=env, expect=3).stdout
        url = run("scripts/engine", "up", "one", env=env).stdout
        assert url == f"unix://{home}/one/docker.sock\n"
        pid = (home / "one" / "pid").read_text()
        assert run("scripts/engine", "up", "one", env=env).stdout == url
        assert (home / "one" / "pid").read_text() == pid
        assert "up, Docker" in run("scripts/engine", "status", "one", env=env).stdout
        assert run("scripts/engine", "env", "one", env=env).stdout == f"export DOCKER_HOST={url}"
    finally:
        run("scripts/engine", "down", "one", env=env)
    assert not home.exists()
    command_line = Path(f"/proc/{pid.strip()}/cmdline")
    # A machine without an init keeps what has ended as a zombie, which has no command line.
    assert not command_line.exists() or not command_line.read_bytes()
