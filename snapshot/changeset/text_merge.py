"""Merging two changed versions of a text, line by line, where that leaves no doubt.

What is merged here ``git merge-file`` merges too, to the same bytes; where another alignment of the lines
could come out otherwise, it is a conflict here, even where git decides.

The two facts behind this: every diff first sets the lines aside that are the same at both ends. And an
alignment that keeps as many lines as possible gives up a line that is there once on both sides (an *anchor*)
only where it can match a changed line outside of its place instead, and only next to what changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from snapshot.changeset.alignment import Block, anchored_blocks, common, lines_of

#: Longer texts are conflicts.
MOST_BYTES = 16 << 20
# Where more lines changed, git's diff gives up looking for the best alignment (xdiff, XDL_MAX_COST_MIN).
_MOST_CHANGED_LINES = 256


class _Region(NamedTuple):
    """Lines ``start`` to ``end`` of the old text, and what stands in their place."""

    start: int
    end: int
    lines: tuple[bytes, ...]


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
    old_lines, our_lines, their_lines = (list(lines_of(text)) for text in texts)
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


def _changed(old: Sequence[bytes], new: Sequence[bytes]) -> list[_Region]:
    """The regions that hold all changes whichever way the lines are aligned."""
    if old == new:
        return []
    head = common(old, new, min(len(old), len(new)))
    tail = common(old[::-1], new[::-1], min(len(old), len(new)) - head)
    regions = []
    old_start, new_start = head, head
    for core in [*_cores(old, new, head, tail), Block(len(old) - tail, len(new) - tail, 0)]:
        regions.append(_Region(old_start, core.old, tuple(new[new_start : core.new])))
        old_start, new_start = core.old + core.size, core.new + core.size
    return _with_room_to_slide(old, regions)


def _cores(old: Sequence[bytes], new: Sequence[bytes], head: int, tail: int) -> list[Block]:
    """Blocks of unchanged lines that every best alignment has, each beginning and ending with an anchor."""
    of_old, of_new = Counter(old), Counter(new)
    blocks = anchored_blocks(old, new, head, tail, of_old, of_new)
    hunks = [
        (old[before.old + before.size : after.old], new[before.new + before.size : after.new])
        for before, after in pairwise(
            [Block(head, head, 0), *blocks, Block(len(old) - tail, len(new) - tail, 0)]
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
            cores.append(Block(block.old + sure[0], block.new + sure[0], sure[-1] - sure[0] + 1))
    return cores


def _elsewhere(lines: Sequence[bytes], place: Sequence[bytes], everywhere: Counter[bytes]) -> int:
    """How many of ``lines`` stand on the other side also outside of the place that is theirs there."""
    there = Counter(place)
    return sum(everywhere[line] > there[line] for line in lines)


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
