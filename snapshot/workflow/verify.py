"""``snap verify``: hold an image against its record, and against what the user asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from functools import cache, partial

from snapshot.changeset.entry import FileEntry, PathChange
from snapshot.changeset.manifest import ManifestDamaged, decode_manifest, manifest_digest
from snapshot.changeset.reader import read_entries
from snapshot.changeset.source import FileSource
from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.errors import NothingToVerify
from snapshot.image.record import (
    MANIFEST_LABEL,
    OCI_BASE_DIGEST,
    OCI_BASE_NAME,
    OCI_CREATED,
    Record,
    RecordDamaged,
    chain_id,
    config_digests,
)
from snapshot.workflow.checks import Check, Finding, Subject
from snapshot.workflow.helper import files_of_image, run_throw_away
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.state import kept_manifest


@dataclass(frozen=True)
class Verification:
    """What was found; ``record`` is ``None`` where the image has none that can be read."""

    image: Image
    record: Record | None
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether all is as it should be."""
        return all(finding.passed for finding in self.findings)

    @property
    def failures(self) -> list[Finding]:
        """What is not as it should be."""
        return [finding for finding in self.findings if not finding.passed]


def verify(
    engine: Engine, image: str, checks: Sequence[Check] = (), *, progress: Progress = SILENT
) -> Verification:
    """Hold an image against its record, and do ``checks``; a failure is a finding, not an exception.

    Nothing of the image is executed (save by :class:`~snapshot.workflow.checks.RunOutputs`): its files are
    read through a container that is made and never started.

    Raises
    ------
    NothingToVerify
        The image has no record, and ``checks`` is empty.
    ImageNotFound
    """
    found = engine.image(image)
    findings: list[Finding] = []
    record: Record | None = None
    try:
        record = Record.from_labels(found.config.labels)
        if record:
            findings.append(Finding("record", True, "sealed"))
    except RecordDamaged as error:
        findings.append(Finding("record", False, str(error)))
    if record is None and not findings and not checks:
        raise NothingToVerify(
            f"'{image}' has no record of snap's, so there is nothing to hold it against.",
            "Ask for checks of your own (--file, --contains, --label, …), or make images with `snap commit`.",
        )
    progress.stage(f"verifying {image}")
    with ExitStack() as stack:

        @cache
        def files() -> FileSource:
            return stack.enter_context(files_of_image(engine, found.id))

        subject = Subject(found, files, partial(run_throw_away, engine, found.id))
        if record:
            findings += _record_findings(record, subject)
        findings += [check.finding(subject) for check in checks]
    return Verification(found, record, tuple(findings))


def _record_findings(record: Record, subject: Subject) -> list[Finding]:
    image = subject.image
    return [
        _base_finding(record, image),
        *_config_findings(record, image),
        *_change_findings(record, subject),
    ]


def _base_finding(record: Record, image: Image) -> Finding:
    base = record.base
    count = base.layer_count
    named = f"{base.name or base.id}, {count} layer{'' if count == 1 else 's'}"
    if len(image.layers) < count or chain_id(image.layers[:count]) != base.chain_id:
        return Finding("base", False, f"the layers below are not those of {named}")
    # The engine adds no layer for an empty changeset.
    extra = len(image.layers) - count
    if extra > 1:
        return Finding("base", False, f"{extra} layers stand on {named}, and one was committed")
    labels = image.config.labels
    if (labels.get(OCI_BASE_NAME), labels.get(OCI_BASE_DIGEST)) != (base.name, base.digest):
        return Finding("base", False, "the base that the labels name is not the recorded one")
    return Finding("base", True, named)


def _config_findings(record: Record, image: Image) -> list[Finding]:
    seen = config_digests(image.config)
    findings = []
    for name in sorted(record.config.keys() | seen.keys()):
        if name not in seen:
            findings.append(Finding(name, False, "was recorded and is missing"))
        elif name not in record.config:
            findings.append(Finding(name, False, "is there and was not recorded"))
        elif seen[name] != record.config[name]:
            findings.append(Finding(name, False, "is not as recorded"))
    if image.config.labels.get(OCI_CREATED) != record.created:
        findings.append(Finding(f"label {OCI_CREATED}", False, "is not as recorded"))
    return findings or [Finding("config", True, f"{len(seen)} parts as recorded")]


def _change_findings(record: Record, subject: Subject) -> list[Finding]:
    text = subject.image.config.labels.get(MANIFEST_LABEL) or kept_manifest(record.manifest_digest)
    if not text:
        return [
            Finding(
                "changes",
                False,
                "cannot be checked: the list of files was too large for the image,"
                " and is kept where it was committed",
            )
        ]
    try:
        changes = decode_manifest(text)
    except ManifestDamaged as error:
        return [Finding("changes", False, str(error))]
    if manifest_digest(changes) != record.manifest_digest:
        return [Finding("changes", False, "the list of files is not the recorded one")]
    failures = _differences(changes, subject.files()) if changes else []
    return failures or [
        Finding("changes", True, f"{len(changes)} path{'' if len(changes) == 1 else 's'} as recorded")
    ]


def _differences(changes: Sequence[PathChange], files: FileSource) -> list[Finding]:
    present = read_entries(files, [change.path for change in changes], hash_content=True)
    findings = []
    for change in changes:
        subject = f"{change.kind.value} {change.path}"
        seen = next((entry for entry in present.get(change.path, []) if entry.path == change.path), None)
        if change.file is None:
            if seen is not None:
                findings.append(Finding(subject, False, "was deleted and is there"))
        elif seen is None:
            findings.append(Finding(subject, False, "is missing"))
        elif seen != change.file:
            findings.append(Finding(subject, False, _what_differs(change.file, seen)))
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
