"""The history of an image, as its config holds it, from what an engine tells of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from snapshot.engine.types import HistoryEntry
from snapshot.journal.step import VERBS
from snapshot.journal.step_words import UNKNOWN_WORDS

# Instructions that change the config alone, as the classic builder (`#(nop)`) and BuildKit write them.
_CONFIG_ONLY = re.compile(
    r"(?:/bin/sh -c #\(nop\) +)?"
    r"(?:ARG|CMD|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|SHELL|STOPSIGNAL|USER|VOLUME)\b"
    r"|snap [a-z-]+: config$"
)
# Steps, as snap writes them (:func:`snapshot.image.generations.history_entries`): never layers of their own.
# What a verb did in all has a colon: `snap patch: 1 added`.
_STEP = re.compile(
    rf"snap (?:{'|'.join(VERBS)})\b(?!:)|{re.escape(UNKNOWN_WORDS)}|snap: [0-9,]+ earlier steps?$"
)

_UNKNOWN_TIME = "1970-01-01T00:00:00Z"


def with_layers(entries: Sequence[HistoryEntry], layer_count: int) -> tuple[HistoryEntry, ...]:
    """History entries, oldest first, with as many of them marked as layers as there are.

    The engine tells an entry's size and not whether it has a layer (OCI image spec, config.md,
    ``history.empty_layer``). What has a size has a layer; of those without, the ones that are no mere edit of
    the config come first, and steps as snap writes them last. Entries are made up where an image has fewer
    than layers, as an import can.

    >>> entry = HistoryEntry("2026-01-01T00:00:00Z", "CMD x")
    >>> [item.empty_layer for item in with_layers([entry, replace(entry, size_bytes=1)], 1)]
    [True, False]
    """
    # The oldest first within each rank: a base image begins with a layer.
    ranked = sorted(range(len(entries)), key=lambda index: _rank(entries[index]))
    with_layer = set(ranked[:layer_count])
    marked = tuple(replace(entry, empty_layer=index not in with_layer) for index, entry in enumerate(entries))
    missing = layer_count - len(with_layer)
    # Podman 4.3 ends its answer where an entry has no time.
    created = next((entry.created for entry in entries if entry.created), _UNKNOWN_TIME)
    return tuple(HistoryEntry(created, "") for _ in range(missing)) + marked


def is_step(entry: HistoryEntry) -> bool:
    """Whether the entry is one that snap wrote for a step."""
    return bool(_STEP.match(entry.created_by))


def _rank(entry: HistoryEntry) -> int:
    if entry.size_bytes:
        return 0
    if is_step(entry):
        return 3
    return 2 if _CONFIG_ONLY.match(entry.created_by) else 1
