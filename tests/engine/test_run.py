"""``snap run``: its flags, its streams, its status, and what it leaves (conformance L, X)."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from itertools import pairwise

import lookalike
import pytest
from docker.errors import ImageNotFound
from processes import finished, read_until, snap_in_bytes, started_snap
from registries import StallingRegistry, free_port, push, running_registry
from sandbox import Sandbox

pytestmark = pytest.mark.engine


def run_options(sandbox: Sandbox, stem: str = "box") -> list[str]:
    """What nearly every run here begins with."""
    return ["run", "-q", "--network", "none", "--name", sandbox.name(stem)]


def names(sandbox: Sandbox) -> list[str]:
    """The names of this test's containers."""
    listed = (item["Names"][0].strip("/") for item in sandbox.client.containers(all=True))
    return sorted(name for name in listed if name.startswith(sandbox.prefix))


@pytest.fixture
def entrypoint_image(sandbox: Sandbox) -> str:
    """An image with an entrypoint and a command."""
    image = sandbox.name("entrypoint")
    changes = ['ENTRYPOINT ["/bin/echo","fixed"]', 'CMD ["default"]']
    lookalike.import_image(sandbox.client, image, lookalike.root_tar(), changes)
    return image


# --- names ---


def test_the_container_has_the_name_asked_for_and_is_kept_with_advice_on_stderr(sandbox: Sandbox) -> None:
    name = sandbox.name("mine")
    done = sandbox.snap("run", "--network", "none", "--name", name, sandbox.base_image, "echo", "hello")
    assert done.stdout == "hello\n"
    assert done.stderr == f"snap: '{name}' is kept. Next: snap diff {name}, snap commit {name} IMAGE\n"
    assert sandbox.state(name) == "exited"


def test_a_name_is_made_from_the_images_and_numbered_where_that_is_taken(sandbox: Sandbox) -> None:
    stem = sandbox.name("auto")
    image = f"{sandbox.prefix}.example/deep/{stem}:v1"
    sandbox.client.tag(sandbox.base_image, image.rpartition(":")[0], "v1")

    def run() -> None:
        sandbox.snap("run", "-q", "--network", "none", image, "true")

    for _ in range(3):
        run()
    assert names(sandbox) == [stem, f"{stem}-2", f"{stem}-3"]
    sandbox.client.remove_container(f"{stem}-2")
    run()
    assert names(sandbox) == [stem, f"{stem}-2", f"{stem}-3"]
    sandbox.client.remove_image(image)


# --- what the container is given ---


def test_variables_are_given_in_options_and_files_or_taken_from_here(sandbox: Sandbox) -> None:
    env_file = sandbox.home / "variables"
    env_file.write_text(
        '# a comment\n\n  IN_FILE=a b = "c" \nFROM_HERE\nUNSET_TOO\nBOTH=file\n#OFF=1\nEMPTY=\n', "utf-8"
    )
    done = sandbox.snap(
        *run_options(sandbox), "-e", "GIVEN=x=1 $HOME ü", "--env", "FROM_HERE_TOO", "-e", "UNSET",
        "-e", "BOTH=option", "--env-file", str(env_file), sandbox.base_image, "env",
        env={"FROM_HERE": "here", "FROM_HERE_TOO": "too"},
    )  # fmt: skip
    seen = set(done.stdout.splitlines())
    assert seen >= {
        'IN_FILE=a b = "c" ', "FROM_HERE=here", "EMPTY=", "GIVEN=x=1 $HOME ü", "FROM_HERE_TOO=too",
        "BOTH=option",
    }  # fmt: skip
    assert not any(variable.startswith(("UNSET", "OFF", "#")) for variable in seen)


