"""Reading a layer that a stranger hands in: it has to be one that snap could have written, to the byte.

A tar can say one thing in many ways, and readers differ in what they make of odd ones. So each entry is
written again in canonical form, and the digest of all that has to be the layer's own: names that begin with
a slash, attributes that no layer of snap's has, other headers, data after the end all give another one. What
is canonical and means harm all the same is refused by name.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator
from dataclasses import replace

from snapshot.changeset.entry import FileEntry, FileType, PathChange
from snapshot.changeset.layer import Layer, Piece
from snapshot.changeset.layer_members import layer_members
from snapshot.changeset.member import Member
from snapshot.changeset.names import OVERLAY_ATTRIBUTES, OVERLAY_WHITEOUT, deleted_by, is_whiteout
from snapshot.changeset.paths import component_order, is_at_or_below, is_engine_path
from snapshot.changeset.tar_header import END, header, padding, whiteout_header
from snapshot.engine.types import ChangeKind
from snapshot.errors import SnapError

#: A layer with more entries is refused.
MOST_ENTRIES = 500_000


class LayerRefused(SnapError):
    """The layer is none that snap writes; ``what`` says why, without naming the layer."""


def strict_changes(layer: Layer) -> Iterator[PathChange]:
    """What a layer holds, as changes in canonical order; all that stands there is given as changed.

    It is read twice, forwards. What is kept of it in memory are the entries that others are links to.

    Raises :class:`LayerRefused` while it is read: only at the end is it known that all is well.
    """
    reader = _Reader(layer, {member.link_to for member in _members(layer) if member.link_to})
    for member in _members(layer):
        yield reader.change(member)
    reader.finish()


def _members(layer: Layer) -> Iterator[Member]:
    members = layer_members(layer, broken=lambda reason: LayerRefused(f"it is damaged ({reason})"))
    for number, member in enumerate(members, 1):
        if number > MOST_ENTRIES:
            raise LayerRefused(f"it has more than {MOST_ENTRIES:,} entries")
        yield member


class _Reader:
    def __init__(self, layer: Layer, targets: set[str]) -> None:
        self._layer = layer
        self._targets = targets
        self._found: dict[str, Piece] = {}
        self._digest = hashlib.sha256()
        self._last_key: list[bytes] | None = None
        # What is in the layer of the way to the present path, and whether it is a folder.
        self._above: list[tuple[str, bool]] = []

    def change(self, member: Member) -> PathChange:
        """Take the next member."""
        path = member.entry.path
        if is_whiteout(path):
            deleted = deleted_by(path)
            if posixpath.basename(deleted) in {"", ".", ".."} or is_whiteout(deleted):
                raise LayerRefused(f"'{path}' in it is a mark that snap does not write")
            path = deleted
            self._place(path, is_folder=False)
            self._write(whiteout_header(path))
            return PathChange(ChangeKind.DELETED, path)
        self._place(path, is_folder=member.entry.type is FileType.FOLDER)
        return PathChange(ChangeKind.CHANGED, path, self._taken(member))

    def finish(self) -> None:
        """Hold the whole of it against the layer."""
        self._write(END)
        if f"sha256:{self._digest.hexdigest()}" != self._layer.diff_id:
            raise LayerRefused("it is not in the form that snap writes")

    def _place(self, path: str, *, is_folder: bool) -> None:
        """Refuse a path that cannot come next."""
        key = component_order(path)
        if self._last_key is not None and key <= self._last_key:
            raise LayerRefused(f"'{path}' in it is there twice, or out of order")
        self._last_key = key
        if is_engine_path(path):
            raise LayerRefused(f"'{path}' in it is the engine's own in every container")
        while self._above and not is_at_or_below(path, self._above[-1][0]):
            self._above.pop()
        if self._above and not self._above[-1][1]:
            raise LayerRefused(f"'{path}' in it stands below '{self._above[-1][0]}', which is no folder")
        self._above.append((path, is_folder))

    def _taken(self, member: Member) -> FileEntry:
        path, entry = member.entry.path, member.entry
        if entry.device == OVERLAY_WHITEOUT:
            raise LayerRefused(f"'{path}' in it is a device that an engine takes for a deleted name")
        if any(name.startswith(OVERLAY_ATTRIBUTES) for name in member.xattrs):
            raise LayerRefused(f"'{path}' in it has attributes that an engine takes for its own")
        if member.link_to:
            first = self._found.get(member.link_to)
            if first is None:
                raise LayerRefused(f"'{path}' in it is a link to '{member.link_to}', which is not before it")
            piece = first.as_link(path, member.link_to)
            self._write(header(piece.entry, piece.mtime_s, piece.xattrs))
            return piece.entry
        self._write(header(entry, member.mtime_s, member.xattrs))
        if entry.type is FileType.FILE:
            digest = hashlib.sha256()
            for chunk in member.content():
                digest.update(chunk)
                self._write(bytes(chunk))
            self._write(padding(entry.size_bytes))
            entry = replace(entry, sha256=digest.hexdigest())
        if path in self._targets and entry.type is not FileType.FOLDER:
            self._found[path] = Piece(entry, member.mtime_s, member.xattrs)
        return entry

    def _write(self, content: bytes) -> None:
        self._digest.update(content)
