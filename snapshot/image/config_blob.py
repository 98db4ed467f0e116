"""The config of an image as the blob that its ID is the digest of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from snapshot.engine.types import Config, HistoryEntry, Image
from snapshot.errors import Refused

#: Podman takes no larger one (containers/image, ``types.MaxConfigBodySize``), and others write it into every
#: answer.
MOST_CONFIG_BYTES = 4 << 20

_SHARED = "snap: a layer of what follows"


@dataclass(frozen=True)
class Commit:
    """What a new image adds to the history of its base.

    ``created`` is RFC 3339; ``added`` are the digests of the new layers, lowest first: none where no file
    changed. ``steps`` are the entries of what led to the changes; they have no layers.
    """

    created: str
    created_by: str
    comment: str
    author: str
    added: tuple[str, ...]
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

    Raises :class:`~snapshot.errors.Refused` where it would have more than :data:`MOST_CONFIG_BYTES`.
    """
    added = HistoryEntry(
        commit.created, commit.created_by, commit.comment, commit.author, empty_layer=not commit.added
    )
    # Each layer has an entry; the words stand at the last one.
    unnamed = [HistoryEntry(commit.created, _SHARED) for _ in commit.added[1:]]
    value = {
        "architecture": base.architecture,
        "os": base.os,
        "variant": base.variant,
        "os.version": base.os_version,
        "created": commit.created,
        "author": commit.author,
        "comment": commit.comment,
        "config": _present(config.to_api()),
        "rootfs": {"type": "layers", "diff_ids": [*base_layers, *commit.added]},
        "history": [_history(entry) for entry in [*base_history, *commit.steps, *unnamed, added]],
    }
    blob = json.dumps(_present(value), separators=(",", ":"), sort_keys=True).encode("ascii")
    if len(blob) > MOST_CONFIG_BYTES:
        raise Refused(
            f"The image's config would have {len(blob):,} bytes, and {MOST_CONFIG_BYTES:,} are the most.",
            "Shorten its labels, variables or commands.",
        )
    return blob


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
