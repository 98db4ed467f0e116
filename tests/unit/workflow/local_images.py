"""Images with layers of given sizes, for tests of what images share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from snapshot.engine.types import Config, Descriptor, Image
from snapshot.image.record import chain_ids


def image(
    name: str,
    layers: str,
    *,
    created: int = 0,
    size_bytes: int = 0,
    tags: Iterable[str] | None = None,
    labels: Mapping[str, str] | None = None,
    descriptor: Descriptor | None = None,
) -> Image:
    """An image with a layer for each letter."""
    return Image(
        id=f"sha256:{name}",
        tags=(f"{name}:1",) if tags is None else tuple(tags),
        repo_digests=(),
        created=f"2026-01-01T00:00:00.{created:09}Z",
        author="",
        comment="",
        architecture="amd64",
        os="linux",
        variant="",
        size_bytes=size_bytes,
        layers=tuple(layers),
        config=Config(labels=labels or {}),
        descriptor=descriptor,
    )


def sizes_of(images: Iterable[Image], **letters: int) -> dict[str, int]:
    """The bytes of all layers by chain ID, by the letters that they are made of; 1 for the others."""
    return {
        chain: letters.get(letter, 1)
        for one in images
        for letter, chain in zip(one.layers, chain_ids(one.layers), strict=True)
    }
