"""What stands in a layer, read from the image's own archive: the file manifest, derived again."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import IO, cast

from snapshot.changeset.entry import PathChange
from snapshot.changeset.layer import Piece
from snapshot.changeset.names import WHITEOUT_PREFIX
from snapshot.changeset.paths import component_order
from snapshot.changeset.reader import Hashes
from snapshot.changeset.tar_reader import read_members
from snapshot.engine.client import Engine
from snapshot.engine.types import ChangeKind
from snapshot.errors import EngineGone
from snapshot.image.saved import SavedImage, SavedImageUnreadable, SavedLayer


def changes_in_layer(engine: Engine, image_id: str, diff_id: str) -> tuple[PathChange, ...] | None:
    """The changes that the image's layer with that digest holds; ``None`` where it has no such layer.

    Whether a path was added or changed no layer tells: all that stand there are given as changed. The whole
    image may have to be read.

    Raises :class:`~snapshot.image.saved.SavedImageUnreadable`.
    """
    with engine.transfer.save(image_id) as stream:
        for layer in SavedImage(stream).layers():
            # Names tell a digest but prove nothing, so they are a reason to look, and no more.
            try:
                changes = tuple(sorted(_changes(layer), key=lambda change: component_order(change.path)))
            except EngineGone as error:
                raise SavedImageUnreadable(error.what) from error
            if layer.diff_id() == diff_id:
                return changes
    return None


def _changes(layer: SavedLayer) -> Iterator[PathChange]:
    sink = Hashes()
    pieces: dict[str, Piece] = {}
    for member in read_members(cast("IO[bytes]", layer), "/", strip=0):
        path = member.entry.path
        name = posixpath.basename(path)
        if name.startswith(WHITEOUT_PREFIX):
            deleted = posixpath.join(posixpath.dirname(path), name.removeprefix(WHITEOUT_PREFIX))
            yield PathChange(ChangeKind.DELETED, deleted)
            continue
        original = pieces.get(member.link_to)
        pieces[path] = original.as_link(path, member.link_to) if original else sink.add(member)
        yield PathChange(ChangeKind.CHANGED, path, pieces[path].entry)
