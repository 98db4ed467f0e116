"""Changes on top of changes are one list against what is below them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.edited_tree import EditedTree
from snapshot.changeset.entry import Changeset, FileEntry, FileType, PathChange
from snapshot.changeset.folding import folded
from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.layer import LayerSpool
from snapshot.engine.types import ChangeKind
from snapshot.errors import InvalidInput, PathNotFound

if TYPE_CHECKING:
    from tests.unit.memory_files import FOLDER, MemoryFiles, Thing, member, symlink, whole
else:
    from memory_files import FOLDER, MemoryFiles, Thing, member, symlink, whole

BASE = whole(
    {"/d/old": Thing(text="old"), "/d/sub/deep": Thing(text="deep"), "/e": FOLDER, "/link": symlink("d")}
)
PATHS = [*BASE, "/new", "/new/below", "/d/more", "/e/x", "/d/old/below"]
THINGS = [FOLDER, FOLDER._replace(mode=0o700), Thing(text="old"), Thing(text="other"), symlink("d")]
edits = st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from([None, *THINGS])), max_size=6)
Edits = Sequence[tuple[str, "Thing | None"]]


def edit(tree: EditedTree, done: Edits) -> None:
    for path, thing in done:
        try:
            if thing is None:
                tree.remove(path)
            else:
                tree.put(path, tree.take(member(path, thing)))
        except (InvalidInput, PathNotFound):
            continue


def by_path(changeset: Changeset) -> dict[str, PathChange]:
    return {change.path: change for change in changeset.changes}


@given(st.lists(edits, min_size=1, max_size=4))
def test_several_changesets_are_as_one_with_all_edits(groups: list[Edits]) -> None:
    changesets = []
    with LayerSpool() as spool:
        at_once = EditedTree(MemoryFiles(BASE), spool)
        # Each group is made on what the one before left.
        below: ImageFiles = MemoryFiles(BASE)
        for group in groups:
            below = tree = EditedTree(below, spool)
            edit(tree, group)
            edit(at_once, group)
            changesets.append(tree.changeset())
        expected = by_path(at_once.changeset())
        found = by_path(folded(MemoryFiles(BASE), changesets))
        # What became what it was before counts all the same: a changeset tells no times.
        for path in found.keys() - expected.keys():
            here = at_once.at(path)
            assert found[path].kind is ChangeKind.CHANGED
            assert here
            assert path in BASE
    assert {path: found[path].kind for path in expected} == {p: c.kind for p, c in expected.items()}
    for path, change in expected.items():
        entry = found[path].file
        assert (entry is None) == (change.file is None)
        if entry and change.file and change.file.sha256:
            assert entry == change.file


def entry(path: str, **fields: str) -> FileEntry:
    return FileEntry(path, FileType.FILE, 0o644, 0, 0, 3, "aa", **fields)


def folder(path: str, mode: int = 0o755) -> FileEntry:
    return FileEntry(path, FileType.FOLDER, mode, 0, 0)


def changes(*lines: str | FileEntry) -> Changeset:
    """``A`` for entries of paths that are not in the base, ``C`` for others, and words for the rest."""
    found = []
    for line in lines:
        if isinstance(line, FileEntry):
            kind = ChangeKind.CHANGED if line.path in BASE else ChangeKind.ADDED
            found.append(PathChange(kind, line.path, line))
        else:
            found.append(PathChange(ChangeKind(line[0]), line[2:]))
    return Changeset(tuple(found))


def listed(*changesets: Changeset) -> list[str]:
    found = folded(MemoryFiles(BASE), changesets)
    return [f"{change.kind.value} {change.path}" for change in found.changes]


def test_what_one_adds_and_the_next_deletes_is_no_change() -> None:
    first = changes(folder("/d"), entry("/d/more"), entry("/new"))
    assert listed(first, changes(folder("/d"), "D /d/more")) == ["A /new"]


def test_what_one_deletes_and_the_next_adds_is_changed() -> None:
    assert listed(changes(folder("/d"), "D /d/old"), changes(folder("/d"), entry("/d/old"))) == [
        "C /d",
        "C /d/old",
    ]


def test_a_folder_that_was_listed_for_nothing_below_it_was_changed_itself() -> None:
    assert listed(changes(folder("/d"), folder("/d/sub"))) == ["C /d", "C /d/sub"]


def test_a_folder_with_another_mode_stays_listed_when_all_below_it_is_as_it_was() -> None:
    first = changes(folder("/d", 0o700), entry("/d/more"))
    assert listed(first, changes(folder("/d", 0o700), "D /d/more")) == ["C /d"]


def test_a_name_of_a_file_has_the_content_when_the_first_name_went() -> None:
    first = changes(entry("/a"), entry("/b", hard_link="/a"), entry("/c", hard_link="/a"))
    found = by_path(folded(MemoryFiles(BASE), [first, changes("D /a")]))
    assert {path: change.file and change.file.hard_link for path, change in found.items()} == {
        "/b": "",
        "/c": "/b",
    }


def test_what_the_engine_put_there_is_told_once() -> None:
    first, second = Changeset((), ("/etc/hosts", "/dev")), Changeset((), ("/etc/hosts",))
    assert folded(MemoryFiles(BASE), [first, second]).engine_paths == ("/dev", "/etc/hosts")


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_is_nothing(count: int) -> None:
    assert listed(*[Changeset(())] * count) == []
