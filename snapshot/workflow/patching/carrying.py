"""Putting all that another image changed into a tree of files that is being edited."""

from __future__ import annotations

from contextlib import suppress

from snapshot.changeset.edited_tree import EditedTree
from snapshot.changeset.layer import Layer, Piece
from snapshot.changeset.layer_members import layer_members
from snapshot.changeset.names import deleted_by, is_whiteout
from snapshot.errors import PathNotFound


def carry(tree: EditedTree, layer: Layer) -> None:
    """Make the changes that a canonical layer holds, deletions first where they stand in the way."""
    pieces: dict[str, Piece] = {}
    for member in layer_members(layer):
        path = member.entry.path
        if is_whiteout(path):
            # It was there in the image that the changes were made on, and may not be here.
            with suppress(PathNotFound):
                tree.remove(deleted_by(path))
        elif first := pieces.get(member.link_to):
            tree.put(path, first.as_link(path, member.link_to))
        else:
            pieces[path] = tree.take(member)
            tree.put(path, pieces[path])
