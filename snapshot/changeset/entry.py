"""What stands at a changed path, and the changes of a container with it."""

from __future__ import annotations

import enum
import stat
from collections import Counter
from dataclasses import dataclass, replace

from snapshot.engine.types import ChangeKind


class FileType(enum.Enum):
    """Type of a file, in the words of ``stat(1)``, short."""

    FILE = "file"
    FOLDER = "folder"
    SYMLINK = "symlink"
    CHARACTER_DEVICE = "chardev"
    BLOCK_DEVICE = "blockdev"
    FIFO = "fifo"


#: By the type bits of ``st_mode``; a socket is none of them.
FILE_TYPES = {
    stat.S_IFREG: FileType.FILE,
    stat.S_IFDIR: FileType.FOLDER,
    stat.S_IFLNK: FileType.SYMLINK,
    stat.S_IFCHR: FileType.CHARACTER_DEVICE,
    stat.S_IFBLK: FileType.BLOCK_DEVICE,
    stat.S_IFIFO: FileType.FIFO,
}


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What stands at one path.

    Attributes
    ----------
    path:
        Absolute path in the container; bytes that are not UTF-8 are surrogate escapes.
    mode:
        Permission bits with setuid, setgid and sticky: ``0o755``.
    uid, gid:
        Owner and group as numbers; names belong to the image.
    size_bytes:
        Of a regular file; 0 for all else.
    sha256:
        Hex digest of a regular file's content; empty for all else, or where content was not read.
    link_target:
        The text of a symlink.
    hard_link:
        For the second and later names of one file among the changed paths: the first name.
    device:
        ``MAJOR:MINOR`` of a device.
    capability:
        Hex digits of the xattr ``security.capability``; empty where there is none.
    """

    path: str
    type: FileType
    mode: int
    uid: int
    gid: int
    size_bytes: int = 0
    sha256: str = ""
    link_target: str = ""
    hard_link: str = ""
    device: str = ""
    capability: str = ""

    @property
    def owner(self) -> str:
        """``UID:GID``."""
        return f"{self.uid}:{self.gid}"


def alike(one: FileEntry, other: FileEntry) -> bool:
    """Whether two entries say the same, but for their names and what their content is."""
    return _without_names(one) == _without_names(other)


def _without_names(entry: FileEntry) -> FileEntry:
    return replace(entry, path="", sha256="", hard_link="")


@dataclass(frozen=True)
class Skipped:
    """A changed path that no image can hold, and why: a Unix socket, or one that went meanwhile."""

    path: str
    reason: str


@dataclass(frozen=True)
class PathChange:
    """One changed path with what stands there now; a deleted one has nothing."""

    kind: ChangeKind
    path: str
    entry: FileEntry | Skipped | None = None

    @property
    def file(self) -> FileEntry | None:
        """What an image can hold of it."""
        return self.entry if isinstance(self.entry, FileEntry) else None

    @property
    def skipped(self) -> str:
        """Why no image can hold it; empty where one can."""
        return self.entry.reason if isinstance(self.entry, Skipped) else ""


@dataclass(frozen=True)
class Changeset:
    """All changes of a container against its base, in canonical order.

    ``engine_paths`` are paths that the engine lists for reasons of its own (mount points, ``/etc/hosts``):
    no changes of the user's.
    """

    changes: tuple[PathChange, ...]
    engine_paths: tuple[str, ...] = ()

    @property
    def skipped(self) -> list[Skipped]:
        """The changed paths that no image can hold."""
        return [change.entry for change in self.changes if isinstance(change.entry, Skipped)]

    @property
    def counts(self) -> dict[ChangeKind, int]:
        """How many paths were added, changed and deleted."""
        counter = Counter(change.kind for change in self.changes)
        return {kind: counter[kind] for kind in ChangeKind}

    @property
    def size_bytes(self) -> int:
        """Bytes of the changed files; hard links count once."""
        return sum(
            change.file.size_bytes for change in self.changes if change.file and not change.file.hard_link
        )
