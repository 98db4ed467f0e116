"""What ``snap diff`` shows beyond a list of paths: as lines for people, as parts of a JSON document."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from snapshot.cli.diff_json import patch_document
from snapshot.cli.diff_packages import package_lines, packages_document
from snapshot.cli.diff_stat import stat_document, stat_lines, summary
from snapshot.cli.pager import paged
from snapshot.cli.patch_text import patch_lines
from snapshot.cli.text import note

if TYPE_CHECKING:
    from snapshot.changeset.file_diff import FileDiff
    from snapshot.changeset.weights import WeighedChange
    from snapshot.cli.progress import TerminalProgress
    from snapshot.packages.changes import PackageChanges
    from snapshot.workflow.diff import Comparison

#: With --full: what can be held and compared without harm.
_MOST_BYTES_A_FILE = 64 << 20


@dataclass(frozen=True)
class Views:
    """Which were asked for, each named as its option, and how patches are made."""

    patch: bool
    stat: bool
    packages: bool
    summary: bool
    context_lines: int
    full: bool

    @property
    def any(self) -> bool:
        """Whether any was asked for."""
        return self.patch or self.stat or self.packages or self.summary

    def documents(self, comparison: Comparison, progress: TerminalProgress) -> dict[str, Any]:
        """The keys that these views add to the document."""
        document: dict[str, Any] = {}
        found = _Found(comparison, progress)
        if self.summary:
            document["summary"] = summary(found.weighed, found.packages.changes)
        if self.stat:
            document["stat"] = stat_document(found.weighed)
        if self.packages:
            document["packages"] = packages_document(found.packages)
        if self.patch:
            document["patch"] = [
                patch_document(diff) for diff in self._diffs(comparison, progress, whole=True)
            ]
        return document

    def show(self, comparison: Comparison, pager: bool | None, progress: TerminalProgress) -> None:
        """Print them, one after the other; a patch is made while it is shown."""
        found = _Found(comparison, progress)
        parts: list[Iterable[str]] = []
        if self.summary:
            parts.append([summary(found.weighed, found.packages.changes)])
        if self.stat and found.weighed:
            parts.append(stat_lines(found.weighed))
        if self.packages:
            parts.append(package_lines(found.packages.changes))
        at_terminal = sys.stdout.isatty()
        if self.patch:
            diffs = self._diffs(comparison, progress, whole=not at_terminal)
            parts.append(patch_lines(diffs, raw=not at_terminal))
        lines = _with(progress.stop, _apart(parts))
        if at_terminal:
            paged(lines, pager)
        else:
            _write_as_it_is(lines)
        if self.packages:
            _note_packages(found.packages)

    def _diffs(
        self, comparison: Comparison, progress: TerminalProgress, *, whole: bool
    ) -> Iterator[FileDiff]:
        """What differs inside; ``whole`` where a text is to be applied, which half of it would spoil."""
        from snapshot.workflow.content_diff import Bounds, file_diffs

        bounds = Bounds()
        if self.full or whole:
            bounds = bounds._replace(most_lines_a_file=None)
        if self.full:
            bounds = bounds._replace(most_bytes_a_file=_MOST_BYTES_A_FILE)
        return file_diffs(comparison, context=self.context_lines, bounds=bounds, progress=progress)


class _Found:
    """What is looked up once, whichever views want it."""

    def __init__(self, comparison: Comparison, progress: TerminalProgress) -> None:
        self._comparison = comparison
        self._progress = progress

    @cached_property
    def weighed(self) -> tuple[WeighedChange, ...]:
        """Each change with its bytes."""
        from snapshot.workflow.weighed import weighed

        return tuple(weighed(self._comparison, self._progress))

    @cached_property
    def packages(self) -> PackageChanges:
        """What became of packages."""
        from snapshot.workflow.package_changes import package_changes

        return package_changes(self._comparison, self._progress)


def _note_packages(found: PackageChanges) -> None:
    if not found.changes and not found.unreadable:
        note("no package came, went or has another version")
    for sentence in found.unreadable:
        note(sentence)


def _apart(parts: Iterable[Iterable[str]]) -> Iterator[str]:
    """The lines of all parts, with an empty one between those that have any."""
    any_before = False
    for part in parts:
        for number, line in enumerate(part):
            if any_before and number == 0:
                yield ""
            yield line
            any_before = True


def _with(begin: Callable[[], None], lines: Iterator[str]) -> Iterator[str]:
    """The same lines; ``begin`` is called when the first one is there, or there turn out to be none."""
    first = next(lines, None)
    begin()
    if first is not None:
        yield first
        yield from lines


def _write_as_it_is(lines: Iterable[str]) -> None:
    """Write lines to stdout with the bytes that they have in the files that they come from."""
    sys.stdout.flush()
    for line in lines:
        sys.stdout.buffer.write(line.encode("utf-8", "surrogateescape") + b"\n")
