"""``snap verify``: hold an image against its record, and against what the user asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from snapshot.changeset.source import FileSource
from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.errors import NothingToVerify
from snapshot.image.record import OCI_CREATED, Record, RecordDamaged, config_digests
from snapshot.workflow.findings import Finding, Subject
from snapshot.workflow.helper import files_of_image, run_throw_away
from snapshot.workflow.layer_checks import has_layers_too_many, layer_findings, named_base_finding
from snapshot.workflow.progress import SILENT, Progress

if TYPE_CHECKING:
    from snapshot.workflow.checks import Check


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
    engine: Engine,
    image: str,
    checks: Sequence[Check] = (),
    *,
    deep: bool = False,
    base: str = "",
    progress: Progress = SILENT,
) -> Verification:
    """Hold an image against its record, and do ``checks``; a failure is a finding, not an exception.

    A sealed image is proven by its layers' digests, which its engine computed from what it stored: no file
    is read, so it takes the same time whatever the image weighs. Nothing of the image is executed (save by
    :class:`~snapshot.workflow.checks.RunOutputs`): where files are read, it is through a container that is
    made and never started.

    Parameters
    ----------
    deep:
        Read every recorded path back, too.
    base:
        Name or ID of an image that has to be the recorded base.

    Raises
    ------
    NothingToVerify
        The image has no record, and neither ``checks`` nor ``base`` ask for anything.
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
    if record is None and not findings and not checks and not base:
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
            findings += _record_findings(engine, record, subject, deep)
        if base:
            named = engine.image(base)
            findings.append(
                named_base_finding(record, named)
                if record
                else Finding("base image", False, "no record names one")
            )
        findings += [check.finding(subject) for check in checks]
    return Verification(found, record, tuple(findings))


def _record_findings(engine: Engine, record: Record, subject: Subject, deep: bool) -> list[Finding]:
    image = subject.image
    findings = layer_findings(record, image)
    proven = record.method == "sealed" and all(finding.passed for finding in findings)
    if record.method == "sealed" and not proven and not has_layers_too_many(record, image):
        # A squashed or flattened copy has other layers and may hold the same files.
        from snapshot.workflow.content_checks import content_findings

        content = content_findings(engine, record, subject)
        same_files = all(finding.passed for finding in content)
        findings = content if same_files else [f for f in findings if not f.passed] + content
    findings += _config_findings(record, image)
    if deep or record.method != "sealed":
        from snapshot.workflow.content_checks import change_findings

        findings += change_findings(engine, record, subject)
    return findings


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
