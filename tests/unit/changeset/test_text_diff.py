"""Text diffs, held against GNU diff and GNU patch."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapshot.changeset import alignment
from snapshot.changeset.alignment import aligned
from snapshot.changeset.entry import FileEntry, FileType, PathChange
from snapshot.changeset.file_diff import FileDiff, unified
from snapshot.changeset.text_diff import DiffLine, Hunk, text_diff
from snapshot.engine.types import ChangeKind

NUMBERS = b"".join(b"%d\n" % number for number in range(1, 31))


@st.composite
def texts(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Two texts that have some lines in common or none, of few distinct lines or many, with any ends."""
    word = st.sampled_from(
        [b"", b"a", b"b", b"c\r", b"\xff\xfe", b"\xc3\xa9", b"- d", b"\\ e", b"@@ f", b"+ g"]
    )
    if draw(st.booleans()):
        word = st.integers(0, 40).map(lambda number: b"%d" % number)
    old = draw(st.lists(word, max_size=30))
    new = old.copy() if draw(st.booleans()) else draw(st.lists(word, max_size=30))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(new)))
        new[start : start + draw(st.integers(0, 4))] = draw(st.lists(word, max_size=4))
    return joined(draw, old), joined(draw, new)


def joined(draw: st.DrawFn, lines: Sequence[bytes]) -> bytes:
    end = draw(st.sampled_from([b"\n", b"\n", b"\r\n"]))
    return end.join(lines) + (draw(st.sampled_from([end, end, b""])) if lines else b"")


def patched(folder: Path, old: bytes, hunks: tuple[Hunk, ...]) -> bytes:
    """What GNU patch makes of the old text, each hunk taken at its place."""
    file = FileEntry("/text", FileType.FILE, 0o644, 0, 0)
    lines = unified(FileDiff(PathChange(ChangeKind.CHANGED, "/text", file), file, file, hunks))
    (folder / "text").write_bytes(old)
    patch = "".join(f"{line.text}\n" for line in lines).encode("utf-8", "surrogateescape")
    done = subprocess.run(
        ["patch", "-p1", "--fuzz=0", "--no-backup-if-mismatch"],
        cwd=folder,
        input=patch,
        capture_output=True,
        check=True,
    )
    assert done.stdout == (b"patching file text\n" if hunks else b"")
    return (folder / "text").read_bytes()


def changed_lines(folder: Path, old: bytes, new: bytes) -> int:
    """How many lines ``diff --minimal`` removes and adds."""
    (folder / "old").write_bytes(old)
    (folder / "new").write_bytes(new)
    done = subprocess.run(
        ["diff", "--minimal", "--text", "old", "new"], cwd=folder, capture_output=True, check=False
    )
    assert done.returncode < 2, done.stderr
    return sum(line.startswith((b"< ", b"> ")) for line in done.stdout.split(b"\n"))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts(), st.integers(0, 4))
def test_gnu_patch_makes_the_new_text_of_it_byte_by_byte(
    tmp_path: Path, pair: tuple[bytes, bytes], context: int
) -> None:
    old, new = pair
    assert patched(tmp_path, old, text_diff(old, new, context).hunks) == new


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts())
def test_no_more_lines_are_removed_and_added_than_by_diff_minimal(
    tmp_path: Path, pair: tuple[bytes, bytes]
) -> None:
    found = text_diff(*pair)
    assert found.lines_removed + found.lines_added == changed_lines(tmp_path, *pair)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts(), st.integers(1, 4), st.integers(1, 200))
def test_texts_that_are_too_far_apart_lose_nothing_but_shortness(
    tmp_path: Path, pair: tuple[bytes, bytes], most_changes: int, most_steps: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alignment, "_MOST_CHANGES", most_changes)
        patch.setattr(alignment, "_MOST_STEPS", most_steps)
        hunks = text_diff(*pair).hunks
    assert patched(tmp_path, pair[0], hunks) == pair[1]


@settings(max_examples=100, deadline=None)
@given(texts(), st.integers(0, 4), st.integers(0, 20))
def test_what_is_cut_is_the_end_of_it_and_counted(
    pair: tuple[bytes, bytes], context: int, most_lines: int
) -> None:
    whole, cut = text_diff(*pair, context), text_diff(*pair, context, most_lines)
    every = [line for hunk in whole.hunks for line in hunk.lines]
    assert [line for hunk in cut.hunks for line in hunk.lines] == every[:most_lines]
    assert cut.lines_cut == max(len(every) - most_lines, 0)
    assert (cut.lines_added, cut.lines_removed) == (whole.lines_added, whole.lines_removed)
    for hunk in cut.hunks:
        marks = [line.mark for line in hunk.lines]
        assert (hunk.old_count, hunk.new_count) == (
            len(marks) - marks.count("+"),
            len(marks) - marks.count("-"),
        )


class Counted(int):
    """A line that counts how often one is held against another."""

    looks = 0

    def __eq__(self, other: object) -> bool:
        Counted.looks += 1
        return int.__eq__(self, other)

    __hash__ = int.__hash__


