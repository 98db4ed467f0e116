"""What differs inside of changed files, as far as a page to show around should tell it."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import replace

from snapshot.changeset.entry import Changeset, FileEntry, FileType, PathChange
from snapshot.changeset.file_diff import FileDiff
from snapshot.changeset.text_diff import DiffLine, Hunk
from snapshot.engine.types import ChangeKind
from snapshot.journal.secret_words import is_secret_file, without_known_forms
from snapshot.report.quantity import count
from snapshot.workflow.content_diff import Bounds, file_diffs
from snapshot.workflow.diff import Comparison
from snapshot.workflow.progress import Progress

#: So many paths are looked up on both sides.
MOST_PATHS = 500
BOUNDS = Bounds(most_lines_a_file=400, most_bytes=3 << 20, most_files=300)

_NOT_FOR_ALL = "The text is left out: not every user may read this file."
_SECRET = "The text is left out: by its name the file holds a secret."
_READ_BY_OTHERS = 0o004


def told_diffs(comparison: Comparison, progress: Progress, notes: list[str]) -> tuple[FileDiff, ...]:
    """Both sides of changed paths and the text that differs, in canonical order.

    Bounded (:data:`BOUNDS`): what was changed comes before what was added. The text of files that not every
    user may read, or that hold a secret by their name, is left out, and so is what is a secret by its form.
    """
    changes = comparison.difference.changeset.changes
    chosen = sorted(changes, key=_weight)[:MOST_PATHS]
    order = {change.path: number for number, change in enumerate(changes)}
    some = replace(comparison.difference, changeset=Changeset(tuple(chosen)))
    told = file_diffs(comparison._replace(difference=some), bounds=BOUNDS, progress=progress)
    found = [_shareable(diff) for diff in told]
    kept = [diff for diff in found if diff.not_told != "too many"]
    if left_out := _files(changes) - _files([diff.change for diff in kept]):
        files = count(left_out, "changed file")
        notes.append(f"What is inside of {files} is not told: there is no room for all.")
    return tuple(sorted(kept, key=lambda diff: order[diff.change.path]))


def _weight(change: PathChange) -> int:
    return {ChangeKind.CHANGED: 0, ChangeKind.ADDED: 1, ChangeKind.DELETED: 2}[change.kind]


def _files(changes: Sequence[PathChange]) -> int:
    return sum(change.file is not None and change.file.type is FileType.FILE for change in changes)


def _shareable(diff: FileDiff) -> FileDiff:
    if not diff.hunks:
        return diff
    if reason := _kept_back(diff):
        return replace(diff, hunks=(), lines_cut=0, not_told=reason)
    return replace(diff, hunks=tuple(_without_secrets(hunk) for hunk in diff.hunks))


def _kept_back(diff: FileDiff) -> str:
    if is_secret_file(posixpath.basename(diff.change.path)):
        return _SECRET
    return "" if all(map(_is_open, (diff.old, diff.new))) else _NOT_FOR_ALL


def _is_open(entry: FileEntry | None) -> bool:
    return entry is None or entry.type is not FileType.FILE or bool(entry.mode & _READ_BY_OTHERS)


def _without_secrets(hunk: Hunk) -> Hunk:
    return hunk._replace(
        lines=tuple(DiffLine(line.mark, without_known_forms(line.text), line.ends) for line in hunk.lines)
    )
