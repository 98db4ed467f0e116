"""An editor of an image's files in memory, and short words for these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from snapshot.changeset.edited_tree import EditedTree
from snapshot.changeset.entry import FileType
from snapshot.changeset.layer import LayerSpool
from snapshot.engine.types import Config
from snapshot.journal.step import Copied
from snapshot.recipe.instructions import Copy, FileEdit
from snapshot.workflow.patching.applying import apply_edit
from snapshot.workflow.patching.sources import gathered

if TYPE_CHECKING:
    from tests.unit.memory_files import MemoryFiles, Thing, thing_of
else:
    from memory_files import MemoryFiles, Thing, thing_of

__all__ = ["BASE_S", "NOW_S", "Editor", "MemoryFiles", "Thing", "file", "folder", "link"]

NOW_S = 1_700_000_000
BASE_S = 1_000_000_000


def file(text: str = "", mode: int = 0o644, owner: str = "0:0") -> Thing:
    return Thing(FileType.FILE, text, mode, BASE_S, *_numbers(owner))


def folder(mode: int = 0o755, owner: str = "0:0") -> Thing:
    return Thing(FileType.FOLDER, "", mode, BASE_S, *_numbers(owner))


def link(target: str) -> Thing:
    return Thing(FileType.SYMLINK, target, 0o777, BASE_S)


def _numbers(owner: str) -> tuple[int, int]:
    uid, _, gid = owner.partition(":")
    return int(uid), int(gid)


class Editor:
    """Makes edits on an image in memory, and says what stands there then."""

    def __init__(self, spool: LayerSpool, things: Mapping[str, Thing], working_dir: str = "") -> None:
        self.spool = spool
        self.tree = EditedTree(MemoryFiles(things), spool)
        self.config = Config(working_dir=working_dir)

    def make(self, *edits: FileEdit) -> tuple[Copied, ...]:
        copied: tuple[Copied, ...] = ()
        for edit in edits:
            found = gathered(edit.source, self.spool, stdin=None) if isinstance(edit, Copy) else None
            copied += apply_edit(self.tree, edit, self.config, gathered=found, now_s=NOW_S)
        return copied

    def at(self, path: str) -> Thing | None:
        member = self.tree.at(path)
        return thing_of(member) if member else None

    def text(self, path: str) -> str:
        found = self.at(path)
        assert found is not None
        assert found.type is FileType.FILE
        return found.text

    def lines(self) -> list[str]:
        """What the edits changed; of a file or folder with mode and owner."""
        return [
            f"{change.kind.value} {change.path}"
            + (f" {change.file.mode:o} {change.file.owner}" if change.file else "")
            for change in self.tree.changeset().changes
        ]
