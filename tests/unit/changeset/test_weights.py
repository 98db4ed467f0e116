from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.paths import component_order, is_at_or_below
from snapshot.changeset.weights import FolderWeight, WeighedChange, by_folder, common_folders, weight
from snapshot.engine.types import ChangeKind

A, C, D = ChangeKind.ADDED, ChangeKind.CHANGED, ChangeKind.DELETED

PATHS = st.lists(st.sampled_from("abc."), min_size=1, max_size=5).map(lambda names: "/" + "/".join(names))
CHANGES = st.builds(
    WeighedChange,
    st.sampled_from(list(ChangeKind)),
    PATHS,
    st.none() | st.integers(0, 100),
    st.integers(0, 100),
)


def test_a_folder_has_the_changes_right_in_it() -> None:
    changes = [
        WeighedChange(A, "/etc/motd", 0, 10),
        WeighedChange(C, "/etc/hosts", 30, 25),
        WeighedChange(D, "/etc/apt/sources", 7, 0),
    ]
    assert by_folder(changes) == (
        FolderWeight("/etc", 1, 1, 0, 30, 35, 10, 5),
        FolderWeight("/etc/apt", 0, 0, 1, 7, 0, 0, 7),
    )


def test_what_is_not_known_of_one_is_not_known_of_all() -> None:
    summed = weight("/", [WeighedChange(C, "/a", None, 10), WeighedChange(A, "/b", 0, 5)])
    assert summed == FolderWeight("/", 1, 1, 0, None, 15, 5, 0)
    assert summed.growth_bytes is None


@given(st.lists(CHANGES), st.integers(1, 6))
def test_folders_that_are_too_many_count_for_those_above_them(
    changes: list[WeighedChange], most: int
) -> None:
    folders = by_folder(changes, most)
    paths = [folder.path for folder in folders]
    assert len(folders) <= max(most, len({path.split("/")[1] for path in paths}))
    assert paths == sorted(paths, key=component_order)
    assert sum(folder.added + folder.changed + folder.deleted for folder in folders) == len(changes)
    assert sum(folder.now_bytes for folder in folders) == sum(change.now_bytes for change in changes)
    for change in changes:
        assert any(is_at_or_below(posixpath.dirname(change.path), path) for path in paths)


def test_no_more_depth_is_lost_than_has_to_be() -> None:
    changes = [WeighedChange(A, path, 0, 1) for path in ("/a/b/c/1", "/a/b/d/1", "/a/e/1", "/f/1")]
    assert [folder.path for folder in by_folder(changes, 4)] == ["/a/b/c", "/a/b/d", "/a/e", "/f"]
    assert [folder.path for folder in by_folder(changes, 3)] == ["/a/b", "/a/e", "/f"]
    assert [folder.path for folder in by_folder(changes, 2)] == ["/a", "/f"]
    assert [folder.path for folder in by_folder(changes, 1)] == ["/a", "/f"]


def test_a_path_that_is_a_thousand_folders_deep_is_cut_as_well() -> None:
    changes = [WeighedChange(A, "/" + "d/" * depth + "f", 0, 1) for depth in range(1000)]
    folders = by_folder(changes, 4)
    assert [folder.path for folder in folders] == ["/", "/d", "/d/d", "/d/d/d"]
    assert [folder.added for folder in folders] == [1, 1, 1, 997]


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["/etc/motd"], ["/etc"]),
        (["/etc/motd", "/etc/apt/x"], ["/etc"]),
        (["/motd", "/etc/apt/x"], ["/"]),
        (["/opt", "/opt/a", "/etc/motd"], ["/etc", "/opt"]),
        (["/a/1", "/b/1", "/c/1"], ["/"]),
        (["/a/b/1", "/a/c/1", "/d/1"], ["/a", "/d"]),
    ],
)
def test_common_folders_are_few_and_deep(paths: list[str], found: list[str]) -> None:
    assert common_folders(paths, 2) == found


@given(st.lists(PATHS, min_size=1), st.integers(1, 4))
def test_every_path_is_in_a_common_folder_or_is_one(paths: list[str], most: int) -> None:
    folders = common_folders(paths, most)
    assert 1 <= len(folders) <= most
    for path in paths:
        assert any(is_at_or_below(path, folder) for folder in folders)
