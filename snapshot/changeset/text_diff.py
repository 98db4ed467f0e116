"""What differs between two contents of a file, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from snapshot.changeset.alignment import Block, aligned, lines_of


class DiffLine(NamedTuple):
    """A line of a hunk.

    Attributes
    ----------
    mark:
        ``" "`` for a line of both, ``"-"`` for one of the old content alone, ``"+"`` for one of the new.
    text:
        Without its line feed; bytes that are not UTF-8 are surrogate escapes.
    ends:
        Whether a line feed follows; only the last line of a content may lack it.
    """

    mark: str
    text: str
    ends: bool = True


class Hunk(NamedTuple):
    """Lines that differ, with some that do not around them; numbers as ``diff -u`` has them."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    lines: tuple[DiffLine, ...]

    @property
    def head(self) -> str:
        """The line above it.

        >>> Hunk(2, 1, 2, 0, ()).head
        '@@ -2 +2,0 @@'
        """
        old, new = _numbers(self.old_start, self.old_count), _numbers(self.new_start, self.new_count)
        return f"@@ -{old} +{new} @@"


def _numbers(start: int, count: int) -> str:
    return f"{start}" if count == 1 else f"{start},{count}"


class TextDiff(NamedTuple):
    """All that differs between two texts.

    Attributes
    ----------
    hunks:
        In order. Of one that was cut, the numbers are about the lines that it has left.
    lines_added, lines_removed:
        Also those that were cut away.
    lines_cut:
        How many lines of hunks were left out, those around the changes included.
    """

    hunks: tuple[Hunk, ...] = ()
    lines_added: int = 0
    lines_removed: int = 0
    lines_cut: int = 0


class _Change(NamedTuple):
    """Lines of the old text and what stands in their place in the new one."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def text_diff(old: bytes, new: bytes, context: int = 3, most_lines: int | None = None) -> TextDiff:
    r"""What makes one text of another, as ``diff -U CONTEXT`` tells it.

    Lines end with LF; a CR before it is part of the line. No fewer lines can be removed and added, unless the
    texts are far apart (:func:`~snapshot.changeset.alignment.aligned`).

    Parameters
    ----------
    context:
        So many lines above and below each change are told with it.
    most_lines:
        So many lines at most are in all hunks together; the others are counted.

    >>> hunk, = text_diff(b"one\ntwo\n", b"one\n2\n").hunks
    >>> "".join(line.mark for line in hunk.lines)
    ' -+'
    """
    numbers: dict[bytes, int] = {}
    old_lines = [numbers.setdefault(line, len(numbers)) for line in lines_of(old)]
    new_lines = [numbers.setdefault(line, len(numbers)) for line in lines_of(new)]
    changes = _changes(aligned(old_lines, new_lines), len(old_lines), len(new_lines))
    texts = _Texts(old_lines, new_lines, list(numbers))
    hunks: list[Hunk] = []
    cut = 0
    for group in _groups(changes, context):
        above = min(context, group[0].old_start)
        below = min(context, len(old_lines) - group[-1].old_end)
        room = None if most_lines is None else most_lines - sum(len(hunk.lines) for hunk in hunks)
        lines = tuple(islice(texts.around(group, above, below), room))
        cut += group[-1].old_end + below - (group[0].old_start - above) - len(lines)
        cut += sum(change.new_end - change.new_start for change in group)
        if lines:
            hunks.append(_hunk(group[0].old_start - above, group[0].new_start - above, lines))
    return TextDiff(
        tuple(hunks),
        sum(change.new_end - change.new_start for change in changes),
        sum(change.old_end - change.old_start for change in changes),
        cut,
    )


class _Texts(NamedTuple):
    """Both texts, each line a number, and the line of each number."""

    old: Sequence[int]
    new: Sequence[int]
    distinct: Sequence[bytes]

    def around(self, group: Sequence[_Change], above: int, below: int) -> Iterator[DiffLine]:
        """What changed, with so many lines above and below and all that is between."""
        position = group[0].old_start - above
        for change in group:
            yield from self._marked(" ", self.old[position : change.old_start])
            yield from self._marked("-", self.old[change.old_start : change.old_end])
            yield from self._marked("+", self.new[change.new_start : change.new_end])
            position = change.old_end
        yield from self._marked(" ", self.old[position : position + below])

    def _marked(self, mark: str, numbers: Sequence[int]) -> Iterator[DiffLine]:
        for number in numbers:
            line = self.distinct[number]
            text = line.removesuffix(b"\n")
            yield DiffLine(mark, text.decode("utf-8", "surrogateescape"), len(text) < len(line))


def _changes(blocks: Sequence[Block], old_size: int, new_size: int) -> list[_Change]:
    edges = [Block(0, 0, 0), *blocks, Block(old_size, new_size, 0)]
    changes = [
        _Change(before.old + before.size, after.old, before.new + before.size, after.new)
        for before, after in pairwise(edges)
    ]
    return [
        change for change in changes if change.old_start < change.old_end or change.new_start < change.new_end
    ]


def _groups(changes: Sequence[_Change], context: int) -> Iterator[list[_Change]]:
    """Changes whose lines around them touch are in one hunk."""
    group: list[_Change] = []
    for change in changes:
        if group and change.old_start - group[-1].old_end > 2 * context:
            yield group
            group = []
        group.append(change)
    if group:
        yield group


def _hunk(old_at: int, new_at: int, lines: tuple[DiffLine, ...]) -> Hunk:
    """Lines that begin after so many of either side."""
    old_count = sum(line.mark != "+" for line in lines)
    new_count = sum(line.mark != "-" for line in lines)
    # A side without lines has the number of the line that they would come after.
    return Hunk(old_at + bool(old_count), old_count, new_at + bool(new_count), new_count, lines)
