"""What differs between two file systems, each read once from end to end."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from snapshot.changeset.entry import Changeset, FileEntry, FileType, PathChange
from snapshot.changeset.paths import component_order, is_at_or_below, is_engine_path, part_from_below
from snapshot.engine.types import Change, ChangeKind

#: What stands in a file system, by path, as :func:`~snapshot.changeset.reader.read_everything` reads it.
Tree = Mapping[str, FileEntry]


def changes_between_trees(
    old: Tree,
    new: Tree,
    mount_points: Collection[str] = (),
    *,
    unlike: Collection[str] = (),
    with_engine_paths: bool = False,
) -> Changeset:
    """What makes ``new`` of ``old``: types, modes, owners, content, links, devices, capabilities.

    Times are not compared, and a folder counts where its own mode or owner changed: what changed in it has
    lines of its own. A deleted folder is one change, and so is one that became a file. Which names belong to
    one file is looked at where nothing else about them changed. The root itself is its engine's own.

    Parameters
    ----------
    mount_points:
        Where volumes and bind mounts are: what stands there is in no image.
    unlike:
        Paths that differ in what an entry does not tell.
    with_engine_paths:
        Whether what the engine itself put there counts as changes too.
    """
    kinds = _kinds(old, new, unlike)
    entries = _linked_among_themselves(new, [path for path in kinds if path in new])
    listed = [Change(kind, path) for path, kind in kinds.items()]
    hidden = () if with_engine_paths else mount_points
    parts = part_from_below(
        listed,
        goes=lambda change: not with_engine_paths and _is_the_engines(change.path, hidden),
        # A changed folder changed itself here; an added one may be there for a mount's sake alone.
        follows=lambda change: change.kind is ChangeKind.ADDED,
    )
    owned = sorted((change.path for change in parts.left_out + parts.followers), key=component_order)
    return Changeset(
        tuple(PathChange(change.kind, change.path, entries.get(change.path)) for change in parts.kept),
        tuple(owned),
    )


def _is_the_engines(path: str, mount_points: Iterable[str]) -> bool:
    return is_engine_path(path) or any(
        is_at_or_below(path, posixpath.normpath(point)) for point in mount_points
    )


def _kinds(old: Tree, new: Tree, unlike: Collection[str]) -> dict[str, ChangeKind]:
    kinds: dict[str, ChangeKind] = {}
    same: list[str] = []
    for path, entry in new.items():
        before = old.get(path)
        if before is None:
            kinds[path] = ChangeKind.ADDED
        elif _without_link(before) == _without_link(entry) and path not in unlike:
            same.append(path)
        else:
            kinds[path] = ChangeKind.CHANGED
    kinds.update(dict.fromkeys(_linked_otherwise(old, new, same), ChangeKind.CHANGED))
    for path in old.keys() - new.keys():
        above = posixpath.dirname(path)
        if above == "/" or (above in new and new[above].type is FileType.FOLDER):
            kinds[path] = ChangeKind.DELETED
    kinds.pop("/", None)
    return kinds


def _without_link(entry: FileEntry) -> FileEntry:
    return replace(entry, hard_link="") if entry.hard_link else entry


def _linked_otherwise(old: Tree, new: Tree, same: Sequence[str]) -> list[str]:
    """Those of the unchanged paths that are names of another file than before."""
    before, after = _first_names(old, same), _first_names(new, same)
    return [path for path in before.keys() | after.keys() if before.get(path, path) != after.get(path, path)]


def _first_names(tree: Tree, paths: Iterable[str]) -> dict[str, str]:
    """For each of ``paths`` that is one of several names of a file: the first of those among them."""
    # Which name an engine's archive has first is no difference between two files.
    with_names = {entry.hard_link for entry in tree.values() if entry.hard_link}
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        link = tree[path].hard_link
        if link or path in with_names:
            groups[link or path].append(path)
    return {
        path: first
        for names in groups.values()
        for first in [min(names, key=component_order)]
        for path in names
    }


def _linked_among_themselves(tree: Tree, paths: Sequence[str]) -> dict[str, FileEntry]:
    """The entries at ``paths``; of several names of one file the first has no link."""
    first_names = _first_names(tree, paths)
    entries = {}
    for path in paths:
        first = first_names.get(path, path)
        entries[path] = replace(tree[path], hard_link="" if first == path else first)
    return entries
