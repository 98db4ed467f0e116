"""The members of a tree as pieces of a layer: the last of each name, in canonical order, within bounds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from itertools import takewhile

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.layer import LayerSpool, Piece, check_room
from snapshot.changeset.member import Member
from snapshot.changeset.names import OVERLAY_ATTRIBUTES, OVERLAY_WHITEOUT, WHITEOUT_PREFIX
from snapshot.changeset.paths import component_order, folders_above
from snapshot.errors import InvalidInput, Refused
from snapshot.workflow.patching.owners import MOST_ID

#: More files and folders than this are refused, those that are there twice counted twice.
MOST_ENTRIES = 500_000

#: Bytes of all paths, links' texts and attributes together. Each part of a path counts as so many more, since
#: looking for it costs as much.
MOST_NAME_BYTES = 512 << 20
_BYTES_OF_PART = 16

#: Linux takes no longer name and path (limits.h, ``NAME_MAX`` and ``PATH_MAX``).
MOST_NAME = 255
MOST_PATH = 4095

#: Linux gives it to each symlink.
LINK_MODE = 0o777

# Files from this size on are held against the room that is there, before anything of them is written.
_LARGE_BYTES = 64 << 20

_MARK = f"/{WHITEOUT_PREFIX}"
_SHA256_OF_NOTHING = hashlib.sha256().hexdigest()


class Collector:
    """Takes members in any order, as Docker's ``ADD`` unpacks them.

    The last member of a name counts. A folder leaves what is in a folder that came before; all else replaces
    what came before, a folder with all that is in it. A further name of a file has that file's mode and
    owner. Refused is what stands below a link or a file that came before: nothing is ever followed.

    Parameters
    ----------
    spool:
        Takes the content of files.
    shown:
        What messages call the source.
    """

    def __init__(self, spool: LayerSpool, shown: str) -> None:
        self._spool = spool
        self._shown = shown
        self._pieces: dict[str, Piece] = {}
        # The names in each folder, those of folders that no member told of among them.
        self._folders: dict[str, set[str]] = {"": set()}
        self._count = 0
        self._name_bytes = 0

    def add(self, member: Member) -> None:
        """Take a member, and its content.

        Raises :class:`~snapshot.errors.InvalidInput` and :class:`~snapshot.errors.Refused` for what no image
        can hold, or what is more than may be.
        """
        entry = member.entry
        path = entry.path
        if path == "/":
            if entry.type is not FileType.FOLDER:
                raise self._invalid("its top is not a folder")
            return
        self._check(member)
        folder, _, name = path.rpartition("/")
        if folder not in self._folders:
            self._make_way(path)
        piece = self._piece(member)
        if entry.type is not FileType.FOLDER:
            self._drop(path)
        elif path not in self._folders:
            self._drop(path)
            self._folders[path] = set()
        self._folders[folder].add(name)
        self._pieces[path] = piece

    def pieces(self) -> tuple[Piece, ...]:
        """All that stands there in the end, in canonical order, without folders that no member told of."""
        found = []
        first_names: dict[int, str] = {}
        for path in sorted(self._pieces, key=component_order):
            piece = self._pieces[path]
            if piece.entry.type is FileType.FILE:
                first = first_names.setdefault(id(piece), path)
                if path != piece.entry.path or path != first:
                    piece = piece.as_link(path, "" if path == first else first)
            found.append(piece)
        return tuple(found)

    def _piece(self, member: Member) -> Piece:
        entry = member.entry
        if member.link_to:
            first = self._pieces.get(member.link_to)
            if first is None or first.entry.type is FileType.FOLDER or member.link_to == entry.path:
                raise self._invalid(
                    f"'{entry.path}' is to be another name of '{member.link_to}', which is no file before it"
                )
            return first if first.entry.type is FileType.FILE else first.as_link(entry.path, "")
        if entry.type is FileType.SYMLINK:
            # Linux knows no other mode of a link, so none would be found in the image.
            entry = replace(entry, mode=LINK_MODE)
        if entry.type is not FileType.FILE:
            return Piece(entry, member.mtime_s, member.xattrs)
        if not entry.size_bytes:
            # A million empty files fit into a small tar.
            empty = FileEntry(
                entry.path,
                entry.type,
                entry.mode,
                entry.uid,
                entry.gid,
                sha256=_SHA256_OF_NOTHING,
                capability=entry.capability,
            )
            return Piece(empty, member.mtime_s, member.xattrs, 0)
        if entry.size_bytes >= _LARGE_BYTES:
            check_room(entry.size_bytes)
        return self._spool.add(member)

    def _check(self, member: Member) -> None:
        entry = member.entry
        path, target = entry.path, entry.link_target
        if _MARK in path:
            raise Refused(
                f"'{path}' in {self._shown} cannot be in an image: such a name marks another one as deleted.",
                "Rename it, or leave it out.",
            )
        self._count_name(path)
        if entry.uid > MOST_ID or entry.gid > MOST_ID:
            raise self._invalid(f"the owner of '{path}' is no number of a user and group")
        if entry.type is FileType.SYMLINK:
            if not target or len(target) > MOST_PATH:
                raise self._invalid(f"the link '{path}' has no text, or one that is too long")
            self._name_bytes += len(target)
        if entry.device == OVERLAY_WHITEOUT:
            raise Refused(
                f"The device '{path}' in {self._shown} cannot be in an image: engines take it for a deleted"
                " name.",
                "Leave it out.",
            )
        if member.xattrs:
            if any(name.startswith(OVERLAY_ATTRIBUTES) for name in member.xattrs):
                raise self._invalid(f"'{path}' has attributes that an engine takes for its own")
            self._name_bytes += sum(len(name) + len(value) for name, value in member.xattrs.items())

    def _count_name(self, path: str) -> None:
        self._count += 1
        self._name_bytes += len(path) + _BYTES_OF_PART * path.count("/")
        if self._count > MOST_ENTRIES:
            raise self._invalid(f"it holds more than {MOST_ENTRIES:,} files and folders")
        if self._name_bytes > MOST_NAME_BYTES:
            raise self._invalid("its names are too many and too long")
        if len(path) > MOST_NAME // 4:
            # A character has four bytes at most.
            check_length(path)

    def _make_way(self, path: str) -> None:
        """Note the folders on the way to a path that no member told of."""
        unknown = list(takewhile(lambda folder: folder not in self._folders, folders_above(path)))
        for folder in reversed(unknown):
            in_the_way = self._pieces.get(folder)
            if in_the_way:
                kind = in_the_way.entry.type.value
                raise self._invalid(f"'{path}' stands below '{folder}', which is a {kind}")
            self._count_name(folder)
            above, _, name = folder.rpartition("/")
            self._folders[above].add(name)
            self._folders[folder] = set()

    def _drop(self, path: str) -> None:
        waiting = [path]
        while waiting:
            path = waiting.pop()
            self._pieces.pop(path, None)
            waiting += [f"{path}/{name}" for name in self._folders.pop(path, ())]

    def _invalid(self, reason: str) -> InvalidInput:
        return InvalidInput(f"{_upper(self._shown)} cannot be copied: {reason}.")


def check_length(path: str) -> None:
    """Raise :class:`~snapshot.errors.InvalidInput` for a path, or a name in it, that Linux would not take."""
    raw = path.encode("utf-8", "surrogateescape")
    if len(raw) > MOST_PATH or max(map(len, raw.split(b"/"))) > MOST_NAME:
        raise InvalidInput(
            f"'{path[:60]}…' is too long: a name has at most {MOST_NAME} bytes, a path {MOST_PATH:,}."
        )


def content_digest(pieces: Iterable[Piece], name: str) -> str:
    """``sha256:…`` of all but the times: names, types, modes, owners, links, devices, attributes, content.

    Parameters
    ----------
    name:
        What a single file is called; empty for a folder or a tar.
    """
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape") + b"\0")
    for piece in pieces:
        entry = piece.entry
        xattrs = " ".join(f"{key}={piece.xattrs[key].hex()}" for key in sorted(piece.xattrs))
        # No field can hold a zero byte, and each record has the same number of them.
        record = (
            f"{entry.type.value} {entry.mode:o} {entry.uid} {entry.gid} {entry.sha256} {entry.device}\0"
            f"{entry.path}\0{entry.link_target}\0{entry.hard_link}\0{xattrs}\0"
        )
        digest.update(record.encode("utf-8", "surrogateescape"))
    return f"sha256:{digest.hexdigest()}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
