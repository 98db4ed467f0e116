"""What Podman answers otherwise than Docker, and what snap makes of it."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from typing import Any

import pytest
from doctor import SavedImage, put_together, take_apart
from sandbox import Sandbox

from snapshot.engine.answers import read_image
from snapshot.engine.endpoint import Endpoint
from snapshot.engine.podman_images import PodmanImages
from snapshot.engine.types import Config
from snapshot.engine.wire import Wire

pytestmark = [
    pytest.mark.engine,
    pytest.mark.only_on("podman", reason="it is about what Podman alone does"),
]

DOCKERS_OWN = {
    "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000},
    "OnBuild": ["RUN x"],
    "Shell": ["/bin/sh", "-x"],
    "StopSignal": "SIGQUIT",
}


def parts_of_dockers(config: dict[str, Any]) -> tuple[object, ...]:
    """What stands in these parts of a config."""
    read = Config.from_api(config["config"])
    return read.healthcheck, read.on_build, read.shell, read.stop_signal


def layer_by(sandbox: Sandbox, way: str, container: str, *options: str) -> str:
    """The digest of the layer that a commit makes that reads the files in that way."""
    image = sandbox.name(f"by-{way}")
    sandbox.snap("commit", "--capture", way, "--timestamp", "1700000000", *options, container, image)
    return str(sandbox.inspect(image)["RootFS"]["Layers"][-1])


@pytest.mark.parametrize(
    "script",
    [
        # Podman's list lacks the folder, and its archive says that the container's user owns everything.
        pytest.param("chown 12:34 /diamol && chown 5:6 /diamol/ch03.txt", id="owners"),
        # Its list has the folder as deleted.
        pytest.param("rm -r /diamol && mkdir -m 711 /diamol && touch /diamol/x", id="a folder refilled"),
        # Its list fails.
        pytest.param("rm /diamol/ch03.txt && mkdir -p /diamol/ch03.txt/x", id="a folder for a file"),
        # It does not find such a link, and gives the file for the one that leads somewhere.
        pytest.param("ln -s /nowhere /dangling && ln -s diamol/ch03.txt /leads", id="links"),
        # It takes names for patterns.
        pytest.param("touch '/a*' '/a?' '/[a]' '/a\\b' && ln -s /nowhere '/l[*]'", id="patterns"),
        # It lists nothing of /run itself, and only a file below it.
        pytest.param("mkdir -p -m 711 /run/mine && chmod 711 /run && touch /run/mine/x", id="run"),
        pytest.param("chmod 711 / && touch /x", id="the root's mode"),
    ],
)
def test_over_the_api_the_layer_is_the_one_that_is_read_directly(sandbox: Sandbox, script: str) -> None:
    box = sandbox.changed(f"mkdir -p /run && {script}")
    assert layer_by(sandbox, "api", box) == layer_by(sandbox, "direct", box)


def test_a_folders_mode_counts_where_podman_puts_a_file_into_it(sandbox: Sandbox) -> None:
    box = sandbox.hold()
    assert sandbox.snap("diff", "-q", box).stdout == ""
    sandbox.sh(box, "chmod 711 /etc")
    assert sandbox.snap("diff", box).stdout.split() == ["C", "folder", "0711", "0:0", "-", "/etc"]


def test_the_parts_of_a_config_that_podman_does_not_tell_come_from_the_base_into_the_image(
    sandbox: Sandbox,
) -> None:
    base, image = sandbox.name("base"), sandbox.name("image")
    saved = take_apart(sandbox.client, sandbox.base_image)
    config = {**saved.config["config"], **DOCKERS_OWN}
    put_together(
        sandbox.client, SavedImage({**saved.config, "variant": "v1", "config": config}, saved.layers), base
    )
    box = sandbox.changed("touch /new", image=base)

    sandbox.snap("commit", box, image)

    made = take_apart(sandbox.client, image).config
    assert parts_of_dockers(made) == parts_of_dockers({"config": DOCKERS_OWN})
    assert made["variant"] == "v1"
    assert "os.version" not in made
    sandbox.snap("verify", "--deep", image)
    # Its own commit keeps the base's, too.
    sandbox.snap("commit", "--method", "engine", box, sandbox.name("by-engine"))
    kept = take_apart(sandbox.client, sandbox.name("by-engine")).config
    assert parts_of_dockers(kept) == parts_of_dockers({"config": DOCKERS_OWN})


def test_the_config_of_an_image_is_found_from_afar_as_it_is_here(sandbox: Sandbox) -> None:
    image = sandbox.name("image")
    sandbox.snap("commit", sandbox.hold(), image, "--onbuild", "RUN x", "--healthcheck", "CMD true")
    answer = sandbox.inspect(image)
    told = read_image(answer)
    with closing(Wire(Endpoint(sandbox.host, "a test", None))) as wire:
        here, afar = (
            PodmanImages(wire, is_local=is_local).completed(told, answer) for is_local in (True, False)
        )
    assert told.config.on_build == ()
    assert here.config.on_build == ("RUN x",)
    assert here == afar


def test_podmans_own_commit_says_that_it_cannot_set_a_healthcheck(sandbox: Sandbox) -> None:
    done = sandbox.snap(
        "commit", "--method", "engine", sandbox.hold(), sandbox.name("image"), "--healthcheck", "CMD true",
        expect=1,
    )  # fmt: skip
    assert done.stderr.startswith("snap: Podman's own commit cannot set a healthcheck.\n")
    assert sandbox.new_images() == set()


def test_podmans_own_commit_has_the_record_and_all_that_is_asked_for(sandbox: Sandbox) -> None:
    image = sandbox.name("image")
    done = sandbox.snap(
        "commit", "--method", "engine", sandbox.changed("touch /new"), image, "-m", "a 'message'",
        "-l", 'quoted="yes"', "--env", "A= blank ", "--cmd", '["echo", "a b"]', "--format", "json",
    )  # fmt: skip
    config = sandbox.config(image)
    assert json.loads(done.stdout)["id"] == sandbox.inspect(image)["Id"]
    assert config["Labels"]["quoted"] == '"yes"'
    assert "A= blank " in config["Env"]
    assert config["Cmd"] == ["echo", "a b"]
    sandbox.snap("verify", image)


def test_names_are_shown_as_people_type_them(sandbox: Sandbox) -> None:
    image = sandbox.name("image")
    sandbox.snap("commit", sandbox.hold(), image)
    assert sandbox.inspect(image)["RepoTags"] == [f"docker.io/library/{image}:latest"]
    assert json.loads(sandbox.snap("show", "--format", "json", image).stdout)["names"] == [f"{image}:latest"]
    assert f"{image}:latest" in sandbox.snap("ls").stdout
    assert "docker.io/library" not in sandbox.snap("show", sandbox.name()).stdout


def test_files_with_the_names_of_patterns_are_checked_by_those_names(sandbox: Sandbox) -> None:
    image = sandbox.name("image")
    sandbox.snap("commit", sandbox.changed("echo x > '/a[b]' && echo y > /ab"), image)
    digest = hashlib.sha256(b"x\n").hexdigest()
    sandbox.snap("verify", image, "--sha256", f"/a[b]={digest}", "--absent", "/a?", "--absent", "/a*")
