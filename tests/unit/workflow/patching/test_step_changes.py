from __future__ import annotations

import pytest

from snapshot.changeset.entry import Changeset, FileEntry, FileType, PathChange
from snapshot.engine.types import ChangeKind
from snapshot.journal.step import MOST_LISTED, StepChanges
from snapshot.workflow.patching.step_changes import step_changes

A, C, D = ChangeKind.ADDED, ChangeKind.CHANGED, ChangeKind.DELETED


def folder(path: str, kind: ChangeKind = C, mode: int = 0o755) -> PathChange:
    return PathChange(kind, path, FileEntry(path, FileType.FOLDER, mode, 0, 0))


def file(path: str, kind: ChangeKind = A, size: int = 1) -> PathChange:
    return PathChange(kind, path, FileEntry(path, FileType.FILE, 0o644, 0, 0, size))


def of(*changes: PathChange) -> Changeset:
    return Changeset(tuple(sorted(changes, key=lambda change: change.path)))


def test_folders_that_stand_above_what_changed_do_not_count() -> None:
    assert step_changes(of(), of(folder("/etc"), file("/etc/a"))) == StepChanges(1, 0, 0, ("A /etc/a",))


def test_a_folder_that_changed_by_itself_counts() -> None:
    assert step_changes(of(), of(folder("/etc"))).listed == ("C /etc",)


def test_what_an_earlier_one_changed_is_not_told_again() -> None:
    before = of(folder("/etc"), file("/etc/a"))
    after = of(folder("/etc"), file("/etc/a"), file("/etc/b"), PathChange(D, "/usr"))
    assert step_changes(before, after) == StepChanges(1, 0, 1, ("A /etc/b", "D /usr"))


def test_another_change_of_a_changed_path_is_one_of_this_step() -> None:
    assert step_changes(of(file("/a", C)), of(file("/a", C, 2))).listed == ("C /a",)


def test_what_was_added_and_is_gone_was_deleted() -> None:
    assert step_changes(of(file("/a")), of()) == StepChanges(0, 0, 1, ("D /a",))


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        (file("/a"), file("/a", A, 2), "C /a"),
        (file("/a", C), file("/a", C, 2), "C /a"),
        (file("/a", C), PathChange(D, "/a"), "D /a"),
        (PathChange(D, "/a"), file("/a", C), "A /a"),
        (PathChange(D, "/a"), None, "A /a"),
        (file("/a", C), None, "C /a"),
        (folder("/a"), None, "C /a"),
    ],
)
def test_a_change_is_told_against_what_was_there_before(
    was: PathChange, now: PathChange | None, told: str
) -> None:
    assert step_changes(of(was), of(now) if now else of()).listed == (told,)


def test_a_folder_that_is_gone_tells_of_what_is_gone_with_it() -> None:
    before = of(folder("/d"), file("/d/changed", C), PathChange(D, "/d/gone"), file("/d/new"))
    assert step_changes(before, of(PathChange(D, "/d"))).listed == ("D /d", "D /d/new")


def test_many_changes_are_counted_and_not_listed() -> None:
    many = of(*(file(f"/{number}") for number in range(MOST_LISTED + 1)))
    assert step_changes(of(), many) == StepChanges(MOST_LISTED + 1)
