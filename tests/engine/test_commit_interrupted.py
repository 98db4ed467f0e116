"""A sealed commit that is stopped, at whatever point: the container is as it was, and nothing is left."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import engine_kind
from processes import finished, started_snap, wait_until
from proxy import Proxy
from sandbox import Sandbox
from second_engine import mounted_tmpfs

pytestmark = pytest.mark.engine

SCRIPT = (
    "mkdir /many; for i in $(seq 50); do echo $i > /many/$i; done; head -c 3000000 /dev/zero > /many/large"
)
SIGNALS = [pytest.param(signal.SIGINT, 130, id="int"), pytest.param(signal.SIGTERM, 143, id="term")]
STATES = ("running", "paused")
#: The call that most of the container is read with.
READING = b"/export" if engine_kind() == "podman" else b"/archive?path=%2Fmany"


@dataclass(frozen=True)
class Scene:
    """A container to commit, and what is to be as it was afterwards."""

    space: Sandbox
    box: str
    image: str
    socket_folder: Path
    spool_folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """For the snap commands: their temporary files are seen."""
        return {"TMPDIR": str(self.spool_folder)}

    def proxy(self, sign: bytes, *, passes: bool = True, answer_bytes: int = 0, cut: bool = False) -> Proxy:
        """Between snap and the engine, up to a request."""
        return Proxy(
            self.space.host,
            self.socket_folder,
            sign,
            request_passes=passes,
            answer_bytes=answer_bytes,
            cut=cut,
        )

    def in_state(self, state: str) -> None:
        """Bring the container into a state that the user wants."""
        if state == "paused":
            self.space.client.pause(self.box)

    def assert_as_before(self, state: str = "running") -> None:
        """Nothing was made, nothing is left, and the container is in that state."""
        assert self.space.state(self.box) == state
        assert self.space.new_images() == set()
        assert self.space.strays() == []
        assert list(self.spool_folder.iterdir()) == []
        if state == "running":
            self.space.sh(self.box, 'test "$(cat /many/7)" = 7')


@pytest.fixture
def scene(sandbox: Sandbox) -> Iterator[Scene]:
    box = sandbox.changed(SCRIPT)
    spool_folder = sandbox.home / "spool"
    spool_folder.mkdir()
    # The address of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="snap-", dir="/tmp") as folder:
        yield Scene(sandbox, box, sandbox.name("image") + ":v1", Path(folder), spool_folder)


def stopped(scene: Scene, proxy: Proxy, number: signal.Signals, *arguments: str) -> tuple[int, str]:
    """Start a commit, send it a signal when it has come to the proxy's request; its status and stderr."""
    words = ["--host", proxy.url, "commit", *arguments, scene.box, scene.image]
    with started_snap(scene.space, *words, env=scene.environment) as process:
        assert proxy.stopped.wait(30), "it did not come to that request"
        process.send_signal(number)
        status, stdout, stderr = finished(process)
    assert stdout == ""
    assert "Traceback" not in stderr
    return status, stderr


# --- signals ---

STAGES = [
    pytest.param(b"/pause", ["--capture", "api"], id="pausing"),
    pytest.param(b"/unpause", ["--capture", "api"], id="letting run again"),
    pytest.param(b"/archive?", ["--capture", "api"], id="reading"),
    pytest.param(b"/history", [], id="writing the config"),
    pytest.param(b"/images/load", [], id="loading"),
    pytest.param(b"/tag?", [], id="naming"),
    pytest.param(b"/create?", ["--method", "engine"], id="reading back"),
]


@pytest.mark.parametrize(("number", "status"), SIGNALS)
@pytest.mark.parametrize(("sign", "options"), STAGES)
def test_a_signal_leaves_everything_as_it_was(
    scene: Scene, sign: bytes, options: list[str], number: signal.Signals, status: int
) -> None:
    with scene.proxy(sign) as proxy:
        code, stderr = stopped(scene, proxy, number, *options)
    assert code == status
    assert stderr.startswith("snap: Stopped") or "\nsnap: Stopped" in stderr
    scene.assert_as_before()


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_container_runs_again_also_where_the_engine_did_not_hear_that_it_should(
    scene: Scene, number: signal.Signals, status: int
) -> None:
    with scene.proxy(b"/unpause", passes=False) as proxy:
        assert stopped(scene, proxy, number)[0] == status
    scene.assert_as_before()


@pytest.mark.parametrize("sign", [b"/archive?", b"/images/load"])
def test_a_container_that_the_user_paused_stays_paused(scene: Scene, sign: bytes) -> None:
    scene.in_state("paused")
    with scene.proxy(sign) as proxy:
        code, _ = stopped(scene, proxy, signal.SIGINT, "--capture", "api")
    assert code == 130
    scene.assert_as_before("paused")


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_signal_in_the_middle_of_an_archive_lets_the_container_run_again(
    scene: Scene, number: signal.Signals, status: int
) -> None:
    with scene.proxy(READING, answer_bytes=100_000) as proxy:
        words = ["--host", proxy.url, "commit", "--capture", "api", scene.box, scene.image]
        with started_snap(scene.space, *words, env=scene.environment) as process:
            wait_until(lambda: proxy.answered_bytes == 100_000, "half of the archive has come")
            assert scene.space.state(scene.box) == "paused"
            process.send_signal(number)
            assert finished(process)[0] == status
    scene.assert_as_before()


