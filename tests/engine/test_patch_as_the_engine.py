"""``snap patch`` gives the files that the same edits in a container give under the engine's own commit.

All cases are in one patch and one container, each in a folder of its own.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import lookalike
import patch_cases
import pytest
from pairs import differing, start, tree_of_image
from patch_cases import CASES, SOURCES
from sandbox import Sandbox
from test_as_the_engine_commits import PODMANS_OWN
from trees import Node

pytestmark = pytest.mark.engine

Differences = dict[str, dict[str, tuple[Any, Any]]]


@pytest.fixture(scope="module")
def sources(space: Sandbox) -> Path:
    """The files that are copied."""
    return patch_cases.make_sources(space.home / "sources")


@pytest.fixture(scope="module")
def base(space: Sandbox) -> str:
    """An image with a folder for each case."""
    image = space.name("base")
    tar = lookalike.root_tar({"/etc/services": b"http 80/tcp\n"}, extra=patch_cases.entries())
    lookalike.import_image(space.client, image, tar, [f"ENV PATH={lookalike.PATH}", "WORKDIR /workdir"])
    return image


def both(space: Sandbox, base: str, sources: Path, script: str, options: list[str]) -> list[dict[str, Node]]:
    """The files of the engine's image, of a container with a script, and of snap's, of a patch."""
    box, by_engine, by_snap = (space.name(stem) for stem in ("box", "by-engine", "by-snap"))
    start(space, base, box, binds=[f"{sources}:{SOURCES}:ro"])
    # Not as an argument: an engine's API takes text alone.
    (sources / "script").write_bytes(script.encode("utf-8", "surrogateescape"))
    space.sh(box, f". {SOURCES}/script")
    space.client.commit(box, by_engine)
    space.client.remove_container(box, force=True)
    patch_cases.make_socket(sources / "tree" / "socket")
    words = ["patch", base, "-t", by_snap, *options]
    done = space.snap(*words, cwd=sources, stdin=sources / "some.tar", expect=None)
    assert done.returncode == 0, done.stderr
    return [tree_of_image(space, image) for image in (by_engine, by_snap)]


@pytest.fixture(scope="module")
def found(space: Sandbox, base: str, sources: Path) -> Differences:
    """Where the two images are not the same."""
    trees = both(space, base, sources, patch_cases.script(), patch_cases.options())
    for name in CASES:
        assert name in trees[0], f"the engine's image has no {name}"
    return differing(*trees)


@pytest.mark.parametrize("case", CASES)
def test_an_edit_gives_the_files_that_it_gives_in_a_container(found: Differences, case: str) -> None:
    assert {path: fields for path, fields in found.items() if f"{path}/".startswith(f"{case}/")} == {}


def test_nothing_else_is_different_in_the_two_images(found: Differences) -> None:
    folders = tuple(f"{name}/" for name in CASES)
    others = {path: fields for path, fields in found.items() if not f"{path}/".startswith(folders)}
    assert {path: fields for path, fields in others.items() if path not in PODMANS_OWN} == {}


@pytest.mark.usefixtures("found")
def test_all_of_it_is_one_layer_that_holds_what_its_record_says(space: Sandbox, base: str) -> None:
    image = space.name("by-snap")
    layers = [space.inspect(name)["RootFS"]["Layers"] for name in (base, image)]
    assert layers[1][:-1] == layers[0]
    space.snap("verify", "--deep", image)


@pytest.mark.parametrize("stands_on", ["patches", "the engine's commits"])
def test_a_patch_on_images_with_several_layers_gives_the_same_tree(sandbox: Sandbox, stands_on: str) -> None:
    """Deleted, made again, refilled, over images that were made the same way."""
    by_engine = by_snap = sandbox.base_image
    rounds = [
        (
            "mkdir /d; printf 1 > /d/kept; printf 1 > /d/gone; printf 1 > /file; ln -s d /link; rm /bin/wc",
            "--add-text /d/kept=1 --add-text /d/gone=1 --add-text /file=1 --symlink /link=d --rm /bin/wc",
        ),
        (
            "rm -r /d /link; mkdir /link; printf 2 > /link/x; printf 22 > /file; mkdir /e; printf 2 > /e/x",
            "--rm /d --rm /link --add-text /link/x=2 --add-text /file=22 --add-text /e/x=2",
        ),
        (
            """
            mkdir /d; printf 3 > /d/gone; rm -r /link; ln -s e /link; rm /file; mkdir /file; rm -r /e
            mkdir /e; printf 3 > /link/new; printf 3 > /bin/wc
            """,
            """
            --mkdir /d --add-text /d/gone=3 --rm /link --symlink /link=e --rm /file --mkdir /file --rm /e
            --mkdir /e --add-text /link/new=3 --add-text /bin/wc=3
            """,
        ),
    ]
    for number, (script, options) in enumerate(rounds):
        onto = by_snap if stands_on == "patches" else by_engine
        box = sandbox.name(f"box{number}")
        start(sandbox, by_engine, box)
        sandbox.sh(box, script)
        by_engine = sandbox.name(f"by-engine-{number}")
        sandbox.client.commit(box, by_engine)
        sandbox.snap("patch", onto, "-t", sandbox.name(f"by-snap-{number}"), *shlex.split(options))
        by_snap = sandbox.name(f"by-snap-{number}")
        found = differing(tree_of_image(sandbox, by_engine), tree_of_image(sandbox, by_snap))
        assert {path: fields for path, fields in found.items() if path not in PODMANS_OWN} == {}
    assert not {"d/kept", "e/x", "link/x"} & tree_of_image(sandbox, by_snap).keys()


# --- config ---

CONFIG = [
    (["-e", "A=1", "--env", "B=x y"], ["ENV A=1", 'ENV B="x y"']),
    (["-e", "PATH=/mine"], ["ENV PATH=/mine"]),
    (["-w", "/srv"], ["WORKDIR /srv"]),
    (["-u", "nobody:7"], ["USER nobody:7"]),
    (["--cmd", '["a", "b"]'], ['CMD ["a", "b"]']),
    (["--cmd", "a b"], ["CMD a b"]),
    (["--entrypoint", '["e"]', "--cmd", '["c"]'], ['ENTRYPOINT ["e"]', 'CMD ["c"]']),
    (["--label", "k=v w"], ['LABEL k="v w"']),
    (["--expose", "80", "--expose", "53/udp"], ["EXPOSE 80 53/udp"]),
    (["--volume", "/data"], ["VOLUME /data"]),
    (["--stop-signal", "SIGUSR1"], ["STOPSIGNAL SIGUSR1"]),
    (["--healthcheck", "--interval=5s CMD true"], ["HEALTHCHECK --interval=5s CMD true"]),
]


@pytest.mark.only_on(
    "docker28", "docker28-containerd", reason="older engines and Podman know fewer instructions in a commit"
)
def test_edits_of_the_config_give_what_the_engines_commit_makes_of_instructions(sandbox: Sandbox) -> None:
    """All of them in one patch: each is of another part, save for the last word on the command."""
    box = sandbox.name("box")
    sandbox.client.create_container(sandbox.base_image, name=box)
    by_engine, by_snap = sandbox.name("by-engine"), sandbox.name("by-snap")
    sandbox.client.commit(box, by_engine, changes=[word for _, words in CONFIG for word in words])
    options = [word for words, _ in CONFIG for word in words]
    done = sandbox.snap("patch", sandbox.base_image, "-t", by_snap, "--format", "json", *options)
    assert json.loads(done.stdout)["layers"] == []
    ours, theirs = (parts_of(sandbox.config(image)) for image in (by_snap, by_engine))
    assert ours == theirs


def test_parts_of_the_config_are_taken_away(sandbox: Sandbox) -> None:
    names = [sandbox.name(stem) for stem in ("first", "second")]
    sandbox.snap(
        "patch", sandbox.base_image, "-t", names[0], "-e", "A=1", "-e", "B=2", "--label", "k=v", "-w", "/w"
    )
    sandbox.snap("patch", names[0], "-t", names[1], "--unset-env", "A", "--unlabel", "k", "-e", "B=3")
    config = sandbox.config(names[1])
    base = sandbox.config(sandbox.base_image)
    assert sorted(config["Env"]) == sorted([*base["Env"], "B=3"])
    assert "k" not in config["Labels"]
    assert config["WorkingDir"] == "/w"


def parts_of(config: dict[str, Any]) -> dict[str, Any]:
    """What a config says, without what snap and the engines say of themselves."""
    keys = (
        "Env", "WorkingDir", "User", "Cmd", "Entrypoint", "ExposedPorts", "Volumes", "StopSignal",
        "Healthcheck",
    )  # fmt: skip
    labels = config.get("Labels") or {}
    others = {
        key: value
        for key, value in labels.items()
        if not key.startswith(("io.github.docker-snap", "org.opencontainers"))
    }
    parts = {key: config.get(key) or None for key in keys}
    return {**parts, "Env": sorted(config["Env"]), "Labels": others}
