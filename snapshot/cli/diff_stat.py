"""What ``snap diff --stat`` and ``--summary`` print: where changes are and how much they weigh."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from snapshot.cli.text import (
    bytes_in_words,
    coloured,
    count,
    printable,
    screen_columns,
    shortened,
    table,
)

if TYPE_CHECKING:
    from snapshot.changeset.weights import FolderWeight, WeighedChange
    from snapshot.packages.interface import PackageChange

#: More folders than this are summed up in the folders above them.
_MOST_FOLDERS = 30
_COLUMNS_OF_A_PIPE = 80
_LEAST_BAR, _MOST_BAR = 10, 40
#: What a line of `git log --oneline` or of a list of commits has room for.
_MOST_CHARS_OF_A_SUMMARY = 120
_MOST_CHARS_BEFORE_SIZES = 80
_MOST_FOLDERS_NAMED = 3


def stat_lines(changes: Sequence[WeighedChange]) -> list[str]:
    """A line a folder with a bar of what came (+) and went (-), and what all adds up to."""
    from snapshot.changeset.weights import by_folder, weight

    folders = by_folder(changes, _MOST_FOLDERS)
    total = weight("/", changes)
    bar = max(_LEAST_BAR, min(_MOST_BAR, (screen_columns() or _COLUMNS_OF_A_PIPE) // 4))
    most = max((folder.came_bytes + folder.went_bytes for folder in folders), default=0)
    rows = [[printable(folder.path), *_numbers(folder), _bar(folder, most, bar)] for folder in folders]
    rows.append(["in all", *_numbers(total), _growth(total)])
    headers = ["FOLDER", "A", "C", "D", "BEFORE", "NOW", ""]
    return table(rows, headers, right=(1, 2, 3, 4, 5), shorten=0).splitlines()


def _numbers(folder: FolderWeight) -> list[str]:
    counts = [folder.added, folder.changed, folder.deleted]
    before = "?" if folder.before_bytes is None else bytes_in_words(folder.before_bytes)
    return [
        *(f"{number:,}" if number else "-" for number in counts),
        before,
        bytes_in_words(folder.now_bytes),
    ]


def _bar(folder: FolderWeight, most_bytes: int, columns: int) -> str:
    came, went = (_length(size, most_bytes, columns) for size in (folder.came_bytes, folder.went_bytes))
    # Both are at least a sign long where there is any.
    came -= max(0, came + went - columns) if came >= went else 0
    went -= max(0, came + went - columns)
    return (coloured("+" * came, "added") if came else "") + (coloured("-" * went, "removed") if went else "")


def _length(size_bytes: int, most_bytes: int, columns: int) -> int:
    return max(1, round(size_bytes / most_bytes * columns)) if size_bytes else 0


def _growth(total: FolderWeight) -> str:
    growth = total.growth_bytes
    return "" if growth is None else f"{'+' if growth >= 0 else ''}{bytes_in_words(growth)}"


def stat_document(changes: Sequence[WeighedChange]) -> dict[str, Any]:
    """The same as JSON, each folder by itself."""
    from snapshot.changeset.weights import by_folder, weight

    return {
        "folders": [{"path": folder.path, **_weight_document(folder)} for folder in by_folder(changes)],
        "total": _weight_document(weight("/", changes)),
    }


def _weight_document(folder: FolderWeight) -> dict[str, Any]:
    return {
        "added": folder.added,
        "changed": folder.changed,
        "deleted": folder.deleted,
        "before_bytes": folder.before_bytes,
        "now_bytes": folder.now_bytes,
        "came_bytes": folder.came_bytes,
        "went_bytes": folder.went_bytes,
    }


def summary(changes: Sequence[WeighedChange], packages: Iterable[PackageChange]) -> str:
    """One sentence that can be the message of a commit.

    >>> from snapshot.changeset.weights import WeighedChange
    >>> from snapshot.engine.types import ChangeKind
    >>> summary([WeighedChange(ChangeKind.ADDED, "/etc/motd", 0, 1_234_567)], ())
    '1 added below /etc; +1.23 MB'
    """
    from snapshot.changeset.weights import common_folders, weight

    total = weight("/", changes)
    counts = {"added": total.added, "changed": total.changed, "deleted": total.deleted}
    told = [f"{number:,} {word}" for word, number in counts.items() if number]
    if not told:
        return "nothing changed"
    text = ", ".join(told)
    for most in range(_MOST_FOLDERS_NAMED, 0, -1):
        folders = common_folders([change.path for change in changes], most)
        where = f" below {_listed([printable(folder) for folder in folders])}"
        if folders != ["/"] and len(text) + len(where) <= _MOST_CHARS_BEFORE_SIZES:
            text += where
            break
    if total.growth_bytes:
        text += f"; {_growth(total)}"
    return text + _packages_in_words(list(packages), _MOST_CHARS_OF_A_SUMMARY - len(text))


def _packages_in_words(packages: Sequence[PackageChange], most_chars: int) -> str:
    """As many of them as there is room for, the others counted."""
    told: list[str] = []
    for number, package in enumerate(packages):
        words = _package_in_words(package)
        more = len(packages) - number - 1
        room = (
            most_chars - len(f"; {', '.join([*told, words])}") - (len(f" and {more:,} more") if more else 0)
        )
        if room < 0:
            break
        told.append(words)
    hidden = len(packages) - len(told)
    if not told:
        return f"; {count(hidden, 'package')}" if hidden else ""
    return f"; {', '.join(told)}" + (f" and {hidden:,} more" if hidden else "")


def _package_in_words(package: PackageChange) -> str:
    """``curl 7.88.1-10 -> 7.88.1-12``, ``+jq 1.6``, ``-vim 9.0``."""
    name, old, new = (shortened(printable(text), 40) for text in (package.name, package.old, package.new))
    if not package.old:
        return f"+{name} {new}"
    return f"{name} {old} -> {new}" if package.new else f"-{name} {old}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
