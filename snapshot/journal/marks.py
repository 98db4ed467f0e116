"""Looks: what of a container differs from its image at one moment, and what two such moments differ in."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import NamedTuple

from snapshot.engine.types import Change, ChangeKind
from snapshot.journal.step import MOST_LISTED, StepChanges

#: From each changed path to its mark: the letter of the change (A, C or D), then whatever tells another
#: change of the same path, empty where that is unknown. A letter and a colon may stand before it
#: (``Cd:…``), for the way in which it was found: marks of different ways cannot be compared.
Marks = Mapping[str, str]


class Look(NamedTuple):
    """What of a container differed from its image at one moment.

    ``marks`` leave out folders that only hold changed paths. ``exact`` says whether the marks tell another
    change of the same path.
    """

    marks: Marks
    exact: bool


#: A container as it was made.
EMPTY_LOOK = Look({}, True)


def changes_between(before: Marks, after: Marks) -> list[Change]:
    """What happened between two looks, in canonical order (lexical, a path component at a time).

    The letters are those of the time between: a path that the first look has as added, and the second one
    not at all, was deleted. Of a folder of the image that went away there is one change, as ``docker diff``
    has it.
    """
    found = []
    # Of many paths few differ.
    for path in {path for path, _ in before.items() ^ after.items()}:
        was = before.get(path) or _mark_of_unlisted(path, before)
        now = after.get(path) or _mark_of_unlisted(path, after)
        if was == now:
            continue
        kind = _kind(was, now)
        # What a folder held goes in the folder's own line, but for what was listed as added there before.
        gone_with_folder = path not in after and now == "D" and not was.startswith("A")
        if kind is not None and not gone_with_folder:
            found.append(Change(kind, path))
    return sorted(found, key=lambda change: change.path.split("/"))


def step_changes(before: Look | None, after: Look | None) -> StepChanges | None:
    """What a step changed that lies between two looks; ``None`` where one of them could not be had."""
    if before is None or after is None:
        return None
    changes = changes_between(before.marks, after.marks)
    kinds = [change.kind for change in changes]
    listed = (f"{change.kind.value} {change.path}" for change in changes)
    return StepChanges(
        added=kinds.count(ChangeKind.ADDED),
        changed=kinds.count(ChangeKind.CHANGED),
        deleted=kinds.count(ChangeKind.DELETED),
        listed=tuple(listed) if len(changes) <= MOST_LISTED else (),
        exact=_tells_all(before, after),
    )


def encode_look(look: Look) -> bytes:
    """A look as compressed JSON."""
    text = json.dumps({"exact": look.exact, "marks": dict(look.marks)}, separators=(",", ":"), sort_keys=True)
    return zlib.compress(text.encode("ascii"), 1)


def decode_look(data: bytes) -> Look:
    """Read what :func:`encode_look` wrote; raises :class:`ValueError` where it is damaged."""
    try:
        value = json.loads(zlib.decompress(data))
    except (zlib.error, RecursionError) as error:
        raise ValueError(f"a look is damaged: {error}") from error
    marks = value.get("marks") if isinstance(value, dict) else None
    if not isinstance(marks, dict) or not isinstance(value.get("exact"), bool):
        raise ValueError("a look is damaged: it has no marks")
    if not all(isinstance(mark, str) and mark[:1] in {"A", "C", "D"} for mark in marks.values()):
        raise ValueError("a look is damaged: a mark begins with none of A, C and D")
    return Look(marks, value["exact"])


def _tells_all(before: Look, after: Look) -> bool:
    # Where no path had been changed before, no second change of one can go unseen.
    both = before.marks.keys() & after.marks.keys()
    if both and not (before.exact and after.exact):
        return False
    return all(_comparable(before.marks[path], after.marks[path]) for path in both)


def _comparable(was: str, now: str) -> bool:
    if was[0] != now[0] or was[0] == "D":
        return True
    (way, stamp), (other_way, other_stamp) = _way_and_stamp(was), _way_and_stamp(now)
    return bool(stamp) and bool(other_stamp) and way == other_way


def _way_and_stamp(mark: str) -> tuple[str, str]:
    return (mark[1], mark[3:]) if mark[2:3] == ":" else ("", mark[1:])


def _mark_of_unlisted(path: str, marks: Marks) -> str:
    # Below a deleted folder nothing is listed, and nothing is there.
    end = path.rfind("/")
    while end > 0:
        mark = marks.get(path[:end])
        if mark is not None and mark.startswith("D"):
            return "D"
        end = path.rfind("/", 0, end)
    return ""


def _kind(was: str, now: str) -> ChangeKind | None:
    # An empty mark is a path as the image has it, or none.
    before, after = was[:1], now[:1]
    if before == after:
        # Where nobody could look closely, another mark is no sign of a change.
        return ChangeKind.CHANGED if before != "D" and _comparable(was, now) else None
    if not before:
        return ChangeKind(after)
    if before == "D":
        return ChangeKind.ADDED
    if after == "D" or (before == "A" and not after):
        return ChangeKind.DELETED
    return ChangeKind.CHANGED
