"""What overlayfs keeps in its folders (Linux, ``overlayfs.rst``): its marks, and what a path was before.

All is read relative to folder descriptors, and no link is followed on the way.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from snapshot.changeset.member import CAPABILITY

_OPAQUE = "trusted.overlay.opaque"
_MARK = "trusted.overlay."

#: Marks that say nothing about content or names. Not among them is ``nlink``: it is there where the names of
#: one file of the image are kept together (``index=on``), and then an edit shows under names that the upper
#: folder has not.
_HARMLESS = frozenset({_OPAQUE, *(_MARK + name for name in ("origin", "impure", "uuid", "protattr"))})

#: What rootless overlays and fuse-overlayfs write instead of ``trusted.overlay.``.
_FOREIGN_MARKS = ("user.overlay.", "user.fuseoverlayfs.", "user.containers.")

#: Begins the marks that fuse-overlayfs leaves as files; no layer can hold such a name of a user's.
_FOREIGN_NAMES = ".wh."

_INITIAL_USER_NAMESPACE = 0xEFFFFFFD  # include/linux/proc_ns.h, PROC_USER_INIT_INO
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _CAP_SYS_ADMIN = (1 << bit for bit in (1, 2, 21))

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE_BYTES = 1 << 20
_FILE_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_PLACE_FLAGS = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class NotReadableDirectly(Exception):
    """Why a container's files cannot be read from its folders: words that go on a sentence."""


def require_rights() -> None:
    """Raise :class:`NotReadableDirectly` where overlayfs' marks could not be seen.

    Without ``CAP_SYS_ADMIN`` in the first user namespace the kernel says that there are none, instead of
    refusing (``fs/xattr.c``, ``xattr_permission``).
    """
    try:
        status = Path("/proc/thread-self/status").read_text()
        namespace = Path("/proc/self/ns/user").stat().st_ino
    except OSError as error:
        raise NotReadableDirectly("this process cannot see its own rights in /proc") from error
    held = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    rights = int(held[1], 16) if held else 0
    reads_all = rights & (_CAP_DAC_OVERRIDE | _CAP_DAC_READ_SEARCH)
    if not (rights & _CAP_SYS_ADMIN and reads_all and namespace == _INITIAL_USER_NAMESPACE):
        raise NotReadableDirectly("that takes the rights of root on the engine's machine")


def open_folder(name: str, folder: int) -> int:
    """A descriptor of a folder in ``folder``; a link in its place is an error."""
    return os.open(name, _FOLDER_FLAGS, dir_fd=folder)


def open_place(name: str, folder: int) -> int:
    """A descriptor of whatever stands in ``folder`` under that name; nothing is opened by it."""
    return os.open(name, _PLACE_FLAGS, dir_fd=folder)


def open_file(place: int) -> int:
    """Open the regular file that ``place`` (of :func:`open_place`) is, for reading."""
    path = f"/proc/self/fd/{place}"
    try:
        return os.open(path, _FILE_FLAGS | os.O_NOATIME)
    except PermissionError:
        return os.open(path, _FILE_FLAGS)


def pieces_of(file: int, size_bytes: int, too_short: Callable[[], Exception]) -> Iterator[bytes]:
    """So many bytes of an open file in pieces of 1 MiB; it is closed then.

    Raises what ``too_short`` makes where it has fewer.
    """
    try:
        while size_bytes:
            piece = os.read(file, min(size_bytes, _PIECE_BYTES))
            if not piece:
                raise too_short()
            size_bytes -= len(piece)
            yield piece
    finally:
        os.close(file)


def is_whiteout(found: os.stat_result) -> bool:
    """Whether it is overlayfs' mark that a name of the layers below is gone."""
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


class Attributes(NamedTuple):
    """Names of the extended attributes that an image can hold, and whether overlayfs' "opaque" is there."""

    names: tuple[str, ...]
    opaque: bool


_NONE = Attributes((), False)


def attributes(name: str, folder: int, *, is_folder: bool) -> Attributes:
    """The attributes of what stands in ``folder`` under that name.

    Raises :class:`NotReadableDirectly` for a mark that means that content or names lie elsewhere.
    """
    path = f"/proc/self/fd/{folder}/{name}"
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return _NONE
        raise
    if not names:
        return _NONE
    for mark in names:
        if (mark.startswith(_MARK) and mark not in _HARMLESS) or mark.startswith(_FOREIGN_MARKS):
            raise NotReadableDirectly(f"'{name}' has overlay's mark '{mark}'")
    opaque = _OPAQUE in names
    if opaque and not (is_folder and os.getxattr(path, _OPAQUE, follow_symlinks=False) == b"y"):
        raise NotReadableDirectly(f"'{name}' has overlay's mark '{_OPAQUE}' in a form that is not known")
    return Attributes(tuple(sorted(name for name in names if _is_of_the_image(name))), opaque)


