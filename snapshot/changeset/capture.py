"""Taking the changeset of a container."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from snapshot.changeset.entry import Changeset, FileEntry, PathChange, Skipped
from snapshot.changeset.paths import component_order, is_at_or_below, split_off_engine_paths, topmost
from snapshot.changeset.reader import read_entries
from snapshot.changeset.source import FileSource
from snapshot.engine.types import Change, ChangeKind
from snapshot.errors import PathNotFound


def capture(
    source: FileSource,
    mount_points: Collection[str] = (),
    *,
    hash_content: bool,
    with_engine_paths: bool = False,
) -> Changeset:
    """Everything that a container changed against its image, with what stands there now.

    Parameters
    ----------
    source:
        The container's files. For a true picture it should not run while it is read.
    mount_points:
        Where volumes and bind mounts are: their data is not the container's.
    hash_content:
        Whether files are read for their sha256.
    with_engine_paths:
        Whether what the engine itself put there counts as changes too.
    """
    listed = source.changes()
    kept, left_out = split_off_engine_paths(listed, mount_points)
    if with_engine_paths:
        kept, left_out = sorted(listed, key=lambda change: component_order(change.path)), []
    present = [change.path for change in kept if change.kind is not ChangeKind.DELETED]
    entries = read_entries(source, present, _whole_trees(kept, mount_points), hash_content=hash_content)
    changes: list[PathChange] = []
    for change in kept:
        changes += _with_entries(source, change, entries.get(change.path, []))
    unique = {(change.kind, change.path): change for change in changes}
    return Changeset(
        changes=tuple(sorted(unique.values(), key=lambda change: component_order(change.path))),
        engine_paths=tuple(change.path for change in left_out),
    )


def _whole_trees(changes: Sequence[Change], mount_points: Collection[str]) -> list[str]:
    """Added paths of which all below is new as well, so that one archive holds nothing unwanted.

    Not those with a mount point inside: the archive call would bring the volume's data along.
    """
    added = topmost(change.path for change in changes if change.kind is ChangeKind.ADDED)
    return [path for path in added if not any(is_at_or_below(point, path) for point in mount_points)]


def _with_entries(source: FileSource, change: Change, entries: Sequence[FileEntry]) -> list[PathChange]:
    if change.kind is ChangeKind.DELETED:
        return [PathChange(change.kind, change.path)]
    if entries:
        return [PathChange(change.kind, entry.path, entry) for entry in entries]
    return [PathChange(change.kind, change.path, Skipped(change.path, _why_absent(source, change.path)))]


def _why_absent(source: FileSource, path: str) -> str:
    """A path that is listed, but in no archive: sockets cannot be in a tar (moby skips them)."""
    try:
        return "socket" if source.stat(path).is_socket else "unreadable"
    except PathNotFound:
        return "gone"
