"""``snap log``: the steps that made an image or a container."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from snapshot.engine.client import Engine
from snapshot.engine.types import Container, Image
from snapshot.errors import ImageNotFound, SnapError
from snapshot.image.generations import Generation, generations_of
from snapshot.image.record import RECORD_LABEL, RecordDamaged
from snapshot.journal.asciicast import Recording, read_recording
from snapshot.journal.step import Step
from snapshot.workflow.named import named
from snapshot.workflow.sessions.embedded import embedded_numbers, embedded_session
from snapshot.workflow.sessions.kept import find_session, kept_sessions
from snapshot.workflow.steps import steps_of


class LoggedImage(NamedTuple):
    """An image in a log, and the generation that made it.

    ``image_id`` and ``names`` are empty where they are not known. Where the image is no longer here
    (``is_here``), the name is the one that it had when it was used.
    """

    generation: Generation
    image_id: str
    names: tuple[str, ...]
    is_here: bool


class Log(NamedTuple):
    """What is known of how an image or a container was made.

    Attributes
    ----------
    container:
        ``None`` where it is about an image.
    image:
        The image, or the one that the container was made from; ``None`` where that is no longer here.
    generations:
        Those of the image, oldest first; empty where it was not made by snap.
    steps:
        What was done to the container itself.
    recorded:
        Numbers of the steps of which there are recordings: the container's, or the image's last generation's.
    shares_name:
        Whether an image is called as the container is.
    damage:
        Why the generations of a container's image cannot be told, empty where they can.
    journal_failure:
        Why the steps of the container cannot be told, empty where they can.
    """

    container: Container | None
    image: Image | None
    generations: tuple[LoggedImage, ...]
    steps: tuple[Step, ...] = ()
    recorded: tuple[int, ...] = ()
    shares_name: bool = False
    damage: str = ""
    journal_failure: str = ""


def log(engine: Engine, name: str) -> Log:
    """The steps of the container or image of that name or ID; where both are called so, the container's.

    What was done to a container behind snap's back is noted as a step of it first.

    Raises
    ------
    NotFound
    SnapError
        The labels of the image were edited, so what they tell proves nothing.
    """
    thing, shares_name = named(engine, name)
    if isinstance(thing, Image):
        try:
            generations = _logged(engine, thing)
        except RecordDamaged as error:
            raise SnapError(
                f"The steps of '{name}' cannot be told: {error}.",
                f"`snap verify {name}` shows what is wrong.",
            ) from error
        return Log(None, thing, generations, recorded=embedded_numbers(thing.config.labels))
    return _log_of_container(engine, thing, shares_name=shares_name)


def recording_of(log: Log, number: int) -> tuple[Recording, str]:
    """The recording of a step, and where it is kept.

    Raises :class:`~snapshot.errors.InvalidInput` where there is none, and as the reading does.
    """
    if log.container:
        path = find_session(log.container.id, log.steps, number)
        return read_recording(path), str(path)
    labels = log.image.config.labels if log.image else {}
    return embedded_session(labels, number), "the image's labels"


def _log_of_container(engine: Engine, container: Container, *, shares_name: bool) -> Log:
    image: Image | None = None
    generations: tuple[LoggedImage, ...] = ()
    damage = ""
    try:
        image = engine.image(container.image_id)
        generations = _logged(engine, image)
    except ImageNotFound:
        pass
    except RecordDamaged as error:
        damage = str(error)
    steps, journal_failure = steps_of(engine, container)
    return Log(
        container,
        image,
        generations,
        steps,
        recorded=tuple(kept_sessions(container.id, steps)),
        shares_name=shares_name,
        damage=damage,
        journal_failure=journal_failure,
    )


def _logged(engine: Engine, image: Image) -> tuple[LoggedImage, ...]:
    generations = generations_of(image.config.labels)
    if not generations:
        return ()
    here = {image.id: image}
    if len(generations) > 1:
        here |= {found.id: found for found in engine.images_with_label(RECORD_LABEL)}
    ids = [*(made.image for made in generations[:-1]), image.id]
    return tuple(
        LoggedImage(made, image_id, _names(generations, number, here.get(image_id)), image_id in here)
        for number, (made, image_id) in enumerate(zip(generations, ids, strict=True))
    )


def _names(generations: Sequence[Generation], number: int, image: Image | None) -> tuple[str, ...]:
    """What the image of a generation is called here, or was called when a container of it was committed."""
    if image and image.tags:
        return image.tags
    used_as = generations[number + 1].base_name if number + 1 < len(generations) else ""
    return (used_as,) if used_as else ()
