"""The config of an image as the blob that its ID is the digest of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from snapshot.engine.types import Config, HistoryEntry, Image


@dataclass(frozen=True)
class Commit:
    """What a new image adds to the history of its base.

    ``created`` is RFC 3339; ``diff_id`` is empty where no file changed, and so no layer is added. ``steps``
    are the entries of what led to the changes; they have no layers.
    """

    created: str
    created_by: str
    comment: str
    author: str
    diff_id: str
    steps: tuple[HistoryEntry, ...] = ()


def config_blob(
    base: Image,
    base_layers: Sequence[str],
    base_history: Sequence[HistoryEntry],
    config: Config,
    commit: Commit,
) -> bytes:
    """The config of the new image, as canonical JSON (OCI image spec, config.md).

    The platform is the base's. ``healthcheck``, ``onbuild``, ``shell``, ``comment`` are Docker's additions.
    """
    added = HistoryEntry(
        commit.created, commit.created_by, commit.comment, commit.author, empty_layer=not commit.diff_id
    )
    layers = [*base_layers, commit.diff_id] if commit.diff_id else list(base_layers)
    value = {
        "architecture": base.architecture,
        "os": base.os,
        "variant": base.variant,
        "os.version": base.os_version,
        "created": commit.created,
        "author": commit.author,
        "comment": commit.comment,
        "config": _present(config.to_api()),
        "rootfs": {"type": "layers", "diff_ids": layers},
        "history": [_history(entry) for entry in [*base_history, *commit.steps, added]],
    }
    return json.dumps(_present(value), separators=(",", ":"), sort_keys=True).encode("ascii")


def _history(entry: HistoryEntry) -> dict[str, Any]:
    return _present(
        {
            "created": entry.created,
            "created_by": entry.created_by,
            "comment": entry.comment,
            "author": entry.author,
            "empty_layer": entry.empty_layer,
        }
    )


def _present(value: dict[str, Any]) -> dict[str, Any]:
    """Without what is empty: a key that is not there and an empty one mean the same."""
    return {key: item for key, item in value.items() if item not in (None, "", [], {}, False)}
