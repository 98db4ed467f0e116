"""Layers laid on one another hold what an engine makes of them, and tell what differs by themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.between import changes_between_layers
from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.laid_layers import LaidLayers
from snapshot.changeset.layer_contents import LayerContents
from snapshot.changeset.member import Member
from snapshot.changeset.paths import component_order, folders_above, is_at_or_below
from snapshot.changeset.trees import changes_between_trees

if TYPE_CHECKING:
    from tests.unit.memory_files import FOLDER, MemoryFiles, Thing, Tree, member, names_in, symlink, whole
else:
    from memory_files import FOLDER, MemoryFiles, Thing, Tree, member, names_in, symlink, whole

NO_LAYER = LayerContents("", ())


def hashed(path: str, thing: Thing) -> FileEntry:
    entry = member(path, thing).entry
    if entry.type is not FileType.FILE:
        return entry
    return replace(entry, sha256=hashlib.sha256(thing.text.encode()).hexdigest())


def entries(things: Tree) -> dict[str, FileEntry]:
    return {path: hashed(path, thing) for path, thing in whole(things).items()}


def layer_between(
    before: Tree, after: Tree, opaque: Collection[str] = (), *, all_of_it: bool = False
) -> LayerContents:
    """A layer that makes one tree of another; folders may be opaque, or all be listed as it is."""
    before, after = whole(before), whole(after)
    emptied = [
        path for path in opaque if path in after and after[path].type is FileType.FOLDER and path != "/"
    ]
    anew = {
        path for path in after if any(path != folder and is_at_or_below(path, folder) for folder in emptied)
    }
    put = {
        path
        for path in after
        if all_of_it or path in anew or path in emptied or before.get(path) != after[path]
    }
    deleted = [
        path
        for path in before.keys() - after.keys()
        if _is_folder(after, path.rpartition("/")[0] or "/")
        and not any(is_at_or_below(path, folder) for folder in emptied)
    ]
    put |= {folder for path in (*put, *deleted) for folder in folders_above(path)}
    things = {path: after[path] for path in sorted(put - {"/"}, key=component_order)}
    return LayerContents(
        "",
        tuple(hashed(path, thing) for path, thing in things.items()),
        tuple(sorted(deleted, key=component_order)),
        tuple(sorted(emptied, key=component_order)),
        {path: thing.xattrs for path, thing in things.items() if thing.xattrs},
    )


def _is_folder(things: Tree, path: str) -> bool:
    return path in things and things[path].type is FileType.FOLDER


_THINGS = st.sampled_from(
    [Thing(text="a"), Thing(text="b"), Thing(text="ccc"), Thing(mode=0o600), FOLDER, symlink("a")]
)
_PATHS = ("/a", "/b", "/a/a", "/a/b", "/a/a/a", "/b/a", "/b/b/a")


@st.composite
def _trees(draw: st.DrawFn) -> Tree:
    found: dict[str, Thing] = {}
    for path, thing in sorted(draw(st.dictionaries(st.sampled_from(_PATHS), _THINGS, max_size=6)).items()):
        if all(found.get(folder, FOLDER).type is FileType.FOLDER for folder in folders_above(path)):
            found[path] = thing
    return found


@st.composite
def _images(draw: st.DrawFn, base: Tree) -> tuple[Tree, list[LayerContents]]:
    trees = [base, *draw(st.lists(_trees(), max_size=3))]
    opaque = st.lists(st.sampled_from(_PATHS), max_size=2)
    layers = [
        layer_between(before, after, draw(opaque), all_of_it=draw(st.booleans()))
        for before, after in pairwise(trees)
    ]
    return trees[-1], layers


@given(st.data())
def test_what_differs_in_the_layers_is_what_differs_in_the_whole(data: st.DataObject) -> None:
    base = data.draw(_trees())
    (old, old_layers), (new, new_layers) = data.draw(_images(base)), data.draw(_images(base))
    found, _ = changes_between_layers(MemoryFiles(old), old_layers, MemoryFiles(new), new_layers)
    assert found == changes_between_trees(entries(old), entries(new))


@given(st.data())
def test_layers_with_nothing_below_them_make_a_whole_tree(data: st.DataObject) -> None:
    things, layers = data.draw(_images({}))
    laid = LaidLayers(None, layers)
    expected = {path: entry for path, entry in entries(things).items() if path != "/"}
    assert laid.tree() == expected
    for path in ("/", *_PATHS, "/none", "/a/none"):
        stands = laid.at(path)
        assert (stands.entry if stands else None) == entries(things).get(path), path
        assert list(laid.names(path)) == names_in(whole(things), path), path


@given(st.data())
def test_on_the_files_below_them_layers_show_what_is_left_of_these(data: st.DataObject) -> None:
    base = data.draw(_trees())
    things, layers = data.draw(_images(base))
    laid = LaidLayers(MemoryFiles(base), layers)
    for path in ("/", *_PATHS, "/none", "/a/none"):
        stands, expected = laid.at(path), entries(things).get(path)
        assert (stands.entry.type if stands else None) == (expected.type if expected else None), path
        assert list(laid.names(path)) == names_in(whole(things), path), path


BASE = {"/etc/motd": Thing(text="hi"), "/etc/app/one": Thing(text="1"), "/etc/app/two": Thing(text="22")}


def lines(
    old: Sequence[LayerContents], new: Sequence[LayerContents], files: Sequence[MemoryFiles]
) -> list[str]:
    found, _ = changes_between_layers(files[0], old, files[1], new)
    return [f"{change.kind.value} {change.path}" for change in found.changes]


def test_nothing_is_looked_up_that_both_sides_have_in_their_layers() -> None:
    one, other = BASE | {"/etc/motd": Thing(text="1")}, BASE | {"/etc/motd": Thing(text="2")}
    files = MemoryFiles(one), MemoryFiles(other)
    assert lines([layer_between(BASE, one)], [layer_between(BASE, other)], files) == ["C /etc/motd"]
    assert [side.asked for side in files] == [[], []]


def test_of_a_deleted_folder_nothing_below_is_looked_up() -> None:
    new = {"/etc/motd": Thing(text="hi")}
    files = MemoryFiles(BASE), MemoryFiles(new)
    assert lines([], [layer_between(BASE, new)], files) == ["D /etc/app"]
    assert not [path for side in files for path in side.asked if path.startswith("/etc/app/")]


class Unread(MemoryFiles):
    """Files of which nobody may ask for a content."""

    def at(self, path: str) -> Member | None:
        found = super().at(path)
        return replace(found, content=lambda: pytest.fail(f"{path} was read")) if found else None


def test_a_file_of_another_size_is_not_read_to_be_told_as_changed() -> None:
    new = BASE | {"/etc/motd": Thing(text="longer")}
    files = Unread(BASE), Unread(new)
    assert lines([], [layer_between(BASE, new)], files) == ["C /etc/motd"]
    with pytest.raises(pytest.fail.Exception, match="was read"):
        lines([], [layer_between(new, BASE, all_of_it=True)], (Unread(BASE), Unread(BASE)))


def linked(path: str, first: str, text: str = "x") -> FileEntry:
    return replace(hashed(path, Thing(text=text)), hard_link=first)


def test_names_of_one_file_are_those_that_are_left() -> None:
    first = LayerContents("", (linked("/a", ""), linked("/b", "/a"), linked("/c", "/a")))
    laid = LaidLayers(None, [first, LayerContents("", (), deleted=("/a",))])
    assert {path: entry.hard_link for path, entry in laid.tree().items()} == {"/b": "", "/c": "/b"}
    assert laid.origin("/c") == (0, "/a")
    replaced = LaidLayers(None, [first, LayerContents("", (hashed("/a", Thing(text="new")),))])
    assert {path: entry.hard_link for path, entry in replaced.tree().items()} == {
        "/a": "",
        "/b": "",
        "/c": "/b",
    }


def test_a_name_of_a_file_that_a_layer_further_down_has_is_that_file() -> None:
    link = replace(linked("/b", "/a"), size_bytes=0, sha256="")
    laid = LaidLayers(None, [LayerContents("", (linked("/a", ""),)), LayerContents("", (link,))])
    assert laid.tree()["/b"] == linked("/b", "/a")
    # Where the layer below was not read, the file is looked up.
    files = MemoryFiles({"/a": Thing(text="x"), "/b": Thing(text="x")})
    found, _ = changes_between_layers(
        MemoryFiles({"/a": Thing(text="x")}), [], files, [LayerContents("", (link,))]
    )
    assert [(change.path, change.file) for change in found.changes] == [("/b", hashed("/b", Thing(text="x")))]


def test_a_name_that_became_one_of_another_file_of_equal_size_is_a_change() -> None:
    old = {"/a": Thing(text="x"), "/b": Thing(text="y")}
    link = replace(linked("/b", "/a"), size_bytes=0, sha256="")
    files = MemoryFiles(old), MemoryFiles({"/a": Thing(text="x"), "/b": Thing(text="x")})
    assert lines([], [LayerContents("", (link,))], files) == ["C /b"]


def test_names_of_one_file_that_are_added_stay_names_of_one_file() -> None:
    new = LayerContents("", (linked("/a", ""), linked("/b", "/a")))
    files = MemoryFiles({"/a": Thing(text="x"), "/b": Thing(text="x")})
    found, _ = changes_between_layers(MemoryFiles({}), [], files, [new])
    assert [change.file.hard_link for change in found.changes if change.file] == ["", "/a"]


def test_a_folder_that_is_only_on_the_way_is_what_the_engine_made_of_it() -> None:
    new = {"/d": Thing(FileType.FOLDER, mode=0o711), "/d/f": Thing(text="new")}
    old = {"/d": Thing(FileType.FOLDER, mode=0o700), "/d/f": Thing(text="old")}
    layer = LayerContents("", (hashed("/d/f", new["/d/f"]),))
    assert lines([], [layer], (MemoryFiles(old), MemoryFiles(new))) == ["C /d", "C /d/f"]
    # With no files to ask it is as engines make one.
    assert LaidLayers(None, [layer]).tree()["/d"] == hashed("/d", FOLDER)


def test_other_attributes_are_a_change_where_both_sides_show_them() -> None:
    old, new = (
        {"/a": Thing(text="x", xattrs={"user.a": b"1"})},
        {"/a": Thing(text="x", xattrs={"user.a": b"2"})},
    )
    layer = layer_between(old, new)
    files = MemoryFiles(old), MemoryFiles(new)
    found = changes_between_layers(files[0], [], files[1], [layer])
    assert ([change.path for change in found.changeset.changes], found.attributes_seen) == (["/a"], True)
    unseen = changes_between_layers(files[0], [], files[1], [layer], attributes_shown=lambda: (False, True))
    assert (unseen.changeset.changes, unseen.attributes_seen) == ((), False)
