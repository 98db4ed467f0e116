"""What differs inside of a changed file, as HTML."""

from __future__ import annotations

from collections.abc import Iterator

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.file_diff import FileDiff
from snapshot.changeset.text_diff import DiffLine
from snapshot.report.markup import isolated, text
from snapshot.report.quantity import count
from snapshot.report.visible import middle_cut

#: How long a line is told, and how many characters of HTML the texts of all files take together.
MOST_LINE_CHARS = 1000
MOST_DIFF_CHARS = 5 << 19

_NOT_TOLD = {
    "binary": "The content is binary.",
    "too long": "The content differs, and is too long to be compared here.",
    "not here": "What stood there before is not here, so the content cannot be compared.",
    "too many": "The content differs; the texts of so many files have no room here.",
}
_TAGS = {"-": "del", "+": "ins", " ": "span"}


class DiffWriter:
    """Writes the texts of files until there is no more room for them on the page."""

    def __init__(self, room: int = MOST_DIFF_CHARS) -> None:
        self._room = room

    def written(self, diff: FileDiff) -> Iterator[str]:
        """All that differs in one file: what it is, and its text."""
        yield _sides(diff.old, diff.new)
        if diff.not_told:
            yield f"<p>{_NOT_TOLD.get(diff.not_told) or text(diff.not_told)}</p>"
        if diff.hunks:
            yield from self._text(diff)

    def _text(self, diff: FileDiff) -> Iterator[str]:
        cut = diff.lines_cut
        yield '<pre class="diff">'
        for hunk in diff.hunks:
            yield f'<span class="at">{hunk.head}</span>\n'
            for line in hunk.lines:
                written = _line(line)
                if len(written) > self._room:
                    self._room = 0
                    cut += 1
                    continue
                self._room -= len(written)
                yield written
        yield "</pre>"
        if cut:
            yield f"<p>{count(cut, 'more line')} of this file not shown.</p>"


def _line(line: DiffLine) -> str:
    tag = _TAGS[line.mark]
    told = middle_cut(line.text, MOST_LINE_CHARS)
    # Tabs are no danger, and most of what a makefile is made of.
    content = "\t".join(text(piece) for piece in told.split("\t"))
    end = "" if line.ends else '\n<span class="at">\\ No newline at end of file</span>'
    return f"<{tag}>{line.mark}{content}</{tag}>{end}\n"


def _sides(old: FileEntry | None, new: FileEntry | None) -> str:
    """The properties that differ, or those of the one side that there is."""
    before, after = _properties(old), _properties(new)
    rows: list[str] = []
    for name in {**before, **after}:
        was, is_now = before.get(name, ""), after.get(name, "")
        if was == is_now:
            continue
        told = [isolated(value) if value else "none" for value in (was, is_now)]
        value = f"{told[0]} → {told[1]}" if old and new else isolated(was or is_now)
        rows.append(f"<div><dt>{name}</dt><dd>{value}</dd></div>")
    return f'<dl class="sides">{"".join(rows)}</dl>' if rows else ""


def _properties(entry: FileEntry | None) -> dict[str, str]:
    if entry is None:
        return {}
    is_file = entry.type is FileType.FILE
    values = {
        "type": entry.type.value,
        "mode": f"{entry.mode:04o}",
        "owner": entry.owner,
        "size": count(entry.size_bytes, "byte") if is_file else "",
        "sha256": entry.sha256,
        "link to": entry.link_target,
        "same file as": entry.hard_link,
        "device": entry.device,
        "capability": entry.capability,
    }
    return {name: value for name, value in values.items() if value}
