"""Reading a container's changes from its upper folder, on the machine of an engine with overlay2.

Overlayfs keeps there all that a container wrote, deleted or copied up (Linux, ``overlayfs.rst``). What is in
it may be changed by the container at any time, links included, so each folder is opened in the one above it.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from snapshot.changeset.entry import FILE_TYPES, FileEntry, FileType
from snapshot.changeset.member import CAPABILITY, Chunk, Member, no_content
from snapshot.changeset.overlay import (
    Lowers,
    NotReadableDirectly,
    attributes,
    open_file,
    open_place,
    pieces_of,
    require_rights,
)
from snapshot.changeset.paths import component_order
from snapshot.changeset.upper_walk import Chain, Seen, Walk, changed_meanwhile, seen_of
from snapshot.engine.types import Change
from snapshot.errors import ContainerUnusable

__all__ = ["NotReadableDirectly", "UpperFolder"]

_NO_XATTRS: Mapping[str, bytes] = MappingProxyType({})


class UpperFolder:
    """The upper folder of a container, and the lower ones; to be closed.

    Paths are absolute in the container; bytes that are not UTF-8 are surrogate escapes.
    """

    def __init__(self, root: int, lowers: Lowers) -> None:
        self._root = root
        self._lowers = lowers
        self._listed: dict[str, Seen] | None = None

    @classmethod
    def open(cls, upper: str, lowers: Sequence[str]) -> UpperFolder:
        """Open a container's folders (``UpperDir`` and ``LowerDir`` of the engine), lowers topmost first.

        Raises :class:`NotReadableDirectly`. Whether owners are shifted by a user namespace is not seen here.
        """
        if not lowers:
            raise NotReadableDirectly("the folders of its image are not known")
        if (sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()) != ("utf-8", "surrogateescape"):
            raise NotReadableDirectly("file names are not taken for UTF-8 here")
        require_rights()
        for folder in (upper, *lowers):
            _refuse_unreadable(folder)
        return cls(os.open(upper, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), Lowers(tuple(lowers)))

    def __enter__(self) -> UpperFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the folder; twice is no mistake."""
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    def root_owner(self) -> tuple[int, int]:
        """Owner and group of the container's ``/``."""
        found = os.fstat(self._root)
        return found.st_uid, found.st_gid

    def changes(self) -> list[Change]:
        """What was added, changed and deleted, as the engine would list it, in no order.

        Besides, what no engine sees: other content under the same size and time, other ``user.*`` attributes,
        and the unchanged names of a file that got a further one, without which the names would be two files.
        A file is not compared with what was below a folder in its place: that went with the folder.

        Raises :class:`NotReadableDirectly` where overlayfs keeps something elsewhere, and
        :class:`~snapshot.errors.ContainerUnusable` where the container changed it meanwhile.
        """
        with Chain(self._root) as chain:
            walk = Walk(chain, self._lowers, os.fstat(self._root).st_dev)
            walk.run()
        self._listed = {"/": self._seen_root(), **walk.seen}
        return [Change(kind, path) for path, kind in walk.kinds.items()]

    def members(self, paths: Collection[str]) -> Iterator[Member]:
        """What stands at those of ``paths`` that :meth:`changes` listed, or at ``/``, in canonical order.

        There is none for a socket, and for a path at which nothing stands any more. Of the names of one file
        the first among ``paths`` has the content. A file that grows meanwhile is given up to the size that
        its entry has.

        Raises :class:`~snapshot.errors.ContainerUnusable` where something else stands there than was listed.
        """
        listed = self._as_listed()
        first_names: dict[int, str] = {}
        with Chain(self._root) as chain:
            for path in sorted(paths, key=component_order):
                seen = listed.get(path)
                if seen is None or seen.type == stat.S_IFSOCK:
                    continue
                try:
                    place = _open_listed(chain, path)
                except FileNotFoundError:
                    continue
                content = None
                try:
                    found = _as_seen(path, place, seen)
                    first = first_names.setdefault(found.st_ino, path) if seen.is_link_of_many else path
                    if first == path and seen.type == stat.S_IFREG and found.st_size:
                        content = _Content(path, place, found.st_size)
                    yield member_of_place(path, place, found, seen.xattrs, first, content)
                finally:
                    if content:
                        content.end()
                    os.close(place)

    def size_bytes(self, paths: Collection[str]) -> int:
        """Bytes of the regular files among ``paths`` when they were listed; names of one file count once."""
        listed = self._as_listed()
        files = [seen for path in paths if (seen := listed.get(path)) and seen.type == stat.S_IFREG]
        linked = {seen.inode: seen.size_bytes for seen in files if seen.is_link_of_many}
        return sum(seen.size_bytes for seen in files if not seen.is_link_of_many) + sum(linked.values())

    def stamp(self, path: str) -> str:
        """Text that is another one when what stands at a listed ``path`` was changed; empty for nothing."""
        seen = self._as_listed().get(path)
        return ".".join(map(str, seen.stamp)) if seen else ""

    def is_socket(self, path: str) -> bool:
        """Whether a socket stood at ``path`` when it was listed."""
        seen = self._as_listed().get(path)
        return seen is not None and seen.type == stat.S_IFSOCK

    def _as_listed(self) -> Mapping[str, Seen]:
        if self._listed is None:
            self.changes()
        return self._listed or {}

    def _seen_root(self) -> Seen:
        return seen_of(os.fstat(self._root), attributes(".", self._root, is_folder=True).names)


