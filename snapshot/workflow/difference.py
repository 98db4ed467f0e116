"""What was compared with what, and what differs: the result of ``snap diff``."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from snapshot.changeset.entry import Changeset
from snapshot.engine.types import Container


class SideKind(enum.Enum):
    """What one side of a comparison is.

    An archive is an image in a file or folder; a step is a container as it was when that step had ended.
    """

    IMAGE = "image"
    ARCHIVE = "archive"
    CONTAINER = "container"
    STEP = "step"


class FoundBy(enum.Enum):
    """How changes were found.

    ``ENGINE``: by the engine's list of a container's changes; ``RECORD``: in the list that a snapshot has
    with it; ``FILES``: by reading all files of both sides; ``LOOKS``: by two looks at what a container has
    changed.
    """

    ENGINE = "engine"
    RECORD = "record"
    FILES = "files"
    LOOKS = "looks"


@dataclass(frozen=True)
class Side:
    """One of two things that were compared.

    ``id`` and ``name`` are those of the image or container; where the old side is known from a record alone,
    they are the recorded ones; of an archive, ``id`` is the digest of its config. ``step`` is the number of
    a step, 0 for the container as it was made. ``engine`` is the address of the old side's engine, where the
    new side is not on the same one.
    """

    kind: SideKind
    id: str
    name: str
    step: int | None = None
    engine: str = ""


@dataclass(frozen=True)
class Difference:
    """What makes ``new`` of ``old``.

    Attributes
    ----------
    container:
        The container that is the new side; the data in its ``mounts`` is no part of the changes. ``None``
        where the new side is an image.
    notes:
        What a person should know about how this was found: sentences for stderr.
    """

    old: Side
    new: Side
    changeset: Changeset
    found_by: FoundBy
    container: Container | None = None
    notes: tuple[str, ...] = ()
