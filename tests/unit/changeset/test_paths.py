from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.paths import (
    absolute,
    as_the_engine_lists,
    component_order,
    split_off_engine_paths,
    topmost,
)
from snapshot.engine.types import Change, ChangeKind


def changes(*lines: str) -> list[Change]:
    return [Change(ChangeKind(line[0]), line[2:]) for line in lines]


def kept(lines: list[str], mount_points: tuple[str, ...] = ()) -> list[str]:
    found, _ = split_off_engine_paths(changes(*lines), mount_points)
    return [f"{change.kind.value} {change.path}" for change in found]


def test_a_folder_comes_right_before_what_is_in_it() -> None:
    paths = ["/a", "/a/c", "/a/c/d", "/a-b", "/a.b", "/b"]
    shuffled = random.Random(1).sample(paths, len(paths))
    assert sorted(shuffled, key=component_order) == paths


def test_what_the_engine_binds_over_is_left_out_with_the_folder_listed_for_its_sake() -> None:
    assert kept(["C /etc", "A /etc/hosts", "C /etc/resolv.conf", "A /.dockerenv"]) == []


def test_a_folder_with_a_change_of_the_users_stays() -> None:
    assert kept(["C /etc", "A /etc/hosts", "A /etc/new"]) == ["C /etc", "A /etc/new"]


def test_a_folder_whose_mode_alone_changed_stays() -> None:
    assert kept(["C /etc"]) == ["C /etc"]


def test_folders_made_for_a_mount_point_go_as_a_whole() -> None:
    assert kept(["A /data", "A /data/in", "A /data/in/foo"], ("/data/in/foo/",)) == []


def test_what_only_begins_like_a_mount_point_stays() -> None:
    """F36: `volumetest` next to `volume`."""
    assert kept(["A /volume", "A /volumetest"], ("/volume",)) == ["A /volumetest"]


def test_a_deleted_folder_is_never_taken_for_one_that_the_engine_made() -> None:
    assert kept(["D /data", "A /data/foo"], ("/data/foo",)) == ["D /data"]


def test_all_changes_are_either_kept_or_left_out() -> None:
    listed = changes("C /etc", "A /etc/hosts", "A /x", "D /y")
    found, left_out = split_off_engine_paths(listed, ())
    assert sorted(found + left_out, key=listed.index) == listed


def test_topmost_of_many() -> None:
    assert topmost(["/b/c", "/a", "/a/b", "/ab", "/b/c/d", "/a"]) == ["/a", "/ab", "/b/c"]


@given(st.binary(max_size=20))
def test_names_are_listed_with_a_replacement_for_each_byte_that_is_not_utf8(name: bytes) -> None:
    path = "/" + name.decode("utf-8", "surrogateescape")
    listed = as_the_engine_lists(path)
    listed.encode("utf-8")
    assert len(listed) == len(path)


@pytest.mark.parametrize(
    ("path", "working_dir", "result"),
    [
        ("ch03.txt", "/diamol", "/diamol/ch03.txt"),
        ("/x", "/diamol", "/x"),
        ("x", "", "/x"),
        ("../../..", "/a", "/"),
        ("//x", "/a", "/x"),
    ],
)
def test_paths_start_at_the_working_folder(path: str, working_dir: str, result: str) -> None:
    assert absolute(path, working_dir) == result
