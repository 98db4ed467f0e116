"""Images in archives, written out by hand: an OCI image layout or Docker's own form, honest or not."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

REF_NAME = "org.opencontainers.image.ref.name"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def layer(files: Mapping[str, str | tuple[bytes, str]]) -> bytes:
    """A layer with files of these contents; a tuple is another type and where it leads."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, errors="surrogateescape") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, tuple):
                info.type, info.linkname = content
                tar.addfile(info)
                continue
            info.size = len(content.encode())
            tar.addfile(info, io.BytesIO(content.encode()))
    return out.getvalue()


def config(layers: Sequence[bytes], **fields: Any) -> dict[str, Any]:
    rootfs = {"type": "layers", "diff_ids": [digest(content) for content in layers]}
    return {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs, **fields}


def descriptor(content: bytes, **fields: Any) -> dict[str, Any]:
    return {"mediaType": "application/x", "digest": digest(content), "size": len(content), **fields}


class Layout:
    """The files of an OCI image layout, free to be changed before they are written."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
        self.manifests: list[dict[str, Any]] = []

    def blob(self, content: bytes) -> dict[str, Any]:
        self.files[f"blobs/sha256/{digest(content).partition(':')[2]}"] = content
        return descriptor(content)

    def image(self, layers: Sequence[bytes], tag: str = "", *, packed: bool = False, **fields: Any) -> None:
        """Add an image; ``packed`` compresses its layers with gzip, ``fields`` are of its config."""
        manifest = {
            "schemaVersion": 2,
            "config": self.blob(json.dumps(config(layers, **fields)).encode()),
            "layers": [self.blob(gzip.compress(content) if packed else content) for content in layers],
        }
        entry = self.blob(json.dumps(manifest).encode())
        self.manifests.append({**entry, "annotations": {REF_NAME: tag}} if tag else entry)

    def whole(self) -> dict[str, bytes]:
        return {"index.json": json.dumps({"manifests": self.manifests}).encode(), **self.files}

    def write(self, folder: Path) -> Path:
        for name, content in self.whole().items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder


def tar_of(files: Mapping[str, bytes | tuple[bytes, str]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, tuple):
                info.type, info.linkname = content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def docker_archive(
    images: Mapping[str, Sequence[bytes]], **fields: Any
) -> dict[str, bytes | tuple[bytes, str]]:
    """The files of a ``docker save`` of images by their names; a layer that is there already is a link."""
    files: dict[str, bytes | tuple[bytes, str]] = {}
    manifest = []
    known: dict[bytes, str] = {}
    for number, (name, layers) in enumerate(images.items()):
        paths = []
        for count, content in enumerate(layers):
            paths.append(f"{number}-{count}/layer.tar")
            files[paths[-1]] = (tarfile.SYMTYPE, f"../{known[content]}") if content in known else content
            known.setdefault(content, paths[-1])
        text = json.dumps(config(layers, **fields)).encode()
        files[f"{number}.json"] = text
        manifest.append({"Config": f"{number}.json", "RepoTags": [name] if name else None, "Layers": paths})
    return {**files, "manifest.json": json.dumps(manifest).encode()}
