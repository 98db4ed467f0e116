"""What a report tells: values alone, gathered before anything of them is written down.

Texts are raw, as strangers gave them: whoever writes them down makes them safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from snapshot.changeset.entry import PathChange
from snapshot.changeset.file_diff import FileDiff
from snapshot.changeset.layer_use import SizedFolder
from snapshot.engine.types import ChangeKind
from snapshot.journal.step import Step
from snapshot.packages.interface import PackageChange
from snapshot.report.recording import RecordingView


class Fact(NamedTuple):
    """One thing to know: ``base``, and the base's name with its digest."""

    name: str
    value: str


class ReportFinding(NamedTuple):
    """One result of a verification: what was looked at, whether it is as it should be, and what was seen."""

    subject: str
    passed: bool
    detail: str


class Stage(NamedTuple):
    """What was done to make one image, or to a container.

    Attributes
    ----------
    name:
        The image that came of it, or the container; empty for an image that was folded into the next one.
    base:
        What the steps were done on.
    message, created:
        What the commit was told, and when it was made (RFC 3339); both empty for a container.
    steps:
        In order, all secrets cut.
    summed_up:
        How many older steps there were that are not told.
    """

    name: str
    base: str
    message: str = ""
    created: str = ""
    steps: tuple[Step, ...] = ()
    summed_up: int = 0


class ReportLayer(NamedTuple):
    """A layer of the image.

    Attributes
    ----------
    number:
        0 for the base's first.
    size_bytes:
        Of its files, hard links once.
    files, deleted:
        How many files it holds, and how many paths it deletes.
    wasted_bytes:
        Of its files that a higher layer stores again or deletes.
    created_by:
        What made it, in words; empty where nothing is known.
    shared_with:
        Other local images that have it too, by name or short ID.
    """

    number: int
    diff_id: str
    size_bytes: int
    files: int
    deleted: int = 0
    wasted_bytes: int = 0
    created_by: str = ""
    shared_with: tuple[str, ...] = ()


class ConfigRow(NamedTuple):
    """A part of the config (``user``, ``env PATH``) on both sides; ``None`` where it is not set there."""

    name: str
    before: str | None
    after: str | None

    @property
    def kind(self) -> ChangeKind:
        """What became of it; :attr:`ChangeKind.CHANGED` also where nothing did."""
        if self.before is None:
            return ChangeKind.ADDED
        return ChangeKind.DELETED if self.after is None else ChangeKind.CHANGED


@dataclass(frozen=True)
class Report:
    """All that a report tells of an image or a container.

    Attributes
    ----------
    title:
        Its name.
    kind:
        ``image`` or ``container``.
    made_at:
        When this was gathered, RFC 3339 in UTC.
    tool:
        Name and version of what gathered it.
    facts:
        What it is and from what, in the order to show.
    notes:
        What a person should know about how this was found, and what is not told: sentences.
    findings:
        Of its verification; empty where there was none, for the reason in ``not_verified``.
    stages:
        How it was made, oldest first; those of a container end with what was done to the container itself.
    compared_with:
        What ``changes`` and ``config`` are held against; empty where there is nothing, then ``changes`` is
        empty, and ``before`` is ``None`` in all of ``config``.
    changes:
        In canonical order.
    file_diffs:
        Of as many of the changes as there is room for, in the same order.
    packages:
        What came, went or has another version.
    package_notes:
        Which managers' lists could not be read, and why: sentences.
    layers:
        The base's first; empty where they could not be read.
    folders:
        Where the bytes of all layers together lie.
    recordings:
        Of steps of the last stage.
    """

    title: str
    kind: str
    made_at: str
    tool: str
    facts: tuple[Fact, ...] = ()
    notes: tuple[str, ...] = ()
    findings: tuple[ReportFinding, ...] = ()
    not_verified: str = ""
    stages: tuple[Stage, ...] = ()
    compared_with: str = ""
    changes: tuple[PathChange, ...] = ()
    file_diffs: tuple[FileDiff, ...] = ()
    packages: tuple[PackageChange, ...] = ()
    package_notes: tuple[str, ...] = ()
    layers: tuple[ReportLayer, ...] = ()
    folders: tuple[SizedFolder, ...] = ()
    config: tuple[ConfigRow, ...] = ()
    recordings: tuple[RecordingView, ...] = ()

    @property
    def passed(self) -> bool | None:
        """Whether the verification found all as it should be; ``None`` where there was none."""
        return all(finding.passed for finding in self.findings) if self.findings else None
