"""How many layers an image can have: a warning in time, and a refusal before any work (conformance Q05)."""

from __future__ import annotations

import io
import tarfile

import pytest
from conftest import engine_kind
from doctor import SavedImage, entry, put_together, take_apart
from sandbox import Sandbox

pytestmark = pytest.mark.engine

#: Podman and the containerd store load an image with more, and then no container of it can be mounted.
MOST_LAYERS = {"docker20": 125, "docker28": 125, "docker28-containerd": 400, "podman": 128}


def deep_image(space: Sandbox, layer_count: int) -> str:
    """An image with so many layers, all but the first with one small file each."""
    base = take_apart(space.client, space.base_image)
    layers = [*base.layers, *(_layer(number) for number in range(layer_count - 1))]
    config = {
        **base.config,
        "history": [{"created": "2020-01-01T00:00:00Z", "created_by": "deep"} for _ in layers],
    }
    name = space.name(f"deep{layer_count}") + ":latest"
    put_together(space.client, SavedImage(config, layers), name)
    return name


def _layer(number: int) -> bytes:
    out = io.BytesIO()
    info, content = entry(f"layer{number}", str(number).encode())
    info.size = len(content)
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_from_a_hundred_layers_on_a_commit_warns_and_names_the_way_out(sandbox: Sandbox) -> None:
    for count, warns in ((98, False), (99, True)):
        box = sandbox.changed("touch /new", f"box{count}", image=deep_image(sandbox, count))
        done = sandbox.snap("commit", box, sandbox.name(f"image{count}"))
        assert ("the image has 100 layers; --squash folds" in done.stderr) is warns
    sandbox.snap("verify", "--deep", sandbox.name("image99"), "--file", "/layer97")


def test_the_last_layer_that_an_engine_takes_is_made_and_runs(sandbox: Sandbox) -> None:
    most = MOST_LAYERS[engine_kind() or "docker20"]
    box, image = sandbox.changed("echo x > /new", image=deep_image(sandbox, most - 1)), sandbox.name("image")
    sandbox.snap("commit", box, image)
    assert len(sandbox.inspect(image)["RootFS"]["Layers"]) == most
    assert sandbox.output_of(image, "cat", "/new", "/layer1") == "x\n1"


def test_one_layer_more_is_refused_before_any_work(sandbox: Sandbox) -> None:
    most = MOST_LAYERS[engine_kind() or "docker20"]
    box = sandbox.changed("touch /new", image=deep_image(sandbox, most))
    images = sandbox.new_images()
    done = sandbox.snap("--debug", "commit", box, sandbox.name("image"), expect=4)
    assert f"The image would have {most + 1} layers, and this engine takes {most}." in done.stderr
    assert "docker import" in done.stderr
    assert "capture:" not in done.stderr
    assert sandbox.new_images() == images
    assert sandbox.state(box) == "running"
