"""``snap squash``: the layers that snap added as one (issue 5)."""

from __future__ import annotations

import io
import json
import os
import tarfile
from typing import Any

import lookalike
import pytest
import steps
from doctor import take_apart
from pairs import differing, tree_of_image
from sandbox import Sandbox

pytestmark = pytest.mark.engine

#: What three containers do, each on the image of the one before, in folders of their own.
GENERATIONS = (
    "chmod 711 / /x/b/dir; cd /x; echo 1 > own; ln own name; rm -r b/tree; echo 2 > b/file; ln b/gone b/n",
    "cd /x; rm name; echo 22 > own; mkdir -p b/tree/other; touch b/tree/other/f; rm b/hard1; mkfifo pipe",
    "cd /x; rm -r b/tree b/dir; echo 3 > b/dir; ln -s own link; chown 7:8 own; touch $(printf 'caf\\351')",
)


@pytest.fixture(scope="module")
def image(space: Sandbox) -> str:
    """A snapshot of a snapshot of a snapshot."""
    below = space.name("base")
    tar = lookalike.root_tar({}, extra=[steps.folder("x"), *steps.base_entries("x/")])
    config = [f"ENV PATH={lookalike.PATH}", 'CMD ["sh"]', "LABEL org.opencontainers.image.title=base"]
    lookalike.import_image(space.client, below, tar, config)
    for number, script in enumerate(GENERATIONS):
        box = space.changed(script, f"box{number}", image=below)
        below = space.name(f"generation{number}")
        options = ("--label", "org.opencontainers.image.title=ours", "--env", "A=1", "--author", "me")
        space.snap("commit", "-m", f"step {number}", *options, box, below)
    return below


def document(space: Sandbox, *words: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(space.snap(*words, "--format", "json").stdout)
    return answer


def test_files_config_and_steps_stay_and_the_layers_are_one(space: Sandbox, image: str) -> None:
    target = space.name("squashed")
    made = document(space, "squash", image, "-t", target)
    assert len(space.inspect(target)["RootFS"]["Layers"]) == 2
    assert len(made["layers"]) == 1
    assert differing(tree_of_image(space, image), tree_of_image(space, target)) == {}
    with tarfile.open(fileobj=io.BytesIO(take_apart(space.client, target).layers[-1])) as layer:
        assert {info.mode for info in layer if info.name in {".", "./", "/", ""}} == {0o711}, "the root's own"
    before, after = (space.config(name) for name in (image, target))
    own = {key for key in after["Labels"] if key.startswith("io.github.docker-snap.")}
    written = own | {f"org.opencontainers.image.{key}" for key in ("created", "base.name", "base.digest")}
    labels = [
        {key: value for key, value in config["Labels"].items() if key not in written}
        for config in (before, after)
    ]
    assert labels[0] == labels[1]
    assert labels[1]["org.opencontainers.image.title"] == "ours"
    assert {**before, "Labels": None, "Image": None} == {**after, "Labels": None, "Image": None}
    told = [generation["steps"] for generation in document(space, "log", image)["generations"]]
    again = [generation["steps"] for generation in document(space, "log", target)["generations"]]
    assert again[: len(told)] == told
    assert space.snap("verify", "--deep", "--base", space.name("base"), target)
    assert space.snap("show", target).stdout.count("step 2") == 1


def test_without_a_name_the_images_own_is_taken_and_undo_gives_it_back(space: Sandbox, image: str) -> None:
    name = space.name("own-name")
    before = space.inspect(image)["Id"]
    space.client.tag(before, name)
    done = space.snap("squash", "-q", name)
    after = space.inspect(name)["Id"]
    assert done.stdout.strip() == after != before
    assert before.removeprefix("sha256:")[:12] in done.stderr
    space.snap("undo", name)
    assert space.inspect(name)["Id"] == before


def test_the_same_image_with_the_same_time_gives_the_same_one(space: Sandbox, image: str) -> None:
    options = ("squash", image, "--timestamp", "1700000000", "-q", "-t")
    made = [space.snap(*options, space.name(f"timed{number}")).stdout for number in range(2)]
    assert made[0] == made[1]
    space.snap("undo", space.name("timed0"))
    assert space.inspect(space.name("timed0"))["Id"] == space.inspect(image)["Id"]


def test_the_layers_of_one_patch_are_folded_too(space: Sandbox) -> None:
    image = space.name("patched")
    words = ("--run", "echo x > /one; rm /bin/wc", "--rm", "/one", "--run", "ln /diamol/ch03.txt /two")
    space.snap("patch", space.base_image, "-t", image, "--network", "none", *words)
    before = tree_of_image(space, image)
    space.snap("squash", image)
    assert len(space.inspect(image)["RootFS"]["Layers"]) == 2
    assert differing(before, tree_of_image(space, image)) == {}
    assert "/one" not in space.snap("diff", image).stdout


def test_where_there_is_nothing_to_fold_it_says_so(space: Sandbox, image: str) -> None:
    del image
    first = space.name("generation0")
    before = space.inspect(first)["Id"]
    done = space.snap("squash", first, expect=1)
    assert "one layer" in done.stderr
    assert space.inspect(first)["Id"] == before
    assert "no record" in space.snap("squash", space.base_image, "-t", space.name("x"), expect=2).stderr


@pytest.mark.only_on("docker20", "docker28", "podman", reason="an upper folder can be read")
def test_attributes_of_files_are_kept(space: Sandbox) -> None:
    box = space.changed("echo x > /noted", "noted")
    pid = space.client.inspect_container(box)["State"]["Pid"]
    os.setxattr(f"/proc/{pid}/root/noted", "user.note", b"of a user")
    first, second = space.name("noted1"), space.name("noted2")
    space.snap("commit", "--capture", "direct", box, first)
    space.snap("commit", space.changed("echo y > /other", "other", image=first), second)
    space.snap("squash", second)
    box = space.hold("seen", image=second)
    pid = space.client.inspect_container(box)["State"]["Pid"]
    assert os.getxattr(f"/proc/{pid}/root/noted", "user.note") == b"of a user"