@pytest.mark.parametrize("content", [None, "NAME=fine\nno name=1\n", "=value\n"])
def test_an_env_file_that_is_missing_or_wrong_is_refused_before_anything_is_made(
    sandbox: Sandbox, content: str | None
) -> None:
    env_file = sandbox.home / "variables"
    if content:
        env_file.write_text(content)
    done = sandbox.snap(
        *run_options(sandbox), "--env-file", str(env_file), sandbox.base_image, "true", expect=2
    )
    assert str(env_file) in done.stderr
    assert names(sandbox) == []


def test_workdir_user_and_labels_are_the_containers(sandbox: Sandbox) -> None:
    done = sandbox.snap(
        *run_options(sandbox), "-w", "/tmp/deep", "-u", "1234:4321", "-l", "one=1", "--label", "two==b c",
        sandbox.base_image, "sh", "-c", "pwd; id -u; id -g",
    )  # fmt: skip
    assert done.stdout == "/tmp/deep\n1234\n4321\n"
    labels = sandbox.client.inspect_container(sandbox.name())["Config"]["Labels"]
    assert (labels["one"], labels["two"]) == ("1", "=b c")


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        pytest.param([], "fixed default\n", id="the image's own"),
        pytest.param(["IMAGE", "a", "b"], "fixed a b\n", id="a command replaces the image's"),
        pytest.param(["--entrypoint", "/bin/basename", "IMAGE", "/x/y"], "y\n", id="another entrypoint"),
        pytest.param(["--entrypoint", "/bin/pwd", "IMAGE"], "/\n", id="which takes the command away"),
        pytest.param(["--entrypoint", "", "IMAGE", "echo", "bare"], "bare\n", id="none"),
    ],
)
def test_the_entrypoint_is_the_images_or_the_one_given_or_cleared(
    sandbox: Sandbox, entrypoint_image: str, arguments: list[str], printed: str
) -> None:
    words = [entrypoint_image if word == "IMAGE" else word for word in arguments or ["IMAGE"]]
    assert sandbox.snap(*run_options(sandbox), *words).stdout == printed


def test_folders_and_volumes_are_mounted_also_from_a_relative_source(sandbox: Sandbox) -> None:
    (sandbox.home / "site").mkdir()
    (sandbox.home / "site" / "page").write_text("content\n")
    volume = sandbox.name("volume")
    done = sandbox.snap(
        *run_options(sandbox), "-v", "./site:/relative:ro", "-v", f"{sandbox.home}/site:/bound",
        "-v", f"{volume}:/named", "-v", "/anonymous", sandbox.base_image,
        "sh", "-c", "cat /relative/page /bound/page; touch /relative/x || touch /bound/y /named/z",
    )  # fmt: skip
    try:
        assert done.stdout == "content\n" * 2
        assert (sandbox.home / "site" / "y").exists()
        assert not (sandbox.home / "site" / "x").exists()
        mounts = {
            mount["Destination"]: (mount["Type"], mount.get("Name") or mount["Source"])
            for mount in sandbox.client.inspect_container(sandbox.name())["Mounts"]
        }
        source = str(sandbox.home / "site")
        anonymous = mounts.pop("/anonymous")
        assert mounts == {
            "/relative": ("bind", source), "/bound": ("bind", source), "/named": ("volume", volume),
        }  # fmt: skip
        assert anonymous[0] == "volume"
    finally:
        sandbox.client.remove_container(sandbox.name(), v=True)
        sandbox.client.remove_volume(volume)


def test_the_network_is_the_one_asked_for(sandbox: Sandbox) -> None:
    sandbox.snap("run", "-q", "--network", "host", "--name", sandbox.name(), sandbox.base_image, "true")
    assert sandbox.client.inspect_container(sandbox.name())["HostConfig"]["NetworkMode"] == "host"
    done = sandbox.snap(
        "run", "--network", "no-such", "--name", sandbox.name("b"), sandbox.base_image, expect=125
    )
    assert "no-such" in done.stderr
    assert names(sandbox) == [sandbox.name()]


