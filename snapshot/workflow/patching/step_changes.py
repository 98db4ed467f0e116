"""What one instruction changed, among all that was changed by then."""

from __future__ import annotations

from snapshot.changeset.entry import Changeset, FileType, PathChange
from snapshot.changeset.paths import folders_above
from snapshot.engine.types import ChangeKind
from snapshot.journal.step import MOST_LISTED, StepChanges


def step_changes(before: Changeset, after: Changeset) -> StepChanges:
    """The numbers of paths that were changed since, and their names while they are few.

    Both are against the same base. Folders that are there for the sake of what changed in them do not count.
    """
    known = {change.path: change for change in before.changes}
    was = {path: change.kind for path, change in known.items()}
    new = [change for change in after.changes if known.pop(change.path, None) != change]
    above = {folder for change in (*new, *known.values()) for folder in folders_above(change.path)}
    told = [(_kind(was.get(item.path), item.kind), item.path) for item in new if not _is_above(item, above)]
    deleted = {path for kind, path in told if kind is ChangeKind.DELETED}
    for path, change in known.items():
        # What is gone with its folder is told by that, save for what only this patch had put there.
        if change.kind is ChangeKind.ADDED:
            told.append((ChangeKind.DELETED, path))
        elif not _is_above(change, above) and deleted.isdisjoint(folders_above(path)):
            told.append((_kind(change.kind, None), path))
    kinds = [kind for kind, _ in told]
    return StepChanges(
        kinds.count(ChangeKind.ADDED),
        kinds.count(ChangeKind.CHANGED),
        kinds.count(ChangeKind.DELETED),
        tuple(f"{kind.value} {path}" for kind, path in told) if len(told) <= MOST_LISTED else (),
    )


def _kind(was: ChangeKind | None, now: ChangeKind | None) -> ChangeKind:
    """What happened to a path that differed from the base in one way, and does so in another now."""
    if now is ChangeKind.DELETED or (was is ChangeKind.ADDED and now is None):
        return ChangeKind.DELETED
    if was is ChangeKind.DELETED or (was is None and now is ChangeKind.ADDED):
        return ChangeKind.ADDED
    return ChangeKind.CHANGED


def _is_above(change: PathChange, above: set[str]) -> bool:
    is_folder = change.file is not None and change.file.type is FileType.FOLDER
    return is_folder and change.kind is ChangeKind.CHANGED and change.path in above
