"""``snap report``: all that is known of an image or a container, for a page to show around."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, replace
from typing import TypeVar

from snapshot import __version__
from snapshot.engine.client import Engine
from snapshot.engine.types import Container, Image
from snapshot.errors import ContainerUnusable, EngineUnreachable, Interrupted, NothingToVerify, SnapError
from snapshot.image.record import Record
from snapshot.report.model import Report, ReportFinding
from snapshot.workflow.described import moment
from snapshot.workflow.diff import compare
from snapshot.workflow.layers import layers
from snapshot.workflow.log import log
from snapshot.workflow.ls import started_by_snap
from snapshot.workflow.named import named, require_usable
from snapshot.workflow.package_changes import package_changes
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.reporting.config_rows import config_rows
from snapshot.workflow.reporting.contents import told_diffs
from snapshot.workflow.reporting.facts import facts_of_container, facts_of_image
from snapshot.workflow.reporting.layer_rows import layer_rows
from snapshot.workflow.reporting.stages import recordings_of, stages_of
from snapshot.workflow.verify import verify

_Part = TypeVar("_Part")
#: These end a report; what else goes wrong is noted in it, and costs but a part of it.
_NO_REPORT = (EngineUnreachable, Interrupted, ContainerUnusable)


def report_on(
    engine: Engine, name: str, *, with_recordings: bool = True, progress: Progress = SILENT
) -> Report:
    """Gather what is known of the container or image of that name; where both are called so, the container.

    Nothing on the engine changes, and nothing of the image is executed. What cannot be had (a base that is
    not here, a record that was edited) leaves its part empty, and a note says why. Secrets are cut as far as
    they are known by name or form: in values of the config, and in texts of files; of files that not every
    user may read there is no text at all. What a recording shows is shown.

    Parameters
    ----------
    with_recordings:
        Whether the recordings of steps are in it: those that are kept of a container's steps, or embedded in
        an image.

    Raises
    ------
    NotFound
        Neither a container nor an image has that name.
    ContainerUnusable
        The container is dead or being removed.

    Example
    -------
    >>> report = report_on(Engine.connect(), "ch03-change")         # doctest: +SKIP
    >>> Path("ch03.html").write_text("".join(page(report)))         # doctest: +SKIP
    """
    found = named(engine, name)
    notes: list[str] = []
    if isinstance(found.thing, Container):
        require_usable(found.thing)
        if found.shares_name:
            notes.append("An image has the same name: its ID or a tag gives a report on that.")
        draft = _of_container(found.thing)
    else:
        draft = _of_image(engine, found.thing, name, progress)
    progress.stage(f"reading how {name} was made")
    report = _made(engine, draft, name, with_recordings, notes)
    report = _compared(engine, report, name, progress, notes)
    return replace(_layered(engine, report, found.thing, progress, notes), notes=tuple(notes))


def _of_image(engine: Engine, image: Image, name: str, progress: Progress) -> Report:
    """What it is, whether it is as it should be, and how it runs."""
    draft = _draft(name, "image")
    try:
        findings = verify(engine, image.id, progress=progress).findings
    except NothingToVerify:
        findings = ()
    return replace(
        draft,
        facts=facts_of_image(image, Record.if_intact(image.config.labels)),
        findings=tuple(ReportFinding(*astuple(finding)) for finding in findings),
        not_verified=""
        if findings
        else "It has no record of snap's, so there is nothing to hold it against.",
        config=config_rows(None, image.config),
    )


def _of_container(container: Container) -> Report:
    return replace(
        _draft(container.name, "container"),
        facts=facts_of_container(container, by_snap=started_by_snap(container)),
        not_verified="Containers are not verified: what `snap commit` makes of one is.",
        config=config_rows(None, container.config),
    )


def _draft(title: str, kind: str) -> Report:
    return Report(title, kind, moment(None), f"docker-snap {__version__}")


def _made(engine: Engine, report: Report, name: str, with_recordings: bool, notes: list[str]) -> Report:
    """With how it was made."""
    found = _had(lambda: log(engine, name), notes)
    if found is None:
        return report
    notes += filter(None, (found.damage, found.journal_failure))
    recordings = tuple(recordings_of(found, notes)) if with_recordings else ()
    return replace(report, stages=stages_of(found), recordings=recordings)


def _compared(engine: Engine, report: Report, name: str, progress: Progress, notes: list[str]) -> Report:
    """With what differs from the base."""
    if report.kind == "image" and not report.findings:
        return report
    comparison = _had(lambda: compare(engine, name, progress=progress), notes)
    if comparison is None:
        return report
    difference = comparison.difference
    notes += difference.notes
    packages = _had(lambda: package_changes(comparison, progress), notes)
    report = replace(
        report,
        compared_with=difference.old.name or difference.old.id,
        changes=difference.changeset.changes,
        file_diffs=_had(lambda: told_diffs(comparison, progress, notes), notes) or (),
        packages=packages.changes if packages else (),
        package_notes=packages.unreadable if packages else (),
    )
    if comparison.old is None:
        notes.append("The config is not told: that of the base is not here to be compared with.")
        return replace(report, config=())
    return replace(report, config=config_rows(comparison.old.config, comparison.new.config))


def _layered(
    engine: Engine, report: Report, thing: Container | Image, progress: Progress, notes: list[str]
) -> Report:
    """With the layers of the image, or of the one that a container was started from."""
    image_id = thing.id if isinstance(thing, Image) else thing.image_id
    found = _had(lambda: layers(engine, image_id, progress=progress), notes)
    if found is None:
        return report
    if isinstance(thing, Container):
        notes.append("The layers are those of its image; what it changed is on top of these.")
    return replace(report, layers=layer_rows(found), folders=found.folders)


def _had(part: Callable[[], _Part], notes: list[str]) -> _Part | None:
    """A part of the report, or ``None`` and a note on why it cannot be had."""
    try:
        return part()
    except _NO_REPORT:
        raise
    except SnapError as error:
        notes.append(error.what)
        return None
