"""Where in an image an edit is made: links followed inside the image, folders on the way made."""

from __future__ import annotations

import posixpath

from snapshot.changeset.edited_tree import EditedTree
from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.layer import Piece
from snapshot.changeset.links import resolve
from snapshot.changeset.member import Member
from snapshot.changeset.names import WHITEOUT_PREFIX
from snapshot.changeset.paths import absolute, folders_above, is_engine_path
from snapshot.errors import InvalidInput, PathNotFound, Refused
from snapshot.workflow.patching.collecting import check_length

#: Mode and owner of a folder that is made on the way, as ``COPY`` makes it.
FOLDER_MODE = 0o755
ROOT = (0, 0)


class Places:
    """The places in an image as the user writes them.

    ``..`` is taken away before any link is looked at, as Docker's builders do with the paths of ``COPY``.

    Parameters
    ----------
    working_dir:
        Where relative paths count from.
    now_s:
        Time of what is made.
    """

    def __init__(self, tree: EditedTree, working_dir: str, now_s: int) -> None:
        self.tree = tree
        self.now_s = now_s
        self._working_dir = working_dir

    def leads_to(self, written: str) -> str:
        """The path that ``written`` leads to in the end, whether something stands there or not.

        Raises :class:`~snapshot.errors.Refused` for what is the engine's own in every container, and for the
        mark of a deleted name; :class:`~snapshot.errors.InvalidInput` for what cannot be a path.
        """
        return self._allowed(written, follow_last=True)

    def itself(self, written: str) -> str:
        """The same, where a link at the end is meant itself."""
        return self._allowed(written, follow_last=False)

    def standing(self, written: str, path: str) -> Member:
        """What stands at ``path``, which ``written`` led to.

        Raises :class:`~snapshot.errors.PathNotFound` for nothing, and
        :class:`~snapshot.errors.Refused` for the root folder.
        """
        if path == "/":
            raise Refused(f"'{written}' is the root folder, which no layer of a container changes.")
        member = self.tree.at(path)
        if member is None:
            raise PathNotFound(f"There is no {_named(written, path)} in the image.")
        return member

    def make_folder(self, path: str, owner: tuple[int, int] = ROOT) -> None:
        """Make a folder and those on the way, where they are missing.

        Raises :class:`~snapshot.errors.InvalidInput` where something else stands there.
        """
        missing = []
        for folder in (path, *folders_above(path)) if path != "/" else ():
            member = self.tree.at(folder)
            if member is not None:
                if member.entry.type is not FileType.FOLDER:
                    raise InvalidInput(
                        f"'{folder}' in the image is a {member.entry.type.value}, not a folder.",
                        "Remove it first, or name another place.",
                    )
                break
            missing.append(folder)
        for folder in reversed(missing):
            entry = FileEntry(folder, FileType.FOLDER, FOLDER_MODE, *owner)
            self.tree.put(folder, Piece(entry, self.now_s))

    def make_folders_above(self, path: str, owner: tuple[int, int] = ROOT) -> None:
        """Make the folders that ``path`` stands in, where they are missing."""
        self.make_folder(posixpath.dirname(path), owner)

    def _allowed(self, written: str, *, follow_last: bool) -> str:
        if not written or "\0" in written:
            raise InvalidInput("A path in the image is empty, or has a zero byte in it.")
        path = absolute(written, self._working_dir)
        check_length(path)
        path = resolve(self.tree, path, follow_last=follow_last)
        check_length(path)
        if is_engine_path(path):
            raise refused_engine_path(_named(written, path))
        if f"/{WHITEOUT_PREFIX}" in path:
            raise Refused(
                f"'{path}' cannot be in an image: such a name marks another one as deleted.",
                "Choose another name.",
            )
        return path


def refused_engine_path(shown: str) -> Refused:
    """The error for a path that is the engine's own; ``shown`` has its quotes."""
    return Refused(
        f"{shown} is the engine's own in every container: what an image holds there is never seen.",
        "Leave it out.",
    )


def _named(written: str, path: str) -> str:
    """A path as it was written, and where it leads if that is elsewhere."""
    return f"'{written}'" if posixpath.normpath(written) == path else f"'{written}' ('{path}')"
