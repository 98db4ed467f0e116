from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.engine.types import HistoryEntry
from snapshot.image.history import dated, joined, marked_by_size, with_layers


def entry(created_by: str, size_bytes: int = 0) -> HistoryEntry:
    return HistoryEntry("2026-01-01T00:00:00Z", created_by, size_bytes=size_bytes)


def layers(entries: list[HistoryEntry], count: int) -> list[str]:
    return [item.created_by for item in with_layers(entries, count) if not item.empty_layer]


entries = st.lists(
    st.builds(entry, st.sampled_from(["ADD rootfs", "ENV A=1", "RUN true", "WORKDIR /x"]), st.integers(0, 2)),
    max_size=6,
)


@given(entries, st.integers(0, 8))
def test_there_are_as_many_layers_as_the_image_has(entries: list[HistoryEntry], count: int) -> None:
    marked = with_layers(entries, count)
    assert sum(not item.empty_layer for item in marked) == count
    kept = marked[-len(entries) :] if entries else ()
    assert [item.created_by for item in kept] == [item.created_by for item in entries]
    assert len(marked) == max(len(entries), count)


def test_what_has_a_size_is_a_layer_before_what_has_none() -> None:
    assert layers([entry("RUN true"), entry("CMD x", 1), entry("RUN x", 2)], 2) == ["CMD x", "RUN x"]


@pytest.mark.parametrize(
    "words",
    ['/bin/sh -c #(nop)  CMD ["bash"]', "ENV A=b", "EXPOSE map[80/tcp:{}]", "LABEL a=b", "ARG X", "USER me"],
)
def test_an_edit_of_the_config_is_no_layer_where_a_command_can_be(words: str) -> None:
    assert layers([entry(words), entry("WORKDIR /x")], 1) == ["WORKDIR /x"]


@pytest.mark.parametrize(
    "words", ["/bin/sh -c true", "RUN /bin/sh -c CMD", "COPY a b", "ENVELOPE", "", "cmd x"]
)
def test_what_is_no_edit_of_the_config_is_taken_for_a_layer(words: str) -> None:
    assert layers([entry("ENV A=b"), entry(words)], 1) == [words]


def test_among_equals_the_oldest_is_the_layer() -> None:
    first, second = entry("import"), entry("RUN true")
    assert [item.empty_layer for item in with_layers([first, second], 1)] == [False, True]


STEP_WORDS = [
    "snap run -- sh -c 'echo' # 1 changed",
    "snap exec -u root -- true",
    "snap cp ./a box:/b",
    "snap start",
    "snap attach",
    "snap reset",
    "unknown step (docker exec, the container's own work): 2 added",
    "unknown step (docker exec, the container's own work)",
    "snap: 1 earlier step",
    "snap: 1,234 earlier steps",
]


@pytest.mark.parametrize("words", STEP_WORDS)
def test_a_step_of_snaps_is_no_layer_where_anything_else_can_be(words: str) -> None:
    assert layers([entry(words), entry("snap commit: 1 deleted")], 1) == ["snap commit: 1 deleted"]
    assert layers([entry(words), entry("CMD x")], 1) == ["CMD x"]


def test_a_commit_of_the_config_alone_is_no_layer_where_another_can_be() -> None:
    words = ["snap commit: config", "snap run -- rm x # 1 deleted", "snap commit: 1 deleted"]
    assert layers([entry(item) for item in words], 1) == ["snap commit: 1 deleted"]


@pytest.mark.parametrize("words", ["snap", "snap runs", "snapper", "unknown", "snap: hello"])
def test_what_only_looks_like_a_step_of_snaps_can_be_a_layer(words: str) -> None:
    assert layers([entry("CMD x"), entry(words)], 1) == [words]


def test_an_import_without_history_gets_entries_without_words() -> None:
    assert with_layers([], 2) == (HistoryEntry("", ""), HistoryEntry("", ""))


def test_entries_without_a_time_are_dated_as_the_oldest_that_has_one() -> None:
    found = dated([HistoryEntry("", "a"), HistoryEntry("2026-01-01T00:00:00Z", "b"), HistoryEntry("", "c")])
    assert {entry.created for entry in found} == {"2026-01-01T00:00:00Z"}


def test_where_no_entry_has_a_time_they_are_dated_1970() -> None:
    assert [entry.created for entry in dated([HistoryEntry("", "a")])] == ["1970-01-01T00:00:00Z"]


# --- which layer is whose ---


def numbers(*empty: bool, layers: int, from_top: bool = False) -> list[tuple[str, int | None]]:
    """The words of each entry and its layer; entries are marked as ``empty`` says."""
    told = [HistoryEntry("", f"step {index}", empty_layer=mark) for index, mark in enumerate(empty)]
    return [(step.entry.created_by, step.layer) for step in joined(told, layers, from_top=from_top)]


def test_entries_with_a_layer_have_the_layers_in_their_order() -> None:
    assert numbers(False, True, False, layers=2) == [("step 0", 0), ("step 1", None), ("step 2", 1)]


def test_where_entries_are_missing_the_engine_says_whether_they_tell_of_the_lowest_layers() -> None:
    assert numbers(True, False, layers=3) == [("step 0", None), ("step 1", 0), ("", 1), ("", 2)]


def test_where_entries_are_missing_the_engine_says_whether_they_tell_of_the_topmost_layers() -> None:
    found = numbers(True, False, layers=3, from_top=True)
    assert found == [("", 0), ("", 1), ("step 0", None), ("step 1", 2)]


@pytest.mark.parametrize("from_top", [False, True])
def test_without_a_history_no_layer_has_words(from_top: bool) -> None:
    assert numbers(layers=2, from_top=from_top) == [("", 0), ("", 1)]


def test_entries_that_claim_more_layers_than_there_are_have_none() -> None:
    found = joined([HistoryEntry("", word) for word in "abc"], 2)
    assert [(step.layer, step.entry.empty_layer) for step in found] == [(0, False), (1, False), (None, True)]


@given(entries, st.integers(0, 8), st.booleans())
def test_each_layer_has_one_entry(entries: list[HistoryEntry], count: int, from_top: bool) -> None:
    found = joined(with_layers(entries, count), count, from_top=from_top)
    assert [step.layer for step in found if step.layer is not None] == list(range(count))


@pytest.mark.parametrize(
    ("sizes", "layers", "marks"),
    [
        ([5, 0, 7], 2, [False, True, False]),
        ([5, 7], 3, [False, False]),
        ([], 2, []),
        ([0, 0], 0, [True, True]),
        ([5, 0], 2, None),
        ([0], 1, None),
        ([5, 0], 3, None),
    ],
)
def test_sizes_settle_which_entries_have_a_layer_where_no_layer_can_be_without_one(
    sizes: list[int], layers: int, marks: list[bool] | None
) -> None:
    marked = marked_by_size([entry("RUN x", size) for size in sizes], layers)
    assert (None if marked is None else [item.empty_layer for item in marked]) == marks
