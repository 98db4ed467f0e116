"""Takes images apart and puts changed ones together, as somebody would who tampers with them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import docker

#: Gives a changed entry for each entry of a layer, or ``None`` to leave it out.
Edit = Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes] | None]
Entry = tuple[tarfile.TarInfo, bytes]


@dataclass
class SavedImage:
    """An image as config and layers (uncompressed tars, base first), free to be changed."""

    config: dict[str, Any]
    layers: list[bytes]

    @property
    def labels(self) -> dict[str, str]:
        """The labels in its config."""
        labels: dict[str, str] = self.config["config"]["Labels"]
        return labels


def take_apart(client: docker.APIClient, image: str) -> SavedImage:
    """Save an image and read what it consists of."""
    # By its ID: Podman looks for the name itself under another registry's.
    stream = io.BytesIO(b"".join(client.get_image(client.inspect_image(image)["Id"])))  # type: ignore[no-untyped-call]
    with tarfile.open(fileobj=stream) as archive:

        def content(name: str) -> bytes:
            file = archive.extractfile(name)
            assert file is not None
            data = file.read()
            # The containerd store keeps layers as they came, and compresses those that it imports.
            return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data

        (manifest,) = json.loads(content("manifest.json"))
        return SavedImage(
            config=json.loads(content(manifest["Config"])),
            layers=[content(layer) for layer in manifest["Layers"]],
        )


def put_together(client: docker.APIClient, saved: SavedImage, name: str) -> None:
    """Load an image made of these parts, under ``name``; its layers' digests are made to fit."""
    digests = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in saved.layers]
    config = json.dumps({**saved.config, "rootfs": {"type": "layers", "diff_ids": digests}}).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    names = [f"{number}/layer.tar" for number in range(len(saved.layers))]
    tag = name if ":" in name else f"{name}:latest"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [tag], "Layers": names}]).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, content in [
            *zip(names, saved.layers, strict=True),
            (config_name, config),
            ("manifest.json", manifest),
        ]:
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    for answer in client.load_image(out.getvalue()):  # type: ignore[no-untyped-call]
        assert "error" not in answer, answer


def edited(layer: bytes, edit: Edit, extra: Sequence[Entry] = ()) -> bytes:
    """A layer with each entry changed by ``edit``, and ``extra`` ones at its end."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(layer)) as old, tarfile.open(fileobj=out, mode="w") as new:
        entries = [(info, _content(old, info)) for info in old]
        kept = [changed for info, content in entries if (changed := edit(info, content))]
        for info, content in [*kept, *extra]:
            info.size = len(content)
            new.addfile(info, io.BytesIO(content))
    return out.getvalue()


def entry(path: str, content: bytes = b"", **fields: Any) -> Entry:
    """A tar entry of a file, with any field of :class:`tarfile.TarInfo` set."""
    info = tarfile.TarInfo(path)
    info.mode = 0o644
    for name, value in fields.items():
        setattr(info, name, value)
    return info, content


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(info) if info.isreg() else None
    return file.read() if file else b""
