"""Two trees, and what is said to differ between them."""

from __future__ import annotations

import posixpath
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.entry import Changeset, FileEntry, FileType
from snapshot.changeset.paths import component_order
from snapshot.changeset.reader import read_everything
from snapshot.changeset.trees import Tree, changes_between_trees
from snapshot.engine.types import ChangeKind

if TYPE_CHECKING:
    from tests.unit.changeset.memory_source import MemorySource, Node, folder
else:
    from memory_source import MemorySource, Node, folder


def a_file(path: str, content: str = "0", **fields: object) -> FileEntry:
    entry = FileEntry(path, FileType.FILE, 0o644, 0, 0, 1, sha256=content)
    return replace(entry, **fields)  # type: ignore[arg-type]


def a_folder(path: str, mode: int = 0o755) -> FileEntry:
    return FileEntry(path, FileType.FOLDER, mode, 0, 0)


def tree(*entries: FileEntry) -> dict[str, FileEntry]:
    """These entries, with the folders that they stand in."""
    found: dict[str, FileEntry] = {}
    for entry in entries:
        above = posixpath.dirname(entry.path)
        while above != "/":
            found.setdefault(above, a_folder(above))
            above = posixpath.dirname(above)
        found[entry.path] = entry
    return found


def lines(changeset: Changeset) -> list[str]:
    found = []
    for change in changeset.changes:
        link = change.file.hard_link if change.file else ""
        found.append(f"{change.kind.value} {change.path}" + (f" = {link}" if link else ""))
    return found


def compared(old: Tree, new: Tree, mounts: Collection[str] = (), *, everything: bool = False) -> list[str]:
    return lines(changes_between_trees(old, new, mounts, with_engine_paths=everything))


