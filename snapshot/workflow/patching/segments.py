"""How instructions share layers: what stands between two runs is made here, in one layer.

So a patch without a run adds one layer, whatever it edits, and config edits in between part nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from snapshot.recipe.instructions import EditConfig, Instruction, Run


class Segment(NamedTuple):
    """Instructions that share a layer: one run, or all edits between two.

    Attributes
    ----------
    first, end:
        Numbers of the first instruction and of the one after the last, from 0.
    ends:
        After how many instructions a result can be kept: not where an edit of files stands before and another
        one after it, since the layer would be two.
    """

    first: int
    end: int
    is_run: bool
    ends: tuple[int, ...]


def segments(instructions: Sequence[Instruction]) -> list[Segment]:
    """The segments of some instructions, in order.

    >>> from snapshot.recipe.instructions import MakeFolder
    >>> [segment[:3] for segment in segments([MakeFolder("/a"), EditConfig(), Run("b"), Run("c")])]
    [(0, 2, False), (2, 3, True), (3, 4, True)]
    """
    found: list[Segment] = []
    first = 0
    for number, instruction in enumerate(instructions):
        if isinstance(instruction, Run):
            if first < number:
                found.append(_edits(instructions, first, number))
            found.append(Segment(number, number + 1, True, (number + 1,)))
            first = number + 1
    if first < len(instructions):
        found.append(_edits(instructions, first, len(instructions)))
    return found


def _edits(instructions: Sequence[Instruction], first: int, end: int) -> Segment:
    of_files = [number for number in range(first, end) if not isinstance(instructions[number], EditConfig)]
    ends = {end}
    if of_files:
        # The config before the first edit of files and after the last one have results of their own.
        ends |= {number for number in (of_files[0], of_files[-1] + 1) if number > first}
    return Segment(first, end, False, tuple(sorted(ends)))
