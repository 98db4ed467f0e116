"""What one layer holds, from its members as a tar has them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.layer import Piece
from snapshot.changeset.layer_contents import LayerContents
from snapshot.changeset.member import Member
from snapshot.changeset.names import WHITEOUT_PREFIX, deleted_by
from snapshot.changeset.paths import component_order, folders_above
from snapshot.changeset.reader import Sink

#: So many entries a layer may have; an image with all of Debian's packages would have some more.
MOST_ENTRIES = 4_000_000
# What an entry may take in memory in the mean: for its names, folders of its own, and attributes.
_BYTES_AN_ENTRY = 700
_BYTES_A_FOLDER = 300
# Of a folder's path there are several copies, in paths of what is below it, and looking it up takes as long.
_COPIES_OF_A_PATH = 8
# Longer paths no engine can unpack (Linux, PATH_MAX).
_LONGEST_PATH_BYTES = 4096

_OPAQUE = ".wh..wh..opq"
# Other names that begin so are AUFS' own, and engines pass over them (moby, ``archive.UnpackLayer``).
_MARK = ".wh..wh."


class LayerRefused(ValueError):
    """A layer has too much in it, or what no engine unpacks: words that go on a sentence."""


class LayerDraft:
    """What a layer holds, put together of its members as they come.

    Parameters
    ----------
    sink:
        Hashes files, or takes their headers alone.
    most_entries:
        So many paths there may be.
    """

    def __init__(self, sink: Sink, most_entries: int = MOST_ENTRIES) -> None:
        self._sink = sink
        self._most_entries = most_entries
        self._count = 0
        self._room = most_entries * _BYTES_AN_ENTRY
        self._pieces: dict[str, Piece] = {}
        # The names of one file have one number.
        self._files: dict[str, int] = {}
        # Of these the file itself is in a layer below.
        self._elsewhere: set[int] = set()
        self._folders: set[str] = set()
        self._deleted: set[str] = set()
        self._emptied: set[str] = set()

    def add(self, member: Member) -> None:
        """Take a member; its content may be read.

        Raises :class:`LayerRefused`.
        """
        self._count_in(member)
        path = member.entry.path
        folder, name = posixpath.split(path)
        if name.startswith(WHITEOUT_PREFIX):
            if name == _OPAQUE and folder == "/":
                # Overlayfs merges the roots of all layers, whatever is said of them (Linux, fs/overlayfs).
                return
            if name == _OPAQUE:
                self.empty(folder)
            elif name == WHITEOUT_PREFIX:
                raise LayerRefused("a whiteout names nothing")
            elif not name.startswith(_MARK):
                self.delete(deleted_by(path))
        elif member.link_to:
            self._add_link(member)
        elif path != "/":
            self._pieces[path] = self._sink.add(member)
            self._files[path] = self._count

    def _count_in(self, member: Member) -> None:
        entry = member.entry
        self._count += 1
        if len(entry.path) > _LONGEST_PATH_BYTES:
            raise LayerRefused(f"a layer has a path with {len(entry.path):,} characters")
        self._room -= len(entry.path) + len(entry.link_target)
        self._room -= sum(len(name) + len(value) for name, value in member.xattrs.items())
        folder = posixpath.dirname(entry.path)
        while folder not in self._folders and self._room >= 0:
            self._folders.add(folder)
            self._room -= _BYTES_A_FOLDER + _COPIES_OF_A_PATH * len(folder)
            folder = posixpath.dirname(folder)
        if self._count > self._most_entries or self._room < 0:
            raise LayerRefused(f"a layer has more than {self._most_entries:,} entries, or longer names")

    def delete(self, path: str) -> None:
        """Note a whiteout of ``path``."""
        self._deleted.add(path)

    def empty(self, folder: str) -> None:
        """Note that a folder is opaque."""
        self._emptied.add(folder)

    def contents(self, diff_id: str) -> LayerContents:
        """All of it. What stands below what is no folder is left out: nothing can stand there.

        Raises :class:`LayerRefused` for a hard link that comes before what it names.
        """
        pieces = {path: self._pieces[path] for path in sorted(self._pieces, key=component_order)}
        no_folders = {path for path, piece in pieces.items() if piece.entry.type is not FileType.FOLDER}
        if no_folders:
            pieces = {
                path: piece
                for path, piece in pieces.items()
                if not any(above in no_folders for above in folders_above(path))
            }
        xattrs: Mapping[str, Mapping[str, bytes]] = {
            path: piece.xattrs for path, piece in pieces.items() if piece.xattrs
        }
        return LayerContents(
            diff_id,
            tuple(self._linked(pieces)),
            tuple(sorted(self._deleted, key=component_order)),
            tuple(sorted(self._emptied, key=component_order)),
            xattrs,
        )

    def _add_link(self, member: Member) -> None:
        path, first = member.entry.path, member.link_to
        original = self._pieces.get(first)
        if original is None:
            # Of a file of the layers below: nothing of it is here.
            link = replace(member.entry, hard_link=first)
            self._pieces[path] = Piece(link, member.mtime_s, member.xattrs)
            self._files[path] = self._count
            self._elsewhere.add(self._count)
            return
        self._pieces[path] = self._sink.add_link(original.as_link(path, original.entry.hard_link or first))
        self._files[path] = self._files[first]

    def _linked(self, pieces: Mapping[str, Piece]) -> Iterator[FileEntry]:
        """The entries; of several names of one file the first has no link."""
        first_names: dict[int, str] = {}
        for path, piece in pieces.items():
            entry = piece.entry
            first = first_names.setdefault(self._files[path], path)
            is_elsewhere = self._files[path] in self._elsewhere
            if is_elsewhere and entry.hard_link in self._pieces:
                raise LayerRefused(f"a hard link to '{entry.hard_link}' comes before that file")
            link = first if first != path else entry.hard_link if is_elsewhere else ""
            yield entry if entry.hard_link == link else replace(entry, hard_link=link)


def contents_of_members(
    members: Iterable[Member], sink: Sink, most_entries: int = MOST_ENTRIES
) -> LayerContents:
    """What a layer holds whose tar has these members; its ``diff_id`` is empty.

    Raises :class:`LayerRefused` for more than so many members.
    """
    draft = LayerDraft(sink, most_entries)
    for member in members:
        draft.add(member)
    return draft.contents("")