def test_the_images_own_platform_is_fine_and_of_another_the_engine_says_what_is_wrong(
    sandbox: Sandbox,
) -> None:
    own = sandbox.inspect(sandbox.base_image)["Architecture"]
    other = "s390x" if own != "s390x" else "amd64"
    sandbox.snap(*run_options(sandbox), "--platform", f"linux/{own}", sandbox.base_image, "true")
    done = sandbox.snap(
        *run_options(sandbox, "foreign"), "--pull", "never", "--platform", f"linux/{other}",
        sandbox.base_image, "true", expect=125,
    )  # fmt: skip
    assert done.stderr.startswith("snap: The engine refused: ")
    assert f"linux/{other}" in done.stderr
    assert names(sandbox) == [sandbox.name()]


# --- command line ---


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        pytest.param(["--", "echo", "a"], "a\n", id="after two dashes"),
        pytest.param(["echo", "a"], "a\n", id="without them"),
        pytest.param(["echo", "-d", "--name", "x", "-q"], "-d --name x -q\n", id="L20 options"),
        pytest.param(["--", "echo", "--", "--help"], "-- --help\n", id="the second two dashes"),
        pytest.param(["echo", "--", "a"], "-- a\n", id="two dashes later on"),
        pytest.param(
            ["sh", "-c", 'printf "%s," "$@"', "_", "", "a b", "*", "$X"], ",a b,*,$X,", id="literal"
        ),
    ],
)
def test_what_stands_after_the_image_is_the_command_as_it_is(
    sandbox: Sandbox, words: list[str], printed: str
) -> None:
    assert sandbox.snap(*run_options(sandbox), sandbox.base_image, *words).stdout == printed


def test_two_dashes_may_stand_before_the_image(sandbox: Sandbox) -> None:
    assert sandbox.snap(*run_options(sandbox), "--", sandbox.base_image, "echo", "a").stdout == "a\n"


@pytest.mark.parametrize(
    "arguments", [[], ["-l", "no-value", "IMAGE"], ["--pull", "now", "IMAGE"], ["--no-such", "IMAGE"]]
)
def test_wrong_usage_exits_with_2_and_makes_nothing(sandbox: Sandbox, arguments: list[str]) -> None:
    words = [sandbox.base_image if word == "IMAGE" else word for word in arguments]
    assert "Usage: snap run" in sandbox.snap(*run_options(sandbox), *words, expect=2).stderr
    assert names(sandbox) == []


# --- streams ---


def test_output_is_passed_on_byte_for_byte_with_stdout_and_stderr_apart(sandbox: Sandbox) -> None:
    # X01
    content = bytes(range(256)) * 16 + secrets.token_bytes(1 << 20) + b"no line end\r"
    (sandbox.home / "data").write_bytes(content)
    words = [*run_options(sandbox), "-v", f"{sandbox.home}/data:/data:ro", sandbox.base_image]
    done = snap_in_bytes(sandbox, *words, "sh", "-c", "cat /data & cat /data >&2; wait")
    assert done.stdout == content
    assert done.stderr == content
    assert done.returncode == 0


def test_output_of_a_command_that_ends_at_once_is_not_lost(sandbox: Sandbox) -> None:
    for number in range(5):
        words = ["run", "-q", "--network", "none", "--name", sandbox.name(f"{number}"), sandbox.base_image]
        assert sandbox.snap(*words, "echo", "short").stdout == "short\n"


def test_output_comes_while_the_command_goes_on(sandbox: Sandbox) -> None:
    gate = sandbox.home / "gate"
    gate.mkdir()
    script = "echo first; echo apart >&2; until test -e /gate/open; do sleep 0.1; done; echo last"
    words = [*run_options(sandbox), "-v", f"{gate}:/gate", sandbox.base_image, "sh", "-c", script]
    with started_snap(sandbox, *words) as process:
        assert read_until(process.stdout, b"\n") == b"first\n"
        assert read_until(process.stderr, b"\n") == b"apart\n"
        assert process.poll() is None
        (gate / "open").touch()
        assert finished(process) == (0, "last\n", "")


