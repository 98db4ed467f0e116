"""Where the space goes: held against what the engine says itself, on images that share layers."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import docker
import pytest
from builders import build_classic
from conftest import engine_kind
from doctor import SavedImage, put_together
from layer_tars import Entry, folder, layer, load
from sandbox import Sandbox

pytestmark = pytest.mark.engine


class Built(NamedTuple):
    """Names of images that share layers, and of a container of one."""

    base: str
    left: str
    right: str
    alone: str
    again: str
    container: str


@pytest.fixture(scope="module")
def built(space: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Builds that part after a layer without bytes, a nameless image and two names of one, a container."""
    client = space.client
    left, right, alone, again = (f"{space.name(stem)}:1" for stem in ("left", "right", "alone", "again"))
    names = Built(space.base_image, left, right, alone, again, space.name("box"))
    for name in (names.left, names.right):
        folder = tmp_path_factory.mktemp("build")
        (folder / "file").write_bytes(name.encode() * 1000)
        (folder / "Dockerfile").write_text(
            f"FROM {names.base}\nENV A=1\nWORKDIR /made/here\nLABEL b=2\nCOPY file /{name[:-2]}\nCMD true\n"
        )
        build_classic(space, folder, name)
    changed(client, names.base, {"alone": 300_000}, names.alone)
    below = changed(client, names.base, {"below": 70_000}, f"{space.name('below')}:1")
    changed(client, below, {"above": 11_000}, f"{space.name('above')}:1")
    # Docker keeps it: another image stands on it.
    client.remove_image(f"{space.name('below')}:1", noprune=True)
    changed(client, names.base, {"nameless": 5_000}, None)
    client.tag(names.left, space.name("again"), "1")
    container = client.create_container(names.left, ["true"], name=names.container, **NO_NETWORK)["Id"]
    put(client, container, {"written": 40_000})
    volume = client.create_volume(space.name("volume"))["Name"]
    yield names
    client.remove_volume(volume)


NO_NETWORK: dict[str, Any] = {"host_config": {"NetworkMode": "none"}}


def put(client: docker.APIClient, container: str, files: dict[str, int]) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, size in files.items():
            info = tarfile.TarInfo(path)
            info.size = size
            tar.addfile(info, io.BytesIO(path[:1].encode() * size))
    assert client.put_archive(container, "/", archive.getvalue())


def changed(client: docker.APIClient, image: str, files: dict[str, int], name: str | None) -> str:
    """An image with these files more; its ID."""
    container = client.create_container(image, ["true"], **NO_NETWORK)["Id"]
    put(client, container, files)
    repository, _, tag = (name or "").partition(":")
    made: str = client.commit(container, repository or None, tag or None)["Id"]
    client.remove_container(container)
    return made


def df(space: Sandbox) -> Any:
    return json.loads(space.snap("df", "--format", "json").stdout)


def use_of(document: Any, what: str) -> Any:
    return next(use for use in document["uses"] if use["what"] == what)


def share_of(document: Any, name: str) -> Any:
    return next(share for share in document["images"] if name in share["names"])


def layers_from_history(client: docker.APIClient) -> dict[tuple[str, ...], int]:
    """The sizes of all layers, each with those below it, where the engine tells each a size above 0."""
    sizes: dict[tuple[str, ...], int] = {}
    for item in client.images():
        layers = client.inspect_image(item["Id"])["RootFS"]["Layers"]  # type: ignore[no-untyped-call]
        history = client.history(item["Id"])  # type: ignore[no-untyped-call]
        told = [entry["Size"] for entry in reversed(history) if entry["Size"]]
        assert len(told) == len(layers)
        sizes |= {tuple(layers[: number + 1]): size for number, size in enumerate(told)}
    return sizes


@pytest.mark.usefixtures("built")
def test_each_layer_counts_once_as_the_engine_itself_counts(space: Sandbox) -> None:
    document, told = df(space), space.client.df()
    real = use_of(document, "images")["real_bytes"]
    written = sum(item.get("SizeRw") or 0 for item in told["Containers"])
    if engine_kind() in {"docker20", "docker28"}:
        assert real == told["LayersSize"] == document["engine"]["images_bytes"]
    elif engine_kind() == "docker28-containerd":
        layers = layers_from_history(space.client)
        assert use_of(document, "unpacked layers")["real_bytes"] == sum(layers.values())
        assert use_of(document, "unpacked layers")["number"] == len(layers)
        assert real == told["LayersSize"] - written
        assert any(f"({written:,})" in sentence for sentence in document["engine"]["differences"])
    else:
        assert real == sum(layers_from_history(space.client).values())
        assert document["engine"]["images_bytes"] is None
    assert use_of(document, "containers")["real_bytes"] == written > 0


def test_the_list_is_that_of_docker_image_ls(space: Sandbox, built: Built) -> None:
    document = df(space)
    listed = {item["Id"]: item["Size"] for item in space.client.images()}
    assert {share["id"]: share["listed_bytes"] for share in document["images"]} == listed
    assert use_of(document, "images")["listed_bytes"] == sum(listed.values())
    assert set(share_of(document, built.left)["names"]) == {built.left, built.again}
    assert any(not share["names"] for share in document["images"])


