"""Three-way merges of text, held against ``git merge-file``."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapshot.changeset import text_merge
from snapshot.changeset.text_merge import merged_text

OLD = b"".join(b"%d\n" % number for number in range(1, 13))


def merged_by_git(folder: Path, old: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """What git makes of it, ``None`` for a conflict."""
    for name, text in (("old", old), ("ours", ours), ("theirs", theirs)):
        (folder / name).write_bytes(text)
    done = subprocess.run(
        ["git", "merge-file", "-p", "ours", "old", "theirs"], cwd=folder, capture_output=True, check=False
    )
    return done.stdout if done.returncode == 0 else None


@st.composite
def versions(draw: st.DrawFn) -> tuple[bytes, bytes, bytes]:
    """A text and two edited ones: of few distinct lines or many, with any ends of lines."""
    size = draw(st.integers(0, 25))
    kinds = draw(st.integers(1, 40))
    word = st.integers(0, kinds).map(lambda number: b"" if number == 0 else b"%d" % number)
    lines = [b"%d" % (number + 1) if kinds > 20 else draw(word) for number in range(size)]
    end = draw(st.sampled_from([b"\n", b"\r\n"]))

    def text(lines: list[bytes]) -> bytes:
        last = draw(st.sampled_from([end, end, b"", b"\n"]))
        return end.join(lines) + (last if lines else b"")

    def edited() -> bytes:
        edit = lines.copy()
        for _ in range(draw(st.integers(0, 3))):
            start = draw(st.integers(0, len(edit)))
            edit[start : start + draw(st.integers(0, 3))] = draw(st.lists(word, max_size=3))
        return text(edit)

    return text(lines), edited(), edited()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(versions())
def test_what_is_clean_is_clean_for_git_too_and_gives_the_same_bytes(
    tmp_path: Path, texts: tuple[bytes, bytes, bytes]
) -> None:
    merged = merged_text(*texts)
    if merged is not None:
        assert merged == merged_by_git(tmp_path, *texts)


CLEAN = {
    "one line each": ({2: b"ours\n"}, {9: b"theirs\n"}),
    "several, one between the other's": ({2: b"x\n", 10: b"y\n"}, {6: b"z\n"}),
    "both the same": ({5: b"same\n"}, {5: b"same\n"}),
    "both the same, and one more": ({5: b"same\n"}, {5: b"same\n", 10: b"more\n"}),
    "deleted and inserted": ({1: b""}, {11: b"11\nnew\n"}),
    "with blank lines": ({3: b"3\n\nblock\n\n"}, {10: b"\nother\n\n10\n"}),
    "the last end of a line": ({1: b"one\n"}, {12: b"12"}),
    "with CR": ({1: b"1\r\n"}, {12: b"12\r\n"}),
    "only one side": ({}, {3: b"", 4: b"", 8: b"x\n"}),
}


@pytest.mark.parametrize("case", CLEAN)
def test_changes_in_different_places_are_merged(tmp_path: Path, case: str) -> None:
    ours, theirs = (edited(edits) for edits in CLEAN[case])
    merged = merged_text(OLD, ours, theirs)
    assert merged is not None
    assert merged == merged_by_git(tmp_path, OLD, ours, theirs)
    assert merged == edited({**CLEAN[case][0], **CLEAN[case][1]})


CONFLICTS = {
    "the same line": ({5: b"a\n"}, {5: b"b\n"}),
    "lines next to each other": ({5: b"a\n"}, {6: b"b\n"}),
    "a changed line deleted": ({5: b"a\n"}, {5: b""}),
    "two insertions at one place": ({5: b"5\na\n"}, {5: b"5\nb\n"}),
}


@pytest.mark.parametrize("case", CONFLICTS)
def test_changes_in_one_place_are_a_conflict(tmp_path: Path, case: str) -> None:
    ours, theirs = (edited(edits) for edits in CONFLICTS[case])
    assert merged_text(OLD, ours, theirs) is None
    assert merged_by_git(tmp_path, OLD, ours, theirs) is None


def test_where_it_is_not_certain_which_line_changed_it_is_a_conflict() -> None:
    assert merged_text(b"a\n" * 6, b"a\n" * 7, b"b\n" + b"a\n" * 5) is None


@pytest.mark.parametrize("position", [0, 1, 2])
def test_binary_content_is_a_conflict_on_any_side(position: int) -> None:
    texts = [b"1\n2\n3\n", b"1\n2\n3\n", b"1\n2\n3\n"]
    texts[position] = b"1\n\0\n3\n"
    assert merged_text(*texts) is None


def test_bytes_that_are_not_utf_8_are_text() -> None:
    assert merged_text(b"\xe9\n2\n3\n", b"\xe9\n2\n\xff\n", b"\xe8\n2\n3\n") == b"\xe8\n2\n\xff\n"


def test_too_long_texts_are_conflicts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert merged_text(OLD, OLD, OLD) == OLD
    monkeypatch.setattr(text_merge, "MOST_BYTES", len(OLD) - 1)
    assert merged_text(OLD, OLD, OLD) is None


def test_the_time_grows_with_the_length_and_not_with_its_square() -> None:
    # Every other line is changed; with the square it would take minutes.
    old = [b"%d\n" % number for number in range(100_000)]
    ours = [b"x%d\n" % number if number % 2 else line for number, line in enumerate(old)]
    begun_s = time.process_time()
    assert merged_text(b"".join(old), b"".join(ours), b"".join([*old[:-1], b"end\n"])) is None
    assert time.process_time() - begun_s < 20


def edited(edits: dict[int, bytes]) -> bytes:
    return b"".join(edits.get(number, b"%d\n" % number) for number in range(1, 13))
