"""Merging two changed versions of a text, line by line, where that leaves no doubt.

What is merged here ``git merge-file`` merges too, to the same bytes; where another alignment of the lines
could come out otherwise, it is a conflict here, even where git decides.

The two facts behind this: every diff first sets the lines aside that are the same at both ends. And an
alignment that keeps as many lines as possible gives up a line that is there once on both sides (an *anchor*)
only where it can match a changed line outside of its place instead, and only next to what changed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

#: Longer texts are conflicts.
MOST_BYTES = 16 << 20
# Where more lines changed, git's diff gives up looking for the best alignment (xdiff, XDL_MAX_COST_MIN).
_MOST_CHANGED_LINES = 256


class _Region(NamedTuple):
    """Lines ``start`` to ``end`` of the old text, and what stands in their place."""

    start: int
    end: int
    lines: tuple[bytes, ...]


class _Block(NamedTuple):
    """Lines that are the same on both sides: where they begin in either, and how many."""

    old: int
    new: int
    size: int


def merged_text(old: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    r"""``old`` with the changes of both sides; ``None`` for a conflict.

    A conflict is: both changed the same line, or lines next to each other, and not in the same way; lines
    that were moved, or repeat so that it is not certain which of them changed; one of the texts being binary
    (it holds a zero byte), or longer than :data:`MOST_BYTES`. Lines end with LF; a CR before it is part of
    the line, and so is a missing LF at the end.

    >>> merged_text(b"1\n2\n3\n", b"one\n2\n3\n", b"1\n2\nthree\n")
    b'one\n2\nthree\n'
    """
    texts = (old, ours, theirs)
    if any(b"\0" in text or len(text) > MOST_BYTES for text in texts):
        return None
    old_lines, our_lines, their_lines = (_lines(text) for text in texts)
    regions = sorted({*_changed(old_lines, our_lines), *_changed(old_lines, their_lines)})
    if any(before.end >= after.start for before, after in pairwise(regions)):
        return None
    merged: list[bytes] = []
    position = 0
    for region in regions:
        merged += old_lines[position : region.start]
        merged += region.lines
        position = region.end
    return b"".join([*merged, *old_lines[position:]])


def _lines(text: bytes) -> list[bytes]:
    # splitlines() would also part at a CR.
    *ended, rest = text.split(b"\n")
    return [line + b"\n" for line in ended] + ([rest] if rest else [])


def _changed(old: Sequence[bytes], new: Sequence[bytes]) -> list[_Region]:
    """The regions that hold all changes whichever way the lines are aligned."""
    if old == new:
        return []
    head = _common(old, new, min(len(old), len(new)))
    tail = _common(old[::-1], new[::-1], min(len(old), len(new)) - head)
    regions = []
    old_start, new_start = head, head
    for core in [*_cores(old, new, head, tail), _Block(len(old) - tail, len(new) - tail, 0)]:
        regions.append(_Region(old_start, core.old, tuple(new[new_start : core.new])))
        old_start, new_start = core.old + core.size, core.new + core.size
    return _with_room_to_slide(old, regions)


def _common(old: Sequence[bytes], new: Sequence[bytes], most: int, old_at: int = 0, new_at: int = 0) -> int:
    """How many equal lines both have from there on."""
    return next((n for n in range(most) if old[old_at + n] != new[new_at + n]), most)


def _cores(old: Sequence[bytes], new: Sequence[bytes], head: int, tail: int) -> list[_Block]:
    """Blocks of unchanged lines that every best alignment has, each beginning and ending with an anchor."""
    of_old, of_new = Counter(old), Counter(new)
    blocks = _blocks(old, new, head, tail, of_old, of_new)
    hunks = [
        (old[before.old + before.size : after.old], new[before.new + before.size : after.new])
        for before, after in pairwise(
            [_Block(head, head, 0), *blocks, _Block(len(old) - tail, len(new) - tail, 0)]
        )
    ]
    if sum(len(was) + len(now) for was, now in hunks) > _MOST_CHANGED_LINES:
        return []
    # An alignment that gives up an anchor has to win as much by matching changed lines out of their place.
    to_win = min(
        sum(_elsewhere(was, now, of_new) for was, now in hunks),
        sum(_elsewhere(now, was, of_old) for was, now in hunks),
    )
    cores = []
    for block in blocks:
        anchors = [
            n for n in range(block.size) if of_old[old[block.old + n]] == of_new[old[block.old + n]] == 1
        ]
        sure = anchors[to_win : len(anchors) - to_win]
        if sure:
            cores.append(_Block(block.old + sure[0], block.new + sure[0], sure[-1] - sure[0] + 1))
    return cores


def _elsewhere(lines: Sequence[bytes], place: Sequence[bytes], everywhere: Counter[bytes]) -> int:
    """How many of ``lines`` stand on the other side also outside of the place that is theirs there."""
    there = Counter(place)
    return sum(everywhere[line] > there[line] for line in lines)


def _blocks(
    old: Sequence[bytes],
    new: Sequence[bytes],
    head: int,
    tail: int,
    of_old: Counter[bytes],
    of_new: Counter[bytes],
) -> list[_Block]:
    """Anchors that are in the same order on both sides, with the equal lines around them."""
    places = {line: n for n, line in enumerate(new) if of_new[line] == of_old[line] == 1}
    pairs = [(n, places[old[n]]) for n in range(head, len(old) - tail) if old[n] in places]
    blocks: list[_Block] = []
    old_end, new_end = head, head
    for old_at, new_at in _longest_in_order(pairs):
        if old_at < old_end:
            # It was reached from the one before.
            continue
        above = 0
        while min(old_at - above - old_end, new_at - above - new_end) > 0 and (
            old[old_at - above - 1] == new[new_at - above - 1]
        ):
            above += 1
        below = _common(old, new, min(len(old) - old_at, len(new) - new_at) - tail, old_at, new_at)
        blocks.append(_Block(old_at - above, new_at - above, above + below))
        old_end, new_end = old_at + below, new_at + below
    return blocks


def _longest_in_order(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The most pairs of which both numbers grow; the first ones of all pairs do (patience sorting)."""
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for index, (_, number) in enumerate(pairs):
        place = bisect_left(ends, number)
        before.append(last[place - 1] if place else -1)
        ends[place : place + 1] = [number]
        last[place : place + 1] = [index]
    chosen = []
    index = last[-1] if last else -1
    while index >= 0:
        chosen.append(pairs[index])
        index = before[index]
    return chosen[::-1]


def _with_room_to_slide(old: Sequence[bytes], regions: list[_Region]) -> list[_Region]:
    """Make the outer regions larger by lines that could be taken for changed ones in place of equal lines.

    Of ``a a`` that became ``a a a`` any line can be the new one. Over an anchor no change can slide.
    """
    start, end, lines = regions[0]
    like = {*old[start:end], *lines}
    while start and old[start - 1] in like:
        start -= 1
    regions[0] = _Region(start, end, (*old[start : regions[0].start], *lines))
    start, end, lines = regions[-1]
    like = {*old[start:end], *lines}
    while end < len(old) and old[end] in like:
        end += 1
    regions[-1] = _Region(start, end, (*lines, *old[regions[-1].end : end]))
    return regions
