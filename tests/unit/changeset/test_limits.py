"""Changes are limited to paths, with what is above them and took along what stood there."""

from __future__ import annotations

import pytest

from snapshot.changeset.entry import Changeset, FileEntry, FileType, PathChange
from snapshot.changeset.limits import absolute_paths, at_or_below
from snapshot.engine.types import ChangeKind
from snapshot.errors import InvalidInput


def change(kind: ChangeKind, path: str, file_type: FileType = FileType.FILE) -> PathChange:
    entry = FileEntry(path, file_type, 0o644, 0, 0) if kind is not ChangeKind.DELETED else None
    return PathChange(kind, path, entry)


CHANGES = Changeset(
    (
        change(ChangeKind.CHANGED, "/etc", FileType.FOLDER),
        change(ChangeKind.CHANGED, "/etc/motd"),
        change(ChangeKind.ADDED, "/etc/motd.new"),
        change(ChangeKind.DELETED, "/opt"),
        change(ChangeKind.CHANGED, "/was-folder"),
        change(ChangeKind.ADDED, "/x", FileType.FOLDER),
    ),
    ("/etc/hosts", "/run/secrets"),
)


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["/etc"], ["/etc", "/etc/motd", "/etc/motd.new"]),
        (["/etc/motd"], ["/etc/motd"]),
        (["/etc/mot"], []),
        (["/opt/app/one", "/x"], ["/opt", "/x"]),
        (["/was-folder/u"], ["/was-folder"]),
        (["/x/y"], []),
        (["/"], ["/etc", "/etc/motd", "/etc/motd.new", "/opt", "/was-folder", "/x"]),
    ],
)
def test_what_stands_at_or_below_is_kept(paths: list[str], expected: list[str]) -> None:
    assert [kept.path for kept in at_or_below(CHANGES, absolute_paths(paths)).changes] == expected


def test_the_engines_own_paths_are_limited_too() -> None:
    assert at_or_below(CHANGES, {"/etc"}).engine_paths == ("/etc/hosts",)


def test_paths_are_absolute_and_plain() -> None:
    assert absolute_paths(["/a//b/./../c/", "//x"]) == {"/a/c", "/x"}
    for path in ("a", "", "./a", "~"):
        with pytest.raises(InvalidInput, match="not an absolute path"):
            absolute_paths([path])