def _refuse_unreadable(folder: str) -> None:
    try:
        if not folder.startswith("/"):
            raise NotReadableDirectly(f"'{folder}' is no absolute path")
        with os.scandir(folder):
            pass
    except OSError as error:
        raise NotReadableDirectly(f"'{folder}' cannot be read here: {error.strerror}") from error


def _open_listed(chain: Chain, path: str) -> int:
    above, _, name = path.rpartition("/")
    try:
        return open_place(name or ".", chain.folder(above or "/"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise changed_meanwhile(path) from error


def _as_seen(path: str, place: int, seen: Seen) -> os.stat_result:
    """What the kernel says of an opened place, which is to be what was listed."""
    found = os.fstat(place)
    if found.st_ino != seen.inode or stat.S_IFMT(found.st_mode) != seen.type:
        raise changed_meanwhile(path)
    return found


def member_of_place(
    path: str,
    place: int,
    found: os.stat_result,
    names: tuple[str, ...],
    first: str,
    content: Callable[[], Iterator[Chunk]] | None,
) -> Member:
    """What stands at an opened place, with attributes of ``names``; ``first`` is its file's first name."""
    kind = FILE_TYPES[stat.S_IFMT(found.st_mode)]
    xattrs = _xattrs(path, place, names) if names else _NO_XATTRS
    size, target, device = 0, "", ""
    if kind is FileType.FILE:
        size = found.st_size if first == path else 0
    elif kind is FileType.SYMLINK:
        target = os.readlink("", dir_fd=place)
    elif kind in {FileType.CHARACTER_DEVICE, FileType.BLOCK_DEVICE}:
        device = f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
    capability = xattrs[CAPABILITY].hex() if CAPABILITY in xattrs else ""
    mode = stat.S_IMODE(found.st_mode)
    entry = FileEntry(path, kind, mode, found.st_uid, found.st_gid, size, "", target, "", device, capability)
    link_to = first if first != path else ""
    return Member(entry, found.st_mtime_ns // 1_000_000_000, link_to, xattrs, content or no_content)


def _xattrs(path: str, place: int, names: tuple[str, ...]) -> Mapping[str, bytes]:
    try:
        return {name: os.getxattr(f"/proc/self/fd/{place}", name) for name in names}
    except OSError as error:
        raise changed_meanwhile(path) from error


class _Content:
    """A file's bytes, as long as its place is open."""

    __slots__ = ("_path", "_place", "_size")

    def __init__(self, path: str, place: int, size: int) -> None:
        self._path = path
        self._place = place
        self._size = size

    def end(self) -> None:
        """Say that the next member was asked for: the number of the descriptor will be another file's."""
        self._place = -1

    def __call__(self) -> Iterator[bytes]:
        """The bytes in pieces of 1 MiB."""
        if self._place < 0:
            raise RuntimeError("content is to be read before the next member is asked for")
        try:
            yield from pieces_of(open_file(self._place), self._size, partial(changed_meanwhile, self._path))
        except OSError as error:
            raise ContainerUnusable(f"'{self._path}' could not be read: {error.strerror}.") from error