def test_a_name_that_would_have_moved_stays_where_it_is(scene: Scene) -> None:
    space = scene.space
    space.snap("commit", "-q", scene.box, scene.image)
    before, images = space.inspect(scene.image)["Id"], space.new_images()
    space.sh(scene.box, "echo more > /more")
    with scene.proxy(b"/tag?", passes=False) as proxy:
        code, _ = stopped(scene, proxy, signal.SIGINT)
    assert code == 130
    assert space.inspect(scene.image)["Id"] == before
    assert space.new_images() == images


def test_an_image_that_was_there_before_is_not_taken_away(scene: Scene) -> None:
    """The same changes at a fixed time are the same image: what an earlier commit made is not this one's."""
    space = scene.space
    fixed = ["--timestamp", "1767225600"]
    space.snap("commit", "-q", *fixed, scene.box, space.name("earlier"))
    images = space.new_images()
    for sign in (b"/images/load", b"/tag?"):
        with Proxy(space.host, scene.socket_folder, sign, request_passes=sign != b"/tag?") as proxy:
            code, _ = stopped(scene, proxy, signal.SIGINT, *fixed)
        Path(proxy.url.removeprefix("unix://")).unlink()
        assert code == 130
        assert space.new_images() == images
    space.snap("verify", space.name("earlier"))


@pytest.mark.parametrize("before", [None, b"an older one"])
def test_a_file_for_the_image_is_not_there_or_as_it_was(scene: Scene, before: bytes | None) -> None:
    file = scene.space.home / "out" / "image.tar"
    file.parent.mkdir()
    if before:
        file.write_bytes(before)
    # The layers of the base are read when those of the container have been.
    with scene.proxy(b"/get HTTP", answer_bytes=100_000) as proxy:
        code, stderr = stopped(scene, proxy, signal.SIGINT, "-o", str(file))
    assert code == 130, stderr
    assert [path.name for path in file.parent.iterdir()] == (["image.tar"] if before else [])
    assert (file.read_bytes() if file.exists() else None) == before
    scene.assert_as_before()


# --- the engine goes away ---

GONE = (
    "snap: The engine went away in the middle of the work (",
    "snap: The engine's archive of ",
    "snap: The base image ",
)


@pytest.mark.parametrize(
    ("sign", "options"),
    [
        pytest.param(b"/changes", ["--capture", "api"], id="listing"),
        pytest.param(b"/archive?", ["--capture", "api"], id="reading"),
        pytest.param(b"/history", [], id="writing the config"),
        pytest.param(b"/images/load", [], id="loading"),
        pytest.param(b"/tag?", [], id="naming"),
        pytest.param(b"/get HTTP", ["-o", "FILE"], id="writing a file"),
    ],
)
def test_a_connection_that_is_cut_leaves_everything_as_it_was(
    scene: Scene, sign: bytes, options: list[str]
) -> None:
    file = scene.space.home / "image.tar"
    words = [str(file) if word == "FILE" else word for word in options]
    with scene.proxy(sign, passes=False, cut=True) as proxy:
        done = scene.space.snap(
            "--host", proxy.url, "commit", *words, scene.box, scene.image, env=scene.environment, expect=5
        )
        assert proxy.stopped.is_set()
    assert done.stdout == ""
    assert done.stderr.splitlines()[-2].startswith(GONE)
    assert not file.exists()
    scene.assert_as_before()


@pytest.mark.parametrize("state", STATES)
def test_an_archive_that_is_cut_in_the_middle_is_no_smaller_image(scene: Scene, state: str) -> None:
    scene.in_state(state)
    with scene.proxy(READING, answer_bytes=100_000, cut=True) as proxy:
        words = ["commit", "--capture", "api", scene.box, scene.image]
        done = scene.space.snap("--host", proxy.url, *words, env=scene.environment, expect=5)
    assert any(line.startswith(GONE) for line in done.stderr.splitlines()), done.stderr
    scene.assert_as_before(state)


def test_an_image_that_was_loaded_when_the_engine_went_away_is_not_kept(scene: Scene) -> None:
    """The engine has made it and cannot say so."""
    with scene.proxy(b"/images/load", cut=True, answer_bytes=1) as proxy:
        done = scene.space.snap(
            "--host", proxy.url, "commit", scene.box, scene.image, env=scene.environment, expect=5
        )
    assert any(line.startswith(GONE) for line in done.stderr.splitlines()), done.stderr
    scene.assert_as_before()


# --- no room ---


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    ("script", "way"),
    [
        pytest.param("head -c 4000000 /dev/zero > /many/larger", "api", id="seen beforehand"),
        # Their names are what takes room, and nobody counts those.
        pytest.param("for i in $(seq 3000); do : > /many/n$i; done; rm /many/large", "api", id="api"),
        pytest.param("for i in $(seq 3000); do : > /many/n$i; done; rm /many/large", "direct", id="direct"),
    ],
)
def test_a_spool_without_room_is_named(scene: Scene, script: str, way: str, state: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    if way == "direct" and not can_read_directly(scene):
        way = "auto"
    scene.space.sh(scene.box, script)
    scene.in_state(state)
    with mounted_tmpfs(scene.spool_folder, "1m"):
        done = scene.space.snap(
            "commit", "--capture", way, scene.box, scene.image, env=scene.environment, expect=1
        )
        assert list(scene.spool_folder.iterdir()) == []
    assert done.stdout == ""
    assert f"The layer does not fit into the spool folder '{scene.spool_folder}'" in done.stderr
    assert "set TMPDIR to a folder with more" in done.stderr
    scene.assert_as_before(state)


def can_read_directly(scene: Scene) -> bool:
    """Whether the engine says where the container's files are."""
    driver = scene.space.client.inspect_container(scene.box).get("GraphDriver") or {}
    return bool((driver.get("Data") or {}).get("UpperDir"))