# --- status ---


@pytest.mark.parametrize("status", [0, 1, 3, 5, 125, 137, 255])
def test_the_commands_status_is_snaps_own_and_its_container_is_kept(sandbox: Sandbox, status: int) -> None:
    sandbox.snap(*run_options(sandbox), sandbox.base_image, "sh", "-c", f"exit {status}", expect=status)
    assert sandbox.state(sandbox.name()) == "exited"


def test_a_command_that_is_killed_from_outside_ends_with_137(sandbox: Sandbox) -> None:
    words = [*run_options(sandbox), sandbox.base_image, "sh", "-c", "echo ready; sleep 600"]
    with started_snap(sandbox, *words) as process:
        read_until(process.stdout, b"ready")
        sandbox.client.kill(sandbox.name())
        assert finished(process)[0] == 137


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        pytest.param(["IMAGE", "no-such-program"], 127, "no-such-program", id="127 not in PATH"),
        pytest.param(["IMAGE", "/no/such"], 127, "/no/such", id="127 no file"),
        pytest.param(["IMAGE", "/diamol/ch03.txt"], 126, "permission denied", id="126 not executable"),
        pytest.param(["IMAGE", "/diamol"], 126, "/diamol", id="126 a folder"),
        pytest.param(["-u", "no-such-user", "IMAGE", "true"], 125, "no-such-user", id="125 user"),
        pytest.param(["-v", "/x:relative", "IMAGE", "true"], 125, "relative", id="125 volume"),
    ],
)
def test_a_command_that_cannot_be_started_leaves_no_container(
    sandbox: Sandbox, words: list[str], status: int, said: str
) -> None:
    done = sandbox.snap(
        *run_options(sandbox),
        *[sandbox.base_image if word == "IMAGE" else word for word in words],
        expect=status,
    )
    assert said in done.stderr
    assert done.stdout == ""
    assert names(sandbox) == []


def test_a_name_that_the_engine_does_not_take_is_refused_in_its_words(sandbox: Sandbox) -> None:
    done = sandbox.snap("run", "--name", "a b", "--network", "none", sandbox.base_image, expect=125)
    words = "container create: " if sandbox.is_podman else "Invalid container name (a b)"
    assert done.stderr.startswith(f"snap: The engine refused: {words}")
    assert "[a-zA-Z0-9][a-zA-Z0-9_.-]" in done.stderr


# --- detached, replaced ---


def test_detached_it_prints_the_id_and_the_command_runs_on(sandbox: Sandbox) -> None:
    name = sandbox.name()
    done = sandbox.snap(
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        name,
        sandbox.base_image,
        "sh",
        "-c",
        "echo out; sleep 600",
    )
    assert done.stdout == sandbox.client.inspect_container(name)["Id"] + "\n"
    assert done.stderr == f"snap: '{name}' runs. Next: snap diff {name}, snap commit {name} IMAGE\n"
    assert sandbox.state(name) == "running"


def test_replace_removes_the_old_container_once_the_new_one_runs(sandbox: Sandbox) -> None:
    old = sandbox.client.inspect_container(sandbox.hold())["Id"]
    assert "exists already" in sandbox.snap(*run_options(sandbox), sandbox.base_image, expect=125).stderr
    done = sandbox.snap(*run_options(sandbox), "--replace", sandbox.base_image, "echo", "new")
    assert done.stdout == "new\n"
    assert names(sandbox) == [sandbox.name()]
    assert sandbox.client.inspect_container(sandbox.name())["Id"] != old
    # And where there is nothing to replace.
    sandbox.snap(*run_options(sandbox, "fresh"), "--replace", sandbox.base_image, "true")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["IMAGE", "no-such-program"], id="no such program"),
        pytest.param(["-v", "/x:relative", "IMAGE"], id="refused by the engine"),
        pytest.param(["--pull", "never", "no-such-image"], id="no such image"),
    ],
)
def test_replace_leaves_the_old_container_as_it_was_when_the_new_one_cannot_start(
    sandbox: Sandbox, words: list[str]
) -> None:
    old = sandbox.client.inspect_container(sandbox.hold())["Id"]
    words = [sandbox.base_image if word == "IMAGE" else word for word in words]
    sandbox.snap(*run_options(sandbox), "--replace", *words, expect=None)
    assert names(sandbox) == [sandbox.name()]
    assert sandbox.client.inspect_container(sandbox.name())["Id"] == old
    assert sandbox.state(sandbox.name()) == "running"


