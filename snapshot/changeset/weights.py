"""Where in the tree of folders changes are, and how much came and went there."""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from snapshot.changeset.entry import FileType, alike
from snapshot.changeset.file_diff import FileDiff
from snapshot.changeset.paths import component_order, folders_above, topmost
from snapshot.engine.types import ChangeKind


class WeighedChange(NamedTuple):
    """A change with the bytes of the files at and below its path, before and now.

    ``before_bytes`` is ``None`` where the files of the old side are not to be had.
    """

    kind: ChangeKind
    path: str
    before_bytes: int | None
    now_bytes: int


class FolderWeight(NamedTuple):
    """The changes below a folder.

    Attributes
    ----------
    added, changed, deleted:
        How many paths; a folder that was deleted with all that was in it is one.
    before_bytes, now_bytes:
        Of the changed files alone, not of all that is there. ``before_bytes`` is ``None`` where it is not
        known of some of them.
    came_bytes, went_bytes:
        By how much files grew and shrank, as far as that is known; new ones grew from nothing.
    """

    path: str
    added: int
    changed: int
    deleted: int
    before_bytes: int | None
    now_bytes: int
    came_bytes: int
    went_bytes: int

    @property
    def growth_bytes(self) -> int | None:
        """How much more there is now; ``None`` where that is not known."""
        return None if self.before_bytes is None else self.now_bytes - self.before_bytes


def is_untouched_folder(diff: FileDiff) -> bool:
    """Whether it is a folder that an engine lists for what changed in it, and nothing else."""
    old, new = diff.old, diff.new
    return old is not None and new is not None and new.type is FileType.FOLDER and alike(old, new)


def weight(path: str, changes: Iterable[WeighedChange]) -> FolderWeight:
    """The sum of changes that are below ``path``."""
    counts = dict.fromkeys(ChangeKind, 0)
    before: int | None = 0
    now = came = went = 0
    for change in changes:
        counts[change.kind] += 1
        now += change.now_bytes
        if change.before_bytes is None:
            before = None
            continue
        before = None if before is None else before + change.before_bytes
        growth = change.now_bytes - change.before_bytes
        came += max(0, growth)
        went += max(0, -growth)
    added, changed, deleted = (
        counts[kind] for kind in (ChangeKind.ADDED, ChangeKind.CHANGED, ChangeKind.DELETED)
    )
    return FolderWeight(path, added, changed, deleted, before, now, came, went)


def by_folder(changes: Iterable[WeighedChange], most_folders: int | None = None) -> tuple[FolderWeight, ...]:
    """The changes of each folder that something changed right in, in canonical order.

    Where these are more than ``most_folders``, what is deeper counts for the folder above it: down to the
    depth at which so many are left, or to that of the folders of the root.
    """
    found: defaultdict[str, list[WeighedChange]] = defaultdict(list)
    for change in changes:
        found[posixpath.dirname(change.path)].append(change)
    if most_folders is not None:
        kept = _cut_to(found, most_folders)
        merged: defaultdict[str, list[WeighedChange]] = defaultdict(list)
        for folder, below in found.items():
            merged[kept[folder]] += below
        found = merged
    return tuple(weight(folder, found[folder]) for folder in sorted(found, key=component_order))


def common_folders(paths: Sequence[str], most: int) -> list[str]:
    """A few folders that all of these are in, none below another one, as deep as can be.

    >>> common_folders(["/etc/motd", "/usr/share/doc/a/x", "/usr/share/doc/b/y"], 2)
    ['/etc', '/usr/share/doc']
    """
    # A folder that came with what is in it is where that is, and not in the folder above.
    above = {folder for path in paths for folder in folders_above(path)}
    folders = {path if path in above else posixpath.dirname(path) for path in paths}
    found = topmost(_cut_to(topmost(folders), most).values())
    return found if len(found) <= most else ["/"]


def _cut_to(folders: Iterable[str], most: int) -> dict[str, str]:
    """Each folder, and the one at or above it that is left of it where so many are to be left in all."""
    parts = {folder: folder.strip("/").split("/") for folder in folders}
    deepest = max((len(names) for names in parts.values()), default=1)

    def cut(depth: int) -> dict[str, str]:
        return {folder: "/" + "/".join(names[:depth]) for folder, names in parts.items()}

    def is_too_deep(depth: int) -> bool:
        return len(set(cut(depth).values())) > most

    # The deeper, the more are left. A stranger's paths may be thousands deep, so not each depth is tried.
    return cut(1 + bisect_left(range(2, deepest + 1), True, key=is_too_deep))
