"""Sides of a comparison whose files are in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from snapshot.changeset.entry import Changeset, PathChange
from snapshot.engine.types import ChangeKind, Config, Mount
from snapshot.workflow.diff import Comparison
from snapshot.workflow.difference import Difference, FoundBy, Side, SideKind

if TYPE_CHECKING:
    from tests.unit.memory_files import MemoryFiles, Tree, member
else:
    from memory_files import MemoryFiles, Tree, member

_Files = TypeVar("_Files", bound=MemoryFiles)


@dataclass
class MemorySide(Generic[_Files]):
    """A :class:`~snapshot.workflow.compared.interface.Compared`; it counts how often its files are opened."""

    memory: _Files
    side: Side = field(default=Side(SideKind.IMAGE, "sha256:0", "side:1"))
    opened: int = 0
    closed: int = 0
    layers: tuple[str, ...] = ()
    config: Config = field(default_factory=Config)
    mounts: tuple[Mount, ...] = ()

    @contextmanager
    def files(self) -> Iterator[_Files]:
        self.opened += 1
        yield self.memory
        self.closed += 1


def changes_of(old: Tree, new: Tree, paths: Sequence[str] = ()) -> tuple[PathChange, ...]:
    """A change for each of ``paths``, by default for all that are on either side."""
    return tuple(
        PathChange(
            ChangeKind.CHANGED if path in old else ChangeKind.ADDED, path, member(path, new[path]).entry
        )
        if path in new
        else PathChange(ChangeKind.DELETED, path)
        for path in paths or sorted({*old, *new})
    )


def compared(
    old: MemorySide[Any] | None, new: MemorySide[Any], changes: tuple[PathChange, ...]
) -> Comparison:
    """What differs between two sides, as a list of changes has it."""
    before = old.side if old else Side(SideKind.IMAGE, "sha256:1", "old:1")
    return Comparison(Difference(before, new.side, Changeset(changes), FoundBy.FILES), old, new)
