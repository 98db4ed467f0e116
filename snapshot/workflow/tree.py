"""``snap tree``: which local images stand on which, by the layers that they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.image.generations import generations_of
from snapshot.image.record import Record, RecordDamaged, chain_ids
from snapshot.workflow.cache import is_kept_result
from snapshot.workflow.family import drawing_order
from snapshot.workflow.layer_sizes import layer_sizes
from snapshot.workflow.named import image_named
from snapshot.workflow.progress import SILENT, Progress


class Origin(NamedTuple):
    """The image that another one was made from, as its record names it, and whether it is here."""

    id: str
    names: tuple[str, ...]
    is_here: bool


class Branch(NamedTuple):
    """An image in the tree, or layers that several images begin with and that are no image themselves.

    Attributes
    ----------
    id, names:
        Of the image; both empty for layers that are none.
    depth:
        How many branches it stands on.
    layer_count, own_bytes:
        Its layers beyond those of what it stands on, and their bytes as the engine counts them.
    size_bytes:
        All its layers.
    message, step_count:
        Of the commit that made it; ``None`` for an image without a record.
    made_from:
        Where its record names an image that it does not stand on: after a squash or a rebase, and where that
        image was removed.
    is_kept_result:
        Whether snap keeps it as the result of steps (``snap cache``).
    damage:
        Why its record cannot be read, empty where it can or need not.
    """

    id: str
    names: tuple[str, ...]
    depth: int
    layer_count: int
    own_bytes: int
    size_bytes: int
    message: str | None = None
    step_count: int | None = None
    made_from: Origin | None = None
    is_kept_result: bool = False
    damage: str = ""


class Tree(NamedTuple):
    """Branches as they are drawn, each before what stands on it; ``marked`` is the ID asked for, or empty."""

    branches: tuple[Branch, ...]
    marked: str = ""


def tree(engine: Engine, name: str = "", *, progress: Progress = SILENT) -> Tree:
    """All images that ``docker image ls`` shows, each below the one that has all of its other layers.

    Of images with the same layers, the oldest comes first, and the others stand on the one that they were
    made from, or else on that. Layers that several images have in common are there even where no image
    consists of them.

    Parameters
    ----------
    name:
        An image by name or ID: only the tree that it is in is given. Empty for all.

    Raises
    ------
    ImageNotFound
    """
    wanted = image_named(engine, name) if name else None
    images = engine.images()
    if wanted and wanted.id not in {image.id for image in images}:
        images.append(wanted)
    branches = tree_of(images, layer_sizes(engine, images, progress=progress))
    return Tree(_around(branches, wanted.id), wanted.id) if wanted else Tree(branches)


def _around(branches: Sequence[Branch], image_id: str) -> tuple[Branch, ...]:
    """The branches of the one tree that an image is in."""
    where = next(index for index, branch in enumerate(branches) if branch.id == image_id)
    roots = [index for index, branch in enumerate(branches) if branch.depth == 0]
    first = max(root for root in roots if root <= where)
    return tuple(branches[first : min((root for root in roots if root > where), default=None)])


def tree_of(images: Iterable[Image], sizes: Mapping[str, int]) -> tuple[Branch, ...]:
    """The tree of these images; ``sizes`` are the bytes of their layers, by chain ID."""
    by_age = sorted(images, key=lambda image: (image.created, image.id))
    here = {image.id: image for image in by_age}
    lines = {image.id: chain_ids(image.layers) for image in by_age}
    made = {image.id: _made(image) for image in by_age}
    ground = _Ground(lines, made)
    found: dict[str, Branch] = {}
    parents: dict[str, str] = {}

    def plant(key: str, line: Sequence[str], below: _Below) -> Branch:
        parents[key] = below.key
        bytes_of = [sizes.get(chain, 0) for chain in line]
        own = bytes_of[below.layer_count :]
        found[key] = Branch("", (), 0, len(own), sum(own), sum(bytes_of))
        return found[key]

    for image in by_age:
        line = lines[image.id]
        for number, chain in enumerate(line, 1):
            if chain in ground.forks and chain not in found:
                plant(chain, line[:number], ground.below(line[:number]))
        below = ground.below_image(image.id)
        how = made[image.id]
        found[image.id] = plant(image.id, line, below)._replace(
            id=image.id,
            names=image.tags,
            message=how.message,
            step_count=how.step_count,
            is_kept_result=how.is_kept_result,
            damage=how.damage,
        )
    drawn, line_to = [], list[str]()
    for key, depth in drawing_order(found, parents):
        line_to[depth:] = [key]
        how = made.get(key, _Made())
        is_below = how.origin_id in {"", *line_to[:-1]}
        drawn.append(found[key]._replace(depth=depth, made_from=None if is_below else _origin(how, here)))
    return tuple(drawn)


class _Made(NamedTuple):
    """What the labels of an image say of how it was made."""

    generation_count: int = 0
    origin_id: str = ""
    origin_name: str = ""
    message: str | None = None
    step_count: int | None = None
    damage: str = ""
    is_kept_result: bool = False


def _made(image: Image) -> _Made:
    labels = image.config.labels
    try:
        record, generations = Record.from_labels(labels), generations_of(labels)
    except RecordDamaged as error:
        return _Made(damage=str(error))
    if record is None:
        return _Made(is_kept_result=is_kept_result(image))
    last = generations[-1]
    origin = (record.made_from, "") if record.made_from else (last.base_id, last.base_name)
    return _Made(len(generations), *origin, last.message, last.step_count)


def _origin(how: _Made, here: Mapping[str, Image]) -> Origin:
    image = here.get(how.origin_id)
    names = image.tags if image else (how.origin_name,) if how.origin_name else ()
    return Origin(how.origin_id, names, image is not None)


class _Below(NamedTuple):
    """What something stands on, an image by its ID or a fork by its chain ID, and the layers of that."""

    key: str
    layer_count: int


class _Ground:
    """What images stand on.

    ``forks`` are the chain IDs where lines of layers part and that no image ends with.
    """

    def __init__(self, lines: Mapping[str, Sequence[str]], made: Mapping[str, _Made]) -> None:
        self._lines = lines
        self._made = made
        followers: dict[str, set[str]] = {}
        self._ending: dict[str, list[str]] = {}
        # Of the same layers, an image comes after what it was made from, whatever times they have.
        for image_id in sorted(lines, key=lambda key: (made[key].is_kept_result, made[key].generation_count)):
            line = lines[image_id]
            for chain, following in pairwise(line):
                followers.setdefault(chain, set()).add(following)
            if line:
                self._ending.setdefault(line[-1], []).append(image_id)
        self.forks = {chain for chain, after in followers.items() if len(after) > 1} - self._ending.keys()

    def below(self, line: Sequence[str], origin_id: str = "") -> _Below:
        """What a line of layers stands on: the nearest image that has all others of them, or fork."""
        for count in range(len(line) - 1, 0, -1):
            chain = line[count - 1]
            if chain in self._ending:
                return _Below(_chosen(self._ending[chain], origin_id), count)
            if chain in self.forks:
                return _Below(chain, count)
        return _Below("", 0)

    def below_image(self, image_id: str) -> _Below:
        """What an image stands on, which may have the same layers."""
        line, origin_id = self._lines[image_id], self._made[image_id].origin_id
        same = self._ending[line[-1]] if line else [image_id]
        if before := same[: same.index(image_id)]:
            return _Below(_chosen(before, origin_id), len(line))
        return self.below(line, origin_id)


def _chosen(image_ids: Sequence[str], origin_id: str) -> str:
    return origin_id if origin_id in image_ids else image_ids[0]
