"""The history of an image joined with its layers: which step made which layer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from snapshot.engine.client import Engine
from snapshot.engine.types import HistoryEntry, Image
from snapshot.errors import EngineError
from snapshot.image.config_blob import MOST_CONFIG_BYTES
from snapshot.image.history import LayerStep as LayerStep
from snapshot.image.history import joined, marked_by_size, with_layers
from snapshot.image.saved import SavedImage, SavedImageUnreadable


def layer_steps(engine: Engine, image: Image, *, quick: bool = False) -> tuple[LayerStep, ...]:
    """All entries of an image's history, oldest first, with the layers that they made.

    Engines tell the size of an entry's layer and not whether it has one. Where the sizes do not settle it,
    the image's config does (OCI image spec, config.md, ``history.empty_layer``): from the engine's folder
    where that is here, else from the image as the engine saves it. Each layer is in one of them: one that the
    history does not tell of has an entry without words.

    Parameters
    ----------
    quick:
        Do not have the image saved, which takes as long as reading it: the words of the entries decide then.

    Raises
    ------
    ImageNotFound
    EngineError
        The image cannot be read as the engine saves it.
    """
    entries = engine.transfer.history(image.id)
    count = len(image.layers)
    marked = marked_by_size(entries, count)
    if marked is None:
        config = _from_folder(engine, image)
        if not config and quick:
            marked = list(with_layers(entries, count))
        else:
            marked = _marked_by_config(entries, config or _from_archive(engine, image))
    return joined(marked, count, from_top=engine.is_podman)


def _marked_by_config(entries: Sequence[HistoryEntry], config: bytes) -> list[HistoryEntry]:
    history: Any = None
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        history = json.loads(config)["history"]
    told = history if isinstance(history, list) else []
    empty = [isinstance(item, dict) and bool(item.get("empty_layer")) for item in told]
    empty += [False] * (len(entries) - len(empty))
    return [replace(entry, empty_layer=is_empty) for entry, is_empty in zip(entries, empty, strict=False)]


def _from_folder(engine: Engine, image: Image) -> bytes:
    """The config from the folder of Docker's classic store: a file that its name is the digest of."""
    if not (engine.endpoint.url.startswith("unix://") and image.upper_folder):
        return b""
    # ROOT/overlay2/LAYER/diff, and moby's image/fs.go.
    driver = Path(image.upper_folder).parent.parent
    digest = image.id.removeprefix("sha256:")
    path = driver.parent / "image" / driver.name / "imagedb/content/sha256" / digest
    try:
        with path.open("rb") as file:
            content = file.read(MOST_CONFIG_BYTES)
    except (OSError, ValueError):
        return b""
    return content if hashlib.sha256(content).hexdigest() == digest else b""


def _from_archive(engine: Engine, image: Image) -> bytes:
    try:
        with engine.transfer.save(image.id) as stream:
            saved = SavedImage(stream)
            for _ in saved.layers(passing_over=image.layers):
                pass
            return saved.config()
    except SavedImageUnreadable as error:
        raise EngineError(f"The history of '{image.id}' cannot be told: {error}.") from error
