"""What stands in a layer, read from the image's own archive: the file manifest, derived again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, cast

from snapshot.changeset.entry import PathChange
from snapshot.changeset.layer import Piece
from snapshot.changeset.member import Member
from snapshot.changeset.names import deleted_by, is_whiteout
from snapshot.changeset.paths import component_order
from snapshot.changeset.reader import Hashes, Sink
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
            changes, _ = take_layer(layer, Hashes())
            if layer.diff_id() == diff_id:
                return changes
    return None


def take_layer(layer: SavedLayer, sink: Sink) -> tuple[tuple[PathChange, ...], dict[str, Piece]]:
    """What a layer holds, as changes in canonical order and as what ``sink`` made of it, by path.

    Raises :class:`~snapshot.image.saved.SavedImageUnreadable`.
    """
    try:
        return take_members(read_members(cast("IO[bytes]", layer), "/", strip=0), sink)
    except EngineGone as error:
        raise SavedImageUnreadable(error.what) from error


def take_members(members: Iterable[Member], sink: Sink) -> tuple[tuple[PathChange, ...], dict[str, Piece]]:
    """As :func:`take_layer`, of a layer's members."""
    changes: list[PathChange] = []
    pieces: dict[str, Piece] = {}
    for member in members:
        path = member.entry.path
        if is_whiteout(path):
            changes.append(PathChange(ChangeKind.DELETED, deleted_by(path)))
            continue
        original = pieces.get(member.link_to)
        pieces[path] = sink.add_link(original.as_link(path, member.link_to)) if original else sink.add(member)
        changes.append(PathChange(ChangeKind.CHANGED, path, pieces[path].entry))
    return tuple(sorted(changes, key=lambda change: component_order(change.path))), pieces
