"""What every way to make an image is given, and what it gives back."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from snapshot.changeset.entry import Changeset
from snapshot.changeset.exclusion import Exclusion
from snapshot.engine.client import Engine
from snapshot.engine.types import Config, Container, Image
from snapshot.image.generations import Generation
from snapshot.image.record import Base, Record
from snapshot.journal.step import Step
from snapshot.workflow.progress import Progress

if TYPE_CHECKING:
    from snapshot.changeset.capture import LeftOut


class CaptureWay(enum.Enum):
    """How a container's files are read."""

    AUTO = "auto"
    DIRECT = "direct"
    API = "api"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be made of a base image, and what its record is to say beside its files.

    Attributes
    ----------
    base:
        The image that the steps were done on.
    base_name:
        What it was called then, in full (``docker.io/library/NAME:TAG``); empty where by its ID.
    wanted:
        The config that the image is to have, without the record.
    origin:
        What the record is to say of the base: the container's image, or the one below all of snap's layers
        where those are folded.
    first_base:
        For a snapshot of a snapshot: the image below all of snap's layers.
    inherited:
        For a snapshot of a snapshot: the steps that made what it stands on, as its labels tell them.
    steps:
        What was done.
    sessions:
        The recordings of steps that the image is to hold, as the label has them; empty for none.
    made_from:
        ID of the snapshot that is rebased or squashed; empty where there is none.
    container_name:
        Of the container that is committed; empty where there is none.
    fixed_time_s:
        Seconds since 1970 that stand for now, and that no file's time is later than; ``None`` for the true
        time.
    """

    base: Image
    base_name: str
    wanted: Config
    origin: Base
    first_base: Base | None = None
    inherited: tuple[Generation, ...] = ()
    steps: tuple[Step, ...] = ()
    sessions: str = ""
    made_from: str = ""
    container_name: str = ""
    message: str = ""
    author: str = ""
    fixed_time_s: int | None = None

    @property
    def base_layers(self) -> tuple[str, ...]:
        """The diff IDs of the layers that the new one is to stand on."""
        return self.base.layers[: self.origin.layer_count]


@dataclass(frozen=True, kw_only=True)
class CommitOrder(Order):
    """What is to be made of a container.

    Attributes
    ----------
    exclusion:
        Which changes are left out.
    squash:
        Whether the layers that snap added before are folded.
    pause:
        Whether the container is frozen while it is read.
    """

    container: Container
    exclusion: Exclusion = field(default_factory=Exclusion)
    squash: bool = False
    capture: CaptureWay = CaptureWay.AUTO
    pause: bool = True


@dataclass(frozen=True)
class Made:
    """An image without a name.

    Attributes
    ----------
    is_new:
        Whether it was not in the engine before: the same changes with a fixed time make the same image.
    """

    image_id: str
    is_new: bool
    record: Record
    changeset: Changeset
    left_out: tuple[LeftOut, ...] = ()


class Method(Protocol):
    """A way to make an image."""

    def __call__(self, engine: Engine, order: CommitOrder, progress: Progress) -> Made:
        """Make the image; where this fails, nothing is left."""
        ...
