"""Carrying the changes of an image to another base: what both sides made of each path, and where they clash.

*Ours* is what the image changed of its old base, *theirs* what the new base has in place of that.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from snapshot.changeset.edited_tree import EditedTree
from snapshot.changeset.entry import FileType, PathChange
from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.layer import Piece
from snapshot.changeset.member import Chunk
from snapshot.changeset.paths import folders_above
from snapshot.changeset.three_way import Thing, difference_in_words, merged_thing, same, what_differs_below

_FOLDER = FileType.FOLDER


class Choice(enum.Enum):
    """What is to be done where both sides changed a path."""

    OURS = "ours"
    THEIRS = "theirs"
    MERGE = "merge"


class ConflictKind(enum.Enum):
    """How both sides clash."""

    BOTH_CHANGED = "both changed it"
    BOTH_ADDED = "both added it"
    REMOVED_THERE = "changed here, removed there"
    DELETED_HERE = "deleted here, changed there"
    NO_FOLDER = "changed below here, no folder there"


class Conflict(NamedTuple):
    """A path that both sides changed in different ways.

    Attributes
    ----------
    ours, theirs:
        What each did to what the old base has, in words.
    below:
        How many more of our changes stand below the path, and go with it.
    resolved:
        What was taken: ``ours``, ``theirs``, ``merged``; empty where nothing was.
    """

    path: str
    kind: ConflictKind
    ours: str
    theirs: str
    below: int = 0
    resolved: str = ""


class Carrier:
    """Puts changes into the files of a new base.

    Parameters
    ----------
    tree:
        The new base's files, to be edited.
    old, new:
        The files of both bases.
    pieces:
        What ours has at each path, with its content in the tree's spool.
    content:
        Gives the bytes of a piece.
    """

    def __init__(
        self,
        tree: EditedTree,
        old: ImageFiles,
        new: ImageFiles,
        pieces: Mapping[str, Piece],
        content: Callable[[Piece], Iterable[Chunk]],
        choice: Choice | None,
    ) -> None:
        self._tree = tree
        self._old = old
        self._new = new
        self._pieces = pieces
        self._content = content
        self._choice = choice
        self._conflicts: list[Conflict] = []
        # Folders of which all that is ours goes with a conflict, by its number.
        self._scopes: dict[str, int] = {}
        # Of each file with several names: the one that was put first.
        self._first_names: dict[str, str] = {}
        self._linked = {piece.entry.hard_link for piece in pieces.values()}

    def carry(self, changes: Sequence[PathChange]) -> list[Conflict]:
        """Make our changes, in canonical order, and tell the conflicts; what is not resolved is left out."""
        for change in changes:
            path = change.path
            scope = next((above for above in (path, *folders_above(path)) if above in self._scopes), None)
            piece = self._pieces.get(path)
            ours = Thing.of_piece(piece, self._content) if piece else None
            old = Thing.of_member(self._old.at(path))
            if scope is not None:
                self._with_the_conflict(self._scopes[scope], path, piece, same(ours, old))
            elif piece and ours:
                self._carry_piece(path, piece, ours, old)
            elif old:
                self._carry_deletion(path, old)
        return self._conflicts

    def _with_the_conflict(self, number: int, path: str, piece: Piece | None, unchanged: bool) -> None:
        conflict = self._conflicts[number]
        if unchanged:
            return
        if path != conflict.path:
            self._conflicts[number] = conflict._replace(below=conflict.below + 1)
        if conflict.resolved == Choice.OURS.value and piece:
            self._put(path, piece)

    def _carry_piece(self, path: str, piece: Piece, ours: Thing, old: Thing | None) -> None:
        theirs = Thing.of_member(self._new.at(path))
        is_linked = bool(piece.entry.hard_link) or path in self._linked
        if same(ours, old):
            # Its time may be another, or it is a name of a file that got one more: no reason for a conflict.
            if theirs and same(old, theirs) and ours.entry.type is not _FOLDER:
                self._put(path, piece)
            return
        if same(ours, theirs):
            if is_linked:
                self._put(path, piece)
            return
        replaced = old and old.entry.type is _FOLDER and ours.entry.type is not _FOLDER
        below = what_differs_below(self._old, self._new, path) if replaced and theirs else ""
        if not self._stands_in_folders(path):
            return
        if same(old, theirs) and not below:
            self._put(path, piece)
            return
        kind = ConflictKind.BOTH_CHANGED if old else ConflictKind.BOTH_ADDED
        if not theirs:
            kind = ConflictKind.REMOVED_THERE
        words = (difference_in_words(old, ours), below or difference_in_words(old, theirs))
        resolved = self._resolved()
        if self._choice is Choice.MERGE and old and theirs and not below:
            merged = merged_thing(old, ours, theirs)
            if merged:
                self._tree.put(path, self._tree.take(merged))
                resolved = "merged"
        if self._is_ours(resolved):
            self._put(path, piece)
        if ours.entry.type is _FOLDER and (not theirs or theirs.entry.type is not _FOLDER):
            self._scopes[path] = len(self._conflicts)
        self._conflicts.append(Conflict(path, kind, *words, resolved=resolved))

    def _carry_deletion(self, path: str, old: Thing) -> None:
        theirs = Thing.of_member(self._new.at(path))
        if not theirs:
            above = self._not_a_folder(path)
            if above and self._tree.at(above):
                self._go_with_folder(above, path)
            return
        if same(old, theirs):
            below = what_differs_below(self._old, self._new, path)
            if not below:
                self._tree.remove(path)
                return
        else:
            below = difference_in_words(old, theirs)
        resolved = self._resolved()
        if self._is_ours(resolved):
            self._tree.remove(path)
        self._conflicts.append(Conflict(path, ConflictKind.DELETED_HERE, "deleted", below, resolved=resolved))

    def _stands_in_folders(self, path: str) -> bool:
        """Whether the folders above are there; where they are not, the change goes with a conflict."""
        above = self._not_a_folder(path)
        if above is not None:
            self._go_with_folder(above, path)
        return above is None

    def _go_with_folder(self, above: str, path: str) -> None:
        """Begin a conflict about a folder that theirs has not, with the first change below it."""
        old, theirs = Thing.of_member(self._old.at(above)), Thing.of_member(self._new.at(above))
        words = ("changed below", difference_in_words(old, theirs))
        self._scopes[above] = len(self._conflicts)
        self._conflicts.append(Conflict(above, ConflictKind.NO_FOLDER, *words, resolved=self._resolved()))
        self._with_the_conflict(self._scopes[above], path, self._pieces.get(path), unchanged=False)

    def _not_a_folder(self, path: str) -> str | None:
        """The topmost path above that is no folder in the new image."""
        for above in reversed(list(folders_above(path))):
            stands = self._tree.at(above)
            if stands is None or stands.entry.type is not _FOLDER:
                return above
        return None

    def _resolved(self) -> str:
        return self._choice.value if self._choice in {Choice.OURS, Choice.THEIRS} else ""

    @staticmethod
    def _is_ours(resolved: str) -> bool:
        return resolved == Choice.OURS.value

    def _put(self, path: str, piece: Piece) -> None:
        """Put what is ours, with the folders above it where they are missing."""
        for above in reversed(list(folders_above(path))):
            stands = self._tree.at(above)
            if stands is None or stands.entry.type is not _FOLDER:
                self._tree.put(above, self._folder_of_ours(above))
        name = piece.entry.hard_link or path
        first = self._first_names.setdefault(name, path)
        # The name that the others were to be names of may not have been carried.
        link = "" if first == path else first
        self._tree.put(path, replace(piece, entry=replace(piece.entry, hard_link=link)))

    def _folder_of_ours(self, path: str) -> Piece:
        piece = self._pieces.get(path)
        if piece:
            return piece
        member = self._old.at(path)
        assert member, "something of ours stands in it"
        return self._tree.take(member)
