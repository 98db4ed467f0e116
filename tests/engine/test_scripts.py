"""The scripts, run as a person runs them."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
import lookalike
import pytest
from processes import wait_until
from sandbox import Sandbox

ROOT = Path(__file__).parents[2]

KINDS = ("docker20", "docker28", "docker28-containerd", "podman")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a private engine needs root")


def run(
    *command: str, env: Mapping[str, str] | None = None, expect: int | None = 0
) -> subprocess.CompletedProcess[str]:
    """Run a script from another folder, and see that it ends with ``expect`` (``None`` takes any)."""
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
    assert expect in (None, done.returncode), done.stdout + done.stderr
    return done


@dataclass(frozen=True)
class Started:
    """A container, and its process on this machine."""

    id: str
    pid: int


def started_container(client: docker.APIClient, image: str) -> Started:
    """Start one that does not end."""
    host_config = client.create_host_config(network_mode="none")
    name = client.create_container(image, ["sleep", "600"], host_config=host_config, stop_signal="SIGKILL")[
        "Id"
    ]
    client.start(name)
    return Started(name, client.inspect_container(name)["State"]["Pid"])


def runs(pid: int | str) -> bool:
    """Tell whether there is such a process."""
    # A machine without an init keeps what has ended as a zombie, which has no command line.
    try:
        return bool(Path(f"/proc/{str(pid).strip()}/cmdline").read_bytes())
    except OSError:
        return False


def api(url: str) -> closing[docker.APIClient]:
    """The engine's API."""
    return closing(docker.APIClient(url, version="auto", timeout=60))


@contextmanager
def private_engine(engines: Path, kind: str, name: str) -> Iterator[str]:
    """An engine of scripts/engine, by URL; skips the test where that kind cannot be had."""
    env = {"SNAP_ENGINES": str(engines)}
    try:
        up = run("scripts/engine", "up", kind, name, env=env, expect=None)
        if up.returncode == 4:
            pytest.skip(up.stderr.splitlines()[-1])
        assert up.returncode == 0, up.stderr
        yield up.stdout.strip()
    finally:
        run("scripts/engine", "down", kind, name, env=env)


@pytest.fixture
def engines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for private engines that is not there yet. Sockets have short paths."""
    return Path("/tmp") / tmp_path_factory.mktemp("e").name / "x"


@pytest.mark.parametrize(
    "script",
    [
        "scripts/lab",
        "scripts/engine",
        "scripts/test",
        "scripts/bench",
        "scripts/record_lab",
        "scripts/report_picture",
    ],
)
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
@needs_root
@pytest.mark.parametrize("kind", KINDS)
def test_a_private_engine_goes_up_once_and_leaves_nothing_behind(engines: Path, kind: str) -> None:
    env = {"SNAP_ENGINES": str(engines)}
    assert "down" in run("scripts/engine", "status", kind, env=env, expect=3).stdout
    with private_engine(engines, kind, "one") as url:
        assert url == f"unix://{engines}/one/docker.sock"
        pid = (engines / "one" / "pid").read_text()
        assert run("scripts/engine", "up", kind, "one", env=env).stdout == f"{url}\n"
        assert (engines / "one" / "pid").read_text() == pid
        product = "Podman" if kind == "podman" else "Docker"
        assert f"one: up, {product} " in run("scripts/engine", "status", kind, "one", env=env).stdout
        assert run("scripts/engine", "env", kind, "one", env=env).stdout == f"export DOCKER_HOST={url}\n"
        other = KINDS[KINDS.index(kind) - 1]
        assert "of another kind" in run("scripts/engine", "down", other, "one", env=env, expect=1).stderr
    assert not engines.exists()
    assert not runs(pid)


@pytest.mark.engine
@needs_root
@pytest.mark.parametrize("kind", KINDS)
def test_an_engine_that_was_killed_comes_up_again_and_goes_with_all_its_containers(
    engines: Path, kind: str
) -> None:
    env = {"SNAP_ENGINES": str(engines)}
    which = kind, name = kind, f"e{secrets.token_hex(3)}"
    with private_engine(engines, kind, name) as url:
        with api(url) as client:
            image = lookalike.make_ch03_lab(client, "snap-test/lab:latest")
            made = [started_container(client, image) for _ in range(3)]
            client.pause(made[0].id)
        os.kill(int((engines / name / "pid").read_text()), signal.SIGKILL)
        wait_until(
            lambda: "down" in run("scripts/engine", "status", *which, env=env, expect=None).stdout, "down"
        )
        assert all(runs(container.pid) for container in made)

        run("scripts/engine", "up", kind, name, env=env)

        assert not any(runs(container.pid) for container in made)
        with api(url) as client:
            client.remove_container(made[1].id)
            again = started_container(client, image)
            client.pause(again.id)
    assert not runs(again.pid)
    assert not engines.exists()
    for sign in (name, *(container.id for container in (*made, again))):
        assert not [folder for folder, _, _ in os.walk("/sys/fs/cgroup") if sign in folder]


@pytest.mark.engine
@needs_root
def test_what_cannot_be_had_here_is_said_in_a_sentence(engines: Path, tmp_path: Path) -> None:
    other_system = tmp_path / "os-release"
    other_system.write_text("ID=other\nVERSION_CODENAME=other\n")
    # In a mount namespace of its own: another system, where nothing has been fetched yet.
    script = (
        'mount -t tmpfs tmpfs /var/cache; mount --bind "$1" /etc/os-release; exec "$2" up docker28-containerd'
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script, "sh", other_system, ROOT / "scripts" / "engine"],
        env={**os.environ, "SNAP_ENGINES": str(engines)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert done.stderr == (
        "scripts/engine: docker28-containerd cannot be had here: "
        "it comes from Debian's packages, and this is not Debian\n"
    )
    assert not engines.exists()


def test_an_engine_of_an_unknown_kind_is_wrong_usage() -> None:
    assert "'test' is no kind" in run("scripts/engine", "status", "test", expect=2).stderr
