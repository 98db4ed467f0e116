"""A container's files in memory, given out as an engine gives them out: as tar streams, by path."""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from snapshot.changeset.paths import component_order
from snapshot.engine.types import Change, ChangeKind, PathStat
from snapshot.errors import EngineError, PathNotFound

#: No tar has a type for sockets, and engines leave them out.
SOCKET = b"socket"

# Bits of Go's ``fs.FileMode``.
_GO_TYPES = {tarfile.DIRTYPE: 1 << 31, tarfile.SYMTYPE: 1 << 27, tarfile.FIFOTYPE: 1 << 25, SOCKET: 1 << 24}


@dataclass(eq=False)
class Node:
    """A file; the same one under several paths is a file with several names."""

    content: bytes = b""
    type: bytes = tarfile.REGTYPE
    mode: int = 0o644
    mtime_s: int = 1000
    target: str = ""


def folder() -> Node:
    return Node(type=tarfile.DIRTYPE, mode=0o755)


def added(*paths: str) -> list[Change]:
    return [Change(ChangeKind.ADDED, path) for path in paths]


def changed(*paths: str) -> list[Change]:
    return [Change(ChangeKind.CHANGED, path) for path in paths]


def deleted(*paths: str) -> list[Change]:
    return [Change(ChangeKind.DELETED, path) for path in paths]


@dataclass
class MemorySource:
    """All files by path; folders on the way to one need not be given.

    Nothing is to be had by a path that is not UTF-8, as from Docker 20.10; ``refused`` are paths that the
    engine will not hand out by themselves. ``calls`` are the archives that were asked for. Where
    ``gives_single_paths`` is not so, the owners in all archives but the export are others.
    """

    nodes: Mapping[str, Node]
    listed: Sequence[Change] = ()
    refused: frozenset[str] = frozenset()
    gives_single_paths: bool = True
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        whole = {"/": folder()}
        for path in self.nodes:
            while (path := posixpath.dirname(path)) != "/":
                whole.setdefault(path, folder())
        self.nodes = whole | dict(self.nodes)

    def changes(self) -> Sequence[Change]:
        return self.listed

    def stat(self, path: str) -> PathStat:
        node = self._node(path)
        return PathStat(len(node.content), _GO_TYPES.get(node.type, 0) | node.mode & 0o777, node.target)

    @contextmanager
    def archive(self, path: str) -> Iterator[IO[bytes]]:
        self.calls.append(path)
        if path in self.refused:
            raise EngineError(f"too many links on the way to '{path}'")
        if not path.isascii():
            yield io.BytesIO(_tar({}))
            return
        self._node(path)
        above = posixpath.dirname(path).rstrip("/") + "/"
        below = path.rstrip("/") + "/"
        found = [p for p in self.nodes if p == path or p.startswith(below)]
        found_nodes = {p.removeprefix(above): self.nodes[p] for p in self._sorted(found)}
        yield io.BytesIO(_tar(found_nodes, owner=0 if self.gives_single_paths or path == "/" else 77))

    @contextmanager
    def export(self) -> Iterator[IO[bytes]]:
        self.calls.append("everything")
        yield io.BytesIO(_tar({p[1:]: self.nodes[p] for p in self._sorted(self.nodes) if p != "/"}))

    def _node(self, path: str) -> Node:
        try:
            return self.nodes[path]
        except KeyError:
            raise PathNotFound(f"nothing at '{path}'") from None

    def _sorted(self, paths: Iterable[str]) -> list[str]:
        return sorted(paths, key=component_order)


def _tar(nodes: Mapping[str, Node], owner: int = 0) -> bytes:
    stream = io.BytesIO()
    first_names: dict[int, str] = {}
    with tarfile.open(
        fileobj=stream, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape"
    ) as tar:
        for name, node in nodes.items():
            if node.type == SOCKET:
                continue
            info = tarfile.TarInfo(name or "./")
            info.type, info.mode, info.mtime, info.linkname = node.type, node.mode, node.mtime_s, node.target
            info.uid = owner
            first = first_names.setdefault(id(node), name)
            if first != name:
                info.type, info.linkname = tarfile.LNKTYPE, first
            info.size = len(node.content) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(node.content))
    return stream.getvalue()
