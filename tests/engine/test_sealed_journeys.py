"""Where a sealed image goes, its proof goes along: saved, pushed, loaded and pulled into other engines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import docker
import lookalike
import pytest
from conftest import engine_kind
from doctor import take_apart
from pairs import differing, tree_of_image
from registries import push, running_registry
from sandbox import Sandbox
from second_engine import SecondEngine, small_engine

pytestmark = pytest.mark.engine

#: Where an image goes from each kind of engine: to another of its kind, and round to the next one.
KINDS = ("docker20", "podman", "docker28", "docker28-containerd")
NEXT = dict(zip(KINDS, (*KINDS[1:], KINDS[0]), strict=True))
FILES = {"dir/kept": b"kept", "dir/gone": b"gone", "tree/a": b"a", "tree/sub/b": b"b", "file": b"file"}
SCRIPT = """
cd /
mkdir -p new/sub; echo 1 > new/sub/file; ln new/sub/file new/hard; ln -s sub/file new/link; mkfifo new/pipe
chmod 4750 new/sub/file; chown 12:34 new; touch -d '2001-02-03 04:05:06' new/sub
rm dir/gone; rm -r tree; mkdir tree; echo again > tree/a
rm file; mkdir file; head -c 300000 /dev/urandom > file/large
"""


@pytest.fixture(scope="module", params=["same kind", "other kind"])
def elsewhere(request: pytest.FixtureRequest) -> Iterator[SecondEngine]:
    """Another engine."""
    kind = engine_kind() or KINDS[0]
    with small_engine(128, kind if request.param == "same kind" else NEXT[kind]) as engine:
        yield engine


@pytest.fixture
def there(elsewhere: SecondEngine, tmp_path: Path) -> Iterator[Sandbox]:
    """A scratch space on the other engine, with a home in which nothing is known of the image."""
    home = tmp_path / "elsewhere"
    home.mkdir()
    client = docker.APIClient(elsewhere.host, version="auto", timeout=120)
    space = Sandbox(client, elsewhere.host, "", home)
    yield space
    assert space.strays() == []
    space.clean()
    assert not space.new_images()
    client.close()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture
def base(sandbox: Sandbox) -> str:
    """A base image that no other test stands on, so that it can be removed."""
    name = sandbox.name("base") + ":latest"
    unlike = {**FILES, "of": sandbox.prefix.encode()}
    lookalike.import_image(
        sandbox.client, name, lookalike.root_tar(unlike), [f"ENV PATH={lookalike.PATH}", "LABEL a=b"]
    )
    return name


def committed(space: Sandbox, base: str, stem: str = "box", *options: str) -> str:
    """A sealed image of every sort of change, by its whole name."""
    image = space.name(f"of-{stem}") + ":latest"
    space.snap(
        "commit", "--method", "sealed", *options, space.changed(SCRIPT, stem, image=base), image, "-m", "go"
    )
    return image


def remove_all(space: Sandbox, *images: str) -> None:
    """Remove all containers and these images; nothing of them is left."""
    for item in space.client.containers(all=True):
        if item["Names"][0].startswith(f"/{space.prefix}"):
            space.client.remove_container(item["Id"], force=True)
    for image in images:
        space.client.remove_image(image)
    assert space.new_images() == set()


def saved(space: Sandbox, image: str) -> bytes:
    """What the engine saves of an image, which is all of it."""
    layers = space.inspect(image)["RootFS"]["Layers"]
    assert [digest_of(layer) for layer in take_apart(space.client, image).layers] == layers
    return b"".join(space.client.get_image(image))


def digest_of(layer: bytes) -> str:
    return f"sha256:{hashlib.sha256(layer).hexdigest()}"


def load(space: Sandbox, archive: bytes) -> None:
    for answer in space.client.load_image(archive):  # type: ignore[no-untyped-call]
        assert "error" not in answer, answer


def assert_proven(space: Sandbox, image: str) -> None:
    """Both ways of verify, where nobody knows more than the image itself says."""
    for options in ([], ["--deep"]):
        found = json.loads(space.snap("verify", image, *options, "--format", "json").stdout)
        assert found["has_record"]
        assert {"record", "base", "layer", "config"} <= {finding["subject"] for finding in found["findings"]}
        assert all(finding["passed"] for finding in found["findings"])
    assert "changes" in {finding["subject"] for finding in found["findings"]}


def test_an_image_that_was_saved_and_loaded_elsewhere_is_proven_by_itself(
    sandbox: Sandbox, base: str, there: Sandbox
) -> None:
    """L15."""
    image = committed(sandbox, base)
    layers, tree = sandbox.inspect(image)["RootFS"]["Layers"], tree_of_image(sandbox, image)
    archive = saved(sandbox, image)
    remove_all(sandbox, image, base)
    load(there, archive)
    assert there.inspect(image)["RootFS"]["Layers"] == layers
    assert_proven(there, image)
    assert differing(tree, tree_of_image(there, image)) == {}


def test_an_image_that_was_pushed_and_pulled_elsewhere_is_proven_by_itself(
    sandbox: Sandbox, base: str, there: Sandbox, registry: str
) -> None:
    """L15."""
    image = committed(sandbox, base)
    layers, tree = sandbox.inspect(image)["RootFS"]["Layers"], tree_of_image(sandbox, image)
    name = f"{registry}/{sandbox.prefix}:v1"
    push(sandbox.client, image, name)
    remove_all(sandbox, image, base)
    there.client.pull(name)
    assert there.inspect(name)["RootFS"]["Layers"] == layers
    assert_proven(there, name)
    assert differing(tree, tree_of_image(there, name)) == {}


def test_an_image_in_a_file_is_the_same_wherever_it_is_loaded(
    sandbox: Sandbox, base: str, there: Sandbox
) -> None:
    box, file = sandbox.changed(SCRIPT, image=base), sandbox.home / "image.tar"
    images = sandbox.new_images()
    name = there.name("image") + ":latest"
    sandbox.snap("commit", "-o", str(file), box, name)
    assert sandbox.new_images() == images
    load(there, file.read_bytes())
    sandbox.snap("commit", box, sandbox.name("image"))
    layers = sandbox.inspect(sandbox.name("image"))["RootFS"]["Layers"]
    assert there.inspect(name)["RootFS"]["Layers"] == layers
    assert_proven(there, name)
    tree = tree_of_image(sandbox, sandbox.name("image"))
    assert differing(tree, tree_of_image(there, name)) == {}


# --- what the image stands on ---


def test_an_image_is_whole_when_its_base_was_removed_and_pruned(sandbox: Sandbox, base: str) -> None:
    image = committed(sandbox, base)
    tree = tree_of_image(sandbox, image)
    sandbox.client.remove_container(sandbox.name(), force=True)
    sandbox.client.remove_image(base)
    sandbox.client.prune_images()  # type: ignore[no-untyped-call]
    archive = saved(sandbox, image)
    assert_proven(sandbox, image)
    remove_all(sandbox, image)
    load(sandbox, archive)
    assert_proven(sandbox, image)
    assert differing(tree, tree_of_image(sandbox, image)) == {}


def test_an_image_on_a_base_that_was_pulled_is_whole_also_when_its_layers_are_known_from_before(
    sandbox: Sandbox, base: str, registry: str
) -> None:
    """A registry's layers have digests of their own: compressed, they are not what the diff IDs name."""
    name = f"{registry}/{sandbox.prefix}-base:v1"
    push(sandbox.client, base, name)
    remove_all(sandbox, base)
    sandbox.client.pull(name)
    first = committed(sandbox, name, "first")
    kept = set((sandbox.home / ".local/state/docker-snap").glob("descriptors/*"))
    second = committed(sandbox, name, "second")
    new = set((sandbox.home / ".local/state/docker-snap").glob("descriptors/*")) - kept
    # Those of the base, which are not asked for again, and those of each new image.
    is_containerd = "Descriptor" in sandbox.inspect(name)
    assert (len(kept), len(new)) == ((2, 1) if is_containerd else (0, 0))
    archives = [saved(sandbox, first), saved(sandbox, second)]
    remove_all(sandbox, first, second, name)
    for image, archive in zip((first, second), archives, strict=True):
        load(sandbox, archive)
        assert_proven(sandbox, image)
        sandbox.client.remove_image(image)


