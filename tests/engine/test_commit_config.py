"""The config of a committed image: the base's and what was asked for (conformance M)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import lookalike
import pytest
from doctor import take_apart
from sandbox import Sandbox

from snapshot.engine.types import Config
from snapshot.image.record import OCI_CREATED

pytestmark = pytest.mark.engine

PATH = f"PATH={lookalike.PATH}"


@pytest.fixture
def box(sandbox: Sandbox) -> str:
    """A container with one changed file."""
    name = sandbox.name()
    sandbox.snap("run", "-q", "--network", "none", "--name", name, sandbox.base_image, "touch", "/new")
    return name


@pytest.mark.parametrize(
    ("options", "key", "value"),
    [
        (["-c", "ENV A=1 B='2 3'"], "Env", [PATH, "A=1", "B=2 3"]),
        (["-c", "ENV PATH=$PATH:/x"], "Env", [PATH + ":/x"]),
        (["-c", "ENV TEST=1=1-01=9.01"], "Env", [PATH, "TEST=1=1-01=9.01"]),
        (["--env", "A=1", "--env", "B=$HOME"], "Env", [PATH, "A=1", "B=$HOME"]),
        (["-c", 'CMD ["a","b c"]'], "Cmd", ["a", "b c"]),
        (["-c", "CMD a b"], "Cmd", ["/bin/sh", "-c", "a b"]),
        (["--cmd", '["a"]'], "Cmd", ["a"]),
        (["--cmd", "a b"], "Cmd", ["/bin/sh", "-c", "a b"]),
        (["-c", 'ENTRYPOINT ["foo","bar=baz"]'], "Entrypoint", ["foo", "bar=baz"]),
        (["--entrypoint", '["/app"]', "--cmd", '["x"]'], "Entrypoint", ["/app"]),
        (["-c", "WORKDIR /srv", "-c", "WORKDIR app"], "WorkingDir", "/srv/app"),
        (["--workdir", "sub"], "WorkingDir", "/diamol/sub"),
        (["-c", "USER 12:34"], "User", "12:34"),
        (["--user", "nobody"], "User", "nobody"),
        (["-c", "EXPOSE 80 53/udp"], "ExposedPorts", {"80/tcp": {}, "53/udp": {}}),
        (["--expose", "8000-8001"], "ExposedPorts", {"8000/tcp": {}, "8001/tcp": {}}),
        (["-c", "VOLUME /a /b"], "Volumes", {"/a": {}, "/b": {}}),
        (["--volume", "/a"], "Volumes", {"/a": {}}),
        (["-c", "STOPSIGNAL SIGQUIT"], "StopSignal", "SIGQUIT"),
        (["--stop-signal", "9"], "StopSignal", "9"),
        (["-c", "ONBUILD RUN x"], "OnBuild", ["RUN x"]),
        (["--onbuild", "COPY . /"], "OnBuild", ["COPY . /"]),
        (
            ["--healthcheck", "--interval=5s CMD curl -f localhost"],
            "Healthcheck",
            {"Test": ["CMD-SHELL", "curl -f localhost"], "Interval": 5 * 10**9},
        ),
        (["-c", "HEALTHCHECK NONE"], "Healthcheck", {"Test": ["NONE"]}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and value[0].startswith("-") else None,
)
def test_what_is_asked_for_is_in_the_image(
    sandbox: Sandbox, box: str, options: list[str], key: str, value: object
) -> None:
    """M01, M02, M07, M08, M15: every instruction, and the readable options."""
    sandbox.snap("commit", box, sandbox.name("image"), *options)
    assert sandbox.config(sandbox.name("image"))[key] == value


def test_what_is_asked_for_is_in_the_image_of_the_engines_commit(sandbox: Sandbox, box: str) -> None:
    """M19: it is given the same config by other means, on Podman as instructions."""
    options = [
        "-c", "ENV A=1 B='2 $3'", "--env", "C=", "--entrypoint", '["/app", "a b"]', "--cmd", "x $y",
        "--workdir", "sub", "--user", "12:34", "--expose", "80", "--volume", "/a b",
        "--onbuild", "RUN x", "-l", 'team="lab" $1', "-m", "a message",
    ]  # fmt: skip
    if not sandbox.is_podman:
        # There it would be written as a number, and is refused.
        options += ["--stop-signal", "SIGQUIT"]
    made = []
    for method in ("sealed", "engine"):
        image = sandbox.name(method)
        sandbox.snap("commit", box, image, "--method", method, *options)
        config = Config.from_api(sandbox.config(image))
        own = {key for key in config.labels if key.startswith("io.github.docker-snap.")}
        labels = {key: value for key, value in config.labels.items() if key not in own | {OCI_CREATED}}
        # Podman's commit takes along what it gives every container.
        env = tuple(v for v in config.env if v not in {"TERM=xterm", "container=podman"})
        made.append(replace(config, labels=labels, env=env))
    assert made[0].env == (PATH, "A=1", "B=2 $3", "C=")
    assert made[0].labels["team"] == '"lab" $1'
    assert made[0] == made[1]


@pytest.fixture
def unlike_its_base(sandbox: Sandbox, client: docker.APIClient) -> str:
    """A running container in whose config nearly all is other than in that of its base."""
    base = sandbox.name("base")
    lookalike.import_image(
        client, base, lookalike.root_tar(), ['CMD ["serve"]', "LABEL team=base", "USER 7:8"]
    )
    name = sandbox.name()
    client.create_container(
        base,
        ["60"],
        name=name,
        entrypoint=["sleep"],
        user="0",
        working_dir="/tmp",
        labels={"team": "other"},
        stop_signal="SIGKILL",
        healthcheck={"test": ["CMD", "true"]},
        host_config=client.create_host_config(network_mode="none"),
    )
    client.start(name)
    return name


def test_the_image_has_the_base_images_config_and_not_the_containers(
    sandbox: Sandbox, unlike_its_base: str
) -> None:
    """M10: what happened to hold the container does not get into the image."""
    sandbox.snap("commit", unlike_its_base, sandbox.name("image"))
    config, base = (Config.from_api(sandbox.config(sandbox.name(name))) for name in ("image", "base"))
    assert (base.cmd, base.user, base.labels) == (("serve",), "7:8", {"team": "base"})
    assert config.labels["team"] == "base"
    assert replace(config, labels={}) == replace(base, labels={})


def test_the_engines_commit_is_given_neutral_values_for_what_the_base_leaves_open(
    sandbox: Sandbox, unlike_its_base: str
) -> None:
    """M10, with a call that takes the container's for what is not given."""
    sandbox.snap("commit", "--method", "engine", unlike_its_base, sandbox.name("image"))
    config = sandbox.config(sandbox.name("image"))
    assert config["Cmd"] == ["serve"]
    assert not config["Entrypoint"]
    assert config["User"] == "7:8"
    assert config["Labels"]["team"] == "base"
    assert config["WorkingDir"] in {"", "/"}
    assert config.get("StopSignal") in {None, "SIGTERM"}
    # Podman's commit does not take the container's.
    assert config.get("Healthcheck", {"Test": ["NONE"]})["Test"] == ["NONE"]


