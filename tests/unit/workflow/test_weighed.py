from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from snapshot.changeset.entry import PathChange
from snapshot.changeset.trees import changes_between_trees
from snapshot.changeset.weights import WeighedChange, weight
from snapshot.engine.types import ChangeKind
from snapshot.workflow.diff import Comparison
from snapshot.workflow.weighed import weighed

if TYPE_CHECKING:
    from tests.unit.memory_files import FOLDER, MemoryFiles, Thing, Tree, member, symlink, whole
    from tests.unit.memory_sides import MemorySide, compared
else:
    from memory_files import FOLDER, MemoryFiles, Thing, Tree, member, symlink, whole
    from memory_sides import MemorySide, compared

A, C, D = ChangeKind.ADDED, ChangeKind.CHANGED, ChangeKind.DELETED


def comparison(old: Tree, new: Tree, listed: tuple[PathChange, ...] | None = None) -> Comparison:
    entries = [
        {path: member(path, thing).entry for path, thing in whole(tree).items()} for tree in (old, new)
    ]
    changes = changes_between_trees(*entries).changes if listed is None else listed
    return compared(MemorySide(MemoryFiles(old)), MemorySide(MemoryFiles(new)), changes)


def test_each_change_has_its_bytes_before_and_now() -> None:
    old = {"/etc/a": Thing(text="12345"), "/etc/b": Thing(text="1"), "/etc/l": symlink("a")}
    new = {"/etc/a": Thing(text="123"), "/srv/c": Thing(text="12"), "/etc/l": symlink("b")}
    assert list(weighed(comparison(old, new))) == [
        WeighedChange(C, "/etc/a", 5, 3),
        WeighedChange(D, "/etc/b", 1, 0),
        WeighedChange(C, "/etc/l", 0, 0),
        WeighedChange(A, "/srv", 0, 0),
        WeighedChange(A, "/srv/c", 0, 2),
    ]


@pytest.mark.parametrize(
    ("new", "change"),
    [({}, WeighedChange(D, "/a", 6, 0)), ({"/a": Thing(text="x")}, WeighedChange(C, "/a", 6, 1))],
)
def test_with_a_folder_all_went_that_was_in_it(new: Tree, change: WeighedChange) -> None:
    old = {"/a/b/c": Thing(text="123"), "/a/d": Thing(text="45"), "/a/e/f": Thing(text="6")}
    assert list(weighed(comparison(old, new))) == [change]


def test_a_folder_that_stays_one_keeps_what_is_in_it() -> None:
    old = {"/a": FOLDER, "/a/b": Thing(text="123")}
    new = {**old, "/a": FOLDER._replace(mode=0o700)}
    assert list(weighed(comparison(old, new))) == [WeighedChange(C, "/a", 0, 0)]


def listed(kind: ChangeKind, path: str, thing: Thing) -> PathChange:
    return PathChange(kind, path, member(path, thing).entry)


def test_a_folder_that_is_listed_for_what_is_in_it_is_no_change() -> None:
    changes = (listed(C, "/etc", FOLDER), listed(A, "/etc/a", Thing(text="1")))
    made = comparison({"/etc": FOLDER}, {"/etc/a": Thing(text="1")}, changes)
    assert list(weighed(made)) == [WeighedChange(A, "/etc/a", 0, 1)]


def test_without_the_old_files_no_more_is_told_than_is_known() -> None:
    changes = (
        listed(C, "/etc", FOLDER),
        listed(A, "/etc/a", Thing(text="1")),
        listed(C, "/etc/b", Thing(text="12")),
        PathChange(D, "/etc/c"),
        listed(C, "/srv", FOLDER),
    )
    found = list(weighed(comparison({}, {}, changes)._replace(old=None)))
    assert found == [
        WeighedChange(A, "/etc/a", 0, 1),
        WeighedChange(C, "/etc/b", None, 2),
        WeighedChange(D, "/etc/c", None, 0),
        WeighedChange(C, "/srv", None, 0),
    ]


def test_names_of_one_file_count_once() -> None:
    first = listed(A, "/a", Thing(text="12345"))
    assert first.file
    second = PathChange(A, "/b", replace(first.file, path="/b", hard_link="/a"))
    found = list(
        weighed(comparison({}, {"/a": Thing(text="12345"), "/b": Thing(text="12345")}, (first, second)))
    )
    assert weight("/", found).growth_bytes == 5
