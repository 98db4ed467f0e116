"""Layers laid on one another: what stands where on top of those below, and what of these shows no more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.layer_contents import LayerContents
from snapshot.changeset.member import Chunk, Member, no_content
from snapshot.changeset.paths import by_bytes, component_order, folders_above

_FOLDER = FileType.FOLDER
_NO_XATTRS: Mapping[str, bytes] = {}
#: What engines make of a folder that no layer has an entry for (moby, ``archive.Unpack``).
_ON_THE_WAY = FileEntry("", _FOLDER, 0o755, 0, 0)


class _Node:
    """What the layers say of one path.

    Attributes
    ----------
    entry:
        What the topmost of them has there; ``None`` where none has it, or only another name of a file below.
    file:
        The same for all names of one file.
    gone:
        It was deleted.
    fresh:
        What the layers below have in it does not show.
    """

    __slots__ = ("below", "entry", "file", "fresh", "gone", "xattrs")

    def __init__(self) -> None:
        self.entry: FileEntry | None = None
        self.xattrs = _NO_XATTRS
        self.file: tuple[int, str] | None = None
        self.gone = False
        self.fresh = False
        self.below: dict[str, _Node] = {}


class LaidLayers:
    """The files of an image of which some layers were read (an ``ImageFiles`` itself).

    What these layers have is told from them; all else is looked up. So is a folder that is only on the way to
    what a layer has: engines make it anew for that layer, with a mode and an owner of their own.

    Parameters
    ----------
    files:
        The files of the whole image, these layers included; ``None`` where the layers are all that there is.
        For looking up names and entries alone the files below these layers will do.
    layers:
        Its topmost ones, the lowest first.
    """

    def __init__(self, files: ImageFiles | None, layers: Sequence[LayerContents]) -> None:
        self._files = files
        self._root = _Node()
        self._root.fresh = files is None
        for number, layer in enumerate(layers):
            self._lay(number, layer)

    def at(self, path: str) -> Member | None:
        """What stands at ``path``."""
        node, hidden = self._find(path)
        if (node is None and hidden) or (node and node.gone):
            return None
        if node and node.entry:
            content = partial(self._content, path) if node.entry.type is FileType.FILE else no_content
            return Member(node.entry, 0, "", node.xattrs, content)
        if self._files:
            return self._files.at(path)
        stands = node is not None and (_holds(node) or node is self._root)
        return Member(replace(_ON_THE_WAY, path=path), 0) if stands else None

    def names(self, folder: str) -> Collection[str]:
        """The names of what stands in a folder, sorted."""
        node, hidden = self._find(folder)
        if (node is None and hidden) or (node and (node.gone or _is_no_folder(node))):
            return ()
        below = node.below if node else {}
        names = (
            set() if hidden or (node and node.fresh) or not self._files else set(self._files.names(folder))
        )
        names -= {name for name, found in below.items() if found.gone}
        return sorted(names | {name for name, found in below.items() if not found.gone}, key=by_bytes)

    def knows(self, path: str) -> bool:
        """Whether one of the layers says what stands at ``path``, with its extended attributes."""
        node, hidden = self._find(path)
        return hidden if node is None else node.gone or node.entry is not None

    def told(self) -> Iterator[tuple[str, bool]]:
        """The paths that the layers tell of, and whether that hides what is below each further down."""
        for path, node in self._nodes():
            if node.entry or node.gone or node.fresh:
                yield path, node.fresh

    def origin(self, path: str) -> tuple[int, str] | None:
        """The layer that a file is from, 0 for the lowest of them, and its first name there."""
        node, _ = self._find(path)
        return node.file if node and node.entry else None

    def links(self) -> dict[str, str]:
        """For each file that the layers have: the first of its names, empty for that one."""
        names: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
        for path, node in self._nodes():
            if node.file and node.entry:
                names[node.file].append(path)
        links: dict[str, str] = {}
        for paths in names.values():
            first = min(paths, key=component_order)
            links |= {path: "" if path == first else first for path in paths}
        return links

    def tree(self) -> dict[str, FileEntry]:
        """All that stands in the layers, where there is nothing below them."""
        links = self.links()
        found = {}
        for path, node in self._nodes():
            if node.gone:
                continue
            if node.entry:
                found[path] = replace(node.entry, hard_link=links.get(path, ""))
            elif _holds(node):
                found[path] = replace(_ON_THE_WAY, path=path)
        return found

    def _lay(self, number: int, layer: LayerContents) -> None:
        # Whiteouts hide what is in the layers below and nothing of their own (OCI image spec, layer.md).
        own_folders = {entry.path for entry in layer.entries if entry.type is _FOLDER}
        for path in (*layer.deleted, *(f"{folder}/" for folder in layer.emptied)):
            self._forget_above(path, own_folders)
        for path in layer.deleted:
            node = self._way_to(path)
            node.entry, node.file, node.gone, node.fresh = None, None, True, True
            node.below.clear()
        for path in layer.emptied:
            node = self._way_to(path)
            node.fresh = True
            node.below.clear()
        for entry in layer.entries:
            first = self._find(entry.hard_link)[0] if entry.hard_link else None
            node = self._way_to(entry.path)
            self._forget_above(entry.path, own_folders)
            if entry.type is not _FOLDER:
                node.fresh = True
                node.below.clear()
            node.gone = False
            node.entry, node.xattrs = entry, layer.xattrs.get(entry.path, _NO_XATTRS)
            node.file = (number, entry.hard_link or entry.path) if entry.type is FileType.FILE else None
            if entry.hard_link and (first is None or first.file != node.file):
                # A further name of what a layer below has.
                node.entry = replace(first.entry, path=entry.path) if first and first.entry else None
                node.file = first.file if first else None

    def _find(self, path: str) -> tuple[_Node | None, bool]:
        """The node of a path, and whether a folder on the way hides what the layers below have."""
        node, hidden = self._root, False
        for part in _parts(path):
            hidden = hidden or node.fresh
            found = node.below.get(part)
            if found is None:
                return None, hidden
            node = found
        return node, hidden

    def _way_to(self, path: str) -> _Node:
        node = self._root
        for part in _parts(path):
            if node.gone or _is_no_folder(node):
                # An engine makes the folders on the way.
                node.entry, node.file, node.gone, node.fresh = None, None, False, True
            node = node.below.setdefault(part, _Node())
        return node

    def _forget_above(self, path: str, known: Collection[str]) -> None:
        """Note that an engine made the folders on the way that are not ``known``."""
        for folder in folders_above(path) if self._files else ():
            if folder in known:
                # What is above it was seen to when its own entry came.
                return
            node = self._find(folder)[0]
            if node:
                node.entry, node.xattrs = None, _NO_XATTRS

    def _nodes(self) -> Iterator[tuple[str, _Node]]:
        """All nodes but the root, in canonical order."""
        waiting = [("", self._root)]
        while waiting:
            path, node = waiting.pop()
            if path:
                yield path, node
            names = sorted(node.below, key=by_bytes, reverse=True)
            waiting += [(f"{path}/{name}", node.below[name]) for name in names]

    def _content(self, path: str) -> Iterator[Chunk]:
        member = self._files.at(path) if self._files else None
        if member:
            yield from member.content()


def _is_no_folder(node: _Node) -> bool:
    return node.entry is not None and node.entry.type is not _FOLDER


def _holds(node: _Node) -> bool:
    """Whether something stands in a folder that no layer has an entry for."""
    return any(not below.gone for below in node.below.values())


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]
