"""Paths in a container: their order, and those that the engine itself puts there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from snapshot.engine.types import Change, ChangeKind

#: Files that an engine binds over or makes in every container: what stands there is not the user's.
#: moby 20.10 to 28 (``/.dockerenv``, ``/etc/…``, ``/dev/…``), Podman 4 (``/run/.containerenv``,
#: ``/etc/mtab``).
ENGINE_FILES = frozenset(
    {
        "/.dockerenv",
        "/run/.containerenv",
        "/etc/hosts",
        "/etc/hostname",
        "/etc/resolv.conf",
        "/etc/mtab",
        "/dev",
        "/proc",
        "/sys",
    }
)

_SURROGATE_ESCAPE = "[\udc80-\udcff]"


def by_bytes(name: str) -> bytes:
    """A name as the kernel has it: the sort key of names in one folder."""
    return name.encode("utf-8", "surrogateescape")


def component_order(path: str) -> list[bytes]:
    """Sort key of the canonical order: lexical by bytes, a path component at a time.

    >>> sorted(["/a.b", "/a", "/a/c"], key=component_order)
    ['/a', '/a/c', '/a.b']
    """
    return path.strip("/").encode("utf-8", "surrogateescape").split(b"/")


def as_the_engine_lists(path: str) -> str:
    r"""``path`` as the engine's JSON has it: each byte that is not UTF-8 became U+FFFD (Go's encoder).

    >>> as_the_engine_lists("/caf\udce9")
    '/caf\ufffd'
    """
    return re.sub(_SURROGATE_ESCAPE, "\ufffd", path)


def is_at_or_below(path: str, folder: str) -> bool:
    """Whether ``path`` is ``folder`` or something inside it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def topmost(paths: Iterable[str]) -> list[str]:
    """Those of ``paths`` that stand below no other one, in canonical order.

    >>> topmost(["/a/b", "/a", "/c/d"])
    ['/a', '/c/d']
    """
    tops: list[str] = []
    for path in sorted(set(paths), key=component_order):
        if not tops or not is_at_or_below(path, tops[-1]):
            tops.append(path)
    return tops


def absolute(path: str, working_dir: str) -> str:
    """``path`` from the image's working directory, without ``.`` and ``..``.

    >>> absolute("ch03.txt", "/diamol")
    '/diamol/ch03.txt'
    """
    joined = posixpath.normpath(posixpath.join("/", working_dir, path))
    # POSIX lets two leading slashes mean something else, so normpath keeps them.
    return "/" + joined.lstrip("/")


def split_off_engine_paths(
    changes: Sequence[Change], mount_points: Iterable[str]
) -> tuple[list[Change], list[Change]]:
    """Part the changes into the user's and the engine's own, both in canonical order.

    The engine's are its files (:data:`ENGINE_FILES`) and what is at or below a mount point: the mount
    hides whatever the layer has there. A folder above them goes with them where it was listed for
    their sake alone: it is an added folder with nothing else in it, or a changed one of which nothing
    else changed. (A folder whose mode alone was changed has no engine path below it, so it stays.)
    """
    hidden = ENGINE_FILES | {posixpath.normpath(point) for point in mount_points}
    parts = part_from_below(
        changes,
        goes=lambda change: _is_hidden(change.path, hidden),
        follows=lambda change: change.kind is not ChangeKind.DELETED,
    )
    owned = sorted(parts.left_out + parts.followers, key=lambda change: component_order(change.path))
    return parts.kept, owned


class Parts(NamedTuple):
    """Changes parted in three, each in canonical order.

    ``followers`` are folders that were listed for the sake of what is left out below them.
    """

    kept: list[Change]
    left_out: list[Change]
    followers: list[Change]


def part_from_below(
    changes: Iterable[Change], goes: Callable[[Change], bool], follows: Callable[[Change], bool]
) -> Parts:
    """Part changes so that what is kept has the folders that it stands in.

    Parameters
    ----------
    changes:
        In any order.
    goes:
        Whether a change is to be left out. It is kept all the same where it is a folder that something
        kept stands in. Asked before ``follows``, for every change that is no such folder.
    follows:
        Whether a folder goes along with what is left out below it, nothing below it being kept.
    """
    parts = Parts([], [], [])
    above_left_out: set[str] = set()
    above_kept: set[str] = set()
    # Backwards, what is below a folder comes before the folder itself.
    for change in sorted(changes, key=lambda change: component_order(change.path), reverse=True):
        needed = change.path in above_kept and change.kind is not ChangeKind.DELETED
        if not needed and goes(change):
            parts.left_out.append(change)
            _add_folders_above(change.path, above_left_out)
        elif not needed and change.path in above_left_out and follows(change):
            parts.followers.append(change)
        else:
            parts.kept.append(change)
            _add_folders_above(change.path, above_kept)
    for part in parts:
        part.reverse()
    return parts


def is_engine_path(path: str) -> bool:
    """Whether what stands at ``path`` is the engine's own in every container.

    >>> is_engine_path("/dev/null"), is_engine_path("/etc/hosts.allow")
    (True, False)
    """
    return _is_hidden(path, ENGINE_FILES)


def _is_hidden(path: str, hidden: frozenset[str]) -> bool:
    if path in hidden:
        return True
    # Written out: a container may have a hundred thousand changed paths.
    end = path.rfind("/")
    while end > 0:
        if path[:end] in hidden:
            return True
        end = path.rfind("/", 0, end)
    return False


def folders_above(path: str) -> Iterator[str]:
    """The folders on the way to ``path``, nearest first, the root left out."""
    while path := path.rpartition("/")[0]:
        yield path


def _add_folders_above(path: str, folders: set[str]) -> None:
    """Add the folders on the way to ``path``; where one is among ``folders``, those above it are as well."""
    while (path := path.rpartition("/")[0]) and path not in folders:
        folders.add(path)
