"""Limiting a changeset to some paths."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable
from dataclasses import replace

from snapshot.changeset.entry import Changeset, FileType, PathChange
from snapshot.changeset.paths import folders_above
from snapshot.engine.types import ChangeKind
from snapshot.errors import InvalidInput


def absolute_paths(paths: Iterable[str]) -> frozenset[str]:
    """Paths without ``.``, ``..`` and slashes too many.

    Raises :class:`~snapshot.errors.InvalidInput` for one that is not absolute.
    """
    found = set()
    for path in paths:
        if not path.startswith("/"):
            raise InvalidInput(f"'{path}' is not an absolute path.", f"Write it as '/{path}'.")
        # POSIX lets two leading slashes mean something else, so normpath keeps them.
        found.add("/" + posixpath.normpath(path).lstrip("/"))
    return frozenset(found)


def at_or_below(changeset: Changeset, paths: Collection[str]) -> Changeset:
    """The changes at or below absolute ``paths``, and those above that took along what stood there.

    >>> from snapshot.engine.types import ChangeKind
    >>> changes = tuple(PathChange(ChangeKind.DELETED, path) for path in ("/a", "/b/c", "/d"))
    >>> [change.path for change in at_or_below(Changeset(changes), {"/a/x", "/b"}).changes]
    ['/a', '/b/c']
    """
    wanted = frozenset(paths)
    if not wanted or "/" in wanted:
        return changeset
    above = {folder for path in wanted for folder in folders_above(path)}

    def is_wanted(path: str) -> bool:
        return path in wanted or any(folder in wanted for folder in folders_above(path))

    kept = tuple(
        change
        for change in changeset.changes
        if is_wanted(change.path) or (change.path in above and _took_along(change))
    )
    return replace(changeset, changes=kept, engine_paths=tuple(filter(is_wanted, changeset.engine_paths)))


def _took_along(change: PathChange) -> bool:
    """Whether nothing stands any more where something may have stood below a path."""
    if change.kind is ChangeKind.DELETED:
        return True
    file = change.file
    return change.kind is ChangeKind.CHANGED and file is not None and file.type is not FileType.FOLDER
