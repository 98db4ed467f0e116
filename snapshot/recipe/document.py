"""A recipe: the instructions that make an image from its base, and what came of them the first time."""

from __future__ import annotations

from dataclasses import dataclass, field

from snapshot.recipe.instructions import Instruction

#: The form of the file; a later one has another number.
SCHEMA = "docker-snap.recipe/1"


@dataclass(frozen=True)
class Result:
    """What came of a recipe when it was written down.

    Attributes
    ----------
    layers:
        Diff IDs of the layers above the base's, lowest first (OCI image spec, ``rootfs.diff_ids``).
    changes_digest:
        Digest of the file manifest (:attr:`snapshot.image.record.Record.manifest_digest`) against the base;
        empty where it is not known.
    timestamp:
        When, RFC 3339 in UTC.
    image_id:
        ID of the image, empty where it is not known.
    """

    layers: tuple[str, ...] = ()
    changes_digest: str = ""
    timestamp: str = ""
    image_id: str = ""


@dataclass(frozen=True)
class Recipe:
    """Instructions, and the image that they are for.

    Attributes
    ----------
    base_name:
        What the base image is called.
    base_digest, base_id:
        The digest that a registry gave it, and its ID; each empty where it is not known.
    base_chain:
        The chain ID of its layers (OCI image spec, config.md), by which it is known in any kind of store.
    instructions:
        In order.
    notes:
        For each instruction why it cannot be replayed, empty where it can; without any all can. Where it
        cannot, the instruction is a :class:`~snapshot.recipe.instructions.Run` of the step's words.
    result:
        ``None`` for a recipe that somebody wrote by hand.
    message:
        What the commit was told.
    comments:
        For each instruction what people are told of it; a further one stands at the end. No part of what a
        recipe means.
    """

    base_name: str
    base_digest: str = ""
    base_id: str = ""
    base_chain: str = ""
    instructions: tuple[Instruction, ...] = ()
    notes: tuple[str, ...] = ()
    result: Result | None = None
    message: str = ""
    comments: tuple[str, ...] = field(default=(), compare=False)

    @property
    def base(self) -> str:
        """What the base is to be called in messages."""
        return self.base_name or self.base_digest or self.base_id

    def note(self, index: int) -> str:
        """Why an instruction cannot be replayed, empty where it can; ``index`` counts from 0."""
        return self.notes[index] if index < len(self.notes) else ""

    def comment(self, index: int) -> str:
        """What people are told of an instruction; ``index`` counts from 0."""
        return self.comments[index] if index < len(self.comments) else ""
