"""What every way to make an image is given, and what it gives back."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Protocol

from snapshot.changeset.capture import LeftOut
from snapshot.changeset.entry import Changeset
from snapshot.changeset.exclusion import Exclusion
from snapshot.engine.client import Engine
from snapshot.engine.types import Config, Container, Image
from snapshot.image.generations import Generation
from snapshot.image.record import Base, Record
from snapshot.journal.step import Step
from snapshot.workflow.progress import Progress


class CaptureWay(enum.Enum):
    """How a container's files are read."""

    AUTO = "auto"
    DIRECT = "direct"
    API = "api"


@dataclass(frozen=True)
class Order:
    """What is to be made.

    Attributes
    ----------
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
        What was done to the container.
    sessions:
        The recordings of steps that the image is to hold, as the label has them; empty for none.
    fixed_time_s:
        Seconds since 1970 that stand for now, and that no file's time is later than; ``None`` for the true
        time.
    """

    container: Container
    base: Image
    wanted: Config
    origin: Base
    first_base: Base | None = None
    inherited: tuple[Generation, ...] = ()
    steps: tuple[Step, ...] = ()
    sessions: str = ""
    message: str = ""
    author: str = ""
    exclusion: Exclusion = field(default_factory=Exclusion)
    squash: bool = False
    capture: CaptureWay = CaptureWay.AUTO
    pause: bool = True
    fixed_time_s: int | None = None

    @property
    def base_layers(self) -> tuple[str, ...]:
        """The diff IDs of the layers that the new one is to stand on."""
        return self.base.layers[: self.origin.layer_count]


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

    def __call__(self, engine: Engine, order: Order, progress: Progress) -> Made:
        """Make the image; where this fails, nothing is left."""
        ...
