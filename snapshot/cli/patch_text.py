"""What ``snap diff --patch`` prints: what became of each path, and a text that patch(1) and git take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from snapshot.cli.text import coloured, count, printable, short_id

if TYPE_CHECKING:
    from snapshot.changeset.entry import FileEntry
    from snapshot.changeset.file_diff import FileDiff

#: A line of a file that is longer loses its end on a terminal: minified scripts have one line.
_MOST_CHARS_OF_A_LINE = 4000
_MEANINGS = {
    "head": "head",
    "old": "head",
    "new": "head",
    "hunk": "hunk",
    "removed": "removed",
    "added": "added",
}
_WHY_NOT = {
    "too long": "Too long to look into",
    "too many": "Not looked into, since it is too much",
    "not here": "What stood there before is not to be had",
}


def patch_lines(diffs: Iterable[FileDiff], *, raw: bool) -> Iterator[str]:
    """The lines for each path: a head in words, then the unified text of what differs.

    A folder that is listed for what is in it alone has none.

    Parameters
    ----------
    raw:
        Whether lines of files are given as they are, surrogate escapes for bytes that are not UTF-8: then the
        text can be applied. Otherwise whatever could steer a terminal is an escape.
    """
    from snapshot.changeset.file_diff import unified
    from snapshot.changeset.weights import is_untouched_folder

    any_before = False
    for diff in diffs:
        if is_untouched_folder(diff):
            continue
        if any_before:
            yield ""
        any_before = True
        yield _head(diff)
        if facts := _facts(diff):
            # No line of these may begin with a digit: patch(1) could take it for a script of ed(1).
            yield f"  {', '.join(facts)}"
        told = bool(facts or diff.not_told)
        for line in unified(diff):
            told = True
            text = line.text if raw else _safe(line.text)
            yield coloured(text, _MEANINGS[line.kind]) if line.kind in _MEANINGS else text
        if not told and diff.old and diff.new:
            yield "  content, mode and owner are the same"
        if diff.not_told and (words := _instead_of_text(diff)):
            yield words
        if diff.lines_cut:
            yield f"({count(diff.lines_cut, 'more line')}; --full shows all)"


def _safe(text: str) -> str:
    shown = "\t".join(map(printable, text.split("\t")))
    hidden = len(shown) - _MOST_CHARS_OF_A_LINE
    return f"{shown[:_MOST_CHARS_OF_A_LINE]}… ({hidden:,} more characters)" if hidden > 0 else shown


def _head(diff: FileDiff) -> str:
    change = diff.change
    types = [entry.type.value for entry in (diff.old, diff.new) if entry]
    what = " -> ".join(dict.fromkeys(types)) or change.skipped or "path"
    return f"{coloured(change.kind.value)} {coloured(f'{what} {printable(change.path)}', 'head')}"


def _facts(diff: FileDiff) -> list[str]:
    """What is told of both sides where it differs, or of the only one."""
    return [text for name, fact in _FACTS if (text := _told(name, fact, diff.old, diff.new))]


def _told(name: str, fact: Callable[[FileEntry], str], old: FileEntry | None, new: FileEntry | None) -> str:
    before, now = (fact(entry) if entry else "" for entry in (old, new))
    if old and new:
        return f"{name} {before or 'none'} -> {now or 'none'}" if before != now else ""
    return f"{name} {before or now}" if before or now else ""


def _size(entry: FileEntry) -> str:
    return f"{entry.size_bytes:,}" if entry.type.value == "file" else ""


_FACTS: tuple[tuple[str, Callable[[FileEntry], str]], ...] = (
    ("mode", lambda entry: f"{entry.mode:04o}"),
    ("owner", lambda entry: entry.owner),
    ("size", _size),
    ("target", lambda entry: printable(entry.link_target)),
    ("another name of", lambda entry: printable(entry.hard_link)),
    ("device", lambda entry: entry.device),
    ("capability", lambda entry: entry.capability),
)


def _instead_of_text(diff: FileDiff) -> str:
    """What is said of a content of which no lines are shown."""
    old, new = (entry if entry and entry.type.value == "file" else None for entry in (diff.old, diff.new))
    sizes = _both(f"{entry.size_bytes:,}" if entry else "" for entry in (old, new))
    digests = _both(short_id(entry.sha256) if entry else "" for entry in (old, new))
    told = [f"{sizes} bytes"] if sizes else []
    told += [f"sha256 {digests}"] if digests else []
    if diff.not_told == "not here" and not old:
        # The size now is in the head, and would be read as the one before.
        told = []
    if diff.not_told == "binary":
        what = "Binary files differ" if old and new else "Binary file"
    else:
        what = _WHY_NOT.get(diff.not_told, diff.not_told.capitalize())
    hint = "; --full looks into files of more bytes" if diff.not_told == "too long" else ""
    return what + (f": {', '.join(told)}" if told else "") + hint


def _both(values: Iterable[str]) -> str:
    return " -> ".join(value for value in values if value)
