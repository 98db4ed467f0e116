from __future__ import annotations

import hashlib
import io
import json
import tarfile
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.engine.types import Config, Descriptor, Image
from snapshot.image.descriptors import DescriptorsNotFound, layer_descriptors

LAYERS = [
    {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:aa", "size": 10},
    {"mediaType": "application/vnd.oci.image.layer.v1.tar+zstd", "digest": "sha256:bb", "size": 20},
]
WANTED = tuple(
    Descriptor(str(item["mediaType"]), str(item["digest"]), 10 * n) for n, item in enumerate(LAYERS, 1)
)
MANIFEST = json.dumps({"schemaVersion": 2, "layers": LAYERS}).encode()


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def image(content: bytes = MANIFEST) -> Image:
    descriptor = Descriptor("type", digest(content), len(content))
    layers = ("sha256:1", "sha256:2")
    return Image("id", (), (), "", "", "", "arm64", "linux", "v8", 1, layers, Config(), descriptor=descriptor)


def saved(*blobs: bytes) -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for content in blobs:
            info = tarfile.TarInfo(digest(content).replace("sha256:", "blobs/sha256/"))
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return io.BytesIO(stream.getvalue())


def index_of(*entries: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "manifests": entries}).encode()


def entry(content: bytes, architecture: str = "arm64", variant: str = "v8") -> dict[str, Any]:
    platform = {"os": "linux", "architecture": architecture, "variant": variant}
    return {"digest": digest(content), "platform": platform}


def test_the_descriptors_are_those_of_the_manifest_wherever_it_stands() -> None:
    for blobs in ((MANIFEST, b"layer" * 1000), (b"layer" * 1000, MANIFEST), (b"{broken", b"{}", MANIFEST)):
        assert layer_descriptors(saved(*blobs), image()) == WANTED


@pytest.mark.parametrize("index_first", [False, True])
def test_of_an_index_the_manifest_of_the_image_s_platform_is_taken(index_first: bool) -> None:
    other = json.dumps({"layers": LAYERS[::-1]}).encode()
    index = index_of(entry(other, "amd64", ""), entry(other, "arm64", "v7"), entry(MANIFEST))
    blobs = [index, other, MANIFEST] if index_first else [MANIFEST, other, index]
    assert layer_descriptors(saved(*blobs), image(index)) == WANTED


def test_the_only_manifest_of_an_index_is_taken_whatever_its_platform() -> None:
    index = index_of({"digest": digest(MANIFEST)})
    assert layer_descriptors(saved(index, MANIFEST), image(index)) == WANTED


def test_nothing_is_read_after_the_manifest() -> None:
    stream = saved(MANIFEST, b"layer" * 100_000)
    layer_descriptors(stream, image())
    assert stream.tell() <= 20_480


def test_an_image_whose_manifest_no_engine_names_has_no_descriptors() -> None:
    with pytest.raises(DescriptorsNotFound, match="names no manifest"):
        layer_descriptors(saved(MANIFEST), replace(image(), descriptor=None))


def test_a_manifest_that_is_not_there_is_said_to_be_missing() -> None:
    for stream in (saved(), saved(b"layer"), saved(index_of(entry(MANIFEST)))):
        with pytest.raises(DescriptorsNotFound, match="not in its archive"):
            layer_descriptors(stream, image())


def test_a_manifest_of_another_number_of_layers_does_not_fit() -> None:
    with pytest.raises(DescriptorsNotFound, match="names 2 layers, and the image has 1"):
        layer_descriptors(saved(MANIFEST), replace(image(), layers=("sha256:1",)))


def test_a_blob_that_is_too_large_for_a_manifest_is_passed_over() -> None:
    large = b'{"a": "' + b"x" * (4 << 20) + b'"}'
    assert layer_descriptors(saved(large, MANIFEST), image()) == WANTED


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"layers": None},
        {"layers": ["x", "y"]},
        {"layers": [{"digest": "sha256:1"}]},
        {"layers": [LAYERS[0] | {"size": "many"}, LAYERS[1]]},
        {"layers": [LAYERS[0] | {"size": float("inf")}, LAYERS[1]]},
        {"manifests": None},
        {"manifests": ["x", "y"]},
        {"manifests": [{"platform": "linux"}]},
        {"manifests": [{}]},
        {"manifests": [{"digest": {}}]},
    ],
    ids=str,
)
def test_a_document_of_another_form_is_refused(document: dict[str, Any]) -> None:
    content = json.dumps(document).encode()
    with pytest.raises(DescriptorsNotFound):
        layer_descriptors(saved(content), image(content))


def test_a_document_that_is_nested_too_deep_is_no_manifest() -> None:
    assert layer_descriptors(saved(b'{"a":' * 100_000, MANIFEST), image()) == WANTED


@given(st.data())
def test_a_damaged_archive_gives_the_descriptors_or_is_refused(data: st.DataObject) -> None:
    content = bytearray(saved(b"layer", MANIFEST).getvalue())
    content[data.draw(st.integers(0, 3000))] ^= data.draw(st.integers(1, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    with suppress(DescriptorsNotFound):
        assert len(layer_descriptors(io.BytesIO(bytes(content)), image())) == 2