@pytest.fixture
def with_secrets(sandbox: Sandbox) -> str:
    """A container that was given env and a label at its start."""
    return sandbox.hold("box", "-e", "PASSWORD=hunter2", "-e", "PATH=/bin:/evil", "-l", "extra=hidden")


def test_env_and_labels_of_the_container_are_nowhere_in_the_image(
    sandbox: Sandbox, with_secrets: str
) -> None:
    """S02, S07."""
    sandbox.sh(with_secrets, "touch /new")
    done = sandbox.snap("commit", with_secrets, sandbox.name("image"), "--format", "json")
    assert json.loads(done.stdout)["kept_by_engine"] == []
    assert sandbox.config(sandbox.name("image"))["Env"] == [PATH]
    parts = take_apart(sandbox.client, sandbox.name("image"))
    # The history of steps tells the names of variables that were given.
    assert "PASSWORD" not in json.dumps(parts.config["config"])
    for text in (b"hunter2", b"evil", b"extra", b"hidden"):
        assert text not in json.dumps(parts.config).encode()
        assert text not in parts.layers[-1]
        assert text.decode() not in done.stdout + done.stderr


def test_env_of_the_container_that_the_engine_cannot_leave_out_is_named_without_its_value(
    sandbox: Sandbox, with_secrets: str, tmp_path: Path
) -> None:
    metadata = tmp_path / "metadata.json"
    done = sandbox.snap(
        "commit", with_secrets, sandbox.name("image"), "--method", "engine",
        "--metadata-file", str(metadata),
    )  # fmt: skip
    assert "env PASSWORD" in done.stderr
    assert "label extra" in done.stderr
    config = sandbox.config(sandbox.name("image"))
    assert PATH in config["Env"], "a variable of the base keeps the base's value"
    said = done.stdout + done.stderr + metadata.read_text() + json.dumps(config["Labels"] | {"extra": ""})
    assert "hunter2" not in said
    assert "env PASSWORD" in sandbox.snap("show", sandbox.name("image")).stdout


