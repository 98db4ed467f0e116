"""Which archive calls to make for the changed paths of a container: a decision by cost.

One call a path costs 15 to 200 s for some thousand files, a good plan about 2 s; but a whole export for one
small file on a large base is as wrong. The plan is data; any plan gives the same layer.
"""

from __future__ import annotations

import math
import posixpath
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from snapshot.changeset.paths import as_the_engine_lists, component_order


@dataclass(frozen=True)
class ReadPath:
    """One call for one path. Of a folder its own header alone is read: it comes first."""

    path: str

    def __str__(self) -> str:
        return f"path {self.path}"


@dataclass(frozen=True)
class ReadFolder:
    """One call for a folder and all below it; what nobody asked for is passed over."""

    path: str

    def __str__(self) -> str:
        return f"folder {self.path}"


@dataclass(frozen=True)
class ReadEverything:
    """An export of the whole container; it has no header for the root itself."""

    def __str__(self) -> str:
        return "everything"


Step = ReadPath | ReadFolder | ReadEverything


@dataclass(frozen=True)
class CallCosts:
    """What an engine's calls cost: seconds a call, seconds a file in it, and bytes a second."""

    call_s: float
    file_s: float
    bytes_per_s: float


@dataclass(frozen=True)
class KnownSizes:
    """What is known before anything was read, in bytes: of the base image, and of all changes.

    A base of unknown size is taken for a large one: to read it all is the dearer mistake.
    """

    base_bytes: int = 10**9
    changed_bytes: int = 0


@dataclass(frozen=True)
class FetchPlan:
    """The calls to make, in canonical order, and how long they are thought to take."""

    steps: tuple[Step, ...]
    estimated_s: float

    def __str__(self) -> str:
        counts: defaultdict[str, int] = defaultdict(int)
        for step in self.steps:
            counts[type(step).__name__] += 1
        calls = ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing to read"
        return f"{calls}; about {self.estimated_s:.2f} s"


# A folder's share of the base image is not known; one level down is taken to be this part of it, at least.
_SHARE_A_LEVEL = 0.3
_BYTES_A_BASE_FILE = 30_000


@dataclass
class _Node:
    """A folder or file on the way to a wanted path, or such a path itself."""

    path: str
    wanted: bool = False
    whole: bool = False
    addressable: bool = True
    children: list[_Node] = field(default_factory=list)


@dataclass(frozen=True)
class _Choice:
    seconds: float
    steps: tuple[Step, ...] | tuple[_Choice, ...]

    def flat(self) -> Iterator[Step]:
        """The steps of this choice and of those that it is made of."""
        waiting: list[_Choice | Step] = [self]
        while waiting:
            item = waiting.pop()
            if isinstance(item, _Choice):
                waiting += reversed(item.steps)
            else:
                yield item


def plan_fetch(
    paths: Collection[str],
    added: Collection[str],
    costs: CallCosts,
    sizes: KnownSizes,
    not_addressable: Collection[str] = (),
) -> FetchPlan:
    """The cheapest calls that bring all of ``paths``.

    Parameters
    ----------
    paths:
        What is to be read, as the engine lists it.
    added:
        Those of which all below is wanted or new, so that an archive of one holds little that nobody wants.
    not_addressable:
        Paths that cannot be asked for one by one, beside those whose names are not UTF-8 (Docker 20.10
        answers with an empty tar): they come with a folder above them.

    >>> costs = CallCosts(call_s=0.01, file_s=0.0001, bytes_per_s=1e8)
    >>> [str(step) for step in plan_fetch(["/a", "/a/b"], [], costs, KnownSizes(10**9)).steps]
    ['path /a', 'path /a/b']
    """
    if not paths:
        return FetchPlan((), 0.0)
    order = _tree(set(paths), set(added), set(not_addressable))
    bytes_a_file = sizes.changed_bytes / len(paths)
    # From the leaves up: all children of a node stand after it.
    below: dict[str, int] = {}
    choices: dict[str, _Choice] = {}
    for node in reversed(order):
        below[node.path] = node.wanted + sum(below[child.path] for child in node.children)
        choices[node.path] = min(
            _each(node, choices, costs, bytes_a_file),
            _together(node, below[node.path], costs, sizes, bytes_a_file),
            key=lambda choice: choice.seconds,
        )
    best = choices["/"]
    return FetchPlan(tuple(best.flat()), best.seconds)


def _tree(paths: set[str], added: set[str], not_addressable: set[str]) -> list[_Node]:
    """The paths and all folders above them, each before what is below it; the root first."""
    nodes: dict[str, _Node] = {}
    ways = {folder for path in paths for folder in _way_to(path)}
    for path in sorted(ways, key=component_order):
        parent = nodes.get(posixpath.dirname(path)) if path != "/" else None
        node = _Node(
            path,
            wanted=path in paths,
            whole=path in added or bool(parent and parent.whole),
            addressable=path not in not_addressable and _has_plain_name(path),
        )
        nodes[path] = node
        if parent:
            parent.children.append(node)
    return list(nodes.values())


def _way_to(path: str) -> Iterator[str]:
    yield path
    while path != "/":
        path = posixpath.dirname(path)
        yield path


def _has_plain_name(path: str) -> bool:
    return "\ufffd" not in path and as_the_engine_lists(path) == path


def _each(node: _Node, choices: dict[str, _Choice], costs: CallCosts, bytes_a_file: float) -> _Choice:
    """A call for the node itself, if it is wanted, and the best for each of its children."""
    own: tuple[_Choice, ...] = ()
    if node.wanted:
        content_s = 0.0 if node.children else bytes_a_file / costs.bytes_per_s
        seconds = costs.call_s + content_s if node.addressable else math.inf
        own = (_Choice(seconds, (ReadPath(node.path),)),)
    parts = own + tuple(choices[child.path] for child in node.children)
    return _Choice(sum(part.seconds for part in parts), parts)


def _together(node: _Node, wanted: int, costs: CallCosts, sizes: KnownSizes, bytes_a_file: float) -> _Choice:
    """One call for all that is at and below the node."""
    depth = len(component_order(node.path)) if node.path != "/" else 0
    unwanted_bytes = 0.0 if node.whole else sizes.base_bytes * _SHARE_A_LEVEL**depth
    files = wanted + unwanted_bytes / _BYTES_A_BASE_FILE
    seconds = (
        costs.call_s + files * costs.file_s + (wanted * bytes_a_file + unwanted_bytes) / costs.bytes_per_s
    )
    if node.path == "/":
        root = (ReadPath("/"),) if node.wanted else ()
        return _Choice(seconds, (*root, ReadEverything()))
    # A lone file is as well read by itself; and a name that cannot be asked for is no folder's either.
    return _Choice(seconds if node.children and node.addressable else math.inf, (ReadFolder(node.path),))
