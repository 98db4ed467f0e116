"""What a Dockerfile calls the base of an image: a name that every builder finds it under."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.errors import ImageNotFound, InvalidInput
from snapshot.image.record import Base
from snapshot.image.reference import Reference
from snapshot.workflow.described import full_name


class BaseReference(NamedTuple):
    """What stands after FROM, and what a comment says of it."""

    text: str
    remark: str


def base_reference(engine: Engine, image: Image, base: Base) -> BaseReference:
    """The best name for ``image``, which is the base that a record calls ``base``.

    A digest that a registry gave says which image it is wherever the file is built. An image that has none
    has a name here: all builders take that, and the classic one and buildah alone would take its ID (BuildKit
    reads ``FROM sha256:…`` as the name of a repository). The name has to lead to this very image here.
    """
    named = f"{base.name}, image ID {image.id}" if base.name else f"image ID {image.id}"
    wanted = _repository(base.name)
    digests = {_repository(text): text.partition("@")[2] for text in image.repo_digests}
    digests.pop("", None)
    if digests:
        repository = wanted if wanted in digests else min(digests)
        return BaseReference(f"{repository}@{digests[repository]}", f"The base is {named}.")
    for name in _names(image, base):
        with suppress(ImageNotFound, InvalidInput):
            if engine.image(Reference.parse(name).familiar).id == image.id:
                return BaseReference(
                    full_name(name),
                    f"The base is {named}. No registry gave it a digest, so FROM has its name: see that it is"
                    " the same image wherever this is built.",
                )
    return BaseReference(
        image.id,
        f"The base is {named}. It has no name, so FROM has its ID, which BuildKit does not take: tag it, and"
        " write the tag there.",
    )


def _names(image: Image, base: Base) -> Iterator[str]:
    if base.name:
        yield base.name
    yield from sorted(image.tags)


def _repository(name: str) -> str:
    """The name in full without tag and digest; empty for what is no name."""
    try:
        reference = Reference.parse(name)
    except InvalidInput:
        return ""
    return f"{reference.domain}/{reference.path}"
