"""The head of the page and its first sections: what it is, and whether it is what it should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from snapshot.report.changes import counts_in_words
from snapshot.report.markup import isolated, more_in_words, name, short, table, text
from snapshot.report.model import Report
from snapshot.report.quantity import bytes_in_words, count, moment_in_words

#: Of notes, facts and findings no more than this are told of each.
MOST_ROWS = 300


def header(report: Report) -> Iterator[str]:
    """Name, verdict, and the numbers that matter most."""
    yield f'<header><p class="kind">{text(report.kind)}</p>\n<h1>{short(report.title)}</h1>\n'
    yield f"{_verdict(report)}\n"
    tiles = list(_tiles(report))
    if tiles:
        yield f'<ul class="tiles">{"".join(tiles)}</ul>\n'
    yield "</header>\n"


def _verdict(report: Report) -> str:
    if report.passed is None:
        return '<p class="verdict">Not verified</p>'
    passed = sum(finding.passed for finding in report.findings)
    checks = count(len(report.findings), "check")
    if report.passed:
        return f'<p class="verdict ok">✓ Verified: passed {checks}</p>'
    return f'<p class="verdict failed">✗ Not as recorded: passed {passed:,} of {checks}</p>'


def _tiles(report: Report) -> Iterator[str]:
    def tile(section: str, number: str, words: str) -> str:
        return f'<li><a href="#{section}"><b>{number}</b> {words}</a></li>'

    if report.compared_with:
        counts = Counter(change.kind for change in report.changes)
        words = counts_in_words(counts) or "nothing differs"
        yield tile("changes", count(len(report.changes), "change"), words)
    if report.packages:
        yield tile("packages", count(len(report.packages), "package"), "came, went or were upgraded")
    if report.layers:
        total = sum(layer.size_bytes for layer in report.layers)
        wasted = sum(layer.wasted_bytes for layer in report.layers)
        yield tile("layers", bytes_in_words(total), f"in {count(len(report.layers), 'layer')}")
        if wasted:
            yield tile("layers", bytes_in_words(wasted), "stored again or deleted higher up")


def facts_section(report: Report) -> Iterator[str]:
    """What it is and from what."""
    rows = "".join(
        f"<div><dt>{text(fact.name)}</dt><dd>{name(fact.value)}</dd></div>\n"
        for fact in report.facts[:MOST_ROWS]
    )
    yield f'<dl class="facts">\n{rows}</dl>\n'
    if report.notes:
        notes = "".join(f"<li>{isolated(note)}</li>\n" for note in report.notes[:MOST_ROWS])
        yield f'<ul class="notes">\n{notes}</ul>\n'
    yield more_in_words(len(report.facts) - MOST_ROWS, "fact")
    yield more_in_words(len(report.notes) - MOST_ROWS, "note")


def findings_section(report: Report) -> Iterator[str]:
    """The result of the verification, or why there is none."""
    if not report.findings:
        yield f"<p>{isolated(report.not_verified or 'It was not verified.')}</p>\n"
        return
    # What failed comes first: it must not be lost among the many that passed.
    findings = sorted(report.findings, key=lambda finding: finding.passed)
    yield table(
        "Verification",
        ("Result", "What", "Seen"),
        (
            (
                '<b class="A">passed</b>' if finding.passed else '<b class="D">failed</b>',
                name(finding.subject),
                name(finding.detail),
            )
            for finding in findings[:MOST_ROWS]
        ),
        head=1,
    )
    yield more_in_words(len(findings) - MOST_ROWS, "check")


def footer(report: Report) -> str:
    """When this was made and by what."""
    return f"<footer><p>Made {text(moment_in_words(report.made_at))} by {text(report.tool)}.</p></footer>\n"