def test_the_cache_of_a_pulled_base_does_no_harm_when_the_same_base_comes_another_way(
    sandbox: Sandbox, base: str, registry: str
) -> None:
    """Once pulled and once loaded: the same layers, and other descriptors of them."""
    archive = b"".join(sandbox.client.get_image(base))
    name = f"{registry}/{sandbox.prefix}-base:v2"
    push(sandbox.client, base, name)
    remove_all(sandbox, base)
    sandbox.client.pull(name)
    remove_all(sandbox, committed(sandbox, name, "pulled"), name)
    load(sandbox, archive)
    image = committed(sandbox, base, "loaded")
    whole = saved(sandbox, image)
    remove_all(sandbox, image, base)
    load(sandbox, whole)
    assert_proven(sandbox, image)


# --- verify --base ---


def test_the_base_can_be_named_to_verify(sandbox: Sandbox, base: str) -> None:
    image = committed(sandbox, base)
    done = sandbox.snap("verify", image, "--base", base)
    assert "ok  base image  is the recorded one, " in done.stdout
    by_id = sandbox.snap("verify", image, "--base", sandbox.inspect(base)["Id"])
    assert by_id.stdout == done.stdout


def test_a_base_that_was_loaded_elsewhere_is_still_the_base(
    sandbox: Sandbox, base: str, there: Sandbox
) -> None:
    image = committed(sandbox, base)
    for archive in (saved(sandbox, base), saved(sandbox, image)):
        load(there, archive)
    assert "FAIL" not in there.snap("verify", image, "--base", base).stdout


def test_another_base_is_named(sandbox: Sandbox, base: str) -> None:
    image = committed(sandbox, base)
    done = sandbox.snap("verify", image, "--base", sandbox.base_image, expect=3)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert line.split("  ")[1] == "base image"
    assert sandbox.inspect(sandbox.base_image)["Id"] in line
    assert "other layers than the recorded base" in line


def test_a_base_with_a_layer_more_is_another_base(sandbox: Sandbox, base: str) -> None:
    image = committed(sandbox, base)
    assert "FAIL  base image" in sandbox.snap("verify", image, "--base", image, expect=3).stdout


def test_a_base_that_is_not_there_is_an_error_and_no_finding(sandbox: Sandbox, base: str) -> None:
    image = committed(sandbox, base)
    done = sandbox.snap("verify", image, "--base", "no-such:v1", expect=1)
    assert "No image is named 'no-such:v1' here." in done.stderr


def test_an_image_without_a_record_has_no_base_that_could_be_proven(sandbox: Sandbox) -> None:
    image = sandbox.base_image
    done = sandbox.snap("verify", image, "--base", image, "--file", "/diamol/ch03.txt", expect=3)
    assert "FAIL  base image" in done.stdout
    assert "no record names one" in done.stdout