def refuse_foreign_name(name: str) -> None:
    """Raise :class:`NotReadableDirectly` for a file that may be a mark of fuse-overlayfs."""
    if name.startswith(_FOREIGN_NAMES):
        raise NotReadableDirectly(f"'{name}' has the name of a mark")


def _is_of_the_image(name: str) -> bool:
    return name == CAPABILITY or name.startswith("user.")


class Place(NamedTuple):
    """Something that stands in an opened folder."""

    name: str
    folder: int
    stat: os.stat_result
    attributes: tuple[str, ...]

    def values(self) -> dict[str, bytes]:
        """The extended attributes that an image can hold."""
        path = f"/proc/self/fd/{self.folder}/{self.name}"
        return {name: os.getxattr(path, name, follow_symlinks=False) for name in self.attributes}


def differ(old: Place, new: Place) -> bool:
    """Whether an image would hold the one place as another one than the other.

    As moby compares (``pkg/archive``, ``changes_unix.go``), and where it sees no difference: other extended
    attributes, another content, another text of a link.
    """
    return (
        _stats_differ(old.stat, new.stat)
        or old.attributes != new.attributes
        or (bool(new.attributes) and old.values() != new.values())
        or _contents_differ(old, new)
    )


def _stats_differ(old: os.stat_result, new: os.stat_result) -> bool:
    return (
        old.st_mode != new.st_mode
        or old.st_uid != new.st_uid
        or old.st_gid != new.st_gid
        or old.st_rdev != new.st_rdev
        or (
            not stat.S_ISDIR(new.st_mode)
            and (old.st_size != new.st_size or not _same_time(old.st_mtime_ns, new.st_mtime_ns))
        )
    )


def _same_time(old_ns: int, new_ns: int) -> bool:
    """Whether two times are one; a layer's tar may have had no fractions of a second."""
    if old_ns == new_ns:
        return True
    old_s, old_part = divmod(old_ns, 1_000_000_000)
    new_s, new_part = divmod(new_ns, 1_000_000_000)
    return old_s == new_s and (not old_part or not new_part)


def _contents_differ(old: Place, new: Place) -> bool:
    if stat.S_ISLNK(new.stat.st_mode):
        return os.readlink(old.name, dir_fd=old.folder) != os.readlink(new.name, dir_fd=new.folder)
    if not stat.S_ISREG(new.stat.st_mode):
        return False
    return any(ours != theirs for ours, theirs in zip(_pieces(old), _pieces(new), strict=True))


def _pieces(place: Place) -> Iterator[bytes]:
    """A file's content in pieces of 1 MiB, and an empty one where it ends before its size says so."""
    descriptor = open_place(place.name, place.folder)
    try:
        file = open_file(descriptor)
    finally:
        os.close(descriptor)
    try:
        for offset in range(0, place.stat.st_size, _PIECE_BYTES):
            yield os.pread(file, _PIECE_BYTES, offset)
    finally:
        os.close(file)


class Found(NamedTuple):
    """What the layers below show at a path; of a folder, ``layers`` are those whose folders are merged."""

    place: Place
    layers: tuple[int, ...]


class Lowers(NamedTuple):
    """The folders of the layers below, topmost first."""

    roots: Sequence[str]

    @property
    def all_layers(self) -> tuple[int, ...]:
        """The layers that are merged at the root: all, whatever marks their root folders have."""
        return tuple(range(len(self.roots)))

    def folder(self, path: str, layers: Sequence[int]) -> LowerFolder:
        """A folder of the container as the layers below have it; ``layers`` is of :class:`Found`.

        All folders on the way were found to be folders then, and layers do not change.
        """
        opened: list[tuple[int, int]] = []
        try:
            for layer in layers:
                opened.append((layer, os.open(self.roots[layer] + path, _FOLDER_FLAGS)))
        except OSError:
            LowerFolder(opened).close()
            raise
        return LowerFolder(opened)


class LowerFolder(NamedTuple):
    """One folder in each of the layers that have it: numbers of layers and descriptors, topmost first."""

    folders: Sequence[tuple[int, int]]

    def __enter__(self) -> LowerFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptors."""
        for _, descriptor in self.folders:
            os.close(descriptor)

    def find(self, name: str) -> Found | None:
        """What the layers show under that name: the topmost, or a folder merged of several."""
        top: Place | None = None
        layers: list[int] = []
        for layer, folder in self.folders:
            try:
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                continue
            is_folder = stat.S_ISDIR(found.st_mode)
            if is_whiteout(found) or (top and not is_folder):
                break
            marks = attributes(name, folder, is_folder=is_folder)
            top = top or Place(name, folder, found, marks.names)
            if not is_folder:
                break
            layers.append(layer)
            if marks.opaque:
                break
        return Found(top, tuple(layers)) if top else None

    def names(self) -> set[str]:
        """All names that stand in any of the layers, marks among them."""
        return {name for _, folder in self.folders for name in os.listdir(folder)}  # noqa: PTH208
