from __future__ import annotations

from typing import Any

import pytest

from snapshot.changeset.entry import FileEntry, FileType, PathChange
from snapshot.engine.types import ChangeKind
from snapshot.workflow.content_checks import _strangers, _with_changes


def file(path: str, **fields: Any) -> FileEntry:
    return FileEntry(path, fields.pop("type", FileType.FILE), fields.pop("mode", 0o644), 0, 0, **fields)


def tree(*paths: str) -> dict[str, FileEntry]:
    return {path: file(path, type=FileType.FOLDER if path.endswith("d") else FileType.FILE) for path in paths}


def changed(entry: FileEntry) -> PathChange:
    return PathChange(ChangeKind.CHANGED, entry.path, entry)


def deleted(path: str) -> PathChange:
    return PathChange(ChangeKind.DELETED, path)


BASE = tree("/d", "/d/a", "/d/d", "/d/d/b", "/dx", "/e")


def test_changes_are_made_to_the_tree() -> None:
    new = file("/new", size_bytes=1)
    after = _with_changes(BASE, [deleted("/e"), changed(new), changed(file("/d/a", mode=0o600))])
    assert after.keys() == BASE.keys() - {"/e"} | {"/new"}
    assert (after["/new"], after["/d/a"].mode) == (new, 0o600)


def test_a_deleted_folder_takes_with_it_what_was_in_it_and_nothing_of_a_like_name() -> None:
    assert _with_changes(BASE, [deleted("/d")]).keys() == {"/dx", "/e"}


@pytest.mark.parametrize("kind", [FileType.FILE, FileType.SYMLINK, FileType.FIFO])
def test_what_replaces_a_folder_takes_with_it_what_was_in_it(kind: FileType) -> None:
    assert _with_changes(BASE, [changed(file("/d", type=kind))]).keys() == {"/d", "/dx", "/e"}


def test_a_folder_that_changed_keeps_what_was_in_it() -> None:
    folder = file("/d", type=FileType.FOLDER, mode=0o700)
    assert _with_changes(BASE, [changed(folder)]) == BASE | {"/d": folder}


def test_what_was_recorded_stands_whatever_is_above_it() -> None:
    after = _with_changes(BASE, [changed(file("/d/d", type=FileType.SYMLINK)), changed(file("/d/d/x"))])
    assert {"/d/d", "/d/d/x"} <= after.keys()
    assert "/d/d/b" not in after


def test_the_tree_that_is_given_stays_as_it_is() -> None:
    before = dict(BASE)
    _with_changes(BASE, [deleted("/d"), changed(file("/e", mode=0))])
    assert before == BASE


def found(expected: dict[str, FileEntry], seen: dict[str, FileEntry], *recorded: str) -> list[str]:
    return [finding.subject for finding in _strangers(expected, seen, set(recorded))]


def test_what_was_not_recorded_is_named_with_its_letter_in_order() -> None:
    seen = tree("/b", "/d", "/new") | {"/c": file("/c", size_bytes=1)}
    assert found(tree("/a", "/b", "/c", "/d"), seen) == ["D /a", "C /c", "A /new"]


def test_a_difference_is_said() -> None:
    (finding,) = _strangers({"/a": file("/a")}, {"/a": file("/a", mode=0o4755, size_bytes=2)}, set())
    assert (finding.passed, finding.detail) == (False, "mode is 4755, recorded 0644; size is 2, recorded 0")


def test_recorded_paths_and_the_engine_s_own_are_judged_elsewhere() -> None:
    assert found(tree("/a", "/etc/hosts"), tree("/b", "/dev/null", "/proc"), "/a", "/b") == []


def test_which_name_of_a_file_is_the_first_is_no_difference() -> None:
    assert found({"/b": file("/b", hard_link="/a")}, {"/b": file("/b")}) == []


def test_of_many_differences_the_first_are_named_and_the_rest_counted() -> None:
    subjects = found(tree(*(f"/{number:03}" for number in range(25))), {})
    assert subjects == [f"D /{number:03}" for number in range(20)] + ["content"]
    (*_, last) = _strangers(tree(*(f"/{number:03}" for number in range(25))), {}, set())
    assert (last.passed, last.detail) == (False, "5 more paths differ")
    assert "content" not in found(tree(*(f"/{number:03}" for number in range(20))), {})
