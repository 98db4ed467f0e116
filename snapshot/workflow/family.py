"""``snap log --graph``: which snapshots of an engine were made from which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.image.generations import Generation, generations_of
from snapshot.image.record import RECORD_LABEL, RecordDamaged


class Relative(NamedTuple):
    """An image in the family tree.

    Attributes
    ----------
    id, names:
        Of an image that is no longer here, the name is the one that it was used by.
    parent_id:
        The image that it was made from; empty for one that no snapshot is below.
    depth:
        How many images stand below it in the tree.
    message, step_count:
        Of the commit that made it; ``None`` for a base that snap did not make.
    is_here:
        Whether the engine has it as a snapshot.
    damage:
        Why its record cannot be read, empty where it can or need not.
    """

    id: str
    names: tuple[str, ...]
    parent_id: str = ""
    depth: int = 0
    message: str | None = None
    step_count: int | None = None
    is_here: bool = True
    damage: str = ""


def family(engine: Engine) -> tuple[Relative, ...]:
    """All snapshots of an engine and the bases below them, as they are drawn: each before its children.

    Siblings are in the order in which they were made. Snapshots below others that were removed since are
    there where the others tell of them.
    """
    return family_of(engine.images_with_label(RECORD_LABEL))


def family_of(images: Iterable[Image]) -> tuple[Relative, ...]:
    """The family tree of these snapshots; those without a record are passed over."""
    relatives: dict[str, Relative] = {}
    families: list[list[_Link]] = []
    for image in sorted(images, key=lambda image: image.created):
        try:
            generations = generations_of(image.config.labels)
        except RecordDamaged as error:
            relatives[image.id] = Relative(image.id, image.tags, damage=str(error))
            continue
        if generations:
            families.append(_links(image, generations))
            relatives[image.id] = _as_made(image.id, image.tags, generations[-1])
    parents: dict[str, str] = {}
    # What an image says of itself counts more than what later ones say of it.
    for link in [*(links[-1] for links in families), *(link for links in families for link in links)]:
        relatives.setdefault(link.parent.id, link.parent)
        # Labels come from strangers: a circle would have no end.
        if link.child_id not in parents and link.child_id not in _line(link.parent.id, parents):
            parents[link.child_id] = link.parent.id
    # A removed image takes the place of what was made from it.
    order = [image_id for links in families for link in links for image_id in (link.parent.id, link.child_id)]
    return _in_drawing_order({key: relatives[key] for key in dict.fromkeys([*order, *relatives])}, parents)


class _Link(NamedTuple):
    parent: Relative
    child_id: str


def _links(image: Image, generations: Sequence[Generation]) -> list[_Link]:
    """From the base to the image, each with the one that was made from it."""
    base = generations[0]
    parent = Relative(base.base_id, (base.base_name,) if base.base_name else ())
    links = []
    for made, following in pairwise(generations):
        # An image that was folded into the next one may have no ID.
        if made.image:
            links.append(_Link(parent, made.image))
            names = (following.base_name,) if following.base_name else ()
            parent = _as_made(made.image, names, made)._replace(is_here=False)
    return [*links, _Link(parent, image.id)]


def _as_made(image_id: str, names: tuple[str, ...], made: Generation) -> Relative:
    return Relative(image_id, names, message=made.message, step_count=made.step_count)


def _line(image_id: str, parents: Mapping[str, str]) -> set[str]:
    """An image and all that it was made from."""
    found = set()
    while image_id:
        found.add(image_id)
        image_id = parents.get(image_id, "")
    return found


def _in_drawing_order(relatives: Mapping[str, Relative], parents: Mapping[str, str]) -> tuple[Relative, ...]:
    return tuple(
        relatives[image_id]._replace(parent_id=parents.get(image_id, ""), depth=depth)
        for image_id, depth in drawing_order(relatives, parents)
    )


def drawing_order(keys: Iterable[str], parents: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Each thing before those below it, with how deep it is; those of one parent in the order given.

    ``parents`` has no circle in it.

    >>> list(drawing_order(["a", "b", "c"], {"c": "a"}))
    [('a', 0), ('c', 1), ('b', 0)]
    """
    children: dict[str, list[str]] = {}
    for key in keys:
        children.setdefault(parents.get(key, ""), []).append(key)
    waiting = [(key, 0) for key in reversed(children.get("", ()))]
    while waiting:
        key, depth = waiting.pop()
        yield key, depth
        waiting += [(child, depth + 1) for child in reversed(children.get(key, ()))]
