"""What became of one path, with what differs inside of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from snapshot.changeset.entry import FileEntry, FileType, PathChange
from snapshot.changeset.paths import by_bytes
from snapshot.changeset.text_diff import Hunk

_MARKS = {" ": "same", "-": "removed", "+": "added"}
# git, quote.c: cq_lookup.
_ESCAPES = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}


@dataclass(frozen=True)
class FileDiff:
    """A changed path with both sides of it.

    Attributes
    ----------
    old, new:
        What stands there on either side, with ``sha256`` where it is a file whose content was read; ``None``
        for nothing.
    hunks:
        What differs in the text; none where that is not told. The text of a symlink is where it leads, as in
        git. Where a thing became one of another type, the old text is removed first, and then the new added.
    not_told:
        Why there are no hunks although the content may differ: ``"binary"``, ``"too long"``, ``"too many"``,
        or ``"not here"``: the content of one side is not to be had; where that is the old one, ``old`` may be
        ``None`` for it. Empty otherwise.
    lines_added, lines_removed:
        Over all hunks, also those that were cut away.
    lines_cut:
        How many lines of hunks were left out because they are too many.
    """

    change: PathChange
    old: FileEntry | None
    new: FileEntry | None
    hunks: tuple[Hunk, ...] = ()
    not_told: str = ""
    lines_added: int = 0
    lines_removed: int = 0
    lines_cut: int = 0


class UnifiedLine(NamedTuple):
    r"""A line of a unified diff, without its line feed.

    Attributes
    ----------
    kind:
        ``head`` (git's own: ``diff --git``, modes, ``index``), ``old`` (``---``), ``new`` (``+++``), ``hunk``
        (``@@``), ``same``, ``removed``, ``added``, or ``note`` (``\ No newline at end of file``).
    text:
        With its mark. Lines of files are a stranger's, and raw: what is not UTF-8 is surrogate escapes.
    """

    kind: str
    text: str


def unified(diff: FileDiff) -> Iterator[UnifiedLine]:
    """What differs in a text as ``git diff`` writes it: GNU patch and ``git apply`` take it, below the root.

    Nothing comes of what has no text that could be told: a binary file, a folder, another owner. Of new modes
    git knows only whether a file's owner may execute it.
    """
    # Of a binary file, the head alone would make an empty one.
    old, new = (entry if _mode(entry) and not diff.not_told else None for entry in (diff.old, diff.new))
    if old and new and old.type is not new.type:
        removed = tuple(hunk for hunk in diff.hunks if hunk.old_count)
        yield from _one_file(diff.change.path, old, None, removed)
        yield from _one_file(diff.change.path, None, new, diff.hunks[len(removed) :])
    elif diff.hunks or _mode(old) != _mode(new):
        yield from _one_file(diff.change.path, old, new, diff.hunks)


def _mode(entry: FileEntry | None) -> int:
    """As git has it; 0 for what it does not hold."""
    if entry and entry.type is FileType.SYMLINK:
        return 0o120000
    if entry and entry.type is FileType.FILE:
        return 0o100755 if entry.mode & 0o100 else 0o100644
    return 0


def _one_file(
    path: str, old: FileEntry | None, new: FileEntry | None, hunks: tuple[Hunk, ...]
) -> Iterator[UnifiedLine]:
    names = _quoted(f"a{path}"), _quoted(f"b{path}")
    yield UnifiedLine("head", f"diff --git {names[0]} {names[1]}")
    old_mode, new_mode = _mode(old), _mode(new)
    if not old_mode:
        yield UnifiedLine("head", f"new file mode {new_mode:o}")
    elif not new_mode:
        yield UnifiedLine("head", f"deleted file mode {old_mode:o}")
    elif old_mode != new_mode:
        yield UnifiedLine("head", f"old mode {old_mode:o}")
        yield UnifiedLine("head", f"new mode {new_mode:o}")
    old_blob, new_blob = _blob(old), _blob(new)
    if old_blob != new_blob and old_blob and new_blob:
        # By this alone GNU patch knows a symlink, and that an empty file is to go.
        mode = f" {old_mode:o}" if old_mode == new_mode else ""
        yield UnifiedLine("head", f"index {old_blob}..{new_blob}{mode}")
    if hunks:
        # A tab ends a name with blanks in it, for GNU patch.
        old_name, new_name = (f"{name}\t" if " " in name else name for name in names)
        yield UnifiedLine("old", f"--- {old_name if old else '/dev/null'}")
        yield UnifiedLine("new", f"+++ {new_name if new else '/dev/null'}")
    for hunk in hunks:
        yield UnifiedLine("hunk", hunk.head)
        for line in hunk.lines:
            yield UnifiedLine(_MARKS[line.mark], line.mark + line.text)
            if not line.ends:
                yield UnifiedLine("note", "\\ No newline at end of file")


def _blob(entry: FileEntry | None) -> str:
    """Git's short name of a content (gitformat-pack) that is known from the entry; empty for other ones."""
    if entry is None:
        return "0000000"
    if entry.type is FileType.FILE and entry.size_bytes:
        return ""
    content = by_bytes(entry.link_target)
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()[:7]


def _quoted(name: str) -> str:
    r"""A name as git writes it (quote.c, ``core.quotePath`` as it is by default).

    >>> _quoted("a/caf\u00e9")
    '"a/caf\\303\\251"'
    """
    if re.fullmatch(r"[ !#-\[\]-~]*", name):
        return name
    return '"' + "".join(map(_escaped, by_bytes(name))) + '"'


def _escaped(byte: int) -> str:
    if byte in _ESCAPES:
        return f"\\{_ESCAPES[byte]}"
    return chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"
