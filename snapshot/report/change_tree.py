"""Changed paths as a tree of folders, of which so much is told that a page can hold it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from snapshot.changeset.entry import FileType, PathChange
from snapshot.engine.types import ChangeKind

#: Folders further down are part of the names of what is in them.
MOST_DEPTH = 24
#: How many children a folder tells, at most: the first of these with which all that is told has room.
CHILDREN_TOLD = (5000, 3000, 2000, 1500, 1000, 700, 500, 300, 200, 150, 100, 70, 50, 30, 20, 10, 5, 2, 1)


@dataclass
class FolderNode:
    """A folder that was changed, or in which something was.

    Attributes
    ----------
    name:
        From the folder that it is told in; of several parts where nothing else is on the way.
    path:
        The whole of it.
    change:
        What became of the folder itself; ``None`` for nothing.
    folders, files:
        What is directly below, in canonical order; everything in ``files`` has no changes below.
    counts:
        Of the changes below, the folder's own left out.
    size_bytes:
        Of the changed files below as they are now, hard links once.
    """

    name: str
    path: str
    change: PathChange | None = None
    folders: list[FolderNode] = field(default_factory=list)
    files: list[tuple[str, PathChange]] = field(default_factory=list)
    counts: Counter[ChangeKind] = field(default_factory=Counter)
    size_bytes: int = 0

    def told(self, most: int) -> tuple[list[FolderNode], list[tuple[str, PathChange]]]:
        """The first children, folders before files."""
        folders = self.folders[:most]
        return folders, self.files[: most - len(folders)]

    def left_out(self, most: int) -> Counter[ChangeKind]:
        """The changes in children that :meth:`told` leaves out, and below these."""
        folders, files = self.told(most)
        counter: Counter[ChangeKind] = Counter()
        for folder in self.folders[len(folders) :]:
            counter.update(folder.counts)
            counter.update([folder.change.kind] if folder.change else ())
        counter.update(change.kind for _, change in self.files[len(files) :])
        return counter


def change_tree(changes: Sequence[PathChange]) -> FolderNode:
    """The tree of changes, which come in canonical order. Its root is ``/``."""
    root = FolderNode("/", "/")
    by_path = {"/": root}
    for change, following in zip_longest(changes, changes[1:]):
        parts = change.path.strip("/").split("/", MOST_DEPTH)
        if parts == [""]:
            root.change = change
            continue
        way = [root]
        for number in range(1, len(parts)):
            path = "/" + "/".join(parts[:number])
            if path not in by_path:
                by_path[path] = FolderNode(parts[number - 1], path)
                way[-1].folders.append(by_path[path])
            way.append(by_path[path])
        for folder in way:
            folder.counts[change.kind] += 1
            if change.file and not change.file.hard_link:
                folder.size_bytes += change.file.size_bytes
        has_below = following is not None and following.path.startswith(f"{change.path}/")
        if change.file and change.file.type is FileType.FOLDER and has_below and len(parts) <= MOST_DEPTH:
            by_path[change.path] = FolderNode(parts[-1], change.path, change)
            way[-1].folders.append(by_path[change.path])
        else:
            way[-1].files.append((parts[-1], change))
    _shorten(root)
    return root


def _shorten(folder: FolderNode) -> None:
    """Make one of folders that hold but one."""
    for number, below in enumerate(folder.folders):
        while below.change is None and len(below.folders) == 1 and not below.files:
            (only,) = below.folders
            only.name = f"{below.name}/{only.name}"
            below = only
        folder.folders[number] = below
        _shorten(below)


def children_told(root: FolderNode, room: int, cost: Callable[[str], int]) -> int:
    """How many children each folder can tell so that all of it costs no more than ``room``.

    Parameters
    ----------
    cost:
        Of a row with that name.
    """
    return next(
        (most for most in CHILDREN_TOLD if _fits(root, most, room, cost)),
        CHILDREN_TOLD[-1],
    )


def _fits(root: FolderNode, most: int, room: int, cost: Callable[[str], int]) -> bool:
    for name in _names_told(root, most):
        room -= cost(name)
        if room < 0:
            return False
    return True


def _names_told(folder: FolderNode, most: int) -> Iterator[str]:
    yield folder.name
    folders, files = folder.told(most)
    for below in folders:
        yield from _names_told(below, most)
    for name, _ in files:
        yield name