def each_one_twice(count: int) -> list[int]:
    """Numbers of which only the last is there once, and without it the one before it."""
    return [0, *(number for last in range(1, count) for number in (last, last - 1))]


SHUFFLED = random.Random(6)
FAR_APART = {
    "all alike, some gone": ([1] * 5_000, [1] * 4_000),
    "nothing alike": (range(5_000), range(5_000, 10_000)),
    "of two kinds": (SHUFFLED.choices([1, 2], k=5_000), SHUFFLED.choices([1, 2], k=5_000)),
    "of 300 kinds": (SHUFFLED.choices(range(300), k=5_000), SHUFFLED.choices(range(300), k=5_000)),
    "by turns": ([1, 2] * 2_500, [2, 1, 2] * 1_700),
    "in another order": (range(5_000), SHUFFLED.sample(range(5_000), 5_000)),
    "backwards": (range(5_000), range(5_000, 0, -1)),
    "few against many": (each_one_twice(100), SHUFFLED.choices(range(100), k=5_000)),
    "parts in parts": (
        [kind for number in each_one_twice(1_000) for kind in (number, -1)],
        [kind for number in each_one_twice(1_000) for kind in (-1, -1, number)],
    ),
}


@pytest.mark.parametrize("case", FAR_APART)
def test_no_texts_take_longer_than_the_bound(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "_MOST_STEPS", 300_000)
    old, new = ([Counted(number) for number in side] for side in FAR_APART[case])
    Counted.looks = 0
    blocks = aligned(old, new)
    # Each against each other one, these would be ten million and more.
    assert Counted.looks < 1_000_000
    ends = [(0, 0), *((block.old + block.size, block.new + block.size) for block in blocks)]
    for block, end in zip(blocks, ends, strict=False):
        assert block.old >= end[0]
        assert block.new >= end[1]
        assert old[block.old : block.old + block.size] == new[block.new : block.new + block.size]


def test_many_edits_of_lines_that_repeat_are_still_found_one_by_one() -> None:
    shuffled = random.Random(6)
    old = shuffled.choices(range(500), k=5_000)
    new = [number if shuffled.random() > 0.05 else 500 + number for number in old]
    for _ in range(800):
        new[shuffled.randrange(len(new))] = shuffled.randrange(500)
    kept = sum(block.size for block in aligned(old, new))
    assert kept >= sum(was == now for was, now in zip(old, new, strict=True))


def test_a_hunk_has_the_numbers_of_its_lines_and_three_around_it() -> None:
    new = NUMBERS.replace(b"\n15\n", b"\nfifteen\nand a half\n")
    (hunk,) = text_diff(NUMBERS, new).hunks
    assert hunk[:4] == (12, 7, 12, 8)
    assert marked(hunk) == [
        " 12", " 13", " 14", "-15", "+fifteen", "+and a half", " 16", " 17", " 18",
    ]  # fmt: skip


@pytest.mark.parametrize(("context", "count"), [(3, 2), (4, 1), (0, 2)])
def test_changes_whose_surroundings_touch_are_one_hunk(context: int, count: int) -> None:
    new = NUMBERS.replace(b"\n10\n", b"\nten\n").replace(b"\n18\n", b"\neighteen\n")
    assert len(text_diff(NUMBERS, new, context).hunks) == count


def test_a_side_without_lines_begins_after_the_line_before() -> None:
    assert [hunk[:4] for hunk in text_diff(b"", b"a\nb\n").hunks] == [(0, 0, 1, 2)]
    assert [hunk[:4] for hunk in text_diff(b"a\n", b"").hunks] == [(1, 1, 0, 0)]
    assert [hunk[:4] for hunk in text_diff(b"a\nc\n", b"a\nb\nc\n", 0).hunks] == [(1, 0, 2, 1)]


def test_a_missing_end_of_the_last_line_is_a_change_of_that_line() -> None:
    (hunk,) = text_diff(b"a\nb", b"a\nb\n").hunks
    assert hunk.lines == (DiffLine(" ", "a"), DiffLine("-", "b", ends=False), DiffLine("+", "b"))


def test_a_carriage_return_is_part_of_its_line() -> None:
    (hunk,) = text_diff(b"a\r\n", b"a\n").hunks
    assert hunk.lines == (DiffLine("-", "a\r"), DiffLine("+", "a"))


def test_texts_that_are_the_same_have_no_hunks() -> None:
    assert text_diff(NUMBERS, NUMBERS) == ((), 0, 0, 0)


def test_of_lines_that_repeat_the_lower_ones_are_taken_for_new_or_gone() -> None:
    short, long = b"begin\n\na\n\nz\n", b"begin\n\na\n\nb\n\nz\n"
    (added,) = text_diff(b"top\n" + short, b"first\n" + long).hunks
    assert marked(added) == ["-top", "+first", " begin", " ", " a", " ", "+b", "+", " z"]
    (gone,) = text_diff(long, short + b"end\n").hunks
    assert marked(gone) == [" ", " a", " ", "-b", "-", " z", "+end"]


def marked(hunk: Hunk) -> list[str]:
    return [line.mark + line.text for line in hunk.lines]