PATHS = [f"/{a}{b}{c}" for a in "ab" for b in ("", "/a", "/b") for c in (("", "/c") if b else ("",))]


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Any tree: what stands below something that is no folder is left out, and some files have two names."""
    found: dict[str, FileEntry] = {}
    for path in sorted(draw(st.sets(st.sampled_from(PATHS)))):
        above = posixpath.dirname(path)
        if above != "/" and (above not in found or found[above].type is not FileType.FOLDER):
            continue
        files = [entry for entry in found.values() if entry.type is FileType.FILE]
        options = [a_folder(path), a_folder(path, 0o700), a_file(path), a_file(path, "1")]
        options += [replace(file, path=path, hard_link=file.hard_link or file.path) for file in files]
        found[path] = draw(st.sampled_from(options))
    return found


def groups(files: Tree) -> set[frozenset[str]]:
    """The names of each file that has several."""
    by_first: dict[str, set[str]] = {}
    for path, entry in files.items():
        by_first.setdefault(entry.hard_link or path, set()).add(path)
    return {frozenset(names) for names in by_first.values() if len(names) > 1}


@given(trees(), trees())
def test_the_old_tree_with_the_changes_is_the_new_one(old: Tree, new: Tree) -> None:
    changes = changes_between_trees(old, new).changes
    after = dict(old)
    for change in changes:
        if change.file is None or change.file.type is not FileType.FOLDER:
            after = {path: entry for path, entry in after.items() if not path.startswith(change.path + "/")}
        if change.file is None:
            del after[change.path]
        else:
            after[change.path] = change.file
    assert {path: replace(entry, hard_link="") for path, entry in after.items()} == {
        path: replace(entry, hard_link="") for path, entry in new.items()
    }
    assert [change.path for change in changes] == sorted((c.path for c in changes), key=component_order)
    for change in changes:
        assert (change.path in old) == (change.kind is not ChangeKind.ADDED)
        assert (change.path in new) == (change.kind is not ChangeKind.DELETED)


@given(trees(), trees())
def test_links_among_the_changed_are_told_by_the_first_of_their_names(old: Tree, new: Tree) -> None:
    changed = {change.path: change.file for change in changes_between_trees(old, new).changes if change.file}
    among = [names & changed.keys() for names in groups(new)]
    assert groups(changed) == {frozenset(names) for names in among if len(names) > 1}
    for path, entry in changed.items():
        assert not entry.hard_link or component_order(entry.hard_link) < component_order(path)


@given(trees())
def test_a_tree_differs_in_nothing_from_itself(one: Tree) -> None:
    assert changes_between_trees(one, one) == Changeset(())


def test_each_field_of_an_entry_counts() -> None:
    old = a_file("/f")
    for new in (
        a_file("/f", "1"),
        a_file("/f", mode=0o4755),
        a_file("/f", uid=1),
        a_file("/f", gid=1),
        a_file("/f", capability="01"),
        a_file("/f", type=FileType.FIFO),
    ):
        assert compared(tree(old), tree(new)) == ["C /f"]
    link = FileEntry("/l", FileType.SYMLINK, 0o777, 0, 0, link_target="a")
    assert compared(tree(link), tree(replace(link, link_target="b"))) == ["C /l"]
    device = FileEntry("/d", FileType.CHARACTER_DEVICE, 0o600, 0, 0, device="1:3")
    assert compared(tree(device), tree(replace(device, device="1:5"))) == ["C /d"]


def test_a_folder_is_listed_only_where_it_changed_itself() -> None:
    old = tree(a_folder("/etc"), a_file("/etc/f"), a_file("/etc/g"))
    assert compared(old, tree(a_file("/etc/f", "1"), a_file("/etc/new"))) == [
        "C /etc/f",
        "D /etc/g",
        "A /etc/new",
    ]
    assert compared(old, old | tree(a_folder("/etc", 0o700))) == ["C /etc"]


def test_a_deleted_folder_is_one_line_and_a_new_one_has_all_that_is_in_it() -> None:
    full = tree(a_file("/a/b/c"), a_file("/a/b/d"))
    assert compared(full, {}) == ["D /a"]
    assert compared({}, full) == ["A /a", "A /a/b", "A /a/b/c", "A /a/b/d"]


def test_what_became_something_else_is_one_change() -> None:
    full = tree(a_file("/a/b/c"))
    other = tree(a_file("/a"))
    assert compared(full, other) == ["C /a"]
    assert compared(other, full) == ["C /a", "A /a/b", "A /a/b/c"]


def test_a_link_that_was_broken_is_a_change_of_the_name_that_left() -> None:
    linked = tree(a_file("/a"), a_file("/b", hard_link="/a"), a_file("/c", hard_link="/a"))
    alone = tree(a_file("/a"), a_file("/b"), a_file("/c", hard_link="/b"))
    assert compared(linked, alone) == ["C /b", "C /c = /b"]
    assert compared(alone, linked) == ["C /b", "C /c = /b"]


def test_an_edit_under_one_of_two_names_leaves_the_other_unchanged() -> None:
    linked = tree(a_file("/a"), a_file("/b", hard_link="/a"))
    assert compared(linked, tree(a_file("/a", "1"), a_file("/b"))) == ["C /a"]
    assert compared(linked, tree(a_file("/b"))) == ["D /a"]


def test_which_name_an_archive_has_first_is_no_difference() -> None:
    one = tree(a_file("/a"), a_file("/b", hard_link="/a"))
    other = tree(a_file("/a", hard_link="/b"), a_file("/b"))
    assert compared(one, other) == []


def test_a_new_name_of_an_unchanged_file_is_one_added_path() -> None:
    assert compared(tree(a_file("/a")), tree(a_file("/a"), a_file("/b", hard_link="/a"))) == ["A /b"]


def test_the_engine_s_own_paths_are_parted_from_the_others() -> None:
    old = tree(a_folder("/etc"), a_file("/etc/hosts"), a_folder("/mnt"))
    new = tree(
        a_folder("/etc", 0o700), a_file("/etc/hosts", "1"), a_file("/run/.containerenv"),
        a_file("/data/x"), a_file("/mnt/own"), a_file("/mnt/bind/x"), a_folder("/dev"),
    )  # fmt: skip
    found = changes_between_trees(old, new, ["/mnt/bind/", "/data"])
    assert lines(found) == ["C /etc", "A /mnt/own"]
    assert found.engine_paths == (
        "/data", "/data/x", "/dev", "/etc/hosts", "/mnt/bind", "/mnt/bind/x", "/run", "/run/.containerenv",
    )  # fmt: skip
    whole = changes_between_trees(old, new, ["/mnt/bind/", "/data"], with_engine_paths=True)
    assert {change.path for change in whole.changes} == {"/etc", "/mnt/own", *found.engine_paths}
    assert whole.engine_paths == ()


def test_trees_that_were_read_from_exports_are_compared_by_content() -> None:
    both = Node(b"both")
    old = MemorySource({"/a/same": Node(b"1"), "/a/edited": Node(b"1"), "/x": both, "/y": both})
    new = MemorySource(
        {"/a/same": Node(b"1", mtime_s=5), "/a/edited": Node(b"2"), "/x": Node(b"both"), "/y": Node(b"both")}
        | {"/new": folder()}
    )
    found = changes_between_trees(read_everything(old), read_everything(new))
    assert lines(found) == ["C /a/edited", "A /new", "C /y"]
    assert found.changes[0].file
    assert len(found.changes[0].file.sha256) == 64
