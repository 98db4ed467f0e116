"""Holding an image's files against its record: path by path, or the whole tree against base and changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

from snapshot.changeset.entry import FileEntry, FileType, PathChange
from snapshot.changeset.manifest import ManifestDamaged
from snapshot.changeset.paths import component_order, is_engine_path
from snapshot.changeset.reader import Hashes, Request, read_everything, read_pieces
from snapshot.changeset.source import FileSource
from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.errors import ImageNotFound
from snapshot.image.record import Record, chain_id
from snapshot.image.reference import is_digest
from snapshot.image.saved import SavedImageUnreadable
from snapshot.workflow.findings import Finding, Subject
from snapshot.workflow.helper import files_of_image
from snapshot.workflow.layer_list import changes_in_layer
from snapshot.workflow.recorded_changes import as_recorded, recorded_changes

_MOST_NAMED = 20


class _ChangesUnknown(Exception):
    """The list of changed paths is not to be had, or is not the recorded one."""


def change_findings(engine: Engine, record: Record, subject: Subject) -> list[Finding]:
    """Whether each recorded path is as recorded."""
    try:
        changes = _recorded_changes(engine, record, subject.image)
    except _ChangesUnknown as error:
        return [Finding("changes", False, str(error))]
    failures = _differences(changes, subject.files()) if changes else []
    return failures or [Finding("changes", True, f"{_paths(len(changes))} as recorded")]


def content_findings(engine: Engine, record: Record, subject: Subject) -> list[Finding]:
    """Whether an image with other layers holds the same files: those of the base, with the changes.

    Where it does not, what is not the same is all that is said here: not that the layers differ.

    That cannot be known without the base's files: where the base is not in the engine, the image fails.
    """
    base = record.base
    named = base.shown
    try:
        # What a stranger's record has there need not be an ID, and is nothing to ask an engine for.
        found = engine.image(base.id) if is_digest(base.id) else None
    except ImageNotFound:
        found = None
    if found is None or chain_id(found.layers) != base.chain_id:
        return [
            Finding(
                "layers",
                False,
                f"are not the recorded ones, and without the base {named} its files cannot be judged",
            )
        ]
    try:
        changes = _recorded_changes(engine, record, subject.image)
    except _ChangesUnknown as error:
        return [Finding("changes", False, str(error))]
    with files_of_image(engine, found.id) as files:
        expected = _with_changes(read_everything(files), changes)
    failures = _differences(changes, subject.files())
    recorded = {change.path for change in changes}
    failures += _strangers(expected, read_everything(subject.files()), recorded)
    if failures:
        return failures
    return [
        Finding("layers", True, "are not the recorded ones: squashed or flattened"),
        Finding("content", True, f"all files are those of {named} with {_paths(len(changes))} changed"),
    ]


def _recorded_changes(engine: Engine, record: Record, image: Image) -> tuple[PathChange, ...]:
    try:
        changes = recorded_changes(record, image)
        return as_recorded(record, _from_layer(engine, record, image)) if changes is None else changes
    except (ManifestDamaged, SavedImageUnreadable) as error:
        raise _ChangesUnknown(str(error)) from error


def _from_layer(engine: Engine, record: Record, image: Image) -> tuple[PathChange, ...]:
    """The list from the sealed layer itself: too long for the labels, it need not be kept anywhere."""
    if not record.diff_id:
        raise _ChangesUnknown(
            "cannot be checked: the list of files was too large for the image,"
            " and is kept where it was committed"
        )
    changes = changes_in_layer(engine, image.id, record.diff_id)
    if changes is None:
        raise _ChangesUnknown("the committed layer, which holds the list of files, is not in the image")
    return changes


def _with_changes(tree: Mapping[str, FileEntry], changes: Sequence[PathChange]) -> dict[str, FileEntry]:
    """What stands where when ``changes`` have been made to ``tree``."""
    after = dict(tree)
    gone: set[str] = set()
    for change in changes:
        if change.file:
            after[change.path] = change.file
        if change.file is None or change.file.type is not FileType.FOLDER:
            gone.add(change.path)
        if change.file is None:
            after.pop(change.path, None)
    recorded = {change.path for change in changes}
    return {path: entry for path, entry in after.items() if path in recorded or not _has_above(path, gone)}


def _has_above(path: str, folders: set[str]) -> bool:
    while path := path.rpartition("/")[0]:
        if path in folders:
            return True
    return False


def _strangers(
    expected: Mapping[str, FileEntry], seen: Mapping[str, FileEntry], recorded: set[str]
) -> list[Finding]:
    """Paths beside the recorded ones that are not as the base has them."""
    findings = []
    for path in sorted(expected.keys() | seen.keys(), key=component_order):
        if path in recorded or is_engine_path(path):
            continue
        before, now = expected.get(path), seen.get(path)
        if before is None:
            findings.append(Finding(f"A {path}", False, "is there and was not recorded"))
        elif now is None:
            findings.append(Finding(f"D {path}", False, "is missing and was not recorded"))
        # Names of one file are told by the first of them, and that one can be among the recorded paths.
        elif replace(before, hard_link="") != replace(now, hard_link=""):
            findings.append(Finding(f"C {path}", False, _what_differs(before, now)))
    more = len(findings) - _MOST_NAMED
    return findings[:_MOST_NAMED] + (
        [Finding("content", False, f"{more} more paths differ")] if more > 0 else []
    )


def _differences(changes: Sequence[PathChange], files: FileSource) -> list[Finding]:
    # The root folder of a container is its engine's own; a layer says what it was.
    changes = [change for change in changes if change.path != "/"]
    reading = read_pieces(files, Request([change.path for change in changes]), Hashes())
    findings = []
    for change in changes:
        subject = f"{change.kind.value} {change.path}"
        piece = reading.pieces.get(change.path)
        if change.file is None:
            if piece is not None:
                findings.append(Finding(subject, False, "was deleted and is there"))
        elif piece is None:
            findings.append(Finding(subject, False, "is missing"))
        elif piece.entry != change.file:
            findings.append(Finding(subject, False, _what_differs(change.file, piece.entry)))
    return findings


def _what_differs(recorded: FileEntry, seen: FileEntry) -> str:
    parts = []
    for field in fields(FileEntry):
        before, now = getattr(recorded, field.name), getattr(seen, field.name)
        if before != now:
            name = field.name.removesuffix("_bytes").replace("_", " ")
            parts.append(f"{name} is {_shown(field.name, now)}, recorded {_shown(field.name, before)}")
    return "; ".join(parts)


def _shown(name: str, value: object) -> str:
    if name == "mode" and isinstance(value, int):
        return f"{value:04o}"
    if name == "type" and hasattr(value, "value"):
        return str(value.value)
    return str(value) or "none"


def _paths(number: int) -> str:
    return f"{number} path{'' if number == 1 else 's'}"