@pytest.mark.parametrize("method", ["sealed", "engine"])
def test_keep_env_takes_the_containers_env_and_says_nothing(sandbox: Sandbox, method: str) -> None:
    name = sandbox.hold("box", "-e", "A=1", "-e", "PATH=/bin:/mine", "-e", "B=2")
    done = sandbox.snap(
        "commit", name, sandbox.name("image"), "--keep-env", "--env", "B=3", "--method", method
    )
    podmans_own = ["TERM=xterm", "container=podman"] if sandbox.is_podman else []
    env = ["A=1", "B=3", "PATH=/bin:/mine", *podmans_own]
    assert sorted(sandbox.config(sandbox.name("image"))["Env"]) == env
    assert "went in" not in done.stderr


def test_web_ping_is_made_from_a_container_that_sleep_held(sandbox: Sandbox) -> None:
    name = sandbox.changed("mkdir /web-ping && echo 'console.log(1)' > /web-ping/app.js")
    image = sandbox.name("web-ping")
    sandbox.snap(
        "commit", name, image, "-c", 'ENV TARGET="blog.sixeyed.com" METHOD="HEAD" INTERVAL="3000"',
        "-c", "WORKDIR /web-ping", "-c", 'CMD ["node", "/web-ping/app.js"]',
    )  # fmt: skip
    config = sandbox.config(image)
    assert config["Env"] == [PATH, "TARGET=blog.sixeyed.com", "METHOD=HEAD", "INTERVAL=3000"]
    assert config["WorkingDir"] == "/web-ping"
    assert config["Cmd"] == ["node", "/web-ping/app.js"]
    assert sandbox.output_of(image, "cat", "app.js") == "console.log(1)\n"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["-c", "RUN true"], "RUN"),
        (["-c", "ADD a /"], "ADD"),
        (["-c", "COPY a /"], "COPY"),
        (["-c", "BOGUS=foo"], "BOGUS"),
        (["--expose", "99999"], "99999"),
        (["--stop-signal", "SIGNOPE"], "SIGNOPE"),
        (["--iidfile", "/no/such/folder/id"], "/no/such/folder/id"),
        (["--metadata-file", "/proc/nope/file"], "/proc/nope/file"),
        (["-l", "novalue"], "novalue"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_what_is_wrong_is_refused_by_name_before_anything_is_made(
    sandbox: Sandbox, box: str, arguments: list[str], word: str
) -> None:
    """M03, M25."""
    before = sandbox.new_images()
    done = sandbox.snap("commit", box, sandbox.name("image"), *arguments, expect=2)
    assert word in done.stderr
    assert sandbox.new_images() == before


@pytest.mark.parametrize("image", ["Capital", "name:bad/tag:x", "a@sha256:" + "0" * 64, "-", "a" * 300, ""])
def test_a_name_that_no_image_can_have_is_refused(sandbox: Sandbox, box: str, image: str) -> None:
    """M25; an empty name means none."""
    before = sandbox.new_images()
    done = sandbox.snap("commit", "--", box, image, expect=2 if image else 0)
    assert (sandbox.new_images() == before) == bool(image), done.stderr


def test_names_are_read_as_docker_reads_them(sandbox: Sandbox, box: str) -> None:
    """M26, M27."""
    for given, full in [("localhost:5000/{}/x:1", "localhost:5000/{}/x:1"), ("{}", "{}:latest")]:
        done = sandbox.snap("commit", "-q", box, given.format(sandbox.name("img")))
        image = sandbox.inspect(full.format(sandbox.name("img")))
        assert done.stdout.strip() == image["Id"]
    # Within the same second the same commit would be the same image.
    done = sandbox.snap("commit", box, "-m", "another")
    assert "no name" in done.stdout
    dangling = next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("id"))
    assert sandbox.inspect(dangling)["RepoTags"] == []


