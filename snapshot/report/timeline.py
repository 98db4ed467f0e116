"""The section of the steps: how it was made."""

from __future__ import annotations

from collections.abc import Iterator

from snapshot.journal.step import Step
from snapshot.journal.step_words import changes_in_words, earlier_in_words, step_in_words
from snapshot.report.markup import bar, bounded, isolated, more_in_words, text
from snapshot.report.model import Report, Stage
from snapshot.report.quantity import count, duration_in_words, moment_in_words
from snapshot.report.recordings import recordings_told

#: So many steps are told, the newest ones, and so many paths and copied files of one.
MOST_STEPS = 400
_MOST_LISTED = 50


def timeline_section(report: Report) -> Iterator[str]:
    """All stages, oldest first, with a bar for the time that each step took."""
    recorded = {recording.step for recording in recordings_told(report)}
    left_out = sum(len(stage.steps) for stage in report.stages) - MOST_STEPS
    yield more_in_words(left_out, "older step")
    for stage in report.stages:
        told = stage.steps[max(left_out, 0) :]
        left_out -= len(stage.steps)
        is_last = stage is report.stages[-1]
        yield from _stage(stage, told, recorded if is_last else set())


def _stage(stage: Stage, steps: tuple[Step, ...], recorded: set[int]) -> Iterator[str]:
    made = isolated(stage.name) if stage.name else "an image that was folded into the next one"
    yield f"<h3>{made} <small>from {isolated(stage.base)}</small></h3>\n"
    if stage.message:
        yield f"<blockquote>{isolated(stage.message)}</blockquote>\n"
    if stage.created:
        yield f'<p class="dim">{text(moment_in_words(stage.created))}</p>\n'
    if stage.summed_up:
        yield f'<p class="dim">{earlier_in_words(stage.summed_up)} not told.</p>\n'
    if steps:
        longest = max(step.duration_s or 0.0 for step in steps)
        yield '<ol class="steps">\n'
        for step in steps:
            yield from _step(step, longest, step.number in recorded)
        yield "</ol>\n"
    elif not stage.steps and not stage.summed_up:
        yield "<p>No steps are known.</p>\n"


def _step(step: Step, longest_s: float, is_recorded: bool) -> Iterator[str]:
    yield f'<li value="{step.number}"><code>{text(bounded(step_in_words(step)))}</code>\n'
    if step.duration_s and longest_s > 0:
        yield bar([("own", step.duration_s / longest_s)])
    told = [
        text(moment_in_words(step.started)),
        "" if step.duration_s is None else f"took {duration_in_words(step.duration_s)}",
        _end_in_words(step),
        "" if step.verb == "unknown" else f"changes: {changes_in_words(step.changes)}",
    ]
    if is_recorded:
        told.append(f'<a href="#recording-{step.number}">recording</a>')
    yield f'<p class="dim">{" · ".join(filter(None, told))}</p>\n'
    listed = [isolated(words) for words in _listed(step)]
    if listed:
        items = "".join(f"<li>{item}</li>" for item in listed[:_MOST_LISTED])
        yield f"<details><summary>What it changed</summary><ul>{items}</ul>"
        yield f"{more_in_words(len(listed) - _MOST_LISTED, 'line')}</details>\n"
    yield "</li>\n"


def _end_in_words(step: Step) -> str:
    if step.interrupted:
        return '<b class="D">interrupted</b>'
    if step.exit_code is None:
        return ""
    if step.exit_code:
        return f'<b class="D">exit status {step.exit_code}</b>'
    return "exit status 0"


def _listed(step: Step) -> list[str]:
    copied = [
        f"copied {file.path}, {count(file.size_bytes, 'byte')}, sha256:{file.sha256}" for file in step.copied
    ]
    changes = list(step.changes.listed) if step.changes else []
    if step.changes and not step.changes.exact:
        changes.append("Changes of paths that had been changed before may be missing.")
    if step.overlaps:
        changes.append("Another step was at work at the same time: the changes may be of either.")
    return copied + changes
