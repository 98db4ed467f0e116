"""What ``snap diff --packages`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from snapshot.cli.text import coloured, printable, shortened, table

if TYPE_CHECKING:
    from snapshot.packages.changes import PackageChanges
    from snapshot.packages.interface import PackageChange

_MOST_CHARS_OF_A_CELL = 80


def package_lines(changes: Sequence[PackageChange]) -> list[str]:
    """A line a package: A for one that came, D for one that went, C for another version."""
    if not changes:
        return []
    headers = ["", "MANAGER", "PACKAGE", "FROM", "TO", "WHERE"]
    rows = [_row(change) for change in changes]
    if not any(change.place for change in changes):
        headers, rows = headers[:-1], [row[:-1] for row in rows]
    return table(rows, headers, shorten=(5, 2, 4, 3) if len(headers) > 5 else (2, 4, 3)).splitlines()


def _row(change: PackageChange) -> list[str]:
    name = f"{change.name}:{change.architecture}" if change.architecture else change.name
    texts = (change.manager, name, change.old or "-", change.new or "-")
    # Of a stranger's name each row would get the width.
    cells = [shortened(printable(text), _MOST_CHARS_OF_A_CELL) for text in texts]
    return [coloured(change.kind.value), *cells, printable(change.place)]


def packages_document(found: PackageChanges) -> dict[str, Any]:
    """The same as JSON, with what could not be read."""
    return {
        "changes": [
            {
                "manager": change.manager,
                "name": change.name,
                "old": change.old or None,
                "new": change.new or None,
                "architecture": change.architecture or None,
                "place": change.place or None,
            }
            for change in found.changes
        ],
        "unreadable": list(found.unreadable),
    }
