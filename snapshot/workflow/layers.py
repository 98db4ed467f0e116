"""``snap layers``: what the layers of an image hold, who made them, what they waste and who shares them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from snapshot.changeset.layer_use import LayerUse, SizedFolder, use_of_layers
from snapshot.engine.client import Engine
from snapshot.engine.types import HistoryEntry, Image
from snapshot.image.generations import Generation, generations_of
from snapshot.image.history import is_step
from snapshot.image.record import Record, RecordDamaged, chain_id, chain_ids
from snapshot.journal.step_words import earlier_in_words, step_in_words
from snapshot.workflow.cache import is_kept_result
from snapshot.workflow.layer_contents import layer_contents
from snapshot.workflow.layer_steps import LayerStep, layer_steps
from snapshot.workflow.named import image_named
from snapshot.workflow.progress import SILENT, Progress

_SHORT_ID_CHARS = 12


class LayerView(NamedTuple):
    """One layer of an image.

    Attributes
    ----------
    number:
        Its place, 0 for the base's first.
    diff_id, chain_id:
        As the OCI image spec has them (config.md): of the layer's tar, and of it with all below.
    step:
        Its entry in the history, without words where the history does not tell of the layer; its size is the
        engine's, which may count otherwise.
    made_by:
        What made it: the steps of a snapshot, else what the entry says. Empty where nobody knows.
    use:
        What it holds, and how much of that is hidden by higher layers.
    shared_with:
        The other images here that stand on it: their first names, or the beginning of the ID.
    """

    number: int
    diff_id: str
    chain_id: str
    step: HistoryEntry
    made_by: tuple[str, ...]
    use: LayerUse
    shared_with: tuple[str, ...]


class LayersView(NamedTuple):
    """The layers of an image.

    Attributes
    ----------
    steps:
        The whole history, oldest first.
    layers:
        The base's first.
    folders:
        Where the bytes are that the image shows: each is in one of these.
    size_bytes:
        Of the files in all layers.
    wasted_bytes:
        How much of that is stored again or deleted in a higher layer.
    """

    image: Image
    steps: tuple[LayerStep, ...]
    layers: tuple[LayerView, ...]
    folders: tuple[SizedFolder, ...]
    size_bytes: int
    wasted_bytes: int


def layers(engine: Engine, name: str, *, most_paths: int = 20, progress: Progress = SILENT) -> LayersView:
    """What the layers of an image hold. Their files are listed and not read, where the engine is here.

    Parameters
    ----------
    name:
        Name or ID of an image.
    most_paths:
        How many paths are told of a layer: its largest files, and its largest hidden ones.

    Raises
    ------
    ImageNotFound
    EngineError
        The image cannot be read as the engine saves it.

    Example
    -------
    >>> view = layers(Engine.connect(), "ch03-change")               # doctest: +SKIP
    >>> view.layers[-1].use.stored_again_bytes                       # doctest: +SKIP
    0
    """
    image = image_named(engine, name)
    numbers = range(len(image.layers))
    steps = layer_steps(engine, image)
    contents = layer_contents(engine, image, numbers, progress=progress)
    used = use_of_layers([contents[number] for number in numbers], most_paths=most_paths)
    entries = {step.layer: step.entry for step in steps}
    words = _made_by(steps, image)
    sharing = _sharing(image, engine.images())
    chains = chain_ids(image.layers)
    views = tuple(
        LayerView(
            number,
            image.layers[number],
            chains[number],
            entries[number],
            words[number],
            use,
            sharing[number],
        )
        for number, use in enumerate(used.layers)
    )
    return LayersView(
        image,
        steps,
        views,
        used.folders,
        sum(use.size_bytes for use in used.layers),
        sum(use.hidden_bytes for use in used.layers),
    )


def _sharing(image: Image, others: Iterable[Image]) -> list[tuple[str, ...]]:
    """For each layer the images that have it and all below it too; kept results are the last ones."""
    found: list[list[str]] = [[] for _ in image.layers]

    def nearest_first(other: Image) -> tuple[bool, bool, int, tuple[str, ...]]:
        return is_kept_result(other), not other.tags, len(other.layers), other.tags

    for other in sorted(others, key=nearest_first):
        if other.id == image.id:
            continue
        name = next(iter(other.tags), other.id.removeprefix("sha256:")[:_SHORT_ID_CHARS])
        for number, (own, its) in enumerate(zip(image.layers, other.layers, strict=False)):
            if own != its:
                break
            found[number].append(name)
    return [tuple(names) for names in found]


def _made_by(steps: Sequence[LayerStep], image: Image) -> list[tuple[str, ...]]:
    """For each layer what made it, in words."""
    words: list[tuple[str, ...]] = [()] * len(image.layers)
    before: list[str] = []
    for entry, layer in steps:
        if layer is not None:
            # `docker import` tells in its comment alone what it did.
            told = entry.created_by or entry.comment
            words[layer] = tuple(before) or ((told,) if told else ())
            before = []
        elif is_step(entry):
            before.append(entry.created_by)
        else:
            before = []
    made = _last_generation(image)
    if made and made.step_count:
        earlier = (earlier_in_words(made.summed_up),) if made.summed_up else ()
        words[-1] = (*earlier, *(step_in_words(step) for step in made.steps))
    return words


def _last_generation(image: Image) -> Generation | None:
    """What made the topmost layer, where a record tells it and that layer is the record's."""
    try:
        record = Record.from_labels(image.config.labels)
        made = generations_of(image.config.labels)
    except RecordDamaged:
        return None
    if record is None or not 0 <= record.base.layer_count < len(image.layers):
        return None
    below = image.layers[: record.base.layer_count]
    return made[-1] if chain_id(below) == record.base.chain_id else None
