"""Steps as JSON values: in the journal, in the labels of images, in the output."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from snapshot.journal.step import VERBS, Copied, Step, StepChanges

_TEXTS = ("user", "working_dir", "started", "session")
_FLAGS = ("interrupted", "overlaps", "cut")
_COUNTS = ("added", "changed", "deleted")
#: JSON programs agree on whole numbers up to this. A sum of large ones has more digits than Python prints.
MOST_COUNT = 1 << 53


def step_to_json(step: Step) -> dict[str, Any]:
    """A step as a JSON object with the names of its fields; those that say nothing are left out."""
    value: dict[str, Any] = {"number": step.number, "verb": step.verb}
    for name, item in zip(Step._fields[2:], step[2:], strict=True):
        if name == "changes" or item is None or item == () or item == "" or item is False:
            continue
        value[name] = list(item) if isinstance(item, tuple) else item
    if step.copied:
        value["copied"] = [copied._asdict() for copied in step.copied]
    if step.changes is not None:
        value["changes"] = _changes_to_json(step.changes)
    return value


def step_from_json(value: Any) -> Step:
    """Read what :func:`step_to_json` wrote, by whatever version; names of later ones are passed over.

    Raises
    ------
    ValueError
        Where it is no such thing: the labels of images come from strangers.
    """
    if type(value) is not dict:
        raise ValueError("a step is no JSON object")
    verb = value.get("verb")
    if verb not in VERBS:
        raise ValueError(f"a step has the verb {verb!r:.60}")
    fields: dict[str, Any] = {"number": _count(value, "number"), "verb": verb}
    for name, item in value.items():
        if name in _TEXTS:
            fields[name] = _text(value, name)
        elif name in _FLAGS:
            if type(item) is not bool:
                raise ValueError(f"{name} of a step is neither true nor false")
            fields[name] = item
        elif name in {"argv", "env_names"}:
            fields[name] = _texts(value, name)
    if value.get("copied") is not None:
        fields["copied"] = _copied_from_json(value["copied"])
    if value.get("changes") is not None:
        fields["changes"] = _changes_from_json(value["changes"])
    return Step(**fields, **_outcome(value))


def _changes_to_json(changes: StepChanges) -> dict[str, Any]:
    """What a step changed as a JSON object; what is zero, empty or usual is left out."""
    value: dict[str, Any] = {name: getattr(changes, name) for name in _COUNTS if getattr(changes, name)}
    if changes.listed:
        value["listed"] = list(changes.listed)
    if not changes.exact:
        value["exact"] = False
    return value


def _changes_from_json(value: Any) -> StepChanges:
    """Read what :func:`_changes_to_json` wrote; raises :class:`ValueError` where it is no such thing."""
    if type(value) is not dict:
        raise ValueError("the changes of a step are no JSON object")
    exact = value.get("exact", True)
    if type(exact) is not bool:
        raise ValueError("exact of a step's changes is neither true nor false")
    added, changed, deleted = (_count(value, name, 0) for name in _COUNTS)
    return StepChanges(added, changed, deleted, _texts(value, "listed"), exact)


def _copied_from_json(value: Any) -> tuple[Copied, ...]:
    """Read the list of copied files of a step; raises :class:`ValueError` where it is no such thing."""
    if type(value) is not list or not all(type(item) is dict for item in value):
        raise ValueError("copied of a step is no list of JSON objects")
    return tuple(
        Copied(_text(item, "path"), _text(item, "sha256"), _count(item, "size_bytes")) for item in value
    )


def _outcome(value: Mapping[str, Any]) -> dict[str, Any]:
    exit_code, duration_s = value.get("exit_code"), value.get("duration_s")
    if exit_code is not None and (type(exit_code) is not int or abs(exit_code) > MOST_COUNT):
        raise ValueError("exit_code of a step is no whole number")
    if duration_s is not None and (type(duration_s) not in {int, float} or not 0 <= duration_s < math.inf):
        raise ValueError("duration_s of a step is no number")
    return {"exit_code": exit_code, "duration_s": duration_s}


def _count(value: Mapping[str, Any], name: str, default: int | None = None) -> int:
    item = value.get(name, default)
    if type(item) is not int or not 0 <= item <= MOST_COUNT:
        raise ValueError(f"{name} of a step is no number of things")
    return item


def _text(value: Mapping[str, Any], name: str) -> str:
    item = value.get(name)
    if type(item) is not str:
        raise ValueError(f"{name} of a step is no text")
    return item


def _texts(value: Mapping[str, Any], name: str) -> tuple[str, ...]:
    items = value.get(name, [])
    if type(items) is not list or not all(type(item) is str for item in items):
        raise ValueError(f"{name} of a step is no list of texts")
    return tuple(items)
