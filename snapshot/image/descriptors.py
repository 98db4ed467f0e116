"""The descriptors of an image's layers, found in the archive that an engine saves of it.

The containerd store wants a layer that is left out named as its content store has it: after a pull that is
the registry's gzip or zstd digest, and no API tells it. (With the diff ID in its place it answers that the
image was loaded, runs it, and a later save silently lacks the base: moby 28.5.)
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Mapping
from typing import IO, Any

from snapshot.engine.types import Descriptor, Image
from snapshot.image.archive import BLOBS

#: Manifests and indexes are a few KiB; containerd itself refuses them from 4 MiB on (``images.go``).
_MOST_MANIFEST_BYTES = 4 << 20


class DescriptorsNotFound(ValueError):
    """The archive does not hold the manifest that the image is said to have."""


def layer_descriptors(stream: IO[bytes], image: Image) -> tuple[Descriptor, ...]:
    """The descriptors of all layers of ``image``, base first; the stream is read no further than needed.

    Blobs come sorted by digest, so manifest and index stand anywhere among the layers.

    Raises :class:`DescriptorsNotFound` where they are not in the stream, or do not fit the image.
    """
    if image.descriptor is None:
        raise DescriptorsNotFound("the engine names no manifest for the image")
    documents: dict[str, Any] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for info in tar:
                if not (info.isfile() and info.name.startswith(BLOBS)) or info.size > _MOST_MANIFEST_BYTES:
                    continue
                content = tar.extractfile(info)
                data = content.read() if content else b""
                document = _json_object(data)
                if document is None:
                    continue
                # Under its true digest, whatever its name says.
                documents[f"sha256:{hashlib.sha256(data).hexdigest()}"] = document
                if manifest := _manifest_of(image, image.descriptor.digest, documents):
                    return _layers(manifest, image)
    except (tarfile.TarError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DescriptorsNotFound(f"the image's archive cannot be read ({error})") from error
    raise DescriptorsNotFound("the image's manifest is not in its archive")


def _json_object(content: bytes) -> dict[str, Any] | None:
    if not content.startswith(b"{"):
        return None
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _manifest_of(image: Image, digest: str, documents: Mapping[str, Any]) -> dict[str, Any] | None:
    """The manifest with that digest, or the one for the image's platform in an index with it."""
    document = documents.get(digest)
    if document is None:
        return None
    if "manifests" not in document:
        return dict(document)
    for entry in document["manifests"]:
        platform = entry.get("platform") or {}
        same = (platform.get("os"), platform.get("architecture"), platform.get("variant") or "") == (
            image.os,
            image.architecture,
            image.variant,
        )
        if same or len(document["manifests"]) == 1:
            return documents.get(entry["digest"])
    return None


def _layers(manifest: Mapping[str, Any], image: Image) -> tuple[Descriptor, ...]:
    found = tuple(
        Descriptor(str(layer["mediaType"]), str(layer["digest"]), int(layer["size"]))
        for layer in manifest["layers"]
    )
    if len(found) != len(image.layers):
        raise DescriptorsNotFound(
            f"the manifest names {len(found)} layers, and the image has {len(image.layers)}"
        )
    return found
