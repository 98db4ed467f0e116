"""Which kind of manifest an archive has: OCI's, or Docker's where the config has what OCI's does not."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest

from snapshot.engine.types import Descriptor
from snapshot.image.archive import (
    CONFIG_TYPE,
    DOCKER_CONFIG_TYPE,
    DOCKER_MANIFEST_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    ImageArchive,
)

DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"


def manifest_and_index(config: dict[str, Any], *layer_types: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest of an archive with this config and layers of these types, and its entry in the index."""
    layers = [Descriptor(kind, f"sha256:{number:064}", 1) for number, kind in enumerate(layer_types)]
    archive = ImageArchive(json.dumps({"config": config}).encode(), layers, {})
    with tarfile.open(fileobj=io.BytesIO(b"".join(archive.chunks()))) as tar:

        def content(name: str) -> Any:
            file = tar.extractfile(name)
            assert file
            return json.load(file)

        (entry,) = content("index.json")["manifests"]
        assert entry["digest"] == archive.manifest_digest
        return content(f"blobs/sha256/{entry['digest'].removeprefix('sha256:')}"), entry


def test_a_config_with_ocis_own_parts_alone_has_ocis_manifest() -> None:
    manifest, entry = manifest_and_index({"Cmd": ["sh"], "StopSignal": "SIGQUIT"}, f"{LAYER_TYPE}+gzip")
    assert manifest["mediaType"] == entry["mediaType"] == MANIFEST_TYPE
    assert manifest["config"]["mediaType"] == CONFIG_TYPE
    assert [layer["mediaType"] for layer in manifest["layers"]] == [f"{LAYER_TYPE}+gzip"]


@pytest.mark.parametrize(
    "config", [{"Healthcheck": {"Test": ["NONE"]}}, {"OnBuild": ["RUN x"]}, {"Shell": ["/bin/sh"]}]
)
def test_a_config_with_a_part_of_dockers_has_dockers_manifest(config: dict[str, Any]) -> None:
    manifest, entry = manifest_and_index(
        config, LAYER_TYPE, f"{LAYER_TYPE}+gzip", f"{LAYER_TYPE}+zstd", f"{DOCKER_LAYER}.gzip", "other"
    )
    assert manifest["mediaType"] == entry["mediaType"] == DOCKER_MANIFEST_TYPE
    assert manifest["config"]["mediaType"] == DOCKER_CONFIG_TYPE
    assert [layer["mediaType"] for layer in manifest["layers"]] == [
        DOCKER_LAYER, f"{DOCKER_LAYER}.gzip", f"{DOCKER_LAYER}.zstd", f"{DOCKER_LAYER}.gzip", "other",
    ]  # fmt: skip
