from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.between import changes_between
from snapshot.changeset.entry import Changeset, FileEntry, FileType, PathChange
from snapshot.changeset.trees import changes_between_trees
from snapshot.engine.types import ChangeKind
from snapshot.errors import InvalidInput

if TYPE_CHECKING:
    from tests.unit.memory_files import FOLDER, MemoryFiles, Thing, Tree, member, symlink, whole
else:
    from memory_files import FOLDER, MemoryFiles, Thing, Tree, member, symlink, whole


def entries(things: Tree) -> dict[str, FileEntry]:
    """A file system as one that was read from end to end."""
    found = {}
    for path, thing in whole(things).items():
        entry = member(path, thing).entry
        if entry.type is FileType.FILE:
            entry = replace(entry, sha256=hashlib.sha256(thing.text.encode()).hexdigest())
        found[path] = entry
    return found


def listed(base: Tree, things: Tree) -> Changeset:
    return changes_between_trees(entries(base), entries(things))


def lines(base: Tree, old: Tree, new: Tree) -> list[str]:
    files = MemoryFiles(base)
    found = changes_between(files, listed(base, old), files, listed(base, new))
    return [f"{change.kind.value} {change.path}" for change in found.changes]


BASE = {"/etc/motd": Thing(text="hi"), "/etc/app/one": Thing(text="1"), "/etc/app/two": Thing(text="22")}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(BASE, BASE, [], id="nothing"),
        pytest.param(BASE | {"/a": Thing(text="x")}, BASE | {"/a": Thing(text="x")}, [], id="the same"),
        pytest.param(
            BASE | {"/a": Thing(text="x")}, BASE | {"/a": Thing(text="y")}, ["C /a"], id="other content"
        ),
        pytest.param(BASE | {"/a": Thing()}, BASE, ["D /a"], id="not added"),
        pytest.param(BASE, BASE | {"/a/b": Thing()}, ["A /a", "A /a/b"], id="added"),
        pytest.param(
            BASE | {"/etc/motd": Thing(text="ho")}, BASE, ["C /etc/motd"], id="not changed, of equal size"
        ),
        pytest.param(
            {"/etc/motd": Thing(text="hi")},
            BASE,
            ["A /etc/app", "A /etc/app/one", "A /etc/app/two"],
            id="a folder that was deleted",
        ),
        pytest.param(
            BASE,
            {"/etc/motd": Thing(text="hi"), "/etc/app": Thing(text="file")},
            ["C /etc/app"],
            id="a folder that became a file",
        ),
        pytest.param(BASE | {"/l": symlink("a")}, BASE | {"/l": symlink("b")}, ["C /l"], id="a link"),
    ],
)
def test_what_differs_is_told_by_path(old: Tree, new: Tree, expected: list[str]) -> None:
    assert lines(BASE, old, new) == expected


def test_what_an_engine_lists_though_it_is_as_it_was_is_no_difference() -> None:
    touched = entries(BASE)
    changes = [PathChange(ChangeKind.CHANGED, path, touched[path]) for path in ("/etc", "/etc/motd")]
    files = MemoryFiles(BASE)
    assert changes_between(files, Changeset(tuple(changes)), files, Changeset(())).changes == ()
    assert changes_between(files, Changeset(()), files, Changeset(tuple(changes))).changes == ()


def test_names_of_one_file_count_where_both_lists_tell_of_them() -> None:
    files = MemoryFiles({})
    apart = listed({}, {"/a": Thing(text="x"), "/b": Thing(text="x")})
    first, second = apart.changes
    assert second.file
    linked = Changeset((first, replace(second, entry=replace(second.file, hard_link="/a"))))
    found = changes_between(files, apart, files, linked).changes
    assert [change.path for change in found] == ["/b"]
    assert changes_between(files, linked, files, linked).changes == ()


def test_only_what_one_list_lacks_is_looked_up_in_the_base() -> None:
    files = MemoryFiles(BASE)
    old, new = BASE | {"/etc/motd": Thing(text="1")}, BASE | {"/etc/motd": Thing(text="2")}
    changes_between(files, listed(BASE, old), files, listed(BASE, new))
    assert not [path for path in files.asked if path.startswith("/etc/app/")]


def test_on_two_bases_what_neither_list_has_is_taken_for_the_same() -> None:
    bases = MemoryFiles(BASE), MemoryFiles(BASE | {"/new": Thing(), "/etc/motd": Thing(text="other")})
    one = listed({}, {"/a": Thing(text="x")})
    assert changes_between(bases[0], one, bases[1], one).changes == ()
    found = changes_between(bases[0], one, bases[1], Changeset(())).changes
    assert [(change.kind, change.path) for change in found] == [(ChangeKind.DELETED, "/a")]


def test_a_list_that_cannot_be_one_of_the_base_is_refused() -> None:
    files = MemoryFiles(BASE)
    wrong = listed({}, {"/etc/motd/x": Thing()})
    below = Changeset(tuple(change for change in wrong.changes if change.path == "/etc/motd/x"))
    with pytest.raises(InvalidInput, match="/etc/motd"):
        changes_between(files, below, files, Changeset(()))


_NOTHING = FileEntry("", FileType.FILE, 0, 0, 0)
_THINGS = st.sampled_from(
    [Thing(text="a"), Thing(text="b"), Thing(text="ccc"), Thing(mode=0o600), FOLDER, symlink("a")]
)
_PATHS = st.sampled_from(["/a", "/b", "/a/a", "/a/b", "/a/a/a", "/b/a", "/b/b/a"])


@st.composite
def _trees(draw: st.DrawFn) -> Tree:
    found: dict[str, Thing] = {}
    for path, thing in draw(st.dictionaries(_PATHS, _THINGS, max_size=6)).items():
        is_below_a_file = any(
            path.startswith(f"{other}/") and found[other].type is not FileType.FOLDER for other in found
        )
        has_something_below = any(other.startswith(f"{path}/") for other in found)
        if not is_below_a_file and not (has_something_below and thing.type is not FileType.FOLDER):
            found[path] = thing
    return found


@given(_trees(), _trees(), _trees())
def test_it_is_what_reading_both_images_would_have_told(base: Tree, old: Tree, new: Tree) -> None:
    found = changes_between(MemoryFiles(base), listed(base, old), MemoryFiles(base), listed(base, new))
    read = changes_between_trees(entries(old), entries(new))
    assert [change[:2] for change in _plain(found)] == [change[:2] for change in _plain(read)]
    for (_, path, entry), (_, _, as_read) in zip(_plain(found), _plain(read), strict=True):
        # The content of what is as in the base is read only where it matters.
        assert replace(entry, sha256=entry.sha256 or as_read.sha256) == as_read, path


def _plain(changeset: Changeset) -> list[tuple[ChangeKind, str, FileEntry]]:
    return [(change.kind, change.path, change.file or _NOTHING) for change in changeset.changes]
