"""How much each change of a comparison made of the files more or less."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.file_diff import FileDiff
from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.paths import folders_above
from snapshot.changeset.weights import WeighedChange, is_untouched_folder
from snapshot.engine.types import ChangeKind
from snapshot.workflow.content_diff import Bounds, file_diffs
from snapshot.workflow.diff import Comparison
from snapshot.workflow.progress import SILENT, Progress

_NO_CONTENT = Bounds(most_files=0)


def weighed(comparison: Comparison, progress: Progress = SILENT) -> Iterator[WeighedChange]:
    """Each change with its bytes before and now; no content is read.

    A folder that is listed for what changed in it alone is no change here. Of several names of one file the
    first counts, as far as it is known which these are: in a folder that was deleted each counts.
    """
    changes = comparison.difference.changeset.changes
    holding = {folder for change in changes for folder in folders_above(change.path)}
    with ExitStack() as stack:
        old: ImageFiles | None = None
        for diff in file_diffs(comparison, bounds=_NO_CONTENT, progress=progress):
            if _is_for_others(diff, holding):
                continue
            if old is None and comparison.old and _went_with_more(diff):
                old = stack.enter_context(comparison.old.files())
            yield WeighedChange(
                diff.change.kind, diff.change.path, _bytes_before(diff, old), _own_bytes(diff.new)
            )


def _is_for_others(diff: FileDiff, holding: set[str]) -> bool:
    """Whether it is a folder that something changed in, and nothing of its own."""
    if is_untouched_folder(diff):
        return True
    is_folder = diff.new is not None and diff.new.type is FileType.FOLDER
    unknown = diff.old is None and diff.change.kind is ChangeKind.CHANGED
    return is_folder and unknown and diff.change.path in holding


def _went_with_more(diff: FileDiff) -> bool:
    """Whether it was a folder, with which all that was in it went."""
    if diff.old is None or diff.old.type is not FileType.FOLDER:
        return False
    return diff.new is None or diff.new.type is not FileType.FOLDER


def _bytes_before(diff: FileDiff, old: ImageFiles | None) -> int | None:
    if diff.old is None:
        return 0 if diff.change.kind is ChangeKind.ADDED else None
    if old and _went_with_more(diff):
        return sum(_bytes_below(old, diff.change.path))
    return 0 if diff.new and diff.new.hard_link else diff.old.size_bytes


def _own_bytes(entry: FileEntry | None) -> int:
    return 0 if entry is None or entry.hard_link else entry.size_bytes


def _bytes_below(files: ImageFiles, folder: str) -> Iterator[int]:
    waiting = [folder]
    while waiting:
        above = waiting.pop()
        for name in files.names(above):
            path = f"{above.rstrip('/')}/{name}"
            if not (member := files.at(path)):
                continue
            yield member.entry.size_bytes
            if member.entry.type is FileType.FOLDER:
                waiting.append(path)
