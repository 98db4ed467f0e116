"""Folding layers: what changed against an image further down, from the names in the layers between."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

from snapshot.changeset.entry import FileType
from snapshot.changeset.layer_contents import LayerContents
from snapshot.changeset.names import WHITEOUT_PREFIX, deleted_by, is_whiteout
from snapshot.changeset.paths import component_order
from snapshot.changeset.tar_reader import read_members
from snapshot.engine.types import Change, ChangeKind

_OPAQUE = ".wh..wh..opq"

#: Names of a layer in their order, whiteouts as they stand there, and whether each is a folder.
LayerNames = Sequence[tuple[str, bool]]


class _Tree(dict[str, "_Tree"]):
    """The names in a folder, each with those below it; a file has none."""


def names_in_layer(layer: IO[bytes]) -> list[tuple[str, bool]]:
    """The paths of a layer, an uncompressed tar, and whether each is a folder."""
    return [
        (member.entry.path, member.entry.type is FileType.FOLDER)
        for member in read_members(layer, "/", strip=0)
    ]


def names_of(layer: LayerContents) -> list[tuple[str, bool]]:
    """The same of a layer that was read already."""
    names = [(entry.path, entry.type is FileType.FOLDER) for entry in layer.entries]
    for path in layer.deleted:
        folder, name = posixpath.split(path)
        names.append((posixpath.join(folder, WHITEOUT_PREFIX + name), False))
    return names + [(posixpath.join(folder, _OPAQUE), False) for folder in layer.emptied]


def changes_against(
    base: Sequence[LayerNames], folded: Sequence[LayerNames], listed: Iterable[Change]
) -> list[Change]:
    """What a container changed against the image of the ``base`` layers, ``folded`` ones standing on those.

    Whiteouts of the folded layers are resolved: one is left where the base has what it deletes, and only
    there.

    Parameters
    ----------
    listed:
        What the container changed against the topmost of the folded layers.
    """
    before, after = _Tree(), _Tree()
    for layer in base:
        _lay(before, layer)
        _lay(after, layer)
    touched = set()
    for layer in folded:
        _lay(after, layer)
        touched |= {path for path, _ in layer if not is_whiteout(path)}
    for change in listed:
        if change.kind is ChangeKind.DELETED:
            _remove(after, change.path)
        else:
            _put(after, change.path)
            touched.add(change.path)
    deleted = [Change(ChangeKind.DELETED, path) for path in _missing(before, after)]
    present = [
        Change(ChangeKind.CHANGED if _has(before, path) else ChangeKind.ADDED, path)
        for path in touched
        if _has(after, path)
    ]
    return sorted([*deleted, *present], key=lambda change: component_order(change.path))


def _lay(tree: _Tree, layer: LayerNames) -> None:
    for path, _ in layer:
        # Whiteouts hide what is in the layers below and nothing of their own (OCI image spec, layer.md).
        folder, name = posixpath.split(path)
        if name == _OPAQUE:
            if found := _at(tree, folder):
                found.clear()
        elif is_whiteout(path):
            _remove(tree, deleted_by(path))
    for path, is_folder in layer:
        if is_whiteout(path):
            continue
        node = _put(tree, path)
        if not is_folder:
            node.clear()


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _at(tree: _Tree, path: str) -> _Tree | None:
    for part in _parts(path):
        found = tree.get(part)
        if found is None:
            return None
        tree = found
    return tree


def _has(tree: _Tree, path: str) -> bool:
    return _at(tree, path) is not None


def _put(tree: _Tree, path: str) -> _Tree:
    for part in _parts(path):
        if part not in tree:
            tree[part] = _Tree()
        tree = tree[part]
    return tree


def _remove(tree: _Tree, path: str) -> None:
    folder, name = posixpath.split(path)
    found = _at(tree, folder)
    if found is not None:
        found.pop(name, None)


def _missing(before: _Tree, after: _Tree) -> Iterator[str]:
    """The topmost paths of ``before`` that ``after`` has not."""
    waiting = [("", before, after)]
    while waiting:
        folder, old, new = waiting.pop()
        for name, below in old.items():
            path = f"{folder}/{name}"
            if name not in new:
                yield path
            elif below:
                waiting.append((path, below, new[name]))