def test_replace_takes_a_name_for_a_name_and_not_for_the_beginning_of_an_id(sandbox: Sandbox) -> None:
    bystander = sandbox.client.inspect_container(sandbox.hold())["Id"]
    name = bystander[:12]
    try:
        sandbox.snap(
            "run", "-q", "--network", "none", "--name", name, "--replace", sandbox.base_image, "true"
        )
        assert sandbox.state(bystander) == "running"
    finally:
        sandbox.client.remove_container(f"/{name}")


# --- the mark ---


def listed(sandbox: Sandbox) -> str:
    """``snap ls -q``: IDs, one a line."""
    return sandbox.snap("ls", "-q").stdout


def test_only_containers_that_snap_started_are_listed_as_its_own(sandbox: Sandbox) -> None:
    # Images that inherited the mark, by the engine's commit and by snap's, mark no container of theirs.
    name, image = sandbox.hold(), sandbox.name("by-snap")
    marked = sandbox.client.inspect_container(name)["Id"]
    assert marked in listed(sandbox)
    sandbox.client.commit(name, sandbox.name("by-engine"))
    sandbox.snap("commit", name, image)
    sandbox.client.remove_container(name, force=True)

    for origin in (sandbox.name("by-engine"), image):
        host_config = sandbox.client.create_host_config(network_mode="none")
        made = sandbox.client.create_container(origin, ["true"], name=name, host_config=host_config)["Id"]
        sandbox.client.start(made)
        assert made not in listed(sandbox)
        assert "by snap" in sandbox.snap("show", name).stdout
        assert "no" in sandbox.snap("show", name).stdout.split("by snap")[1].splitlines()[0]
        sandbox.client.remove_container(made, force=True)
    # One that snap itself starts from such an image is its own again.
    sandbox.snap(*run_options(sandbox), image, "true")
    assert sandbox.client.inspect_container(name)["Id"] in listed(sandbox)


