"""``snap commit --squash``: several commits as one layer on the first base (conformance Q)."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import lookalike
import pytest
from doctor import SavedImage, edited, entry, put_together, take_apart
from pairs import differing, start, tree_of_image, without_new_times
from sandbox import Sandbox
from steps import base_entries, folder
from trees import Node, tree_of

pytestmark = pytest.mark.engine

#: What is done in each generation, in a folder of the case's own; the last one is not committed before.
#: Over an engine's API an edit that keeps size and second is not seen, so there is none.
CASES = {
    "Q02 added": ("echo 1 > x", "echo 22 > x; echo y > y", "rm x y", "echo 3 > x"),
    "Q02 of the base": ("echo 1 > b/file", "rm b/file", "echo 2 > b/file", "chmod 600 b/file"),
    "Q02 gone": ("rm -r b/tree b/gone", "rm b/dir/child", "touch b/new", "rm b/new"),
    "Q02 gone and back": ("rm -r b/tree", "mkdir -p b/tree/deep", "echo x > b/tree/deep/file", "true"),
    "Q03 for a while": ("mkdir d; touch d/f", "touch d/g", "rm -r d", "mkdir e; rmdir e"),
    "Q03 hard links": (
        "echo x > n1; ln n1 n2; ln n1 b/n3; ln b/unchanged linked",
        "rm n1; rm b/hard1",
        "ln n2 n4",
        "echo more > linked",
    ),
    "Q03 broken links": (
        "ln -s nowhere l; ln -s x/y m",
        "ln -sfn elsewhere l",
        "ln -sfn here b/dead",
        "rm m",
    ),
    "Q04 refilled": (
        "rm -r b/refilled; mkdir b/refilled; touch b/refilled/after",
        "touch b/refilled/more",
        "rm b/refilled/after",
        "touch b/refilled/before",
    ),
    "Q04 twice refilled": (
        "rm -r b/tree; mkdir -p b/tree/deep; touch b/tree/deep/one",
        "rm -r b/tree; mkdir -p b/tree/deep; touch b/tree/deep/two",
        "rm b/tree/deep/two",
        "touch b/tree/deep/three",
    ),
    "files for folders": (
        "rm -r b/dir; echo x > b/dir",
        "rm b/dir; ln -s sub b/dir",
        "rm b/dir; mkdir b/dir; touch b/dir/other",
        "touch b/dir/child",
    ),
    "links and pipes": (
        "rm b/link; echo x > b/link; mkfifo p; mknod n c 1 3",
        "rm p; echo x > p; rm b/link2; ln -s dir b/link2",
        "rm n; ln -s p n",
        "rm b/link2; mkfifo b/link2",
    ),
    "modes and owners": ("chmod 711 b/dir", "chown 12:34 b/dir b/file", "chmod 4755 b/file", "touch b/dir/x"),
}
GENERATIONS = range(4)


@dataclass(frozen=True)
class Family:
    """A base, the images of three commits on it, and two of the fourth: squashed, and not."""

    space: Sandbox
    base: str
    squashed: str
    plain: str
    box: str
    trees: dict[str, dict[str, Node]]

    @property
    def layer(self) -> list[tarfile.TarInfo]:
        """What is in the layer of the squashed image."""
        with tarfile.open(fileobj=io.BytesIO(take_apart(self.space.client, self.squashed).layers[-1])) as tar:
            return tar.getmembers()


def new_base(space: Sandbox) -> str:
    """A base image in which each case has a folder of its own."""
    entries = [each for case in CASES for each in (folder(case), *base_entries(f"{case}/"))]
    name = space.name("base") + ":latest"
    lookalike.import_image(
        space.client, name, lookalike.root_tar(extra=entries), [f"ENV PATH={lookalike.PATH}"]
    )
    return name


def script_of(generation: int) -> str:
    return "\n".join(f"(cd '/{case}'; {scripts[generation]})" for case, scripts in CASES.items())


@pytest.fixture(scope="module")
def family(
    client: docker.APIClient, host: str, base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Family]:
    space = Sandbox(client, host, base_image, tmp_path_factory.mktemp("home"))
    base = image = new_base(space)
    for generation in GENERATIONS:
        box = space.name(f"box{generation}")
        start(space, image, box)
        space.sh(box, script_of(generation))
        image = space.name(f"image{generation}") + ":latest"
        space.snap("commit", box, image, "-m", f"generation {generation}")
    squashed = space.name("squashed") + ":latest"
    space.snap("commit", "--squash", box, squashed, "-m", "all in one", "-a", "Elton")
    trees = {name: tree_of_image(space, name) for name in (base, image, squashed)}
    trees["box"] = without_new_times(tree_of(space.client, box))
    yield Family(space, base, squashed, image, box, trees)
    assert space.strays() == []
    space.clean()


def below(tree: dict[str, Node], case: str) -> dict[str, Node]:
    return {path: node for path, node in tree.items() if path == case or path.startswith(f"{case}/")}


def layers_of(space: Sandbox, image: str) -> list[str]:
    layers: list[str] = space.inspect(image)["RootFS"]["Layers"]
    return layers


def record_of(space: Sandbox, image: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(space.snap("show", "--format", "json", image).stdout)["record"]
    return record


@pytest.mark.parametrize("case", CASES)
def test_the_files_are_those_of_the_commit_without_it(family: Family, case: str) -> None:
    squashed = below(family.trees[family.squashed], case)
    assert differing(below(family.trees[family.plain], case), squashed) == {}
    assert differing(below(family.trees["box"], case), squashed) == {}


def test_nothing_else_differs(family: Family) -> None:
    assert differing(family.trees["box"], family.trees[family.squashed]) == {}


def test_it_is_one_layer_on_the_first_base(family: Family) -> None:
    """Q01."""
    base, plain, squashed = (
        layers_of(family.space, name) for name in (family.base, family.plain, family.squashed)
    )
    assert len(plain) == len(base) + len(GENERATIONS)
    assert squashed[: len(base)] == base
    assert len(squashed) == len(base) + 1


def test_the_layer_names_each_path_once(family: Family) -> None:
    names = [info.name.rstrip("/") for info in family.layer]
    assert sorted(set(names)) == sorted(names)


def test_whiteouts_stand_only_where_the_base_has_what_is_gone(family: Family) -> None:
    """Q03."""
    before, after = family.trees[family.base], family.trees[family.squashed]
    names = [info.name.strip("/") for info in family.layer]
    hidden = [name.replace(".wh.", "", 1) for name in names if "/.wh." in name]
    assert {path for path in hidden if path not in before} == set()
    assert {path for path in hidden if path in after} == set()
    assert [path for path in hidden if path.startswith("Q03 for a while")] == []
    assert "Q02 gone/b/tree" in hidden
    assert "Q02 gone/b/tree/deep" not in hidden


def test_what_is_as_the_base_has_it_again_needs_no_deletion(family: Family) -> None:
    record = record_of(family.space, family.squashed)
    hidden = [info.name for info in family.layer if ".wh." in info.name]
    assert record["deleted"] == len(hidden)
    plain = record_of(family.space, family.plain)
    assert plain["first_base"]["name"] == record["base"]["name"]


def test_verify_passes_and_the_first_base_is_the_base(family: Family) -> None:
    for options in ([], ["--deep"], ["--base", family.base]):
        assert "FAIL" not in family.space.snap("verify", family.squashed, *options).stdout
    done = family.space.snap("verify", family.squashed, "--base", family.plain, expect=3)
    assert "FAIL  base image" in done.stdout
    record = record_of(family.space, family.squashed)
    assert record["base"]["name"] == f"docker.io/library/{family.base}"
    assert record["base"]["id"] == family.space.inspect(family.base)["Id"]
    assert record["first_base"] is None


def test_the_history_keeps_the_words_of_what_was_folded(family: Family) -> None:
    history = take_apart(family.space.client, family.squashed).config["history"]
    assert len([item for item in history if not item.get("empty_layer")]) == len(
        layers_of(family.space, family.squashed)
    )
    words = [item["comment"] for item in history if item.get("comment")][-len(GENERATIONS) :]
    assert words == ["generation 0", "generation 1", "generation 2", "all in one"]
    assert history[-1]["author"] == "Elton"
    assert not history[-1].get("empty_layer")
    assert all(item["created_by"] for item in history[-len(GENERATIONS) :])


def test_it_runs(family: Family) -> None:
    """Q01."""
    image = family.squashed
    assert family.space.output_of(image, "cat", "/Q02 of the base/b/file", "/Q02 added/x") == "2\n3\n"


def test_squashed_again_it_is_still_one_layer(family: Family, sandbox: Sandbox) -> None:
    box, image = sandbox.changed("touch /more", image=family.squashed), sandbox.name("again")
    sandbox.snap("commit", "--squash", box, image)
    assert len(layers_of(sandbox, image)) == len(layers_of(sandbox, family.base)) + 1
    tree = tree_of_image(sandbox, image)
    assert tree.pop("more")
    assert differing(family.trees[family.squashed], tree) == {}
    sandbox.snap("verify", "--deep", image)


def test_a_container_without_changes_of_its_own_folds_its_images_layers(
    family: Family, sandbox: Sandbox
) -> None:
    box, image = sandbox.hold(image=family.plain), sandbox.name("image")
    sandbox.snap("commit", "--squash", box, image)
    assert len(layers_of(sandbox, image)) == len(layers_of(sandbox, family.base)) + 1
    assert differing(family.trees[family.plain], tree_of_image(sandbox, image)) == {}


def test_what_was_undone_leaves_no_layer(sandbox: Sandbox) -> None:
    first = sandbox.name("first")
    sandbox.snap("commit", sandbox.changed("mkdir /new; echo x > /new/file"), first)
    box = sandbox.changed("rm -r /new", "again", image=first)
    sandbox.snap("commit", "--squash", box, sandbox.name("image"))
    assert layers_of(sandbox, sandbox.name("image")) == layers_of(sandbox, sandbox.base_image)
    sandbox.snap("verify", "--deep", sandbox.name("image"))


def test_on_an_image_that_snap_did_not_make_it_is_a_plain_commit(sandbox: Sandbox) -> None:
    box = sandbox.changed("echo x > /new")
    digests = [
        json.loads(sandbox.snap("commit", *options, "--format", "json", box).stdout)["layer"]
        for options in ([], ["--squash"])
    ]
    assert digests[0] == digests[1]


def test_a_file_of_an_earlier_commit_can_be_left_out(sandbox: Sandbox) -> None:
    """S06: the one way to get a secret out of what was committed before."""
    first, image = sandbox.name("first"), sandbox.name("image")
    sandbox.snap("commit", sandbox.changed("mkdir /new; echo x > /new/secret; echo y > /new/file"), first)
    box = sandbox.changed("touch /new/more", "again", image=first)
    sandbox.snap("commit", "--squash", "--exclude", "secret", box, image)
    assert all(b"secret" not in layer for layer in take_apart(sandbox.client, image).layers[1:])
    assert record_of(sandbox, image)["left_out"] == 1
    sandbox.snap("verify", "--deep", image, "--file", "/new/more", "--absent", "/new/secret")


def test_the_first_base_may_be_gone(sandbox: Sandbox) -> None:
    base = new_base(sandbox)
    first = sandbox.name("first")
    sandbox.snap("commit", sandbox.changed("echo 1 > /one", image=base), first)
    box = sandbox.changed("echo 2 > /two", "again", image=first)
    sandbox.client.remove_container(sandbox.name(), force=True)
    count = len(layers_of(sandbox, base))
    sandbox.client.remove_image(base)
    sandbox.snap("commit", "--squash", box, sandbox.name("image"))
    assert len(layers_of(sandbox, sandbox.name("image"))) == count + 1
    sandbox.snap("verify", sandbox.name("image"), "--file", "/one", "--file", "/two")


def test_written_to_a_file_it_is_the_same_image(
    family: Family, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("out") / "image.tar"
    space = family.space
    space.snap("commit", "--squash", "-o", str(file), family.box, "a/b:c")
    with tarfile.open(file) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest
        (image,) = json.load(manifest)
        names = [layer.rpartition("/")[2] for layer in image["Layers"]]
    assert [f"sha256:{name}" for name in names] == layers_of(space, family.squashed)


def test_an_image_whose_base_was_exchanged_is_not_folded(sandbox: Sandbox) -> None:
    first = sandbox.name("first")
    sandbox.snap("commit", sandbox.changed("echo 1 > /one"), first)
    parts = take_apart(sandbox.client, first)
    other = edited(parts.layers[0], lambda *each: each, [entry("other", b"x")])
    put_together(sandbox.client, SavedImage(parts.config, [other, *parts.layers[1:]]), sandbox.name("odd"))
    box = sandbox.changed("echo 2 > /two", "again", image=sandbox.name("odd"))
    images = sandbox.new_images()
    done = sandbox.snap("commit", "--squash", box, sandbox.name("image"), expect=4)
    assert "cannot be folded: it does not stand on" in done.stderr
    assert sandbox.new_images() == images
    assert sandbox.state(box) == "running"
