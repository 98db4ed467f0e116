"""Which images stand on which, on a real engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from builders import build_classic
from sandbox import Sandbox

pytestmark = pytest.mark.engine


def tree(space: Sandbox, *arguments: str) -> Any:
    return json.loads(space.snap("tree", "--format", "json", *arguments).stdout)


def branch_of(document: Any, name: str) -> Any:
    return next(branch for branch in document["branches"] if name in branch["names"])


def parent_of(document: Any, name: str) -> Any:
    number = branch_of(document, name)["parent"]
    return None if number is None else document["branches"][number]


def snapshot(space: Sandbox, base: str, stem: str, script: str) -> str:
    """A snapshot of a container of ``base``."""
    name = f"{space.name(stem)}:1"
    box = space.name(f"{stem}-box")
    space.snap("run", "-q", "--network", "none", "--name", box, base, "sh", "-c", script)
    space.snap("commit", "-q", box, name, "-m", f"made {stem}")
    return name


def test_snapshots_stand_on_what_they_were_made_from(sandbox: Sandbox) -> None:
    first = snapshot(sandbox, sandbox.base_image, "first", "head -c 5000 /dev/zero > /first")
    second = snapshot(sandbox, first, "second", "head -c 3000 /dev/zero > /second; rm /first")
    same, squashed = f"{sandbox.name('same')}:1", f"{sandbox.name('squashed')}:1"
    sandbox.snap("patch", "-q", first, "-t", same, "--env", "A=1")
    sandbox.snap("squash", "-q", second, "-t", squashed)

    document = tree(sandbox)
    assert parent_of(document, sandbox.base_image) is None
    assert sandbox.base_image in parent_of(document, first)["names"]
    assert parent_of(document, second)["names"] == parent_of(document, same)["names"] == [first]
    assert (branch_of(document, same)["layers"], branch_of(document, same)["own_bytes"]) == (0, 0)
    assert branch_of(document, first)["own_bytes"] >= 5000
    assert (branch_of(document, second)["message"], branch_of(document, second)["made_from"]) == (
        "made second",
        None,
    )
    assert sandbox.base_image in parent_of(document, squashed)["names"]
    assert branch_of(document, squashed)["made_from"]["names"] == [second]

    lines = sandbox.snap("tree", second).stdout.splitlines()
    assert len(lines) == 5
    marked = [line for line in lines if "* " in line]
    assert len(marked) == 1
    assert second in marked[0]
    assert 'snapshot "made second"' in marked[0]


@pytest.mark.only_on(
    "docker20", "docker28", "docker28-containerd", reason="Podman's builds over its API make one layer each"
)
def test_builds_that_part_have_their_layers_in_common_drawn_once(sandbox: Sandbox, tmp_path: Path) -> None:
    names = [f"{sandbox.name(stem)}:1" for stem in ("left", "right")]
    for name in names:
        folder = tmp_path / name[:-2]
        folder.mkdir()
        (folder / "file").write_bytes(name.encode())
        common = f"FROM {sandbox.base_image}\nCOPY --chown=1:1 Dockerfile.common /common\nENV A=1\n"
        (folder / "Dockerfile.common").write_text("the same\n")
        (folder / "Dockerfile").write_text(f"{common}COPY file /file\nCMD true\n")
        build_classic(sandbox, folder, name)
    document = tree(sandbox, names[0])
    fork = parent_of(document, names[0])
    assert fork == parent_of(document, names[1])
    assert (fork["id"], fork["names"], fork["layers"]) == (None, [], 1)
    assert sandbox.base_image in document["branches"][fork["parent"]]["names"]


def test_an_image_that_is_not_here_is_said(sandbox: Sandbox) -> None:
    done = sandbox.snap("tree", sandbox.name("none"), expect=1)
    assert sandbox.name("none") in done.stderr


@pytest.mark.only_on(
    "docker20", "docker28", "docker28-containerd", reason="Podman removes an image that another stands on"
)
def test_an_image_that_no_list_shows_is_drawn_where_it_is_asked_for(sandbox: Sandbox) -> None:
    below = committed(sandbox, sandbox.base_image, "below")
    above = committed(sandbox, f"{sandbox.name('below')}:1", "above")
    sandbox.client.remove_image(f"{sandbox.name('below')}:1", noprune=True)
    assert below not in {branch["id"] for branch in tree(sandbox)["branches"]}
    document = tree(sandbox, below)
    assert document["marked"] == below
    number = next(branch for branch in document["branches"] if branch["id"] == above)["parent"]
    assert document["branches"][number]["id"] == below


def committed(sandbox: Sandbox, base: str, stem: str) -> str:
    """The ID of an image with a file more, by the engine's own commit."""
    network = {"NetworkMode": "none"}
    script = f"echo {stem} > /{stem}"
    box = sandbox.client.create_container(base, ["sh", "-c", script], host_config=network)["Id"]
    sandbox.client.start(box)
    sandbox.client.wait(box)
    made: str = sandbox.client.commit(box, sandbox.name(stem), "1")["Id"]
    sandbox.client.remove_container(box)
    return made
