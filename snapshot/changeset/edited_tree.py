"""The files of an image while they are edited, and the layer that holds what became of them."""

from __future__ import annotations

import posixpath
from dataclasses import replace

from snapshot.changeset.entry import FileType
from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.layer import Layer, LayerSpool, Piece, Whiteout
from snapshot.changeset.layered_tree import LayeredTree
from snapshot.changeset.member import Member
from snapshot.changeset.paths import ENGINE_FILES

#: An engine writes into these folders of each container, so that over its API they are as old as that.
_FOLDERS_OF_ENGINES = frozenset(map(posixpath.dirname, ENGINE_FILES))


class EditedTree(LayeredTree):
    """The files of an image with edits on top; what they hold is in a spool.

    Parameters
    ----------
    base:
        The image's own files.
    spool:
        Where content goes; the tree can be read as long as it is open.
    """

    def __init__(self, base: ImageFiles, spool: LayerSpool) -> None:
        super().__init__(base, spool.content)
        self._spool = spool

    def take(self, member: Member) -> Piece:
        """Take a member with its content, to be put anywhere, and more than once."""
        return self._spool.add(member)

    def layer(self) -> Layer | None:
        """The layer that makes of the image what stands here; ``None`` where nothing differs.

        It has the folders that changed things stand in, as the image has them: an engine gives a folder that
        is not in the layer's tar an owner and a mode of its own (moby, ``pkg/archive``, ``UnpackLayer``). The
        times of a few alone are not to be had from every engine: these folders get that of the newest thing
        in the layer, or, where nothing but deletions is in it, the latest time that the spool allows.
        """
        items = self.items()
        if not items:
            return None
        of_unknown_time = {change.path for change, piece in items if piece and self._has_no_true_time(piece)}
        times_s = [piece.mtime_s for change, piece in items if piece and change.path not in of_unknown_time]
        newest_s = max(times_s, default=self._spool.latest_mtime_s)
        pieces: list[Piece | Whiteout] = []
        for change, piece in items:
            if piece is None:
                pieces.append(Whiteout(change.path))
            elif newest_s is not None and change.path in of_unknown_time:
                pieces.append(replace(piece, mtime_s=newest_s))
            else:
                pieces.append(piece)
        return self._spool.seal(pieces)

    def _has_no_true_time(self, piece: Piece) -> bool:
        entry = piece.entry
        if entry.path not in _FOLDERS_OF_ENGINES or entry.type is not FileType.FOLDER:
            return False
        before = self._base.at(entry.path)
        return before is not None and before.mtime_s == piece.mtime_s
