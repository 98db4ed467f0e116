"""An image as the one archive that every engine loads, with layers left out that the engine has.

The archive is an OCI image layout (``oci-layout``, ``index.json``, ``blobs/``) and has Docker's
``manifest.json`` beside it, which names the same blobs. Docker's classic store reads the latter and looks up
each chain ID before it opens a layer's file; Podman and the containerd store read the former. So a layer that
an engine has is named, and left out.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from snapshot.engine.types import Descriptor

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
DOCKER_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
#: Docker's additions to an image's config: Podman drops them where the manifest is OCI's.
DOCKER_ONLY = frozenset({"Healthcheck", "OnBuild", "Shell"})
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
#: Where blobs stand in an image layout, by the hex digits of their digest.
BLOBS = "blobs/sha256/"

_DOCKER_LAYER_TYPES = {
    LAYER_TYPE: "application/vnd.docker.image.rootfs.diff.tar",
    f"{LAYER_TYPE}+gzip": "application/vnd.docker.image.rootfs.diff.tar.gzip",
    f"{LAYER_TYPE}+zstd": "application/vnd.docker.image.rootfs.diff.tar.zstd",
}

#: Gives a blob's bytes in pieces, as often as it is called.
Content = Callable[[], Iterable[bytes]]


class ArchiveFile(NamedTuple):
    """One file of an archive; ``path`` is relative to its top."""

    path: str
    size_bytes: int
    content: Content


@dataclass(frozen=True)
class ImageArchive:
    """An image that is to be loaded or written to a file.

    Attributes
    ----------
    config:
        Its config blob.
    layers:
        The descriptors of all its layers, base first.
    contents:
        The content of those layers that are in the archive, by digest.
    name:
        Under which name it is loaded (``docker.io/library/NAME:TAG``), empty for none.
    """

    config: bytes
    layers: Sequence[Descriptor]
    contents: Mapping[str, Content]
    name: str = ""

    @property
    def config_digest(self) -> str:
        """The ID of the image in a classic store and in Podman's."""
        return _digest(self.config)

    @property
    def manifest(self) -> bytes:
        """The manifest: OCI's, or Docker's (schema 2) for a config that has what OCI's does not."""
        config_type = DOCKER_CONFIG_TYPE if self._is_dockers else CONFIG_TYPE
        layers = [_descriptor(layer) for layer in self.layers]
        if self._is_dockers:
            layers = [
                {**layer, "mediaType": _DOCKER_LAYER_TYPES.get(str(layer["mediaType"]), layer["mediaType"])}
                for layer in layers
            ]
        return _json(
            {
                "schemaVersion": 2,
                "mediaType": self._manifest_type,
                "config": _descriptor(Descriptor(config_type, self.config_digest, len(self.config))),
                "layers": layers,
            }
        )

    @property
    def _is_dockers(self) -> bool:
        return bool(DOCKER_ONLY & json.loads(self.config).get("config", {}).keys())

    @property
    def _manifest_type(self) -> str:
        return DOCKER_MANIFEST_TYPE if self._is_dockers else MANIFEST_TYPE

    @property
    def manifest_digest(self) -> str:
        """The ID of the image in the containerd store."""
        return _digest(self.manifest)

    def chunks(self) -> Iterator[bytes]:
        """The archive as a tar, in pieces; blobs are streamed."""
        folders: set[str] = set()
        for file in self.files():
            parts = file.path.split("/")[:-1]
            for folder in ("/".join(parts[: end + 1]) for end in range(len(parts))):
                if folder not in folders:
                    folders.add(folder)
                    yield _folder(folder)
            yield _header(file.path, file.size_bytes)
            yield from file.content()
            yield _padding(file.size_bytes)
        yield bytes(2 * tarfile.BLOCKSIZE)

    def files(self) -> Iterator[ArchiveFile]:
        """The files that the archive is made of, those of the layout first."""
        manifest = self.manifest
        documents = {
            "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
            "index.json": self._index(manifest),
            "manifest.json": self._docker_manifest(),
            _blob_path(_digest(manifest)): manifest,
            _blob_path(self.config_digest): self.config,
        }
        for path, content in documents.items():
            yield ArchiveFile(path, len(content), _in_one_piece(content))
        written = set()
        for layer in self.layers:
            if layer.digest in self.contents and layer.digest not in written:
                written.add(layer.digest)
                yield ArchiveFile(_blob_path(layer.digest), layer.size_bytes, self.contents[layer.digest])

    def _index(self, manifest: bytes) -> bytes:
        entry = _descriptor(Descriptor(self._manifest_type, _digest(manifest), len(manifest)))
        if self.name:
            entry["annotations"] = {
                # containerd's key for the whole name, and the OCI image layout's for the tag.
                "io.containerd.image.name": self.name,
                "org.opencontainers.image.ref.name": self.name.rpartition(":")[2],
            }
        return _json(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "manifests": [entry],
            }
        )

    def _docker_manifest(self) -> bytes:
        return _json(
            [
                {
                    "Config": _blob_path(self.config_digest),
                    "RepoTags": [self.name] if self.name else None,
                    "Layers": [_blob_path(layer.digest) for layer in self.layers],
                }
            ]
        )


def _descriptor(descriptor: Descriptor) -> dict[str, object]:
    return {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size_bytes,
    }


def _in_one_piece(content: bytes) -> Content:
    return lambda: (content,)


def _blob_path(digest: str) -> str:
    return BLOBS + digest.removeprefix("sha256:")


def _folder(name: str) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info.tobuf(tarfile.PAX_FORMAT)


def _header(name: str, size_bytes: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size_bytes
    return info.tobuf(tarfile.PAX_FORMAT)


def _padding(size_bytes: int) -> bytes:
    return bytes(-size_bytes % tarfile.BLOCKSIZE)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode("ascii")


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
