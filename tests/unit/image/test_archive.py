from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from snapshot.engine.types import Descriptor
from snapshot.image.archive import LAYER_TYPE, ImageArchive

CONFIG = b'{"architecture":"amd64"}'


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def descriptor(content: bytes, media_type: str = LAYER_TYPE) -> Descriptor:
    return Descriptor(media_type, digest(content), len(content))


BASE, OWN = b"base" * 200, b"own layer" * 333
GZIPPED = descriptor(BASE, "application/vnd.docker.image.rootfs.diff.tar.gzip")


def archive(name: str = "docker.io/library/x:1", **parts: Any) -> ImageArchive:
    layers = parts.pop("layers", [GZIPPED, descriptor(OWN)])
    contents = parts.pop("contents", {digest(OWN): lambda: [OWN[:100], OWN[100:]]})
    return ImageArchive(CONFIG, layers, contents, name)


def files(image: ImageArchive) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(image.chunks()))) as tar:
        return {info.name: stream.read() for info in tar if (stream := tar.extractfile(info))}


def documents(image: ImageArchive) -> tuple[Any, Any, Any]:
    """Index, OCI manifest and Docker's manifest."""
    found = files(image)
    index = json.loads(found["index.json"])
    blob = index["manifests"][0]["digest"].replace("sha256:", "blobs/sha256/")
    return index, json.loads(found[blob]), json.loads(found["manifest.json"])


def test_every_blob_has_the_name_of_its_digest_and_the_size_that_is_said() -> None:
    image = archive()
    found = files(image)
    blobs = {name: content for name, content in found.items() if name.startswith("blobs/")}
    assert all(name == digest(content).replace("sha256:", "blobs/sha256/") for name, content in blobs.items())
    assert set(blobs.values()) == {CONFIG, OWN, image.manifest}
    index, manifest, _ = documents(image)
    assert index["manifests"][0]["digest"] == image.manifest_digest == digest(image.manifest)
    assert index["manifests"][0]["size"] == len(image.manifest)
    assert manifest["config"]["digest"] == image.config_digest == digest(CONFIG)
    assert manifest["config"]["size"] == len(CONFIG)
    assert json.loads(found["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}


def test_layers_that_are_left_out_are_named_in_both_manifests() -> None:
    _, manifest, docker = documents(archive())
    assert [layer["digest"] for layer in manifest["layers"]] == [digest(BASE), digest(OWN)]
    assert [layer["mediaType"] for layer in manifest["layers"]] == [GZIPPED.media_type, LAYER_TYPE]
    assert [layer["size"] for layer in manifest["layers"]] == [len(BASE), len(OWN)]
    assert docker[0]["Layers"] == [
        layer["digest"].replace("sha256:", "blobs/sha256/") for layer in manifest["layers"]
    ]
    assert docker[0]["Config"] == digest(CONFIG).replace("sha256:", "blobs/sha256/")


def test_the_name_is_in_both_forms() -> None:
    index, _, docker = documents(archive("registry:5000/team/x:v1"))
    assert docker[0]["RepoTags"] == ["registry:5000/team/x:v1"]
    assert index["manifests"][0]["annotations"] == {
        "io.containerd.image.name": "registry:5000/team/x:v1",
        "org.opencontainers.image.ref.name": "v1",
    }


def test_an_image_without_a_name_has_none_in_either_form() -> None:
    index, _, docker = documents(archive(""))
    assert docker[0]["RepoTags"] is None
    assert "annotations" not in index["manifests"][0]


def test_the_same_image_is_the_same_archive() -> None:
    assert b"".join(archive().chunks()) == b"".join(archive().chunks())


def test_a_layer_that_occurs_twice_is_written_once() -> None:
    twice = archive(layers=[descriptor(OWN), descriptor(OWN)])
    with tarfile.open(fileobj=io.BytesIO(b"".join(twice.chunks()))) as tar:
        assert tar.getnames().count(digest(OWN).replace("sha256:", "blobs/sha256/")) == 1
    assert len(documents(twice)[1]["layers"]) == 2


def test_blobs_are_streamed() -> None:
    asked = []

    def content() -> Iterator[bytes]:
        for number in range(3):
            asked.append(number)
            yield OWN[number * 999 : (number + 1) * 999]

    chunks = archive(contents={digest(OWN): content}).chunks()
    while not asked:
        next(chunks)
    assert asked == [0]
    list(chunks)
    assert asked == [0, 1, 2]


@pytest.mark.parametrize("program", ["tar", "bsdtar"])
def test_tar_programs_read_it(program: str) -> None:
    data = b"".join(archive().chunks())
    assert len(data) % 512 == 0
    done = subprocess.run([program, "-tf", "-"], input=data, capture_output=True, check=True)
    assert done.stderr == b""
    assert done.stdout.split()[:4] == [b"oci-layout", b"index.json", b"manifest.json", b"blobs/"]
