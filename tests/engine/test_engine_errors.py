"""What goes wrong leaves as one sentence and a status of its own, and leaves nothing half-made."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import lookalike
import pytest
from processes import finished, read_until, started_snap, wait_until
from proxy import Proxy
from registries import push, running_registry
from sandbox import Sandbox
from second_engine import SecondEngine, mounted_tmpfs, small_engine

pytestmark = pytest.mark.engine

VERBS = [
    ["engine"], ["ls"], ["show", "x"], ["run", "x"], ["diff", "x"], ["commit", "x"],
    ["verify", "x", "--file", "y"],
]  # fmt: skip


def sentences(stderr: str) -> list[str]:
    """The lines of an error: what is wrong, and what to do; never a traceback."""
    assert "Traceback" not in stderr
    lines = stderr.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("snap: ")]
    assert starts, stderr
    error = lines[starts[-1] :]
    assert all(line.startswith("  ") for line in error[1:]), stderr
    assert error[0].removeprefix("snap: ")[0].isupper() or error[0][6] in "'\""
    return [error[0].removeprefix("snap: "), *(line.strip() for line in error[1:])]


def failure(sandbox: Sandbox, *arguments: str, status: int, env: dict[str, str] | None = None) -> list[str]:
    """Run a command that ends with that status and prints nothing; returns its sentences."""
    done = sandbox.snap(*arguments, expect=status, env=env)
    assert done.stdout == ""
    return sentences(done.stderr)


def containers(client: docker.APIClient) -> dict[str, str]:
    """The state of each container, by name."""
    return {item["Names"][0].strip("/"): item["State"] for item in client.containers(all=True)}


@pytest.fixture
def socket_folder() -> Iterator[Path]:
    """A folder for a socket, whose address must be short."""
    with tempfile.TemporaryDirectory(prefix="snap-", dir="/tmp") as name:
        yield Path(name)


# --- no engine ---


@pytest.mark.parametrize("verb", [pytest.param(verb, id=verb[0]) for verb in VERBS])
def test_without_a_socket_every_verb_exits_with_5_and_says_where_it_looked(
    sandbox: Sandbox, verb: list[str]
) -> None:
    what, hint = failure(sandbox, "--host", "unix:///no/such.sock", *verb, status=5)
    assert what == "No engine can be reached at unix:///no/such.sock (--host): there is no such file."
    assert hint == "Start the engine, or name another one with --host or --context."


def test_a_socket_that_an_engine_left_behind_is_told_from_one_that_is_missing(sandbox: Sandbox) -> None:
    path = sandbox.home / "dead.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    what, _ = failure(sandbox, "engine", status=5, env={"DOCKER_HOST": f"unix://{path}"})
    assert what == f"No engine can be reached at unix://{path} (DOCKER_HOST): nobody listens there."


def test_a_socket_that_this_user_may_not_open_says_how_to_get_in(sandbox: Sandbox) -> None:
    path = sandbox.home / "closed.sock"
    # Root opens everything, as long as it has its capabilities.
    setpriv = shutil.which("setpriv")
    through = [setpriv, "--bounding-set=-all", "--inh-caps=-all"] if setpriv and os.geteuid() == 0 else []
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(path))
        closed.listen()
        path.chmod(0)
        with started_snap(sandbox, "--host", f"unix://{path}", "ls", through=through) as process:
            status, stdout, stderr = finished(process)
    assert (status, stdout) == (5, "")
    what, hint = sentences(stderr)
    assert what == f"This user may not open unix://{path} (--host)."
    assert "usermod -aG docker" in hint


def test_something_that_hangs_up_is_no_engine(sandbox: Sandbox, socket_folder: Path) -> None:
    with Proxy(sandbox.host, socket_folder, b"/_ping", request_passes=False, cut=True) as proxy:
        what = failure(sandbox, "--host", proxy.url, "ls", status=5)[0]
    assert what == f"No engine can be reached at {proxy.url} (--host): the other side hung up."


# --- which engine ---


def test_engine_says_which_one_why_and_what_works_there(sandbox: Sandbox) -> None:
    version, info = sandbox.client.version(), sandbox.client.info()
    name = "Podman" if sandbox.is_podman else "Docker"
    document = json.loads(sandbox.snap("engine", "--format", "json").stdout)
    assert {key: document[key] for key in document if key != "abilities"} == {
        "schema": "docker-snap.engine/1",
        "endpoint": sandbox.host,
        "reason": "DOCKER_HOST",
        "name": name,
        "version": version["Version"],
        "api_version": version["ApiVersion"],
        "platform": f"{version['Os']}/{version['Arch']}",
        "image_store": document["image_store"],
        "storage_driver": info["Driver"],
    }
    assert document["image_store"] in {"classic", "containerd"}
    works = {ability["name"]: ability["works"] for ability in document["abilities"]}
    assert works["run, diff, commit, verify"]
    networks = {network["Name"] for network in sandbox.client.networks()}
    assert works["run without --network"] == bool(networks & {"bridge", "podman"})

    table = sandbox.snap("engine").stdout
    assert [line.split("  ")[0] for line in table.splitlines()] == [
        "endpoint", "chosen by", "engine", "image store", *works,
    ]  # fmt: skip
    assert sandbox.host in table
    assert f"{name} {version['Version']}, API {version['ApiVersion']}" in table


def test_the_host_option_comes_before_the_environment(sandbox: Sandbox) -> None:
    done = sandbox.snap(
        "--host", sandbox.host, "engine", "--format", "json",
        env={"DOCKER_HOST": "unix:///no/such.sock", "DOCKER_CONTEXT": "no-such"},
    )  # fmt: skip
    assert json.loads(done.stdout)["reason"] == "--host"


@pytest.mark.parametrize("verb", [["engine"], ["ls"], ["run", "x"]])
def test_an_unknown_context_is_an_error_and_never_another_engine(sandbox: Sandbox, verb: list[str]) -> None:
    # DOCKER_HOST names an engine that works.
    what, _ = failure(sandbox, "--context", "no-such", *verb, status=2)
    assert what == "There is no context 'no-such' (--context no-such)."
    environment = {"DOCKER_HOST": "", "DOCKER_CONTEXT": "no-such"}
    assert "There is no context 'no-such'" in failure(sandbox, *verb, status=2, env=environment)[0]


def test_a_context_leads_to_its_engine(sandbox: Sandbox) -> None:
    # X07
    name = "lab"
    folder = sandbox.home / ".docker/contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": sandbox.host}}}
    (folder / "meta.json").write_text(json.dumps(meta))
    done = sandbox.snap(
        "--context", name, "engine", "--format", "json", env={"DOCKER_HOST": "unix:///no/such.sock"}
    )
    document = json.loads(done.stdout)
    assert (document["endpoint"], document["reason"]) == (sandbox.host, "--context lab")


# --- what is not there, or is there already ---


def test_an_unknown_image_is_named(sandbox: Sandbox) -> None:
    what, hint = failure(
        sandbox, "run", "--pull", "never", "--name", sandbox.name(), "no-such:v1", status=125
    )
    assert what == "No image is named 'no-such:v1' here."
    assert hint == "`docker image ls` lists the images of this engine."
    assert "No image is named 'no-such:v1' here." in failure(sandbox, "verify", "no-such:v1", status=1)[0]


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("diff", "Neither a container nor an image is named 'no-such'."),
        ("commit", "No container is named 'no-such'."),
    ],
)
def test_an_unknown_container_is_named(sandbox: Sandbox, verb: str, said: str) -> None:
    # L07
    what, hint = failure(sandbox, verb, "no-such", status=1)
    assert what == said
    assert "snap ls" in hint
    assert failure(sandbox, verb, "", status=2)[0] == "An empty name is no container's."


def test_a_name_in_use_is_named_with_two_ways_out(sandbox: Sandbox) -> None:
    name = sandbox.hold()
    what, hint = failure(sandbox, "run", "--name", name, "--network", "none", sandbox.base_image, status=125)
    assert what == f"A container named '{name}' exists already."
    assert hint == "Choose another --name, or give --replace to remove that one."
    assert sandbox.state(name) == "running"


def test_debug_shows_where_an_error_comes_from(sandbox: Sandbox) -> None:
    done = sandbox.snap("--debug", "diff", "no-such", expect=1)
    assert "Traceback (most recent call last)" in done.stderr
    assert "snap: Neither a container nor an image is named 'no-such'." in done.stderr


# --- full disks ---


on_docker = pytest.mark.only_on(
    "docker20",
    "docker28",
    "docker28-containerd",
    reason="Podman keeps its own state on the disk that is full, and writes an export to it first",
)


@pytest.fixture(scope="module")
def small() -> Iterator[SecondEngine]:
    """An engine with a disk of 64 MB, which tests here fill up and kill; each leaves it up."""
    with small_engine(64) as engine:
        yield engine


@pytest.fixture
def on_small(small: SecondEngine, tmp_path: Path) -> Iterator[Sandbox]:
    """A scratch space on the small engine, with a base image of its own."""
    client = docker.APIClient(small.host, version="auto", timeout=60)
    image = "snap-test/small:latest"
    lookalike.make_ch03_lab(client, image)
    space = Sandbox(client, small.host, image, tmp_path)
    try:
        yield space
        space.clean()
        client.remove_image(image, force=True)
    finally:
        client.close()


def fill(space: Sandbox, container: str, size_bytes: int) -> None:
    """Write that much into a container."""
    space.sh(container, f"dd if=/dev/urandom of=/filler bs=65536 count={size_bytes // 65536} 2>/dev/null")


@on_docker
def test_a_commit_that_fills_the_engines_disk_says_so_and_leaves_nothing(
    small: SecondEngine, on_small: Sandbox
) -> None:
    # L12. The layer needs as much again as the container has.
    container, image = on_small.hold(), on_small.name("image")
    fill(on_small, container, small.free_bytes() * 2 // 3)

    what, hint = failure(on_small, "commit", container, image, status=1)

    assert what.startswith("The engine's disk is full: ")
    assert "no space left on device" in what
    assert "docker system df" in hint
    assert on_small.state(container) == "running"
    assert on_small.new_images() == set()


@on_docker
def test_a_pull_that_fills_the_engines_disk_says_so(
    sandbox: Sandbox, small: SecondEngine, on_small: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> None:
    container = on_small.hold()
    with running_registry(tmp_path_factory.mktemp("registry")) as address:
        made = sandbox.name("large")
        sandbox.snap(
            "commit", "-q", "--no-verify", sandbox.changed("head -c 9000000 /dev/urandom > /x"), made
        )
        name = f"{address}/{made}:v1"
        push(sandbox.client, made, name)
        fill(on_small, container, small.free_bytes() - 8_000_000)
        what, _ = failure(on_small, "run", "-q", "--name", on_small.name("new"), name, status=125)
    assert what.startswith("The engine's disk is full: ")
    assert set(containers(on_small.client)) == {container}


@pytest.mark.parametrize("option", ["--iidfile", "--metadata-file"])
def test_a_file_that_cannot_be_written_because_the_disk_is_full_is_an_error(
    sandbox: Sandbox, option: str
) -> None:
    what, hint = failure(sandbox, "commit", sandbox.hold(), option, "/dev/full", status=1)
    assert what.startswith("This machine's disk is full: ")
    assert hint == "Make room, then try again."


def test_output_to_a_full_disk_is_an_error(sandbox: Sandbox) -> None:
    container = sandbox.changed("touch /new")
    for words in (["diff", container], ["ls"], ["show", container], ["run", sandbox.base_image, "echo", "x"]):
        full = os.open("/dev/full", os.O_WRONLY)
        with started_snap(sandbox, *_with_network(sandbox, words), stdout=full) as process:
            os.close(full)
            status, _, stderr = finished(process)
        assert status == 1
        assert sentences(stderr)[0].startswith("This machine's disk is full: ")


def _with_network(sandbox: Sandbox, words: list[str]) -> list[str]:
    if words[0] != "run":
        return words
    return ["run", "--network", "none", "--name", sandbox.name("run"), *words[1:]]


def test_a_full_disk_under_the_state_folder_stops_a_commit_before_an_image_is_made(sandbox: Sandbox) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    # More paths than the labels of an image can list, so that the list is kept here.
    container = sandbox.changed("mkdir /many && for i in $(seq 1500); do echo $i > /many/$i; done")
    state = sandbox.home / "state"
    state.mkdir()
    with mounted_tmpfs(state, "16k"):
        what, _ = failure(
            sandbox, "commit", container, sandbox.name("image"), status=1, env={"XDG_STATE_HOME": str(state)}
        )
        assert list(state.rglob("manifests/*")) == []
    assert what.startswith("This machine's disk is full: ")
    assert sandbox.new_images() == set()
    assert sandbox.state(container) == "running"


# --- the engine goes away ---


def reading(sandbox: Sandbox, sign: bytes) -> bytes:
    """The request that reads files: on Podman an export, since its archives have other owners."""
    return b"/export" if sandbox.is_podman and sign == b"/archive?" else sign


GONE = "The engine went away in the middle of the work ("


def test_an_engine_that_is_killed_while_a_command_runs_is_an_engine_that_is_gone(
    small: SecondEngine, on_small: Sandbox
) -> None:
    words = ["run", "-q", "--network", "none", "--name", on_small.name(), on_small.base_image]
    script = "while echo tick; do sleep 0.1; done"
    with started_snap(on_small, *words, "sh", "-c", script) as process:
        read_until(process.stdout, b"tick\ntick\n")
        small.kill()
        try:
            status, _, stderr = finished(process)
        finally:
            small.up()
    assert status == 5
    what, hint = sentences(stderr)
    assert what.startswith(GONE)
    assert "snap engine" in hint


@on_docker
def test_an_engine_that_is_killed_while_files_are_read_is_an_engine_that_is_gone(
    small: SecondEngine, on_small: Sandbox, socket_folder: Path
) -> None:
    # Sparse: it takes no room, and the engine sends it for a long time.
    container = on_small.changed("mkdir /big && truncate -s 200G /big/sparse")
    with (
        Proxy(small.host, socket_folder, b"/archive?", answer_bytes=1 << 40) as proxy,
        # What the engine put there shows over its API alone, so nothing is read directly then.
        started_snap(on_small, "--host", proxy.url, "diff", "--all", container) as process,
    ):
        wait_until(lambda: proxy.answered_bytes > 1 << 25, "snap reads the archive")
        small.kill()
        try:
            status, stdout, stderr = finished(process)
        finally:
            small.up()
    assert (status, stdout) == (5, "")
    what, hint = sentences(stderr)
    assert what.startswith((GONE, "The engine's archive of '/big' broke off"))
    assert "snap engine" in hint


@pytest.mark.parametrize(
    ("sign", "verb"),
    [
        pytest.param(b"/changes", ["diff", "BOX"], id="changes"),
        pytest.param(b"/archive?", ["diff", "BOX"], id="archive"),
        pytest.param(b"/json", ["show", "BOX"], id="inspect"),
        pytest.param(b"/json?", ["ls"], id="lists"),
        pytest.param(b"/create?", ["run", "--name", "NEW", "IMAGE"], id="create"),
        pytest.param(b"/start", ["run", "--name", "NEW", "--network", "none", "IMAGE"], id="start"),
        pytest.param(b"/wait", ["run", "--name", "NEW", "--network", "none", "IMAGE", "true"], id="wait"),
        pytest.param(b"/images/load", ["commit", "BOX", "NEW"], id="commit"),
        pytest.param(b"/commit?", ["commit", "--method", "engine", "BOX", "NEW"], id="commit, by the engine"),
    ],
)
def test_a_connection_that_breaks_off_is_an_engine_that_is_gone(
    sandbox: Sandbox, socket_folder: Path, sign: bytes, verb: list[str]
) -> None:
    box = sandbox.changed("mkdir /new && echo x > /new/file")
    places = {"BOX": box, "NEW": sandbox.name("new"), "IMAGE": sandbox.base_image}
    words = [places.get(word, word) for word in verb]
    sign = reading(sandbox, sign)
    with Proxy(sandbox.host, socket_folder, sign, request_passes=False, cut=True) as proxy:
        what = failure(sandbox, "--host", proxy.url, *words, status=5)[0]
    assert what.startswith(GONE)
    assert sandbox.state(box) == "running"
    assert sandbox.new_images() == set()


def test_an_archive_that_breaks_off_in_the_middle_is_no_shorter_list(
    sandbox: Sandbox, socket_folder: Path
) -> None:
    box = sandbox.changed("mkdir /new && for i in 1 2 3 4 5 6 7 8 9; do echo x > /new/$i; done")
    sign = reading(sandbox, b"/archive?")
    with Proxy(sandbox.host, socket_folder, sign, answer_bytes=4000, cut=True) as proxy:
        what = failure(sandbox, "--host", proxy.url, "diff", box, status=5)[0]
    assert what.startswith(
        (GONE, "The engine's archive of '/new' broke off", "The engine's export broke off")
    )


# --- nobody reads ---


def test_diff_into_a_closed_pipe_ends_with_a_sentence(sandbox: Sandbox) -> None:
    container = sandbox.changed("touch /new")
    reader, writer = os.pipe()
    os.close(reader)
    with started_snap(sandbox, "diff", container, stdout=writer) as process:
        os.close(writer)
        status, _, stderr = finished(process)
    assert status == 1
    assert sentences(stderr) == ["The output was closed before everything was written."]


def test_a_command_whose_output_nobody_reads_runs_on(sandbox: Sandbox) -> None:
    words = ["run", "-q", "--network", "none", "--name", sandbox.name(), sandbox.base_image]
    script = "while echo tick; do sleep 0.1; done"
    reader, writer = os.pipe()
    with started_snap(sandbox, *words, "sh", "-c", script, stdout=writer) as process:
        os.close(writer)
        assert os.read(reader, 4) == b"tick"
        os.close(reader)
        status, _, stderr = finished(process)
    assert status == 1
    assert sentences(stderr) == [
        "The output was closed; the container runs on.",
        "`docker logs` has the rest of what its own command prints.",
    ]  # fmt: skip
    assert sandbox.state(sandbox.name()) == "running"


# --- signals ---


@pytest.mark.parametrize(
    ("number", "status", "script", "container_status"),
    [
        pytest.param(
            signal.SIGINT, 130, "trap 'exit 7' INT; echo ready; while :; do sleep 0.1; done", 7, id="int"
        ),
        pytest.param(
            signal.SIGTERM, 143, "trap 'exit 8' TERM; echo ready; while :; do sleep 0.1; done", 8, id="term"
        ),
        # The first process of a container has no default reaction to signals.
        pytest.param(signal.SIGINT, 130, "echo ready; sleep 600", 137, id="int, not heeded"),
    ],
)
def test_a_run_that_is_stopped_stops_its_command_and_keeps_the_container(
    sandbox: Sandbox, number: signal.Signals, status: int, script: str, container_status: int
) -> None:
    name = sandbox.name()
    words = ["run", "--network", "none", "--name", name, sandbox.base_image, "sh", "-c", script]
    with started_snap(sandbox, *words) as process:
        read_until(process.stdout, b"ready\n")
        process.send_signal(number)
        code, _, stderr = finished(process)
    assert code == status
    assert sentences(stderr) == [
        f"Stopped: the command of container '{name}' was ended, the container is kept.",
        f"`snap diff {name}` shows what it changed until then.",
    ]
    wait_until(lambda: sandbox.state(name) == "exited", "the container has ended")
    assert sandbox.client.inspect_container(name)["State"]["ExitCode"] == container_status


@pytest.mark.parametrize("engine_hears_it", [False, True])
@pytest.mark.parametrize(
    ("sign", "verb"),
    [
        pytest.param(b"/create?", ["run", "--name", "NEW", "IMAGE"], id="create"),
        pytest.param(b"/create?", ["run", "--replace", "--name", "BOX", "IMAGE"], id="create, replace"),
        pytest.param(b"/rename?", ["run", "--replace", "--name", "BOX", "IMAGE"], id="rename, replace"),
        pytest.param(
            b"/create?", ["commit", "--method", "engine", "BOX", "NEW"], id="commit, by the engine, verifying"
        ),
        pytest.param(b"/pause", ["commit", "BOX", "NEW"], id="commit, pausing"),
        pytest.param(b"/start", ["run", "--name", "NEW", "--network", "none", "IMAGE"], id="start"),
        pytest.param(
            b"/start", ["run", "--replace", "--name", "BOX", "--network", "none", "IMAGE"], id="replace"
        ),
        pytest.param(b"/changes", ["diff", "BOX"], id="diff"),
        pytest.param(b"/changes", ["commit", "--capture", "api", "BOX", "NEW"], id="commit, reading"),
        pytest.param(b"/images/load", ["commit", "BOX", "NEW"], id="commit, loading"),
        pytest.param(b"/tag?", ["commit", "BOX", "NEW"], id="commit, naming"),
        pytest.param(b"/commit?", ["commit", "--method", "engine", "BOX", "NEW"], id="commit, by the engine"),
        pytest.param(b"/archive?", ["commit", "--capture", "api", "BOX", "NEW"], id="commit, archive"),
    ],
)
def test_ctrl_c_at_any_point_leaves_everything_as_it_was(
    sandbox: Sandbox, socket_folder: Path, sign: bytes, verb: list[str], engine_hears_it: bool
) -> None:
    box = sandbox.changed("echo x > /new")
    before = containers(sandbox.client)
    places = {"BOX": box, "NEW": sandbox.name("new"), "IMAGE": sandbox.base_image}
    words = [places.get(word, word) for word in verb]
    with (
        Proxy(sandbox.host, socket_folder, reading(sandbox, sign), request_passes=engine_hears_it) as proxy,
        started_snap(sandbox, "--host", proxy.url, *words) as process,
    ):
        assert proxy.stopped.wait(20)
        process.send_signal(signal.SIGINT)
        status, stdout, stderr = finished(process)
    assert (status, stdout) == (130, ""), stderr
    assert sentences(stderr)[0] == "Stopped by Ctrl-C."
    assert containers(sandbox.client) == before
    assert sandbox.new_images() == set()
