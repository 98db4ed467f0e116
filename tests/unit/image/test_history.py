from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.engine.types import HistoryEntry
from snapshot.image.history import with_layers


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
    unknown = HistoryEntry("1970-01-01T00:00:00Z", "")
    assert with_layers([], 2) == (unknown, unknown)
