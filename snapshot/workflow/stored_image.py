"""An image as its engine saves it: its config, and its layers."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from snapshot.changeset.layer import Layer, check_room
from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.errors import EngineError
from snapshot.image.saved import SavedImage, SavedImageUnreadable
from snapshot.workflow.progress import Progress

_PIECE_BYTES = 1 << 20


class StoredImage(NamedTuple):
    """The config of an image as it is stored, and layers of it, base first."""

    config: bytes
    layers: tuple[Layer, ...]


def stored_image(
    engine: Engine,
    image: Image,
    stack: ExitStack,
    progress: Progress,
    diff_ids: Sequence[str] | None = None,
) -> StoredImage:
    """Read an image from its engine; the layers are in the spool folder until ``stack`` ends.

    Parameters
    ----------
    diff_ids:
        Which layers; all of them by default. Each is held against that digest.
    """
    diff_ids = image.layers if diff_ids is None else diff_ids
    found: dict[str, Layer] = {}
    wanted = set(diff_ids)
    if len(wanted) == len(image.layers):
        check_room(image.size_bytes)
    try:
        with engine.transfer.save(image.id) as stream:
            saved_image = SavedImage(stream)
            for saved in saved_image.layers(passing_over=set(image.layers) - wanted):
                file = stack.enter_context(
                    tempfile.TemporaryFile(prefix="docker-snap-", buffering=0)  # noqa: SIM115
                )
                size_bytes = 0
                while chunk := saved.read(_PIECE_BYTES):
                    size_bytes += file.write(chunk)
                    progress.advance(len(chunk))
                layer = Layer(file, size_bytes, saved.diff_id())
                if layer.diff_id in wanted and layer.diff_id not in found:
                    found[layer.diff_id] = layer
                else:
                    file.close()
            config = saved_image.config()
    except SavedImageUnreadable as error:
        raise EngineError(f"The image '{image.id}' cannot be read: {error}.") from error
    missing = wanted - found.keys()
    if missing:
        raise EngineError(
            f"The image '{image.id}' lacks its layer {min(missing)}.", "Pull it again, then try again."
        )
    return StoredImage(config, tuple(found[diff_id] for diff_id in diff_ids))
