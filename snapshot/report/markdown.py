"""A report in short, as Markdown for a pull request or a chat."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from snapshot.changeset.entry import PathChange
from snapshot.changeset.file_diff import unified
from snapshot.engine.types import ChangeKind
from snapshot.journal.step import Step
from snapshot.journal.step_words import changes_in_words, earlier_in_words, step_in_words
from snapshot.report.changes import counts_in_words
from snapshot.report.model import Report
from snapshot.report.quantity import bytes_in_words, count, duration_in_words
from snapshot.report.tables import KINDS
from snapshot.report.visible import middle_cut, visible

#: How many lines each part has, at most, and how long a text is.
MOST_FACTS, MOST_NOTES, MOST_FAILURES, MOST_STEPS = 16, 8, 10, 24
MOST_CHANGES, MOST_DIFF_LINES, MOST_PACKAGES, MOST_LAYERS, MOST_CONFIG_ROWS = 40, 40, 24, 20, 20
MOST_CHARS = 160

#: GitHub and GitLab colour lines that begin so in a block of ``diff``.
_SIGNS = {ChangeKind.ADDED: "+", ChangeKind.CHANGED: "!", ChangeKind.DELETED: "-"}


def markdown(report: Report) -> str:
    """A report of some 200 lines at most (GitHub Flavored Markdown); what has no room is counted.

    Strangers' texts stand in code alone, where nothing in them is markup, a link or a mention.
    """
    parts = (
        _head(report),
        _verification(report),
        _steps(report),
        _changes(report),
        _packages(report),
        _layers(report),
        _config(report),
    )
    return "\n\n".join("\n".join(lines) for part in parts if (lines := list(part))) + "\n"


def code(raw: str, most_chars: int = MOST_CHARS) -> str:
    """A stranger's text in one line of code (CommonMark, 6.1), that may stand in a table's cell.

    >>> code("a`b")
    '``a`b``'
    >>> code("a|b")
    '`a\\\\x7cb`'
    """
    # In a cell each bar would end it: two backslashes and a bar are a backslash and an end (cmark-gfm).
    shown = visible(middle_cut(raw, most_chars)).replace("|", "\\x7c")
    if not shown.strip(" "):
        return "(empty)"
    fence = "`" * (_longest_run(shown) + 1)
    # Of a blank at both ends one is taken away.
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _block(language: str, lines: Iterable[str]) -> Iterator[str]:
    """A block of code around lines, whatever they hold (CommonMark, 4.5)."""
    shown = ["\t".join(visible(part) for part in middle_cut(line, MOST_CHARS).split("\t")) for line in lines]
    fence = "`" * max(3, _longest_run("\n".join(shown)) + 1)
    yield from (f"{fence}{language}", *shown, fence)


def _longest_run(content: str) -> int:
    return max(map(len, re.findall("`+", content)), default=0)


def _head(report: Report) -> Iterator[str]:
    yield f"## {report.kind.capitalize()} {code(report.title)}"
    yield ""
    for fact in report.facts[:MOST_FACTS]:
        yield f"- {_name(fact.name)}: {code(fact.value)}"
    yield from _more(len(report.facts) - MOST_FACTS, "fact")
    for note in report.notes[:MOST_NOTES]:
        yield f"- Note: {code(note, 2 * MOST_CHARS)}"
    yield from _more(len(report.notes) - MOST_NOTES, "note")


def _name(raw: str) -> str:
    """The name of a fact, which is a word or two as a rule."""
    return raw if re.fullmatch("[A-Za-z ]{1,40}", raw) else code(raw)


def _verification(report: Report) -> Iterator[str]:
    failures = [finding for finding in report.findings if not finding.passed]
    checks = count(len(report.findings), "check")
    if report.passed is None:
        yield f"**Not verified**{f': {code(report.not_verified)}' if report.not_verified else ''}"
    elif report.passed:
        yield f"**Verified**: passed {checks}"
    else:
        yield f"**Not as recorded**: failed {len(failures):,} of {checks}"
        yield ""
    for finding in failures[:MOST_FAILURES]:
        yield f"- {code(finding.subject)}: {code(finding.detail)}"
    yield from _more(len(failures) - MOST_FAILURES, "failure")


def _steps(report: Report) -> Iterator[str]:
    steps = [step for stage in report.stages for step in stage.steps]
    summed_up = sum(stage.summed_up for stage in report.stages)
    if not (steps or summed_up):
        return
    yield "### Steps"
    yield ""
    earlier = summed_up + max(len(steps) - MOST_STEPS, 0)
    if earlier:
        yield f"{earlier_in_words(earlier)} not told."
        yield ""
    for number, step in enumerate(steps[-MOST_STEPS:], earlier + 1):
        yield f"{number}. {code(step_in_words(step))}{_end_in_words(step)}"


def _end_in_words(step: Step) -> str:
    told = [
        "" if step.duration_s is None else duration_in_words(step.duration_s),
        f"**exit status {step.exit_code}**" if step.exit_code else "",
        "**interrupted**" if step.interrupted else "",
        ""
        if step.verb == "unknown" or step.changes is None
        else f"changes: {changes_in_words(step.changes)}",
    ]
    return f" ({', '.join(filter(None, told))})" if any(told) else ""


def _changes(report: Report) -> Iterator[str]:
    yield "### Changes"
    yield ""
    if not report.compared_with:
        yield "There is nothing to compare it with."
        return
    counts = Counter(change.kind for change in report.changes)
    yield f"Against {code(report.compared_with)}: {counts_in_words(counts) or 'nothing differs'}."
    if not report.changes:
        return
    yield ""
    yield from _block("diff", map(_change_in_words, report.changes[:MOST_CHANGES]))
    left_out = report.changes[MOST_CHANGES:]
    if left_out:
        yield ""
        yield f"And {len(left_out):,} more: {counts_in_words(Counter(change.kind for change in left_out))}."
    yield from _texts(report)


def _change_in_words(change: PathChange) -> str:
    entry = change.file
    size = f" ({bytes_in_words(entry.size_bytes)})" if entry and entry.type.value == "file" else ""
    link = f" -> {entry.link_target}" if entry and entry.link_target else ""
    room = MOST_CHARS - len(size) - 4
    return f"{_SIGNS[change.kind]} {change.kind.value} {middle_cut(f'{change.path}{link}', room)}{size}"


def _texts(report: Report) -> Iterator[str]:
    lines = (line.text for diff in report.file_diffs if diff.hunks for line in unified(diff))
    told = list(islice(lines, MOST_DIFF_LINES))
    if not told:
        return
    left_out = sum(1 for _ in lines) + sum(diff.lines_cut for diff in report.file_diffs)
    yield ""
    yield "<details><summary>What differs in texts</summary>"
    yield ""
    yield from _block("diff", told)
    yield from _more(left_out, "line")
    yield ""
    yield "</details>"


def _packages(report: Report) -> Iterator[str]:
    if not report.packages:
        return
    yield "### Packages"
    yield ""
    yield from _table(
        ("Package", "", "From", "To", "Manager"),
        [
            (
                code(change.name),
                KINDS[change.kind],
                _or_dash(change.old),
                _or_dash(change.new),
                code(change.manager),
            )
            for change in report.packages[:MOST_PACKAGES]
        ],
    )
    yield from _more(len(report.packages) - MOST_PACKAGES, "package")


def _layers(report: Report) -> Iterator[str]:
    if not report.layers:
        return
    yield "### Layers"
    yield ""
    told = report.layers[-MOST_LAYERS:]
    if len(report.layers) > len(told):
        yield f"{len(report.layers) - len(told):,} lower layers not shown."
        yield ""
    yield from _table(
        ("Layer", "Size", "Wasted", "Files", "Shared", "Created by"),
        [
            (
                f"{layer.number}",
                bytes_in_words(layer.size_bytes),
                bytes_in_words(layer.wasted_bytes) if layer.wasted_bytes else "-",
                f"{layer.files:,}",
                f"with {count(len(layer.shared_with), 'image')}" if layer.shared_with else "-",
                _or_dash(layer.created_by),
            )
            for layer in told
        ],
    )


def _config(report: Report) -> Iterator[str]:
    changed = [row for row in report.config if row.before != row.after]
    if not changed or not report.compared_with:
        return
    yield "### Config"
    yield ""
    yield from _table(
        ("Part", "", "Before", "After"),
        [
            (
                code(row.name),
                KINDS[row.kind],
                "-" if row.before is None else code(row.before),
                "-" if row.after is None else code(row.after),
            )
            for row in changed[:MOST_CONFIG_ROWS]
        ],
    )
    yield from _more(len(changed) - MOST_CONFIG_ROWS, "changed part")


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headers)} |"
    yield f"|{' --- |' * len(headers)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _or_dash(raw: str) -> str:
    return code(raw) if raw else "-"


def _more(number: int, noun: str) -> Iterator[str]:
    if number > 0:
        yield ""
        yield f"{count(number, f'more {noun}')} not shown."
