"""Paths in a container: their order, and those that the engine itself puts there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence

from snapshot.engine.types import Change, ChangeKind

#: Files that an engine binds over or makes in every container: what stands there is not the user's.
#: moby 20.10 to 28 (``/.dockerenv``, ``/etc/…``, ``/dev/…``), Podman 4 (``/run/.containerenv``).
ENGINE_FILES = frozenset(
    {
        "/.dockerenv",
        "/run/.containerenv",
        "/etc/hosts",
        "/etc/hostname",
        "/etc/resolv.conf",
        "/dev",
        "/proc",
        "/sys",
    }
)

_SURROGATE_ESCAPE = re.compile("[\udc80-\udcff]")


def component_order(path: str) -> tuple[str, ...]:
    """Sort key of the canonical order: lexical, a path component at a time.

    >>> sorted(["/a.b", "/a", "/a/c"], key=component_order)
    ['/a', '/a/c', '/a.b']
    """
    return tuple(path.strip("/").split("/"))


def as_the_engine_lists(path: str) -> str:
    """``path`` as the engine's JSON has it: each byte that is not UTF-8 became U+FFFD (Go's encoder).

    >>> as_the_engine_lists("/caf\udce9")
    '/caf\ufffd'
    """
    return _SURROGATE_ESCAPE.sub("\ufffd", path)


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
    ordered = sorted(changes, key=lambda change: component_order(change.path))
    owned: set[str] = set()
    above_owned: set[str] = set()
    above_kept: set[str] = set()
    # Backwards, what is below a folder comes before the folder itself.
    for change in reversed(ordered):
        for_their_sake = (
            change.path in above_owned
            and change.path not in above_kept
            and change.kind is not ChangeKind.DELETED
        )
        if for_their_sake or _is_hidden(change.path, hidden):
            owned.add(change.path)
            above_owned.update(_folders_above(change.path))
        else:
            above_kept.update(_folders_above(change.path))
    kept = [change for change in ordered if change.path not in owned]
    left_out = [change for change in ordered if change.path in owned]
    return kept, left_out


def _is_hidden(path: str, hidden: frozenset[str]) -> bool:
    return path in hidden or any(folder in hidden for folder in _folders_above(path))


def _folders_above(path: str) -> list[str]:
    """The folders on the way to ``path``, nearest first, the root left out."""
    folders = []
    while (path := posixpath.dirname(path)) not in {"", "/"}:
        folders.append(path)
    return folders
