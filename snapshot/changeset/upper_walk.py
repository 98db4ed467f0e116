"""The walk through a container's upper folder: what it lists, and what stood there then."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from snapshot.changeset.overlay import (
    LowerFolder,
    Lowers,
    NotReadableDirectly,
    Place,
    attributes,
    differ,
    is_whiteout,
    open_folder,
    refuse_foreign_name,
)
from snapshot.changeset.paths import is_engine_path
from snapshot.engine.types import ChangeKind
from snapshot.errors import ContainerUnusable

_MOST_OPEN_FOLDERS = 64


class Seen(NamedTuple):
    """What stood at a listed path.

    ``xattrs`` are the names of those that an image can hold; ``stamp`` changes with what stands there.
    """

    inode: int
    type: int
    links: int
    size_bytes: int
    xattrs: tuple[str, ...]
    stamp: tuple[int, ...]

    @property
    def is_link_of_many(self) -> bool:
        """Whether the file may have further names (a folder's count is another matter)."""
        return self.links > 1 and self.type != stat.S_IFDIR


def seen_of(found: os.stat_result, xattrs: tuple[str, ...]) -> Seen:
    """What the kernel says of a place."""
    stamp: tuple[int, ...] = (found.st_mode, found.st_uid, found.st_gid)
    if not stat.S_ISDIR(found.st_mode):
        # What is in a folder has a place of its own.
        stamp += (found.st_size, found.st_mtime_ns, found.st_ino)
    return Seen(found.st_ino, stat.S_IFMT(found.st_mode), found.st_nlink, found.st_size, xattrs, stamp)


class Chain:
    """The folders on the way to the one in use, each opened in the one above it, few of them at a time."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._names: list[str] = []
        self._folders: list[int] = []
        self._deep = -1

    def __enter__(self) -> Chain:
        return self

    def __exit__(self, *_: object) -> None:
        self._keep(0)

    def folder(self, path: str) -> int:
        """A descriptor that is good until the next call."""
        names = path.split("/")[1:] if path != "/" else []
        near, deep = names[:_MOST_OPEN_FOLDERS], names[_MOST_OPEN_FOLDERS:]
        shared = 0
        while shared < min(len(near), len(self._names)) and near[shared] == self._names[shared]:
            shared += 1
        self._keep(shared)
        for name in near[shared:]:
            self._folders.append(open_folder(name, self._last()))
            self._names.append(name)
        for name in deep:
            above, self._deep = self._deep, open_folder(name, self._last())
            if above >= 0:
                os.close(above)
        return self._last()

    def _last(self) -> int:
        if self._deep >= 0:
            return self._deep
        return self._folders[-1] if self._folders else self._root

    def _keep(self, count: int) -> None:
        if self._deep >= 0:
            os.close(self._deep)
            self._deep = -1
        for descriptor in self._folders[count:]:
            os.close(descriptor)
        del self._folders[count:], self._names[count:]


class _Folder(NamedTuple):
    """A folder that is to be walked.

    ``layers`` are those below that show theirs at this path. Where ``hides_them``, their files show through
    under no name.
    """

    path: str
    layers: tuple[int, ...]
    hides_them: bool


class Walk:
    """One walk through the upper folder: what it lists, and what stands there."""

    def __init__(self, chain: Chain, lowers: Lowers, device: int) -> None:
        self.kinds: dict[str, ChangeKind] = {}
        self.seen: dict[str, Seen] = {}
        self._chain = chain
        self._lowers = lowers
        self._device = device
        self._pending: list[_Folder] = []
        self._links_of_changed: set[int] = set()
        self._unchanged_links: dict[str, Seen] = {}
        # Folders without a change of their own, which are listed for what is in them.
        self._unchanged_folders: dict[str, Seen] = {}

    def run(self) -> None:
        """Walk through all; see :meth:`UpperFolder.changes`."""
        self._pending = [_Folder("/", self._lowers.all_layers, hides_them=False)]
        while self._pending:
            folder = self._pending.pop()
            with _translated(folder.path):
                try:
                    descriptor = self._chain.folder(folder.path)
                except FileNotFoundError:
                    continue
                with self._lowers.folder(folder.path, folder.layers) as lower:
                    self._walk_folder(folder, descriptor, lower)
        for path, seen in self._unchanged_links.items():
            if seen.inode in self._links_of_changed:
                self._note(ChangeKind.CHANGED, path, seen)

    def _walk_folder(self, folder: _Folder, descriptor: int, lower: LowerFolder) -> None:
        prefix = folder.path.rstrip("/") + "/"
        names = set()
        with os.scandir(descriptor) as entries:
            for entry in entries:
                try:
                    found = entry.stat(follow_symlinks=False)
                    if is_whiteout(found):
                        if lower.find(entry.name):
                            self._note(ChangeKind.DELETED, prefix + entry.name)
                        continue
                    self._walk_entry(folder, prefix + entry.name, entry.name, found, descriptor, lower)
                except FileNotFoundError:
                    # Gone meanwhile: such a file is no change.
                    continue
                names.add(entry.name)
        if folder.hides_them:
            for name in lower.names() - names:
                if lower.find(name):
                    self._note(ChangeKind.DELETED, prefix + name)

    def _walk_entry(
        self, folder: _Folder, path: str, name: str, found: os.stat_result, above: int, lower: LowerFolder
    ) -> None:
        refuse_foreign_name(name)
        if found.st_dev != self._device:
            raise NotReadableDirectly(f"something is mounted at '{path}'")
        is_folder = stat.S_ISDIR(found.st_mode)
        marks = attributes(name, above, is_folder=is_folder)
        old = lower.find(name) if lower.folders else None
        if old is None and lower.folders and is_engine_path(path):
            # Listed, it would make the folder look as if that had changed on the engine's account alone.
            return
        seen = seen_of(found, marks.names)
        if old is None:
            self._note(ChangeKind.ADDED, path, seen)
        elif differ(old.place, Place(name, above, found, marks.names)):
            self._note(ChangeKind.CHANGED, path, seen)
        elif is_folder:
            self._unchanged_folders[path] = seen
        elif seen.links > 1:
            self._unchanged_links[path] = seen
        if is_folder:
            layers = old.layers if old else ()
            self._pending.append(_Folder(path, layers, folder.hides_them or marks.opaque))

    def _note(self, kind: ChangeKind, path: str, seen: Seen | None = None) -> None:
        self.kinds[path] = kind
        if seen:
            self.seen[path] = seen
            if seen.is_link_of_many:
                self._links_of_changed.add(seen.inode)
        while (path := path.rpartition("/")[0]) and path not in self.kinds:
            self.kinds[path] = ChangeKind.CHANGED
            self.seen[path] = self._unchanged_folders[path]


@contextmanager
def _translated(path: str) -> Iterator[None]:
    """Turn failures of the walk into the reason why it cannot be done, or whose fault that is."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOTDIR, errno.ELOOP}:
            raise changed_meanwhile(path) from error
        raise NotReadableDirectly(f"reading '{path}' failed: {error.strerror}") from error


def changed_meanwhile(path: str) -> ContainerUnusable:
    """The error for a path at which something else stands than was listed."""
    return ContainerUnusable(
        f"'{path}' was changed by the container while it was read.",
        "Let the container be paused meanwhile, or try again when it rests.",
    )
