"""The files of an image with changes on top, in memory: what stands where, and what differs."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, NoReturn

from snapshot.changeset.entry import Changeset, FileType, PathChange, alike
from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.layer import Piece
from snapshot.changeset.member import Chunk, Member, no_content, sha256_of
from snapshot.changeset.paths import by_bytes, folders_above, is_at_or_below, is_engine_path
from snapshot.engine.types import ChangeKind
from snapshot.errors import InvalidInput, PathNotFound

_FOLDER = FileType.FOLDER


class _Node:
    """What became of one path.

    Attributes
    ----------
    piece:
        What was put there; ``None`` for what the base has.
    gone:
        Nothing stands there any more.
    fresh:
        What the base has below does not show.
    differs:
        Whether it counts as changed; ``None`` where nobody has looked yet.
    file:
        The nodes of all names of one file, in common to them.
    old:
        What the base has at the path, as the one item of a tuple; empty where nobody has looked yet.
    """

    __slots__ = ("below", "differs", "file", "fresh", "gone", "old", "piece")

    def __init__(self) -> None:
        self.piece: Piece | None = None
        self.gone = False
        self.fresh = False
        self.differs: bool | None = None
        self.file: list[_Node] | None = None
        self.old: tuple[Member | None, ...] = ()
        self.below: dict[str, _Node] = {}


class _Draft(NamedTuple):
    """A path that may be a change: by itself (``counts``), or for the sake of what is below it."""

    path: str
    kind: ChangeKind
    piece: Piece | None
    counts: bool
    file: object = None


class _Place(NamedTuple):
    """A node that is to be compared with the base.

    ``in_base`` says whether the base has the folder that it stands in, ``hidden`` whether that was removed
    and made again.
    """

    path: str
    node: _Node
    in_base: bool
    hidden: bool


def _not_here(piece: Piece) -> Iterable[Chunk]:
    raise RuntimeError(f"the content of '{piece.entry.path}' is not here")


class LayeredTree:
    """The files of an image after changes (an :class:`~snapshot.changeset.image_files.ImageFiles` itself).

    Parameters
    ----------
    base:
        The image's own files.
    content:
        Gives what a file holds that was put; to be left out where nobody will ask for that.
    """

    def __init__(self, base: ImageFiles, content: Callable[[Piece], Iterable[Chunk]] = _not_here) -> None:
        self._base = base
        self._content = content
        self._root = _Node()
        self._items: list[tuple[PathChange, Piece | None]] | None = None

    def at(self, path: str) -> Member | None:
        """What stands at ``path`` now; no link is followed."""
        node, hidden = self._root, False
        for part in _parts(path):
            hidden = hidden or node.fresh
            found = node.below.get(part)
            if found is None:
                return None if hidden else self._base.at(path)
            node = found
        if node.gone:
            return None
        return self._as_member(node.piece) if node.piece else self._base.at(path)

    def names(self, folder: str) -> Collection[str]:
        """The names of what stands in a folder, sorted."""
        node, hidden = self._root, self._root.fresh
        for part in _parts(folder):
            found = node.below.get(part)
            if found is None:
                return () if hidden else self._base.names(folder)
            node, hidden = found, hidden or found.fresh
        names = set() if hidden else set(self._base.names(folder))
        names -= {name for name, below in node.below.items() if below.gone}
        names |= {name for name, below in node.below.items() if not below.gone}
        return sorted(names, key=by_bytes)

    def put(self, path: str, piece: Piece) -> None:
        """Let ``piece`` stand at ``path`` from now on, whatever path it has itself.

        A folder takes the place of a folder and leaves what is in it; all else takes the place of whatever
        stood there, a folder with all that is in it. A further name of a file (``piece.entry.hard_link``) is
        what was put under that first name.

        Raises :class:`~snapshot.errors.InvalidInput` where the folder that it is to stand in is missing or is
        none, and where the first name of a file was not put.
        """
        first = None
        if piece.entry.hard_link:
            first = self._file_at(piece.entry.hard_link)
            if first is None or first.piece is None:
                raise InvalidInput(
                    f"'{path}' cannot be a name of '{piece.entry.hard_link}': no such file comes before."
                )
            piece = first.piece
        self._put(path, piece, first, listed=False)

    def change(self, path: str, piece: Piece) -> None:
        """As :meth:`put`, but what stands there under other names too is changed with it.

        These are the names that were put. A container parts a file of its image from its other names when it
        is changed, since it is copied up by the one that is used.
        """
        node = self._file_at(path)
        if node is None or piece.entry.type is not FileType.FILE:
            self.put(path, piece)
            return
        for name in node.file or ():
            # Something else may have been put there since.
            if name.file is node.file and name.piece:
                own = replace(piece.entry, path=name.piece.entry.path, hard_link="")
                name.piece, name.differs = replace(piece, entry=own), None
        self._items = None

    def remove(self, path: str) -> None:
        """Remove what stands at ``path``, a folder with all that is in it.

        Raises :class:`~snapshot.errors.PathNotFound` where nothing stands, and
        :class:`~snapshot.errors.InvalidInput` for the root.
        """
        if path == "/":
            raise InvalidInput("'/' itself cannot be removed.", "Name what is to be removed in it.")
        if self.at(path) is None:
            raise PathNotFound(f"There is no '{path}'.")
        above, hidden = self._way_to(posixpath.dirname(path))
        self._items = None
        name = posixpath.basename(path)
        above.below.pop(name, None)
        if not hidden and self._base.at(path) is not None:
            above.below[name] = _gone()

    def apply(self, changes: Sequence[PathChange]) -> None:
        """Make changes of which the content is not here, in canonical order, such as those of a container.

        What no image can hold is passed over. A listed file counts as changed even where it looks as it did:
        an engine sees its time. So does a folder with nothing listed in it.
        """
        for number, change in enumerate(changes):
            entry = change.file
            if change.kind is ChangeKind.DELETED:
                if change.path != "/" and self.at(change.path) is not None:
                    self.remove(change.path)
            elif entry is not None:
                following = changes[number + 1].path if number + 1 < len(changes) else ""
                is_way = entry.type is _FOLDER and is_at_or_below(following, change.path)
                first = self._file_at(entry.hard_link) if entry.hard_link else None
                before = self.at(change.path) if entry.type is _FOLDER else None
                piece = Piece(entry, before.mtime_s, before.xattrs) if before else Piece(entry, 0)
                self._put(change.path, piece, first, listed=not is_way)

    def changeset(self) -> Changeset:
        """What differs from the base, as an engine lists it.

        A folder in which something changed is listed as changed, with what it is in the base. What was put as
        it was is no change; the time counts, but not that of a folder. Of a folder that was removed and made
        again, what is missing is listed as deleted.
        """
        return Changeset(tuple(change for change, _ in self.items()))

    def items(self) -> Sequence[tuple[PathChange, Piece | None]]:
        """The changes of :meth:`changeset`, each with what a layer holds for it: nothing if deleted."""
        if self._items is None:
            self._items = self._compared()
        return self._items

    def _compared(self) -> list[tuple[PathChange, Piece | None]]:
        drafts = list(self._drafts())
        changed_files = {id(draft.file) for draft in drafts if draft.counts and draft.file}
        kept: list[_Draft] = []
        ways: set[str] = set()
        for draft in reversed(drafts):
            # Of the names of one file all are there, or it would be two.
            if draft.counts or draft.path in ways or id(draft.file) in changed_files:
                kept.append(draft)
                for folder in folders_above(draft.path):
                    if folder in ways:
                        # Then those above it are as well.
                        break
                    ways.add(folder)
        kept.reverse()
        first_names: dict[int, str] = {}
        pieces = [(draft, _linked(draft, first_names)) for draft in kept]
        return [
            (PathChange(draft.kind, draft.path, piece.entry if piece else None), piece)
            for draft, piece in pieces
        ]

    def _as_member(self, piece: Piece) -> Member:
        content = partial(self._content, piece) if piece.entry.type is FileType.FILE else no_content
        return Member(piece.entry, piece.mtime_s, "", piece.xattrs, content)

    def _file_at(self, path: str) -> _Node | None:
        """The node of a file that was put at ``path``."""
        node: _Node | None = self._root
        for part in _parts(path):
            node = node.below.get(part) if node else None
        return node if node and node.piece and node.piece.entry.type is FileType.FILE else None

    def _put(self, path: str, piece: Piece, first: _Node | None, *, listed: bool) -> None:
        is_folder = piece.entry.type is _FOLDER
        before = self.at(path) if is_folder else None
        if path == "/":
            if not is_folder:
                raise InvalidInput("'/' can be nothing but a folder.")
            node = self._root
        else:
            above, _ = self._way_to(posixpath.dirname(path))
            node = above.below.setdefault(posixpath.basename(path), _Node())
        if before is None or before.entry.type is not _FOLDER:
            node.below.clear()
            node.fresh = True
        self._items = None
        node.gone = False
        node.differs = True if listed else None
        node.file = None
        if piece.entry.type is FileType.FILE:
            node.file = first.file if first and first.file else []
            node.file.append(node)
        node.piece = replace(piece, entry=replace(piece.entry, path=path, hard_link=""))

    def _way_to(self, folder: str) -> tuple[_Node, bool]:
        """The node of a folder, and whether what the base has in it was removed."""
        stands = self.at(folder)
        if stands is None or stands.entry.type is not _FOLDER:
            self._refuse(folder)
        node = self._root
        hidden = node.fresh
        for part in _parts(folder):
            node = node.below.setdefault(part, _Node())
            hidden = hidden or node.fresh
        return node, hidden

    def _refuse(self, folder: str) -> NoReturn:
        """Name what is in the way of a folder, or the topmost one that is missing."""
        for path in reversed(list(folders_above(folder))):
            stands = self.at(path)
            if stands is None or stands.entry.type is not _FOLDER:
                folder = path
                break
        stands = self.at(folder)
        if stands is None:
            raise InvalidInput(f"There is no folder '{folder}'.")
        raise InvalidInput(f"'{folder}' is a {stands.entry.type.value}, no folder.")

    def _drafts(self) -> Iterator[_Draft]:
        """All that was put or removed, and the folders on the way, in canonical order."""
        waiting = [_Place("/", self._root, in_base=True, hidden=False)]
        while waiting:
            path, node, in_base, hidden = waiting.pop()
            if in_base and not node.old:
                node.old = (self._base.at(path),)
            old = node.old[0] if in_base else None
            if node.gone:
                if old is not None:
                    yield _Draft(path, ChangeKind.DELETED, None, counts=True)
                continue
            yield from self._draft(path, node, old)
            was_folder = old is not None and old.entry.type is _FOLDER
            is_folder = node.piece is None or node.piece.entry.type is _FOLDER
            hidden = hidden or node.fresh
            prefix = path.rstrip("/") + "/"
            below = dict(node.below)
            if hidden and was_folder and is_folder:
                # What an engine puts there itself shows over its API alone.
                names = [name for name in self._base.names(path) if not is_engine_path(prefix + name)]
                below = {name: _gone() for name in names} | below
            waiting += [
                _Place(prefix + name, below[name], was_folder and is_folder, hidden)
                for name in sorted(below, key=by_bytes, reverse=True)
            ]

    def _draft(self, path: str, node: _Node, old: Member | None) -> Iterator[_Draft]:
        if old is None:
            if node.piece:
                yield _Draft(path, ChangeKind.ADDED, node.piece, counts=True, file=node.file)
            return
        if node.differs is None:
            node.differs = node.piece is not None and _differ(old, node.piece)
        counts = node.differs
        own = Piece(old.entry, old.mtime_s, old.xattrs)
        is_file = node.file is not None
        piece = node.piece if node.piece and (counts or is_file) else own
        yield _Draft(path, ChangeKind.CHANGED, piece, counts, node.file)


def _gone() -> _Node:
    node = _Node()
    node.gone = node.fresh = True
    return node


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _linked(draft: _Draft, first_names: dict[int, str]) -> Piece | None:
    """What a layer holds: of several names of one file the first has the content."""
    if draft.piece is None or draft.file is None:
        return draft.piece
    first = first_names.setdefault(id(draft.file), draft.path)
    return draft.piece if first == draft.path else draft.piece.as_link(draft.path, first)


def _differ(old: Member, new: Piece) -> bool:
    """Whether an image would hold them as two things; content is compared last."""
    before, after = old.entry, new.entry
    if not alike(before, after) or dict(old.xattrs) != dict(new.xattrs):
        return True
    if after.type is _FOLDER:
        return False
    if old.mtime_s != new.mtime_s:
        return True
    return after.type is FileType.FILE and sha256_of(old.content()) != after.sha256
