"""Results of steps that are kept as images of the engine, to be used again: ``snap cache``.

A kept result has the files and no record; it is no snapshot. Its name is made of its key, and its label tells
the whole chain of keys. Both have to agree: anybody can give an image such a name.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.errors import EngineError, ImageNotFound, NotFound, SnapError
from snapshot.image.reference import Reference
from snapshot.journal.private_files import make_private, write_private
from snapshot.recipe.instructions import Instruction
from snapshot.recipe.keys import CACHE_LABEL, KeptStep, StepKey, cache_name, kept_steps, step_keys
from snapshot.workflow.state import state_folder

_SECRET_BYTES = 32


class KeptImage(NamedTuple):
    """A kept result, as an image of the engine.

    Attributes
    ----------
    name:
        The one that it is kept under.
    steps:
        What led to it, in order.
    containers:
        Names of the containers that were made from it, running or not.
    other_names:
        What else the image is called: it stays as long as it has one of these.
    """

    image: Image
    name: str
    steps: tuple[KeptStep, ...]
    containers: tuple[str, ...]
    other_names: tuple[str, ...]


class Collected(NamedTuple):
    """What became of the kept results: those that are gone, and those that are not, each with the reason."""

    removed: tuple[KeptImage, ...]
    kept: tuple[tuple[KeptImage, str], ...]


def keys_of(
    base: Image,
    instructions: Sequence[Instruction],
    contents: Sequence[str],
    env: Mapping[str, str],
    fixed_time_s: int | None,
    *,
    network: str = "",
) -> tuple[StepKey, ...]:
    """The keys of these steps for this user, as :func:`~snapshot.recipe.keys.step_keys` makes them.

    Their secret is in the state folder. Where that cannot be written, the keys are good for nothing but this
    once: nothing that was kept is found.
    """
    return step_keys(base, instructions, contents, env, fixed_time_s, network=network, secret=cache_secret())


def find_kept(
    engine: Engine, keys: Sequence[StepKey], ends: Collection[int] | None = None
) -> tuple[int, Image] | None:
    """The kept result after as many of these steps as possible: how many, and the image; ``None`` for none.

    Parameters
    ----------
    ends:
        The numbers of steps after which a result is good for anything, all by default. Where several edits
        make one layer, the result of some of them would lead to another image.
    """
    for number in range(len(keys), 0, -1):
        if ends is not None and number not in ends:
            continue
        with suppress(ImageNotFound):
            image = engine.image(cache_name(keys[number - 1].key))
            if _chain(image) == list(keys[:number]):
                return number, image
    return None


def steps_kept_in(image: Image) -> tuple[KeptStep, ...]:
    """The steps that led to a kept result; none for an image that is none, or whose label is damaged."""
    try:
        return kept_steps(image.config.labels)
    except ValueError:
        return ()


def is_kept_result(image: Image) -> bool:
    """Whether snap keeps the image as the result of steps."""
    # An image that a user made from a kept one has inherited the label.
    steps = steps_kept_in(image)
    return bool(steps) and cache_name(steps[-1].key.key) in image.tags


def keep_result(engine: Engine, image: Image, key: str, *, useless: str = "") -> bool:
    """Keep an image that has no name yet as the result with that key; whether it is kept.

    Another one with the key stays: somebody who plays the same at this time may be standing on it.

    Parameters
    ----------
    image:
        It carries :data:`~snapshot.recipe.keys.CACHE_LABEL`, which ends with this key.
    useless:
        ID of one that was kept and is no good; it is replaced, and goes.
    """
    before = None
    name = Reference.parse_target(cache_name(key))
    with suppress(ImageNotFound):
        before = engine.image(name.familiar)
    if before and before.id not in {image.id, useless} and _chain(before) == _chain(image):
        return False
    engine.tag(image.id, name.name, name.tag)
    if before and before.id != image.id and before.tags == (name.familiar,) and steps_kept_in(before):
        # By its ID, and where nothing uses it: it has no name any more.
        with suppress(SnapError):
            engine.remove_image(before.id)
    return True


def kept_chains(engine: Engine) -> tuple[tuple[KeptStep, ...], ...]:
    """The steps that led to each kept result of an engine, newest first."""
    return tuple(steps for _, _, steps in _kept(engine))


def list_cache(engine: Engine) -> tuple[KeptImage, ...]:
    """All kept results of an engine, newest first."""
    found = _kept(engine)
    users = engine.transfer.containers_by_image() if found else {}
    return tuple(
        KeptImage(
            image,
            name,
            steps,
            users.get(image.id, ()),
            tuple(other for other in image.tags if other != name),
        )
        for image, name, steps in found
    )


def gc_cache(engine: Engine) -> Collected:
    """Remove all kept results that nothing else uses.

    Each is removed by the name that it is kept under, and never by force. One that a container was made from
    stays as it is; one with another name loses ours alone; layers that other images stand on are theirs.
    """
    removed: list[KeptImage] = []
    kept: list[tuple[KeptImage, str]] = []
    for result in list_cache(engine):
        if result.containers:
            kept.append((result, f"used by {', '.join(result.containers)}"))
            continue
        try:
            engine.remove_image(result.name)
        except NotFound:
            continue
        except EngineError as error:
            kept.append((result, error.what))
        else:
            removed.append(result)
    return Collected(tuple(removed), tuple(kept))


def _chain(image: Image) -> list[StepKey]:
    return [step.key for step in steps_kept_in(image)]


def _kept(engine: Engine) -> list[tuple[Image, str, tuple[KeptStep, ...]]]:
    found = []
    for image in engine.images_with_label(CACHE_LABEL):
        # An image that a user made from a kept one has inherited the label.
        if (steps := steps_kept_in(image)) and (name := cache_name(steps[-1].key.key)) in image.tags:
            found.append((image, name, steps))
    # Of those of one second, the later one has more steps.
    return sorted(found, key=lambda item: (item[0].created, len(item[2])), reverse=True)


def cache_secret() -> bytes:
    """What keys and seals of kept results are made with; another one each time where it cannot be kept."""
    path = state_folder() / "cache-secret"
    with suppress(OSError):
        secret = path.read_bytes()
        if len(secret) == _SECRET_BYTES:
            return secret
    secret = secrets.token_bytes(_SECRET_BYTES)
    with suppress(OSError):
        make_private(path.parent)
        write_private(path, secret)
    return secret
