"""The section of the changed paths: a tree that folds, with what differs inside of files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from snapshot.changeset.entry import FileEntry, FileType, PathChange
from snapshot.changeset.file_diff import FileDiff
from snapshot.engine.types import ChangeKind
from snapshot.report.change_tree import FolderNode, change_tree, children_told
from snapshot.report.markup import MOST_NAME_CHARS, bounded, isolated, short, text
from snapshot.report.model import Report
from snapshot.report.quantity import bytes_in_words, count
from snapshot.report.text_diffs import DiffWriter

#: How many characters of HTML the tree takes, without what is inside of files.
MOST_TREE_CHARS = 5 << 20
#: Folders are open at first until so many rows show.
MOST_ROWS_OPEN = 40
#: About what a row takes besides its name.
_ROW_CHARS = 150

WORDS = {ChangeKind.ADDED: "added", ChangeKind.CHANGED: "changed", ChangeKind.DELETED: "deleted"}

_TOOLS = """\
<div class="tools" id="tools" hidden>
<label for="search">Search paths</label>
<input type="search" id="search" autocomplete="off" spellcheck="false">
<fieldset><legend>Show</legend>
<label><input type="checkbox" value="A" checked> added</label>
<label><input type="checkbox" value="C" checked> changed</label>
<label><input type="checkbox" value="D" checked> deleted</label>
</fieldset>
<button type="button" id="open-all">Open all folders</button>
<button type="button" id="close-all">Close all</button>
<p id="found" role="status"></p>
</div>
"""


def changes_section(report: Report) -> Iterator[str]:
    """All changes, as many as there is room for; the others are counted where they are."""
    if not report.compared_with:
        yield "<p>There is nothing to compare it with, so nobody can tell what was changed.</p>"
        return
    yield f"<p>Against {isolated(report.compared_with)}: {_in_all(report.changes)}.</p>\n"
    if report.changes:
        yield from _TreeWriter(report).written()


def counts_in_words(counts: Mapping[ChangeKind, int]) -> str:
    """``3 added, 1 deleted``; empty where all are zero."""
    return ", ".join(f"{counts[kind]:,} {word}" for kind, word in WORDS.items() if counts.get(kind))


def _in_all(changes: tuple[PathChange, ...]) -> str:
    counts = Counter(change.kind for change in changes)
    files = (change.file for change in changes if change.file and not change.file.hard_link)
    size = sum(file.size_bytes for file in files)
    return (
        f"{counts_in_words(counts)}; {bytes_in_words(size)} in changed files"
        if changes
        else "nothing differs"
    )


class _TreeWriter:
    def __init__(self, report: Report) -> None:
        self._diffs = {diff.change.path: diff for diff in report.file_diffs}
        self._texts = DiffWriter()
        self._root = change_tree(report.changes)
        self._most = children_told(self._root, MOST_TREE_CHARS, _cost)
        self._open = self._opened()

    def written(self) -> Iterator[str]:
        yield _TOOLS
        yield (
            '<p class="legend"><b class="A">A</b> added <b class="C">C</b> changed '
            '<b class="D">D</b> deleted.'
            " A folder tells how many of each are below it.</p>\n"
        )
        more = sum(self._left_out_below(self._root).values())
        if more:
            told = f"{count(more, 'change')} not listed one by one: they are counted in their folders"
            yield f'<p class="more">{told}.</p>\n'
        yield f'<ul class="tree" id="tree" data-more="{more}">\n'
        if self._root.change:
            yield self._row("/", self._root.change)
        yield from self._children(self._root)
        yield "</ul>\n"

    def _opened(self) -> set[str]:
        """Paths of folders that are open at first: level by level, as long as few rows show."""
        opened: set[str] = set()
        rows, level = 0, [self._root]
        while level:
            below: list[FolderNode] = []
            for folder in level:
                folders, files = folder.told(self._most)
                rows += len(folders) + len(files)
                if folder is not self._root and rows > MOST_ROWS_OPEN:
                    return opened
                opened.add(folder.path)
                below += folders
            level = below
        return opened

    def _left_out_below(self, folder: FolderNode) -> Counter[ChangeKind]:
        counts = folder.left_out(self._most)
        for below in folder.told(self._most)[0]:
            counts.update(self._left_out_below(below))
        return counts

    def _children(self, folder: FolderNode) -> Iterator[str]:
        folders, files = folder.told(self._most)
        for below in folders:
            yield from self._folder(below)
        for name, change in files:
            diff = self._diffs.get(change.path)
            if diff is None and len(name) <= MOST_NAME_CHARS:
                yield self._row(name, change)
            else:
                yield from self._file_to_open(name, change, diff)
        left_out = folder.left_out(self._most)
        if left_out:
            yield f'<li class="more">and {sum(left_out.values()):,} more: {counts_in_words(left_out)}</li>\n'

    def _folder(self, folder: FolderNode) -> Iterator[str]:
        change = folder.change
        details = counts_in_words(folder.counts)
        if folder.size_bytes:
            details += f" · {bytes_in_words(folder.size_bytes)}"
        entry = change.file if change else None
        own = f" · itself {entry.mode:04o} · {entry.owner}" if entry else ""
        yield (
            f"<li{_kind(change)}><details{' open' if folder.path in self._open else ''}>"
            f"<summary>{_head(folder.name + '/', change)} <span>{details}{own}</span></summary>"
        )
        if len(folder.name) > MOST_NAME_CHARS:
            yield f"<p>{isolated(folder.name)}</p>"
        yield "<ul>\n"
        yield from self._children(folder)
        yield "</ul></details></li>\n"

    def _row(self, name: str, change: PathChange) -> str:
        head = _head(_shown(name, change), change)
        return f"<li{_kind(change)}>{head} <span>{_details(change, None)}</span></li>\n"

    def _file_to_open(self, name: str, change: PathChange, diff: FileDiff | None) -> Iterator[str]:
        numbers = (("+", diff.lines_added), ("-", diff.lines_removed)) if diff else ()
        told = " ".join(f"{sign}{number:,}" for sign, number in numbers if number)
        lines = f" · {told} lines" if told else ""
        yield (
            f"<li{_kind(change)}><details><summary>{_head(_shown(name, change, diff), change)} "
            f"<span>{_details(change, diff)}{lines}</span></summary>"
            f'<div class="inside">'
        )
        if len(name) > MOST_NAME_CHARS:
            yield f"<p>{isolated(name)}</p>"
        if diff:
            yield from self._texts.written(diff)
        yield "</div></details></li>\n"


def _cost(name: str) -> int:
    # A long name is there twice, and what is hidden in one is written out.
    shown = bounded(name)
    return _ROW_CHARS + len(text(shown)) * (2 if len(name) > MOST_NAME_CHARS else 1)


def _kind(change: PathChange | None) -> str:
    return f' data-kind="{change.kind.value}"' if change else ""


def _head(name: str, change: PathChange | None) -> str:
    shown = short(name)
    if change is None:
        return shown
    letter = change.kind.value
    # The word is for who hears the page; the legend tells it to who sees it.
    return (
        f'<b class="{letter}" aria-hidden="true">{letter}</b><i class="word">{WORDS[change.kind]}</i> {shown}'
    )


def _shown(name: str, change: PathChange, diff: FileDiff | None = None) -> str:
    entry = change.file or (diff.old if diff else None)
    is_folder = entry is not None and entry.type is FileType.FOLDER
    return f"{name}/" if is_folder and name != "/" else name


def _details(change: PathChange, diff: FileDiff | None) -> str:
    if change.skipped:
        return f"in no image: {isolated(change.skipped)}"
    return _entry_in_words(diff.old if diff else None, change.file)


def _entry_in_words(old: FileEntry | None, new: FileEntry | None) -> str:
    """Type, mode, owner and size; both where they differ."""
    sides = [_words(entry) for entry in (old, new) if entry]
    if not sides:
        return ""
    words = [
        before if before == after else f"{before} → {after}"
        for before, after in zip(sides[0], sides[-1], strict=True)
    ]
    entry = new or old
    if entry and entry.link_target:
        words.append(f"→ {short(entry.link_target)}")
    elif entry and entry.hard_link:
        words.append(f"= {short(entry.hard_link)}")
    return " · ".join(filter(None, words))


def _words(entry: FileEntry) -> tuple[str, str, str, str]:
    is_file = entry.type is FileType.FILE
    return (
        "" if is_file else entry.type.value,
        f"{entry.mode:04o}",
        entry.owner,
        bytes_in_words(entry.size_bytes) if is_file else text(entry.device),
    )