# --- pulls ---


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry on this machine, by its address."""
    with running_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture
def pushed(sandbox: Sandbox, registry: str) -> tuple[str, str]:
    """An image of several layers that only the registry has, and its digest there."""
    name = f"{registry}/{sandbox.prefix}/lab:v1"
    made = sandbox.name("made")
    sandbox.snap("commit", "-q", sandbox.changed(f"echo {secrets.token_hex(8)} > /new", "maker"), made)
    sandbox.client.remove_container(sandbox.name("maker"), force=True)
    digest = push(sandbox.client, made, name)
    sandbox.client.remove_image(made)
    return name, digest


def test_an_image_that_is_missing_is_pulled_with_a_line_for_each_state_of_each_layer(
    sandbox: Sandbox, pushed: tuple[str, str]
) -> None:
    name, _ = pushed
    done = sandbox.snap(*run_options(sandbox), name, "cat", "/new")
    lines = done.stderr.splitlines()
    # Podman has no line for the image, and its layers are done when they are there.
    assert sandbox.is_podman or lines[0] == f"v1: Pulling from {sandbox.prefix}/lab"
    done_word = "Download complete" if sandbox.is_podman else "Pull complete"
    assert any(line.endswith(f": {done_word}") for line in lines)
    assert not any(before == after for before, after in pairwise(lines))
    assert all(line.isprintable() for line in lines)
    assert done.stdout.strip()
    # Now it is here: nothing is pulled.
    assert sandbox.snap(*run_options(sandbox, "again"), "--pull", "missing", name, "true").stderr == ""
    sandbox.snap(*run_options(sandbox, "never"), "--pull", "never", name, "true")


def test_pull_always_gets_the_image_that_the_tag_names_by_now(
    sandbox: Sandbox, pushed: tuple[str, str]
) -> None:
    name, _ = pushed
    repository, _, tag = name.rpartition(":")
    sandbox.client.tag(sandbox.base_image, repository, tag)
    here = sandbox.inspect(name)["Id"]

    sandbox.snap(*run_options(sandbox, "missing"), name, "test", "!", "-e", "/new")
    assert sandbox.inspect(name)["Id"] == here
    sandbox.snap(*run_options(sandbox, "always"), "--pull", "always", name, "test", "-e", "/new")
    assert sandbox.inspect(name)["Id"] != here


def test_a_commit_names_the_digest_that_the_registry_gave_its_base(
    sandbox: Sandbox, pushed: tuple[str, str]
) -> None:
    # R10
    name, digest = pushed
    sandbox.snap(*run_options(sandbox), name, "touch", "/more")
    sandbox.snap("commit", "-q", sandbox.name(), sandbox.name("image"))
    labels = sandbox.config(sandbox.name("image"))["Labels"]
    assert labels["org.opencontainers.image.base.name"] == name
    assert labels["org.opencontainers.image.base.digest"] == digest


def test_an_image_can_be_pulled_by_its_digest(sandbox: Sandbox, pushed: tuple[str, str]) -> None:
    name, digest = pushed
    by_digest = f"{name.rpartition(':')[0]}@{digest}"
    sandbox.snap(*run_options(sandbox), by_digest, "true")
    assert by_digest in sandbox.inspect(by_digest)["RepoDigests"]


def test_a_pull_that_the_registry_refuses_says_so_in_one_sentence(sandbox: Sandbox, registry: str) -> None:
    for name in (f"{registry}/no-such/repository:v1", f"127.0.0.1:{free_port()}/nobody/listens:v1"):
        for policy in ("missing", "always"):
            done = sandbox.snap(*run_options(sandbox), "--pull", policy, name, "true", expect=125)
            first, hint = done.stderr.splitlines()
            assert first.startswith(f"snap: '{name}' could not be pulled: ")
            assert "docker login" in hint
    assert names(sandbox) == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_pull_that_is_stopped_leaves_nothing(sandbox: Sandbox, number: signal.Signals, status: int) -> None:
    with StallingRegistry() as stalling:
        with started_snap(sandbox, *run_options(sandbox), stalling.name, "true") as process:
            assert stalling.asked.wait(20), "the engine did not ask for the layer"
            process.send_signal(number)
            code, stdout, stderr = finished(process)
        assert (code, stdout) == (status, "")
        assert stderr.splitlines()[-1] == (
            f"snap: The pull of '{stalling.name}' was stopped; nothing was started."
        )
        assert names(sandbox) == []
        with pytest.raises(ImageNotFound):
            sandbox.inspect(stalling.name)


def test_on_a_terminal_the_progress_of_a_pull_is_kept_up_to_date_in_place(
    sandbox: Sandbox, pushed: tuple[str, str]
) -> None:
    terminal, stderr = os.openpty()
    try:
        words = [*run_options(sandbox), pushed[0], "true"]
        with started_snap(sandbox, *words, stderr=stderr, env={"TERM": "xterm"}) as process:
            os.close(stderr)
            shown = b""
            try:
                while piece := os.read(terminal, 65536):
                    shown += piece
            except OSError:
                pass  # Linux says so that the other end was closed
            assert finished(process)[0] == 0
    finally:
        os.close(terminal)
    assert (b"Download complete" if sandbox.is_podman else b"Pull complete") in shown
    # Everything is taken off the terminal in the end.
    assert shown.endswith(b"\x1b[J")
