"""What two sides made of one path: whether that is the same, in words, and both together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from snapshot.changeset.entry import FileEntry, FileType, alike
from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.layer import Piece
from snapshot.changeset.member import Chunk, Member, no_content, sha256_of
from snapshot.changeset.paths import is_engine_path
from snapshot.changeset.text_merge import MOST_BYTES, merged_text

_T = TypeVar("_T")
_FILE, _FOLDER = FileType.FILE, FileType.FOLDER


@dataclass(frozen=True)
class Thing:
    """What stands at a path, with its content, which can be read again and again."""

    entry: FileEntry
    mtime_s: int
    xattrs: Mapping[str, bytes]
    content: Callable[[], Iterable[Chunk]]

    @classmethod
    def of_member(cls, member: Member | None) -> Thing | None:
        """What an image has there."""
        return cls(member.entry, member.mtime_s, member.xattrs, member.content) if member else None

    @classmethod
    def of_piece(cls, piece: Piece, content: Callable[[Piece], Iterable[Chunk]]) -> Thing:
        """What was taken into a spool."""
        return cls(piece.entry, piece.mtime_s, piece.xattrs, lambda: content(piece))

    @cached_property
    def sha256(self) -> str:
        """Hex digest of the content."""
        return self.entry.sha256 or sha256_of(self.content())


def same(one: Thing | None, other: Thing | None) -> bool:
    """Whether both are nothing, or would be the same in an image but for their times and names."""
    if one is None or other is None:
        return one is other
    return (
        alike(one.entry, other.entry)
        and dict(one.xattrs) == dict(other.xattrs)
        and (one.entry.type is not _FILE or one.sha256 == other.sha256)
    )


def what_differs_below(old: ImageFiles, new: ImageFiles, folder: str) -> str:
    """What differs in a folder that both have, in words; empty where nothing does, times left out."""
    first, number = "", 0
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        before, after = set(old.names(path)), set(new.names(path))
        for name in sorted(before | after):
            below = f"{path.rstrip('/')}/{name}"
            if is_engine_path(below):
                continue
            was, now = Thing.of_member(old.at(below)), Thing.of_member(new.at(below))
            if not same(was, now):
                first, number = first or below, number + 1
            elif was and was.entry.type is _FOLDER:
                waiting.append(below)
    if not number:
        return ""
    return f"changed below: {first}" + (f" and {number - 1:,} more" if number > 1 else "")


def difference_in_words(old: Thing | None, new: Thing | None) -> str:
    """What was made of ``old``: ``content, mode 0644 -> 0600``."""
    if new is None:
        return "deleted" if old else "nothing"
    after = new.entry
    if old is None:
        size = f", {after.size_bytes:,} bytes" if after.type is _FILE else ""
        target = f" -> {after.link_target}" if after.link_target else ""
        return f"added, {after.type.value} {after.mode:04o} {after.owner}{size}{target}"
    before = old.entry
    if before.type is not after.type:
        return f"{before.type.value} -> {after.type.value}"
    parts = []
    if before.size_bytes != after.size_bytes:
        parts.append(f"content, {before.size_bytes:,} -> {after.size_bytes:,} bytes")
    elif after.type is _FILE and old.sha256 != new.sha256:
        parts.append(f"content, {after.size_bytes:,} bytes")
    if before.mode != after.mode:
        parts.append(f"mode {before.mode:04o} -> {after.mode:04o}")
    if before.owner != after.owner:
        parts.append(f"owner {before.owner} -> {after.owner}")
    if before.link_target != after.link_target:
        parts.append(f"link to {before.link_target} -> {after.link_target}")
    if before.device != after.device:
        parts.append(f"device {before.device} -> {after.device}")
    if before.capability != after.capability:
        parts.append("capabilities")
    if not parts and dict(old.xattrs) != dict(new.xattrs):
        parts.append("attributes")
    return "; ".join(parts) or "same"


def merged_thing(old: Thing, ours: Thing, theirs: Thing) -> Member | None:
    """Both sides' changes of one path together; ``None`` where they changed the same part of it.

    Parts are the mode, the owner, extended attributes, the target of a link, and the content of a file, which
    is merged where it is text (:func:`~snapshot.changeset.text_merge.merged_text`).
    """
    if not old.entry.type is ours.entry.type is theirs.entry.type:
        return None
    try:
        mode = _merged(old.entry.mode, ours.entry.mode, theirs.entry.mode)
        uid, gid = _merged(_owner(old), _owner(ours), _owner(theirs))
        xattrs = _merged(dict(old.xattrs), dict(ours.xattrs), dict(theirs.xattrs))
        capability = _merged(old.entry.capability, ours.entry.capability, theirs.entry.capability)
        link_target = _merged(old.entry.link_target, ours.entry.link_target, theirs.entry.link_target)
        device = _merged(old.entry.device, ours.entry.device, theirs.entry.device)
        size_bytes, content = _merged_content(old, ours, theirs)
    except _BothChanged:
        return None
    entry = FileEntry(
        ours.entry.path,
        ours.entry.type,
        mode,
        uid,
        gid,
        size_bytes,
        link_target=link_target,
        device=device,
        capability=capability,
    )
    return Member(entry, max(ours.mtime_s, theirs.mtime_s), xattrs=xattrs, content=content)


class _BothChanged(Exception):
    """Both sides changed a part, each in its own way."""


def _merged(old: _T, ours: _T, theirs: _T) -> _T:
    if theirs in (old, ours):
        return ours
    if ours == old:
        return theirs
    raise _BothChanged


def _owner(thing: Thing) -> tuple[int, int]:
    return thing.entry.uid, thing.entry.gid


def _merged_content(old: Thing, ours: Thing, theirs: Thing) -> tuple[int, Callable[[], Iterable[Chunk]]]:
    if old.entry.type is not _FILE:
        return 0, no_content
    with suppress(_BothChanged):
        digest = _merged(old.sha256, ours.sha256, theirs.sha256)
        side = ours if digest == ours.sha256 else theirs
        return side.entry.size_bytes, side.content
    things = (old, ours, theirs)
    if any(thing.entry.size_bytes > MOST_BYTES for thing in things):
        raise _BothChanged
    # A chunk may show a buffer that is filled anew.
    text = merged_text(*(b"".join(bytes(chunk) for chunk in thing.content()) for thing in things))
    if text is None:
        raise _BothChanged
    return len(text), lambda: (text,)
