"""Which lines two texts have in common, in the same order.

Myers' greedy algorithm (E. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986) keeps as many
lines as can be. Texts that are too far apart for it are first parted at lines that are there once on both
sides, as ``git diff --patience`` does. Python's own ``difflib`` does neither: of 20,000 lines of two kinds it
keeps two by its default, and otherwise takes more than half a minute.
"""

from __future__ import annotations

import io
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

_Line = TypeVar("_Line", bound=Hashable)

# What takes more changes is gone through piece by piece, as git does from 256 on (xdiff, XDL_MAX_COST_MIN).
_MOST_CHANGES = 500
# So many lines are looked at in all, which takes a second or two.
_MOST_STEPS = 3_000_000


class Block(NamedTuple):
    """Lines that are the same on both sides: where they begin in either, and how many."""

    old: int
    new: int
    size: int


class _Part(NamedTuple):
    """Lines of either side of which it is not known yet what they have in common."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


class _Way(NamedTuple):
    """How far into the lines of both sides it leads, what is the same on it, and how many were looked at."""

    old_end: int
    new_end: int
    blocks: Sequence[Block]
    steps: int
    is_whole: bool


def lines_of(text: bytes) -> Iterator[bytes]:
    r"""The lines, each with its LF; the last one may lack it. A CR is part of its line.

    >>> list(lines_of(b"one\r\ntwo"))
    [b'one\r\n', b'two']
    """
    return io.BytesIO(text)


def aligned(old: Sequence[int], new: Sequence[int]) -> list[Block]:
    """The blocks that two texts have in common, in order; equal lines are equal numbers.

    No more lines can be kept, as long as some hundred that both sides have stand in other places, beside any
    number that only one side has. Of texts that are farther apart less may be found, in bounded time.

    >>> aligned([0, 1, 2, 3], [0, 4, 2, 3])
    [Block(old=0, new=0, size=1), Block(old=2, new=2, size=2)]
    """
    found: list[Block] = []
    waiting = [_Part(0, len(old), 0, len(new))]
    steps = _MOST_STEPS
    while waiting:
        part = _without_ends(old, new, waiting.pop(), found)
        # A line that the other side has not is a change, whatever becomes of the others.
        in_old, in_new = set(old[part.old_start : part.old_end]), set(new[part.new_start : part.new_end])
        old_at = [n for n in range(part.old_start, part.old_end) if old[n] in in_new]
        new_at = [n for n in range(part.new_start, part.new_end) if new[n] in in_old]
        if not old_at or steps <= 0:
            continue
        olds, news = [old[n] for n in old_at], [new[n] for n in new_at]
        way = _shortest_way(olds, news, steps)
        steps -= way.steps
        blocks = way.blocks
        if not way.is_whole:
            # Parts in parts in parts are gone through again and again.
            steps -= len(olds) + len(news)
            blocks = anchored_blocks(olds, news, 0, 0, Counter(olds), Counter(news))
            if blocks:
                ends = [*old_at, part.old_end], [*new_at, part.new_end]
                waiting += [
                    _Part(ends[0][a], ends[0][b], ends[1][c], ends[1][d])
                    for a, b, c, d in _between(blocks, len(olds), len(news))
                ]
            else:
                blocks, used = _piece_by_piece(olds, news, way, steps)
                steps -= used
        found += [Block(old_at[b.old + n], new_at[b.new + n], 1) for b in blocks for n in range(b.size)]
    return _slid_down(_joined(found), old, new)


def _without_ends(old: Sequence[int], new: Sequence[int], part: _Part, found: list[Block]) -> _Part:
    """The part without what is the same at its ends, which is found with that."""
    old_start, old_end, new_start, new_end = part
    head = common(old, new, min(old_end - old_start, new_end - new_start), old_start, new_start)
    most = min(old_end - old_start, new_end - new_start) - head
    tail = next((n for n in range(most) if old[old_end - 1 - n] != new[new_end - 1 - n]), most)
    found += [Block(old_start, new_start, head), Block(old_end - tail, new_end - tail, tail)]
    return _Part(old_start + head, old_end - tail, new_start + head, new_end - tail)


def _between(blocks: Sequence[Block], old_size: int, new_size: int) -> Iterator[_Part]:
    for before, after in pairwise([Block(0, 0, 0), *blocks, Block(old_size, new_size, 0)]):
        yield _Part(before.old + before.size, after.old, before.new + before.size, after.new)


def _joined(blocks: list[Block]) -> list[Block]:
    joined: list[Block] = []
    for block in sorted(blocks):
        last = joined[-1] if joined else Block(0, 0, 0)
        if joined and (last.old + last.size, last.new + last.size) == block[:2]:
            joined[-1] = last._replace(size=last.size + block.size)
        elif block.size:
            joined.append(block)
    return joined


def _slid_down(blocks: Sequence[Block], old: Sequence[int], new: Sequence[int]) -> list[Block]:
    """The same, with lines that came or went as far down as they can be taken for it.

    Of a new paragraph the blank line below is new then, not the one above, as git has it.
    """
    begin, end = Block(0, 0, 0), Block(len(old), len(new), 0)
    above_all = [] if blocks and blocks[0][:2] == begin[:2] else [begin]
    slid = [end]
    for block in reversed([*above_all, *blocks]):
        above, below = block, slid.pop()
        while above.old + above.size == below.old or above.new + above.size == below.new:
            lines, start, stop = old, above.old + above.size, below.old
            if start == stop:
                lines, start, stop = new, above.new + above.size, below.new
            count = common(lines, lines, below.size, start, stop)
            above = above._replace(size=above.size + count)
            below = Block(below.old + count, below.new + count, below.size - count)
            if below.size or not slid:
                break
            # Nothing is between this change and the next one.
            below = slid.pop()
        slid += [below, above]
    return [block for block in reversed(slid) if block.size]


def _piece_by_piece(
    old: Sequence[int], new: Sequence[int], way: _Way, most_steps: int
) -> tuple[list[Block], int]:
    """What is the same on a way that is chosen anew where it gets long, and how many steps that took."""
    blocks = list(way.blocks)
    old_at, new_at, steps = way.old_end, way.new_end, 0
    while not way.is_whole and steps < most_steps:
        way = _shortest_way(old[old_at:], new[new_at:], most_steps - steps)
        blocks += [Block(old_at + block.old, new_at + block.new, block.size) for block in way.blocks]
        old_at, new_at, steps = old_at + way.old_end, new_at + way.new_end, steps + way.steps
    return blocks, steps


def _shortest_way(old: Sequence[int], new: Sequence[int], most_steps: int) -> _Way:
    """The way through both sides that keeps the most lines, or its likeliest beginning where that is long.

    Lines are looked at along diagonals: on one, the number in ``old`` minus that in ``new`` is the same. One
    change more leads to the next one.
    """
    old_size, new_size = len(old), len(new)
    most_changes = min(old_size + new_size, _MOST_CHANGES)
    zero = most_changes + 1
    # How far into old each diagonal has been followed.
    reached = [-1] * (2 * most_changes + 3)
    reached[zero + 1] = 0
    # The same by number of changes: the lowest diagonal that these lead to, and every second one from there.
    rows: list[tuple[int, array[int]]] = []
    steps = 0
    is_whole = False
    for changes in range(most_changes + 1):
        low = -changes if changes <= new_size else (changes - new_size) % 2 - new_size
        high = changes if changes <= old_size else old_size - (changes - old_size) % 2
        for diagonal in range(low, high + 1, 2):
            right, down = reached[zero + diagonal - 1], reached[zero + diagonal + 1]
            start = down if right < down else right + 1
            x, y = start, start - diagonal
            while x < old_size and y < new_size and old[x] == new[y]:
                x += 1
                y += 1
            reached[zero + diagonal] = x
            steps += 1 + x - start
            is_whole = x >= old_size and y >= new_size
            if is_whole or steps > most_steps:
                high = diagonal
                break
        rows.append((low, array("i", reached[zero + low : zero + high + 1 : 2])))
        if is_whole or steps > most_steps:
            break
    inside = [
        (2 * x - diagonal, diagonal, x)
        for diagonal, x in zip(range(low, high + 1, 2), rows[-1][1], strict=True)
        if x <= old_size and x - diagonal <= new_size
    ]
    if not inside:
        return _Way(old_size, new_size, (), steps, True)
    _, diagonal, x = max(inside)
    return _Way(x, x - diagonal, _blocks_back(rows, diagonal, x), steps, is_whole)


def _blocks_back(rows: Sequence[tuple[int, array[int]]], diagonal: int, end: int) -> list[Block]:
    """What is the same on the way that leads so far into old on a diagonal of the last row."""
    blocks = []
    for low, ends in reversed(rows[:-1]):
        right, down = (
            ends[(other - low) // 2] if 0 <= (other - low) // 2 < len(ends) else -1
            for other in (diagonal - 1, diagonal + 1)
        )
        start = down if right < down else right + 1
        if end > start:
            blocks.append(Block(start, start - diagonal, end - start))
        end, diagonal = (down, diagonal + 1) if right < down else (right, diagonal - 1)
    if end:
        blocks.append(Block(0, 0, end))
    return blocks[::-1]


def anchored_blocks(
    old: Sequence[_Line],
    new: Sequence[_Line],
    head: int,
    tail: int,
    of_old: Counter[_Line],
    of_new: Counter[_Line],
) -> list[Block]:
    """Lines that are there once on both sides, in the same order, with the equal lines around them.

    Parameters
    ----------
    head, tail:
        How many lines at the ends are left out of it.
    of_old, of_new:
        How often each line is there on either side.
    """
    places = {line: n for n, line in enumerate(new) if of_new[line] == of_old[line] == 1}
    pairs = [(n, places[old[n]]) for n in range(head, len(old) - tail) if old[n] in places]
    blocks: list[Block] = []
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
        below = common(old, new, min(len(old) - old_at, len(new) - new_at) - tail, old_at, new_at)
        blocks.append(Block(old_at - above, new_at - above, above + below))
        old_end, new_end = old_at + below, new_at + below
    return blocks


def common(old: Sequence[_Line], new: Sequence[_Line], most: int, old_at: int = 0, new_at: int = 0) -> int:
    """How many equal lines both have from there on, ``most`` at most."""
    return next((n for n in range(most) if old[old_at + n] != new[new_at + n]), most)


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
