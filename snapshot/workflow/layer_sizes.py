"""How much each layer of an engine's images takes, without reading any of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.errors import NotFound
from snapshot.image.history import LayerStep
from snapshot.image.record import chain_ids
from snapshot.workflow.layer_steps import layer_steps
from snapshot.workflow.progress import SILENT, Progress


def layer_sizes(engine: Engine, images: Iterable[Image], *, progress: Progress = SILENT) -> dict[str, int]:
    """The bytes of every layer of these images, by its chain ID, as the engine counts them.

    Docker's classic store counts the bytes of files, its containerd store the blocks that they take on the
    disk, Podman the layer as a tar. An image that goes meanwhile is passed over.
    """
    # An image with fewer layers tells of those that another one's history passes over.
    every = sorted(images, key=lambda image: len(image.layers))
    listed = engine.listed_sizes() if any(image.descriptor for image in every) else {}
    sizes: dict[str, int] = {}
    for number, image in enumerate(every, 1):
        progress.stage(f"sizes of the layers of image {number} of {len(every)}")
        with suppress(NotFound):
            chains = chain_ids(image.layers)
            whole_bytes = image.size_bytes
            if image.descriptor:
                # The containerd store lists an image with its layers packed and unpacked; alone, packed.
                whole_bytes = max(listed.get(image.id, 0) - image.size_bytes, 0)
            steps = layer_steps(engine, image, quick=True)
            own = sizes_told(steps, [sizes.get(chain) for chain in chains], whole_bytes)
            sizes |= dict(zip(chains, own, strict=True))
    return sizes


def sizes_told(steps: Iterable[LayerStep], known: Sequence[int | None], whole_bytes: int) -> list[int]:
    """The size of each layer, base first, as a history that is joined with them tells.

    Parameters
    ----------
    known:
        For each layer its size where that is known already.
    whole_bytes:
        Those of all layers together, which leave the rest for one that the history does not tell of; 0 where
        they are not known.

    >>> from snapshot.engine.types import HistoryEntry
    >>> steps = [LayerStep(HistoryEntry("", "RUN x", size_bytes=5), 0), LayerStep(HistoryEntry("", ""), 1)]
    >>> sizes_told(steps, [None, None], 7)
    [5, 2]
    """
    sizes = list(known)
    for entry, layer in steps:
        if layer is not None and sizes[layer] is None and (entry.created_by or entry.created):
            sizes[layer] = max(entry.size_bytes, 0)
    if None in sizes:
        rest = whole_bytes - sum(size or 0 for size in sizes)
        sizes[sizes.index(None)] = max(rest, 0)
    return [size or 0 for size in sizes]
