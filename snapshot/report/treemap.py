"""Where the bytes lie, as boxes in boxes: areas are sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from snapshot.changeset.layer_use import SizedFolder

#: A folder's name stands in a strip of this height above what is in it.
STRIP = 18.0
#: A box that is smaller than this in either direction is not divided further.
_LEAST_WIDTH, _LEAST_HEIGHT = 90.0, 56.0
_GAP = 2.0
#: Of the folders in one no more than this get a box of their own; the others share one.
_MOST_BOXES_A_FOLDER = 24


class Box(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


class Cell(NamedTuple):
    """A box of the map.

    Attributes
    ----------
    path:
        The folder that it stands for.
    size_bytes:
        What it holds, with all that is below.
    depth:
        0 for the folders of the root.
    group:
        Which of these it belongs to, counted from the largest one, 0.
    others:
        For what the small folders in ``path`` share: how many of these there are; -1 for the files that lie
        in ``path`` itself; 0 for a whole folder.
    is_divided:
        Whether other cells lie in it.
    """

    box: Box
    path: str
    size_bytes: int
    depth: int
    group: int
    others: int
    is_divided: bool


@dataclass
class _Area:
    path: str
    own_bytes: int = 0
    size_bytes: int = 0
    others: int = 0
    inside: dict[str, _Area] = field(default_factory=dict)


def squarified(sizes: Sequence[float], box: Box) -> list[Box]:
    """Divide a box among sizes so that the parts are as square as can be.

    After Bruls, Huizing and van Wijk, *Squarified Treemaps* (2000).

    Parameters
    ----------
    sizes:
        Largest first, all above 0.
    """
    boxes: list[Box] = []
    total = sum(sizes)
    begin = 0
    while begin < len(sizes):
        shorter = min(box.width, box.height)
        scale = box.width * box.height / total
        if scale <= 0:
            return [*boxes, *[Box(box.x, box.y, 0.0, 0.0)] * (len(sizes) - begin)]
        end = begin + 1
        in_row = sizes[begin] * scale
        worst = _worst(sizes[begin] * scale, sizes[begin] * scale, in_row, shorter)
        while end < len(sizes):
            longer_row = in_row + sizes[end] * scale
            ratio = _worst(sizes[begin] * scale, sizes[end] * scale, longer_row, shorter)
            if ratio > worst:
                break
            worst, in_row, end = ratio, longer_row, end + 1
        row = [size * scale for size in sizes[begin:end]]
        thickness = in_row / shorter
        place = 0.0
        for area in row:
            length = area / thickness
            if box.width >= box.height:
                boxes.append(Box(box.x, box.y + place, thickness, length))
            else:
                boxes.append(Box(box.x + place, box.y, length, thickness))
            place += length
        if box.width >= box.height:
            box = Box(box.x + thickness, box.y, max(box.width - thickness, 0.0), box.height)
        else:
            box = Box(box.x, box.y + thickness, box.width, max(box.height - thickness, 0.0))
        total -= sum(sizes[begin:end])
        begin = end
    return boxes


def _worst(largest: float, smallest: float, row: float, side: float) -> float:
    """The worst ratio of two sides in a row of boxes along a side."""
    return max(side * side * largest / (row * row), row * row / (side * side * smallest))


def treemap(folders: Iterable[SizedFolder], box: Box) -> list[Cell]:
    """The boxes of all folders in one; those that hold others come before them."""
    cells: list[Cell] = []
    root = _areas(folders)
    if root.size_bytes:
        _divide(root, box, -1, 0, cells)
    return cells


def _areas(folders: Iterable[SizedFolder]) -> _Area:
    root = _Area("/")
    for folder in folders:
        if folder.size_bytes <= 0:
            continue
        area = root
        area.size_bytes += folder.size_bytes
        for part in filter(None, folder.path.split("/")):
            area = area.inside.setdefault(part, _Area(f"{area.path.rstrip('/')}/{part}"))
            area.size_bytes += folder.size_bytes
        area.own_bytes += folder.size_bytes
    return root


def _divide(area: _Area, box: Box, depth: int, group: int, cells: list[Cell]) -> None:
    parts = _parts(area)
    boxes = squarified([part.size_bytes for part in parts], box)
    for number, (part, part_box) in enumerate(zip(parts, boxes, strict=True)):
        group_of_part = number if depth < 0 else group
        room = _inner(part_box)
        divided = bool(part.inside) and room.width >= _LEAST_WIDTH and room.height >= _LEAST_HEIGHT
        cells.append(
            Cell(part_box, part.path, part.size_bytes, depth + 1, group_of_part, part.others, divided)
        )
        if divided:
            _divide(part, room, depth + 1, group_of_part, cells)


def _parts(area: _Area) -> list[_Area]:
    parts = sorted(area.inside.values(), key=lambda part: (-part.size_bytes, part.path))
    small = parts[_MOST_BOXES_A_FOLDER:]
    if len(small) > 1:
        del parts[_MOST_BOXES_A_FOLDER:]
        parts.append(_Area(area.path, 0, sum(part.size_bytes for part in small), len(small)))
    if area.own_bytes:
        parts.append(_Area(area.path, 0, area.own_bytes, -1))
    return sorted(parts, key=lambda part: -part.size_bytes)


def _inner(box: Box) -> Box:
    return Box(
        box.x + _GAP, box.y + STRIP, max(box.width - 2 * _GAP, 0.0), max(box.height - STRIP - _GAP, 0.0)
    )