@pytest.mark.usefixtures("built")
def test_what_images_share_is_what_the_engine_says_or_the_difference_is_told(space: Sandbox) -> None:
    document = df(space)
    told = {item["id"]: item["shared_bytes"] for item in document["engine"]["images"]}
    others = [share for share in document["images"] if told[share["id"]] != share["shared_bytes"]]
    assert bool(others) == (engine_kind() in {"docker28", "podman"})
    assert any("shared" in s or "share it" in s for s in document["engine"]["differences"]) == bool(others)


def test_a_container_keeps_its_image_in_use(space: Sandbox, built: Built) -> None:
    document = df(space)
    used = share_of(document, built.left)
    assert used["containers"] == [built.container]
    unused_bytes = layers_of(document)["real_bytes"] - used["layers_bytes"]
    assert use_of(document, "images")["unused_bytes"] == unused_bytes


def layers_of(document: Any) -> Any:
    """Unpacked layers: the containerd store has others as well."""
    packs = any(use["what"] == "unpacked layers" for use in document["uses"])
    return use_of(document, "unpacked layers" if packs else "images")


def test_what_is_an_images_own_goes_with_it_and_nothing_else(space: Sandbox, built: Built) -> None:
    name = f"{space.name('goes')}:1"
    changed(space.client, built.alone, {"goes": 90_000, "too": 10_000}, name)
    before = df(space)
    own = share_of(before, name)["own_bytes"]
    space.client.remove_image(name)
    assert layers_of(before)["real_bytes"] - layers_of(df(space))["real_bytes"] == own >= 100_000


def test_results_that_snap_keeps_are_told_and_what_clearing_them_away_frees(
    space: Sandbox, built: Built
) -> None:
    words = ["--network", "none", "--run", "echo 1 > /first", "--run", "head -c 50000 /dev/zero > /second"]
    target = f"{space.name('patched')}:1"
    space.snap("patch", "-q", built.base, "-t", target, *words)
    space.client.remove_image(target)
    kept, before = use_of(df(space), "kept results"), use_of(df(space), "images")
    assert kept["number"] == 2
    assert kept["real_bytes"] == kept["unused_bytes"] >= 50_000
    assert kept["part_of"] == "images"
    space.snap("cache", "gc")
    after = df(space)
    assert not any(use["what"] == "kept results" for use in after["uses"])
    assert before["unused_bytes"] - use_of(after, "images")["unused_bytes"] == kept["unused_bytes"]


@pytest.mark.only_on("docker20", "docker28", reason="others remove the containers or keep the image")
def test_a_container_whose_image_was_removed_is_named(space: Sandbox, built: Built) -> None:
    name, box = f"{space.name('gone')}:1", space.name("orphan")
    changed(space.client, built.base, {"gone": 1000}, name)
    space.client.create_container(name, ["true"], name=box, **NO_NETWORK)
    space.client.remove_image(name, force=True)
    done = space.snap("df")
    assert f"removed images are there for {box}," in done.stderr
    space.client.remove_container(box)


def test_the_tables_name_all_of_it_and_nothing_is_changed(space: Sandbox, built: Built) -> None:
    def everything() -> tuple[set[str], set[str]]:
        images, containers = space.client.images(all=True), space.client.containers(all=True)
        return {item["Id"] for item in images}, {item["Id"] for item in containers}

    before = everything()
    lines = space.snap("df", "-v").stdout.splitlines()
    assert lines[0].split() == ["COUNT", "LISTED", "REAL", "SHARED", "UNUSED"]
    for name in (built.left, built.alone, built.container, space.name("volume")):
        assert any(name in line for line in lines)
    assert everything() == before


def test_layers_that_no_history_tells_of_have_their_bytes(space: Sandbox) -> None:
    below = layer(folder("data"), Entry("data/below", text="b" * 200_000))
    above = layer(Entry("data/above", text="a" * 90_000))
    lower, upper = (f"{space.name(stem)}:1" for stem in ("lower", "upper"))
    load(space.client, lower, [below])
    load(space.client, upper, [below, above])
    images = df(space)["images"]
    # Podman puts its own registry before the name.
    found = {name: share for share in images for name in (lower, upper) if str(share["names"]).count(name)}
    assert found[upper]["shared_bytes"] >= 200_000
    assert 90_000 <= found[upper]["own_bytes"] < 200_000
    assert found[lower]["own_bytes"] == 0
    space.client.remove_image(upper)
    space.client.remove_image(lower)


def test_an_image_that_the_engine_cannot_read_leaves_the_others_counted(space: Sandbox) -> None:
    name = f"{space.name('odd')}:1"
    config = {"architecture": "amd64", "os": "linux", "config": {"ExposedPorts": {"80/odd": {}}}}
    put_together(space.client, SavedImage(config, [layer(Entry("odd", text="o" * 1000))]), name)
    images = df(space)["images"]
    assert any(space.base_image in share["names"] for share in images)
    notes = space.snap("df").stderr
    is_there = any(listed.endswith(name) for share in images for listed in share["names"])
    assert is_there != ("is not counted" in notes)
    assert is_there or engine_kind() == "podman"
    space.snap("tree")
    space.client.remove_image(name, force=True)
