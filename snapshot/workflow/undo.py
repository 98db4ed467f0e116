"""``snap undo``: a name back to the image that the one which has it now was made from."""

from __future__ import annotations

from typing import NamedTuple

from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.errors import ImageNotFound, SnapError
from snapshot.image.generations import generations_of
from snapshot.image.record import Record, RecordDamaged, chain_id
from snapshot.image.reference import is_digest
from snapshot.workflow.making import name_image, own_name
from snapshot.workflow.own_changes import recorded


class Undone(NamedTuple):
    """A name that was set back.

    Attributes
    ----------
    name:
        In full, as a user writes it.
    image_id:
        What it names now.
    undone_id:
        What it named before. That image is still there.
    other_names:
        The names that the undone image has besides.
    also_named:
        The other names of the image that it names now.
    """

    name: str
    image_id: str
    undone_id: str
    other_names: tuple[str, ...]
    also_named: tuple[str, ...]


def undo(engine: Engine, name: str) -> Undone:
    """Let a name stand again for the image that the one which has it now was made from.

    That is what its container was started from, or what was patched, rebased or squashed.

    Raises
    ------
    InvalidInput
        The name is none that can be moved, or its image has no record.
    ImageNotFound
        The earlier image is not on the engine any more.
    SnapError
        The record was edited, or does not tell the earlier image.
    """
    image = engine.image(name)
    reference = own_name(name, image, "Name the image NAME:TAG.")
    record = recorded(image, name)
    earlier_id = _made_from(record, image, name)
    try:
        earlier = engine.image(earlier_id)
    except ImageNotFound as error:
        raise ImageNotFound(
            f"The image that '{name}' was made from, {earlier_id}, is not on this engine any more.",
            "Nothing was changed.",
        ) from error
    origin = record.origin
    if not record.made_from and chain_id(earlier.layers[: origin.layer_count]) != origin.chain_id:
        raise SnapError(
            f"The image that '{name}' says it was made from, {earlier_id}, has other layers.",
            f"See `snap log {name}`; nothing was changed.",
        )
    name_image(engine, earlier.id, reference)
    others, also = (tuple(tag for tag in one.tags if tag != reference.familiar) for one in (image, earlier))
    return Undone(reference.familiar, earlier.id, image.id, others, also)


def _made_from(record: Record, image: Image, name: str) -> str:
    found = record.made_from
    if not found:
        try:
            found = generations_of(image.config.labels)[-1].base_id
        except RecordDamaged as error:
            raise SnapError(f"What '{name}' was made from is not known: {error}.") from error
    if not is_digest(found):
        raise SnapError(
            f"What '{name}' was made from is not known: it was made with a fixed time.",
            "Name the earlier image yourself: `docker tag ID NAME`.",
        )
    return found
