"""The image of a name: the one that the engine has, or its registry's."""

from __future__ import annotations

import enum

from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.errors import EngineError, ImageNotFound, Interrupted, InvalidInput
from snapshot.image.reference import Reference
from snapshot.workflow.progress import Progress


class PullPolicy(enum.Enum):
    """When an image is pulled: as ``docker run --pull`` has it."""

    ALWAYS = "always"
    MISSING = "missing"
    NEVER = "never"


def image_for(engine: Engine, name: str, platform: str, policy: PullPolicy, progress: Progress) -> Image:
    """The image of that name or ID, pulled where ``policy`` says so.

    ``platform`` is ``OS[/ARCHITECTURE[/VARIANT]]``, empty for any. Raises
    :class:`~snapshot.errors.ImageNotFound`, :class:`~snapshot.errors.PullRefused` and
    :class:`~snapshot.errors.Interrupted`.
    """
    try:
        if policy is not PullPolicy.ALWAYS:
            image = engine.image(name)
            if policy is PullPolicy.NEVER or _is_for(image, platform):
                return image
    except EngineError as failure:
        if policy is PullPolicy.NEVER:
            raise
        try:
            reference = Reference.parse(name)
        except InvalidInput as invalid:
            # An ID can't be pulled; a name that can't be one is the user's mistake.
            raise (failure if name.startswith("sha256:") else invalid) from invalid
        if not isinstance(failure, ImageNotFound):
            raise
    else:
        reference = Reference.parse(name)
    progress.stage(f"pulling {reference.familiar}")
    try:
        for event in engine.pull(reference.name, reference.digest or reference.tag, platform):
            progress.pull(event)
    except KeyboardInterrupt as interrupt:
        raise Interrupted(
            f"The pull of '{reference.familiar}' was stopped; nothing was started.", by=interrupt
        ) from interrupt
    return engine.image(name)


def _is_for(image: Image, platform: str) -> bool:
    parts = [image.os, image.architecture, image.variant]
    return all(not wanted or wanted == part for wanted, part in zip(platform.split("/"), parts, strict=False))
