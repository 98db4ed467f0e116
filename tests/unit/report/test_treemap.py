from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.layer_use import SizedFolder
from snapshot.report.treemap import Box, Cell, squarified, treemap

ROOM = Box(10, 20, 300, 200)
SIZES = st.lists(st.integers(1, 10**12), min_size=1, max_size=40).map(
    lambda sizes: sorted(sizes, reverse=True)
)


def lies_in(inner: Box, outer: Box, slack: float = 1e-3) -> bool:
    return (
        inner.x >= outer.x - slack
        and inner.y >= outer.y - slack
        and inner.x + inner.width <= outer.x + outer.width + slack
        and inner.y + inner.height <= outer.y + outer.height + slack
    )


def overlap(one: Box, other: Box) -> float:
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return max(width, 0) * max(height, 0)


def named(cells: list[Cell]) -> dict[str, Cell]:
    return {cell.path: cell for cell in cells if not cell.others}


@given(SIZES)
def test_areas_are_in_proportion_to_sizes_and_fill_the_box_without_overlaps(sizes: list[int]) -> None:
    boxes = squarified(sizes, ROOM)
    scale = ROOM.width * ROOM.height / sum(sizes)
    assert len(boxes) == len(sizes)
    for size, box in zip(sizes, boxes, strict=True):
        assert math.isclose(box.width * box.height, size * scale, rel_tol=1e-6, abs_tol=1e-3)
        assert lies_in(box, ROOM)
    for number, box in enumerate(boxes):
        assert all(overlap(box, other) < 1e-3 for other in boxes[number + 1 :])


def test_boxes_are_as_square_as_the_paper_has_them() -> None:
    # The example of Bruls, Huizing and van Wijk, section 3.2.
    boxes = squarified([6, 6, 4, 3, 2, 2, 1], Box(0, 0, 6, 4))
    ratios = [max(box.width / box.height, box.height / box.width) for box in boxes]
    assert boxes[0] == Box(0, 0, 3, 2)
    assert max(ratios) < 2.8


def test_no_box_is_made_in_no_room() -> None:
    assert squarified([2, 1], Box(0, 0, 0, 5)) == [Box(0, 0, 0, 0)] * 2


def test_folders_lie_in_the_ones_above_with_the_bytes_of_all_below() -> None:
    cells = treemap(
        [SizedFolder("/usr/lib", 600, 6), SizedFolder("/usr", 100, 1), SizedFolder("/etc", 300, 3)], ROOM
    )
    by_path = named(cells)
    assert (by_path["/usr"].size_bytes, by_path["/etc"].size_bytes) == (700, 300)
    assert lies_in(by_path["/usr/lib"].box, by_path["/usr"].box)
    own = next(cell for cell in cells if cell.others)
    assert (own.path, own.size_bytes, own.others) == ("/usr", 100, -1)


def test_small_folders_share_a_box_that_tells_how_many_they_are() -> None:
    cells = treemap([SizedFolder(f"/f{number}", 1000 - number, 1) for number in range(100)], ROOM)
    (others,) = (cell for cell in cells if cell.others)
    assert others.others == 100 - (len(cells) - 1)
    assert sum(cell.size_bytes for cell in cells) == sum(1000 - number for number in range(100))


def test_nothing_is_drawn_of_nothing() -> None:
    assert treemap([], ROOM) == treemap([SizedFolder("/etc", 0, 4)], ROOM) == []