def test_record_author_message_and_oci_keys_are_in_the_image(
    sandbox: Sandbox, box: str, tmp_path: Path
) -> None:
    """M11-M14, M19, M23, M24, L19."""
    image, iidfile, metadata = sandbox.name("image"), tmp_path / "id", tmp_path / "metadata"
    done = sandbox.snap(
        "commit", box, image, "-m", "a message", "-a", "Elton <e@example.org>", "-l", "team=lab",
        "--iidfile", str(iidfile), "--metadata-file", str(metadata), "--format", "json",
    )  # fmt: skip
    answer, base = sandbox.inspect(image), sandbox.inspect(sandbox.base_image)
    document = json.loads(done.stdout)
    assert json.loads(metadata.read_text()) == document
    assert iidfile.read_text() == answer["Id"] == document["id"]
    assert document["schema"] == "docker-snap.commit/1"
    assert document["changes"]["added"] == 1
    assert answer["Author"] == "Elton <e@example.org>"
    # Podman gives the first comment in the history.
    assert sandbox.is_podman or answer["Comment"] == "a message"
    assert [answer[key] for key in ("Architecture", "Os")] == [base[key] for key in ("Architecture", "Os")]
    history: Any = sandbox.client.history(image)  # type: ignore[no-untyped-call]
    assert history[0]["Comment"] == "a message"
    assert history[0]["CreatedBy"]
    labels = answer["Config"]["Labels"]
    assert labels["team"] == "lab"
    assert labels["org.opencontainers.image.base.name"] == f"docker.io/{sandbox.base_image}"
    # Podman knows a digest of every image's manifest, Docker of those from a registry.
    digest = (base["RepoDigests"] or [base["Id"]])[0].rpartition("@")[2]
    assert labels["org.opencontainers.image.base.digest"] == digest
    assert labels["org.opencontainers.image.authors"] == "Elton <e@example.org>"
    assert labels["org.opencontainers.image.created"] == document["created"]
    found = sandbox.client.images(filters={"label": "io.github.docker-snap.record"})
    assert answer["Id"] in {item["Id"] for item in found}
    record = json.loads(labels["io.github.docker-snap.record"])
    assert record["message"] == "a message"
    assert record["base"]["id"] == base["Id"]


def test_mounts_are_not_in_the_config_and_are_named(sandbox: Sandbox, tmp_path: Path) -> None:
    """M18, F35: not even an empty mount point is left of a bind."""
    name = sandbox.name()
    sandbox.snap(
        "run", "-q", "--network", "none", "--name", name, "-v", f"{tmp_path}:/foo", "-v", "/dev/null:/x",
        sandbox.base_image, "touch", "/foo/inside",
    )  # fmt: skip
    done = sandbox.snap("commit", name, sandbox.name("image"))
    assert "the data of the bind at /foo" in done.stderr
    assert not sandbox.config(sandbox.name("image")).get("Volumes")
    assert sandbox.output_of(sandbox.name("image"), "sh", "-c", "ls -d /foo /x 2>/dev/null || true") == ""


@pytest.fixture
def with_port_and_volume(sandbox: Sandbox) -> str:
    """A container with a published port and a volume, neither of which its base has."""
    name = sandbox.name()
    ports = sandbox.client.create_host_config(port_bindings={80: 8585})
    sandbox.client.create_container(
        sandbox.base_image, ["true"], name=name, ports=[80], volumes=["/data"], host_config=ports
    )
    return name


def test_the_image_exposes_what_was_asked_for_alone(sandbox: Sandbox, with_port_and_volume: str) -> None:
    """M17, M18."""
    done = sandbox.snap("commit", with_port_and_volume, sandbox.name("image"), "--expose", "81")
    assert "went in" not in done.stderr
    config = sandbox.config(sandbox.name("image"))
    assert config["ExposedPorts"] == {"81/tcp": {}}
    assert not config.get("Volumes")


def test_a_published_port_goes_in_with_the_engines_commit_and_is_named(
    sandbox: Sandbox, with_port_and_volume: str
) -> None:
    """M17: what cannot be left out is said."""
    done = sandbox.snap(
        "commit", with_port_and_volume, sandbox.name("image"), "--method", "engine", "--expose", "81",
        "--format", "json",
    )  # fmt: skip
    kept = json.loads(done.stdout)["kept_by_engine"]
    assert [name for name in kept if not name.startswith("env ")] == ["port 80/tcp", "volume /data"]
    assert sandbox.is_podman or len(kept) == 2
    assert "port 80/tcp, volume /data" in done.stderr
    assert sandbox.config(sandbox.name("image"))["ExposedPorts"] == {"80/tcp": {}, "81/tcp": {}}
    sandbox.snap("verify", sandbox.name("image"))
