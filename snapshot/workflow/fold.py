"""``snap commit --squash``: which changes a container has against the image below all of snap's layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import IO, cast

from snapshot.changeset.member import Member
from snapshot.changeset.squash import changes_against, names_in_layer
from snapshot.changeset.tar_reader import read_members
from snapshot.engine.client import Engine
from snapshot.engine.types import Change, HistoryEntry, Image
from snapshot.errors import EngineGone, Refused
from snapshot.image.history import is_step
from snapshot.image.record import Base, chain_id
from snapshot.image.saved import SavedImage, SavedImageUnreadable, SavedLayer


def check_foldable(image: Image, origin: Base) -> None:
    """Raise :class:`~snapshot.errors.Refused` where the image does not stand on its recorded base."""
    if chain_id(image.layers[: origin.layer_count]) != origin.chain_id:
        raise Refused(
            f"The layers of '{image.id}' cannot be folded: it does not stand on {origin.shown}"
            " any more, as its record says.",
            "Leave out --squash where it was given.",
        )


def changes_against_origin(
    engine: Engine, image: Image, origin: Base, listed: Sequence[Change]
) -> list[Change]:
    """What a container of ``image`` changed against ``origin``, of which ``image`` has the layers.

    The whole image is read for the names in its layers.
    """
    try:
        with engine.transfer.save(image.id) as stream:
            saved = SavedImage(stream)
            names = {layer.name: _names(layer) for layer in saved.layers()}
        layers = [names[name] for name in saved.layer_order()]
    except (SavedImageUnreadable, KeyError) as error:
        raise _unreadable(image, str(error)) from error
    count = origin.layer_count
    return changes_against(layers[:count], layers[count:], listed)


def _unreadable(image: Image, reason: str) -> Refused:
    return Refused(
        f"The layers of '{image.id}' cannot be read, so they cannot be folded: {reason}.",
        "Leave out --squash where it was given.",
    )


def _names(layer: SavedLayer) -> list[tuple[str, bool]]:
    try:
        return names_in_layer(cast("IO[bytes]", layer))
    except EngineGone as error:
        raise SavedImageUnreadable(error.what) from error


def root_folder_above(engine: Engine, image: Image, origin: Base) -> Member | None:
    """What the topmost layer above ``origin`` says of the root folder, ``None`` where none says anything.

    A container does not tell: there the root is the engine's own. The image is read as its engine saves it.
    """
    roots: dict[str, Member] = {}
    below, above = image.layers[: origin.layer_count], image.layers[origin.layer_count :]
    try:
        with engine.transfer.save(image.id) as stream:
            saved = SavedImage(stream)
            for layer in saved.layers(passing_over=set(below) - set(above)):
                for member in read_members(cast("IO[bytes]", layer), "/", strip=0):
                    if member.entry.path == "/":
                        roots[layer.name] = member
        names = saved.layer_order()[origin.layer_count :]
    except (SavedImageUnreadable, EngineGone) as error:
        raise _unreadable(image, str(error)) from error
    return next((roots[name] for name in reversed(names) if name in roots), None)


def folded_history(
    history: Sequence[HistoryEntry], layer_count: int, moment: str = ""
) -> tuple[HistoryEntry, ...]:
    """A history of which the first ``layer_count`` layers are left: what made the others is kept as words.

    With a ``moment`` (RFC 3339) that is the time of all that was done above those layers.
    """
    kept = []
    for entry in history:
        layer_count -= not entry.empty_layer
        is_above = layer_count < 0
        if moment and (is_above or is_step(entry)):
            entry = replace(entry, created=moment)
        kept.append(replace(entry, empty_layer=True) if is_above else entry)
    return tuple(kept)
