"""The history of an image, as its config holds it, from what an engine tells of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

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
    return tuple(HistoryEntry("", "") for _ in range(missing)) + marked


def dated(entries: Iterable[HistoryEntry]) -> tuple[HistoryEntry, ...]:
    """The entries, those without a time with the first one that is told: Podman 4.3 reads no others."""
    found = tuple(entries)
    created = next((entry.created for entry in found if entry.created), _UNKNOWN_TIME)
    return tuple(entry if entry.created else replace(entry, created=created) for entry in found)


class LayerStep(NamedTuple):
    """An entry of an image's history and the layer that it made.

    ``layer`` is the layer's number in the image, 0 for the base's first; ``None`` where the entry made none.
    An entry with neither time nor words stands for a layer that the history does not tell of.
    """

    entry: HistoryEntry
    layer: int | None


def joined(
    entries: Sequence[HistoryEntry], layer_count: int, *, from_top: bool = False
) -> tuple[LayerStep, ...]:
    """Entries that are known to have a layer or none (``empty_layer``), oldest first, with their layers.

    An image may have more layers than its history tells of: builders need not write one, and some fold it.
    The others get entries without words.

    Parameters
    ----------
    from_top:
        Whether the entries tell of the topmost layers then, as Podman has it (containers/common,
        ``libimage/history.go``), rather than of the lowest, as Docker has (moby,
        ``daemon/images/image_history.go``). The sizes that an engine gives are of these.

    >>> entries = [HistoryEntry("", "RUN x"), HistoryEntry("", "CMD x", empty_layer=True)]
    >>> [step.layer for step in joined(entries, 2)]
    [0, None, 1]
    """
    with_layer = [index for index, entry in enumerate(entries) if not entry.empty_layer][:layer_count]
    first = layer_count - len(with_layer) if from_top else 0
    layers = {index: first + position for position, index in enumerate(with_layer)}
    told = [
        LayerStep(replace(entry, empty_layer=index not in layers), layers.get(index))
        for index, entry in enumerate(entries)
    ]
    others = [number for number in range(layer_count) if not first <= number < first + len(with_layer)]
    untold = [LayerStep(HistoryEntry("", ""), number) for number in others]
    return tuple(untold + told if from_top else told + untold)


def marked_by_size(entries: Sequence[HistoryEntry], layer_count: int) -> list[HistoryEntry] | None:
    """Entries marked by whether they have a layer, ``None`` where their sizes do not settle that.

    An engine gives an entry that has one its layer's size. That can be 0 on Docker's classic store, as for
    all entries without a layer.
    """
    sized = sum(entry.size_bytes > 0 for entry in entries)
    if sized < min(len(entries), layer_count):
        return None
    return [replace(entry, empty_layer=entry.size_bytes <= 0) for entry in entries]


def is_step(entry: HistoryEntry) -> bool:
    """Whether the entry is one that snap wrote for a step."""
    return bool(_STEP.match(entry.created_by))


def _rank(entry: HistoryEntry) -> int:
    if entry.size_bytes:
        return 0
    if is_step(entry):
        return 3
    return 2 if _CONFIG_ONLY.match(entry.created_by) else 1
