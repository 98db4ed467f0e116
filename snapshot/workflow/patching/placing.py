"""Putting what is copied into an image, by the rules of a Dockerfile's ``COPY``, or for a tar of ``ADD``.

They were tried on the builders of Docker 20.10, with BuildKit and without; where these differ, BuildKit is
followed:

- Of a folder, what is in it is copied. It goes into the destination, which is made with mode 0755 where it is
  missing, as are the folders on the way; they belong to the given owner, else to root. A destination that is
  there stays what it is.
- A file comes into the destination under its own name where that is a folder, or ends in ``/``; else it takes
  that name.
- Links on the way to the destination, and the destination itself, are followed inside the image; where such a
  link leads to nothing, what it leads to is made.
- Below the destination nothing is followed: a file takes the place of a link, a link that of a file. A folder
  that is there gets mode and owner of the one that is copied, and keeps what else is in it. A folder in place
  of something else, and the other way round, is an error.
- A tar is not so careful: what is in it takes the place of whatever stands there, a folder that of a link as
  well. Members whose folder is not in the tar go through links in the image. (In Docker such a link begins at
  the destination, here at the image's root, as it does in a container.)

Other than with Docker, ``owner`` and ``mode`` hold for the members of a tar too, and times of folders are
kept (BuildKit of 20.10 gives them the time of the copy). What would come to a path that is the engine's own
is refused, save for folders such as ``/proc``: these are passed over, as the tar of a whole system has them.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, takewhile

from snapshot.changeset.entry import FileType
from snapshot.changeset.layer import Piece
from snapshot.changeset.links import resolve
from snapshot.changeset.paths import folders_above, is_engine_path
from snapshot.errors import InvalidInput
from snapshot.journal.step import Copied
from snapshot.workflow.copying.local_tar import MOST_NOTED
from snapshot.workflow.copying.rules import must_be_folder
from snapshot.workflow.patching.modes import ModeChange
from snapshot.workflow.patching.places import ROOT, Places, refused_engine_path
from snapshot.workflow.patching.sources import Gathered

_FOLDER = FileType.FOLDER


class Placer:
    """Puts pieces into an image.

    Parameters
    ----------
    owner:
        Of all that is copied and made; ``None`` for that of each piece, and root.
    mode:
        Of all that is copied but links; ``None`` for that of each piece.
    mtime_s:
        Of all that is copied, in seconds since 1970; ``None`` for that of each piece.
    """

    def __init__(
        self, places: Places, *, owner: tuple[int, int] | None, mode: ModeChange | None, mtime_s: int | None
    ) -> None:
        self._places = places
        self._tree = places.tree
        self._owner = owner
        self._mode = mode
        self._mtime_s = mtime_s
        self._is_tar = False
        # Folders of the source, and where they came to; of those in the image, which were not there before.
        self._folders: dict[str, str] = {}
        self._new: set[str] = set()
        self._first_names: dict[str, str] = {}
        self._copied: list[Copied] = []

    def place(self, source: Gathered, destination: str) -> Sequence[Copied]:
        """Copy to ``destination`` as it was written; returns the first files with their digests.

        Raises :class:`~snapshot.errors.InvalidInput` where something is in the way, and
        :class:`~snapshot.errors.Refused` for paths of the engine.
        """
        path = self._places.leads_to(destination)
        owner = self._owner or ROOT
        self._is_tar = source.is_tar
        if source.is_folder:
            self._make_folder(path, owner)
            self._folders[""] = path
            self._place_all(source.pieces)
            return self._copied
        there = self._tree.at(path)
        is_folder = path == "/" or (there is not None and there.entry.type is _FOLDER)
        if is_folder or must_be_folder(destination) or posixpath.basename(destination) == "..":
            self._make_folder(path, owner)
            path = posixpath.join(path, source.name)
        else:
            self._places.make_folders_above(path, owner)
        self._put(path, source.pieces[0], self._tree.at(path) is None)
        return self._copied

    def _make_folder(self, path: str, owner: tuple[int, int]) -> None:
        if path != "/" and self._tree.at(path) is None:
            self._new.add(path)
        self._places.make_folder(path, owner)

    def _place_all(self, pieces: Sequence[Piece]) -> None:
        first_names = {piece.entry.hard_link for piece in pieces}
        for piece in pieces:
            source_path = piece.entry.path
            above, _, name = source_path.rpartition("/")
            folder = self._folders.get(above)
            if folder is None:
                folder = self._folder_on_the_way(above)
            path = f"{folder}/{name}" if folder != "/" else f"/{name}"
            if piece.entry.type is _FOLDER:
                self._folders[source_path] = path
                if is_engine_path(path):
                    continue
            elif source_path in first_names:
                self._first_names[source_path] = path
            self._put(path, piece, folder in self._new)

    def _folder_on_the_way(self, source_path: str) -> str:
        """Where a folder comes to that no member of a tar tells of."""
        above_it = chain((source_path,), folders_above(source_path))
        unknown = list(takewhile(lambda folder: folder not in self._folders, above_it))
        for missing in reversed(unknown):
            above, _, name = missing.rpartition("/")
            folder = self._folders[above]
            path = posixpath.join(folder, name)
            if folder not in self._new:
                path = resolve(self._tree, path)
            if not is_engine_path(path):
                self._make_folder(path, self._owner or ROOT)
            self._folders[missing] = path
        return self._folders[source_path]

    def _put(self, path: str, piece: Piece, is_free: bool) -> None:
        """Let a piece stand at a path, where nothing stands yet if ``is_free``."""
        entry = piece.entry
        if is_engine_path(path):
            raise refused_engine_path(f"'{path}'")
        is_folder = entry.type is _FOLDER
        there = None if is_free else self._tree.at(path)
        is_there_folder = there is not None and there.entry.type is _FOLDER
        if there and not self._is_tar and is_folder != is_there_folder:
            raise InvalidInput(
                f"'{path}' in the image is a {there.entry.type.value}: a {entry.type.value} is not copied in"
                " its place.",
                "Remove it first, or copy to another place.",
            )
        if is_folder and not is_there_folder:
            self._new.add(path)
        self._tree.put(path, self._changed(piece))
        if entry.type is FileType.FILE and len(self._copied) < MOST_NOTED:
            self._copied.append(Copied(path, entry.sha256, entry.size_bytes))

    def _changed(self, piece: Piece) -> Piece:
        """The piece with the owner, mode and time that were asked for."""
        entry = piece.entry
        if entry.hard_link:
            # The tree gives it all from its first name.
            return piece.as_link(entry.path, self._first_names[entry.hard_link])
        uid, gid = self._owner or (entry.uid, entry.gid)
        mode = entry.mode
        if self._mode and entry.type is not FileType.SYMLINK:
            mode = self._mode(mode, entry.type is _FOLDER)
        if (mode, uid, gid) != (entry.mode, entry.uid, entry.gid):
            piece = replace(piece, entry=replace(entry, mode=mode, uid=uid, gid=gid))
        return piece if self._mtime_s is None else replace(piece, mtime_s=self._mtime_s)
