"""Random trees and edits: what a container holds goes through a commit, whatever it is.

Each example is a tree in a folder of its own; many share one base image, one container and one commit.
Two variables of the environment:

SNAP_TEST_EXAMPLES
    How many trees to try on each engine, for example 5000. [120]
SNAP_TEST_SEED
    The number that a failure names: the same trees again. By default another one each time.
"""

from __future__ import annotations

import math
import os
import re
import secrets
from dataclasses import replace
from functools import partial

import lookalike
import pytest
import random_trees
from doctor import entry
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from pairs import differing
from random_trees import Batch, Tree
from sandbox import Sandbox
from trees import Node, never_started, tree_of

from snapshot import CommitOptions, Snapshots
from snapshot.errors import SnapError
from snapshot.workflow.methods.interface import CaptureWay

pytestmark = pytest.mark.engine

EXAMPLES = int(os.environ.get("SNAP_TEST_EXAMPLES", "120"))
SEED = int(os.environ.get("SNAP_TEST_SEED", secrets.randbelow(1 << 32)))
TREES_A_COMMIT = 34

DIRECT = pytest.param(
    CaptureWay.DIRECT,
    id="direct",
    marks=pytest.mark.only_on("docker20", "docker28", "podman", reason="an upper folder can be read"),
)


@pytest.mark.parametrize("way", [DIRECT, pytest.param(CaptureWay.API, id="api")])
def test_any_tree_goes_through_a_commit_unchanged(
    space: Sandbox, way: CaptureWay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(space.home))
    # Docker's list of changes does not tell the bytes of a deleted name that is not UTF-8.
    batches = random_trees.batches(TREES_A_COMMIT, keeps_bytes=way is CaptureWay.API)

    @seed(SEED)
    @settings(
        max_examples=math.ceil(EXAMPLES / 2 / TREES_A_COMMIT),
        database=None,
        deadline=None,
        phases=[
            Phase.generate
        ],  # a smaller example takes hundreds of commits; the script of one tree is shown
        suppress_health_check=list(HealthCheck),
    )
    @given(batches)
    def check(batch: Batch) -> None:
        note(f"SNAP_TEST_SEED={SEED}")
        with Snapshots(space.host) as snap:
            assert_goes_through(space, snap, batch, way)

    check()


def assert_goes_through(space: Sandbox, snap: Snapshots, batch: Batch, way: CaptureWay) -> None:
    """Commit a container with all trees of a batch, and hold the image against it, file by file."""
    client, box, base = space.client, space.name("box"), space.name("base")
    edits = entry("edits.sh", random_trees.script_of(batch))
    tar = lookalike.root_tar(extra=[*random_trees.entries(batch), edits])
    lookalike.import_image(client, base, tar, [f"ENV PATH={lookalike.PATH}"])
    try:
        config = client.create_host_config(network_mode="none")
        client.create_container(base, ["sh", "/edits.sh"], name=box, host_config=config)
        client.start(box)
        status = client.wait(box)["StatusCode"]
        assert status == 0, f"an edit failed: {client.logs(box)!r}"
        try:
            made = snap.commit(box, options=CommitOptions(capture=way))
        except SnapError as error:
            trees = [batch[int(number)] for number in re.findall("/t([0-9]+)/", str(error))]
            note(f"after {[ascii(tree.script) for tree in trees]}")
            raise
        assert not made.fell_back, made.fell_back
        with never_started(client, made.image_id, space.name("look")) as look:
            held, holds = tree_of(client, box), tree_of(client, look)
        assert_same(held, holds, batch)
    finally:
        space.clean()


def assert_same(held: dict[str, Node], holds: dict[str, Node], batch: Batch) -> None:
    for number, tree in enumerate(batch):
        parts = [
            {path: node for path, node in whole.items() if f"{path}/".startswith(f"t{number}/")}
            for whole in (held, holds)
        ]
        script = ascii(tree.script)
        assert differing(*parts, but=partial(is_parted, tree)) == {}, f"tree {number}, after {script}"
    beside = [{path: node for path, node in whole.items() if path[0] != "t"} for whole in (held, holds)]
    assert differing(*beside) == {}, "beside the trees"


def is_parted(tree: Tree, held: Node, holds: Node) -> bool:
    """Whether a file was parted from its other names in the base, and is otherwise as it was there.

    Overlayfs does that with whatever is opened for writing. No engine lists it, and nothing that the file
    holds is another.
    """
    names = [{name.partition("/")[2] for name in node.names} for node in (held, holds)]
    linked_before = tree.linked_in_base(min(names[0]))
    return (
        names[0] < names[1]
        and names[1] - names[0] <= linked_before
        and held == replace(holds, names=held.names)
    )
