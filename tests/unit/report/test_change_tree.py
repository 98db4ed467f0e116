from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.entry import FileEntry, FileType, PathChange
from snapshot.changeset.paths import component_order
from snapshot.engine.types import ChangeKind
from snapshot.report.change_tree import CHILDREN_TOLD, MOST_DEPTH, FolderNode, change_tree, children_told

PARTS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=5).map(lambda parts: "/" + "/".join(parts))


def change(path: str, kind: ChangeKind = ChangeKind.ADDED, size_bytes: int = 1) -> PathChange:
    if kind is ChangeKind.DELETED:
        return PathChange(kind, path)
    return PathChange(kind, path, FileEntry(path, FileType.FILE, 0o644, 0, 0, size_bytes))


def folder(path: str) -> PathChange:
    return PathChange(ChangeKind.CHANGED, path, FileEntry(path, FileType.FOLDER, 0o755, 0, 0))


def told(node: FolderNode, most: int) -> Iterator[PathChange]:
    folders, files = node.told(most)
    for below in folders:
        yield from [below.change] if below.change else []
        yield from told(below, most)
    yield from (change for _, change in files)


def left_out(node: FolderNode, most: int) -> Counter[ChangeKind]:
    counts = node.left_out(most)
    for below in node.told(most)[0]:
        counts += left_out(below, most)
    return counts


def changes_of(paths: set[str], kinds: list[ChangeKind]) -> list[PathChange]:
    """Changes as an engine lists them: whatever has something below is a folder, some of which are listed."""
    above = {path.rpartition("/")[0] for path in paths}
    return [
        folder(path) if path in above else change(path, kinds[number % len(kinds)])
        for number, path in enumerate(sorted(paths, key=component_order))
    ]


@given(
    st.sets(PARTS, max_size=60),
    st.lists(st.sampled_from(ChangeKind), min_size=1),
    st.sampled_from([1, 2, 3, 50]),
)
def test_every_change_is_told_or_counted_where_it_is_left_out(
    paths: set[str], kinds: list[ChangeKind], most: int
) -> None:
    changes = changes_of(paths, kinds)
    root = change_tree(changes)
    shown = list(told(root, most))
    assert len({shown_change.path for shown_change in shown}) == len(shown)
    counts = Counter(shown_change.kind for shown_change in shown) + left_out(root, most)
    assert counts == Counter(one.kind for one in changes) == root.counts
    assert sorted(told(root, 5000), key=lambda one: component_order(one.path)) == changes


def test_a_folder_counts_what_is_below_it_and_not_itself() -> None:
    root = change_tree([folder("/etc"), change("/etc/a", size_bytes=5), change("/etc/b", ChangeKind.DELETED)])
    (etc,) = root.folders
    assert etc.change
    assert etc.counts == {ChangeKind.ADDED: 1, ChangeKind.DELETED: 1}
    assert etc.size_bytes == 5


def test_folders_on_the_way_to_only_one_are_told_as_one() -> None:
    root = change_tree([change("/usr/share/doc/a"), change("/usr/share/doc/b"), change("/var/x")])
    assert [node.name for node in root.folders] == ["usr/share/doc", "var"]
    assert [node.path for node in root.folders] == ["/usr/share/doc", "/var"]


def test_a_changed_folder_without_changes_below_stands_among_the_files_in_order() -> None:
    root = change_tree([change("/a"), folder("/b"), change("/c")])
    assert [name for name, _ in root.files] == ["a", "b", "c"]
    assert not root.folders


def test_the_root_itself_can_be_changed() -> None:
    root = change_tree([folder("/"), change("/a")])
    assert root.change
    assert [name for name, _ in root.files] == ["a"]


def test_folders_far_down_become_part_of_the_names() -> None:
    path = "/a" * 2000
    root = change_tree([change(path), change(path + "b")])
    depth, node = 0, root
    while node.folders:
        (node,) = node.folders
        depth += 1
    assert depth <= MOST_DEPTH
    assert sum(len(name) for name, _ in node.files) > 7000


def test_as_many_children_are_told_as_there_is_room_for() -> None:
    root = change_tree([change(f"/f{number:04}") for number in range(1200)])
    assert children_told(root, 1000, lambda _: 1) == 700
    assert children_told(root, 10_000, lambda _: 1) == CHILDREN_TOLD[0]
    assert children_told(root, 0, lambda _: 1) == 1
