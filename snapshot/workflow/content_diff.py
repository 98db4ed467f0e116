"""What differs inside of the changed files, path by path."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import NamedTuple

from snapshot.changeset.entry import FileEntry, FileType, PathChange
from snapshot.changeset.file_diff import FileDiff
from snapshot.changeset.image_files import ImageFiles, expect
from snapshot.changeset.member import Member
from snapshot.changeset.paths import by_bytes
from snapshot.changeset.text_diff import TextDiff, text_diff
from snapshot.engine.types import ChangeKind
from snapshot.workflow.compared.interface import Compared
from snapshot.workflow.diff import Comparison
from snapshot.workflow.progress import SILENT, Progress

# git takes a file for binary that has a zero byte there (xdiff-interface.c, FIRST_FEW_BYTES).
_FIRST_BYTES = 8000
# Why no text is told, the weightiest first.
_REASONS = ("not here", "binary", "too long")


class Bounds(NamedTuple):
    """How much is told of what differs inside of files; ``None`` for all.

    Attributes
    ----------
    most_bytes_a_file:
        A file that is longer on either side is hashed, and its text not looked at.
    most_lines_a_file:
        Of all hunks of a file, the lines around changes included.
    most_lines, most_bytes:
        The same over all files, and the bytes of text in these lines.
    most_files:
        So many changed paths are read, be it text or not; 0 to have the entries alone.
    """

    most_bytes_a_file: int = 1 << 20
    most_lines_a_file: int | None = 2000
    most_lines: int | None = None
    most_bytes: int | None = None
    most_files: int | None = None


def file_diffs(
    comparison: Comparison,
    *,
    context: int = 3,
    bounds: Bounds | None = None,
    progress: Progress = SILENT,
) -> Iterator[FileDiff]:
    """What differs inside, for each change of a comparison, in their order, one read after the other.

    No more than ``bounds.most_bytes_a_file`` of a file's bytes are held, whatever it weighs; what is longer,
    or binary by git's rule (a zero byte in the first 8,000), is read for its hash. A deleted folder is one
    change, and nothing is told of what was in it. A side is opened when something of it is needed.

    Parameters
    ----------
    context:
        Unchanged lines around those that changed.
    bounds:
        By default those of :class:`Bounds`.

    Raises
    ------
    EngineError
        A file could not be read.
    """
    bounds = bounds or Bounds()
    changes = comparison.difference.changeset.changes
    read = [change for change in changes if change.kind is ChangeKind.DELETED or _has_text(change.file)]
    before = [change.path for change in read[: bounds.most_files] if change.kind is not ChangeKind.ADDED]
    after = [change.path for change in read[: bounds.most_files] if change.file]
    looked_up = [change.path for change in changes if change.kind is not ChangeKind.ADDED]
    with ExitStack() as stack:
        old = _OpenedWhenNeeded(comparison.old, stack, looked_up, before) if comparison.old else None
        new = _OpenedWhenNeeded(comparison.new, stack, after, after)
        teller = _Teller(old, new, context, bounds, progress)
        progress.stage("reading what changed inside of files")
        for change in changes:
            yield teller.told(change)


class _OpenedWhenNeeded:
    """The files of a side, and what will be wanted of them."""

    def __init__(
        self, compared: Compared, stack: ExitStack, looked_up: Collection[str], read: Collection[str]
    ) -> None:
        self._compared = compared
        self._stack = stack
        self._wanted = looked_up, read
        self._files: ImageFiles | None = None

    def at(self, path: str) -> Member | None:
        """What stands at ``path``."""
        if self._files is None:
            self._files = self._stack.enter_context(self._compared.files())
            expect(self._files, *self._wanted)
        return self._files.at(path)


class _Content(NamedTuple):
    """The text of what stands on one side, or why there is none; ``entry`` has its hash where it was read."""

    entry: FileEntry | None
    text: bytes = b""
    not_told: str = ""


@dataclass
class _Teller:
    """Tells one change after the other, and counts what was told."""

    old: _OpenedWhenNeeded | None
    new: _OpenedWhenNeeded
    context: int
    bounds: Bounds
    progress: Progress
    files: int = 0
    lines: int = 0
    bytes: int = 0

    def told(self, change: PathChange) -> FileDiff:
        """What differs at one path."""
        new = change.file
        if self.old is None and change.kind is not ChangeKind.ADDED:
            told = change.kind is ChangeKind.CHANGED and not _has_text(new)
            return FileDiff(change, None, new, not_told="" if told else "not here")
        before = self.old.at(change.path) if self.old and change.kind is not ChangeKind.ADDED else None
        old = before.entry if before else None
        if not _may_differ(old, new):
            return FileDiff(change, old, new)
        if self._is_enough():
            return FileDiff(change, old, new, not_told="too many")
        self.files += 1
        was = self._content(old, before)
        after = self.new.at(change.path) if new and new.type is FileType.FILE and new.size_bytes else None
        now = self._content(new, after)
        why = [reason for reason in _REASONS if reason in (was.not_told, now.not_told)]
        if why:
            is_same = was.entry and now.entry and was.entry.sha256 == now.entry.sha256 != ""
            return FileDiff(change, was.entry, now.entry, not_told="" if is_same else why[0])
        return self._with_text(change, was, now)

    def _is_enough(self) -> bool:
        return (
            _reached(self.files, self.bounds.most_files)
            or _reached(self.lines, self.bounds.most_lines)
            or _reached(self.bytes, self.bounds.most_bytes)
        )

    def _content(self, entry: FileEntry | None, member: Member | None) -> _Content:
        if entry is None or entry.type is not FileType.FILE:
            return _Content(entry, by_bytes(entry.link_target) if entry else b"")
        if entry.size_bytes and member is None:
            return _Content(entry, not_told="not here")
        kept = bytearray()
        not_told = ""
        digest = hashlib.sha256()
        for piece in member.content() if member else ():
            self.progress.advance(len(piece))
            digest.update(piece)
            if not not_told:
                kept += piece
                if b"\0" in kept[:_FIRST_BYTES]:
                    not_told = "binary"
                elif len(kept) > self.bounds.most_bytes_a_file:
                    not_told = "too long"
                if not_told:
                    kept.clear()
            if not_told and entry.sha256:
                return _Content(entry, not_told=not_told)
        return _Content(replace(entry, sha256=digest.hexdigest()), bytes(kept), not_told)

    def _with_text(self, change: PathChange, was: _Content, now: _Content) -> FileDiff:
        found = self._compared(was, now)
        lines = [line for hunk in found.hunks for line in hunk.lines]
        text_bytes = sum(len(by_bytes(line.text)) for line in lines)
        not_told = ""
        if self.bounds.most_bytes is not None and self.bytes + text_bytes > self.bounds.most_bytes:
            found, not_told = found._replace(hunks=()), "too many"
        else:
            self.lines += len(lines)
            self.bytes += text_bytes
        return FileDiff(change, was.entry, now.entry, not_told=not_told, **found._asdict())

    def _compared(self, was: _Content, now: _Content) -> TextDiff:
        left = None if self.bounds.most_lines is None else self.bounds.most_lines - self.lines
        rooms = [room for room in (self.bounds.most_lines_a_file, left) if room is not None]
        room = min(rooms, default=None)
        if was.entry is None or now.entry is None or was.entry.type is now.entry.type:
            return text_diff(was.text, now.text, self.context, room)
        removed = text_diff(was.text, b"", self.context, room)
        if room is not None:
            room = max(room - removed.lines_removed, 0)
        added = text_diff(b"", now.text, self.context, room)
        return TextDiff(
            removed.hunks + added.hunks,
            added.lines_added,
            removed.lines_removed,
            removed.lines_cut + added.lines_cut,
        )


def _has_text(entry: FileEntry | None) -> bool:
    return entry is not None and entry.type in (FileType.FILE, FileType.SYMLINK)


def _may_differ(old: FileEntry | None, new: FileEntry | None) -> bool:
    if old is None or new is None or old.type is not new.type:
        return _has_text(old) or _has_text(new)
    if old.sha256 and old.sha256 == new.sha256:
        return False
    return bool(old.size_bytes or new.size_bytes) or old.link_target != new.link_target


def _reached(count: int, most: int | None) -> bool:
    return most is not None and count >= most
