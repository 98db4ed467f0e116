"""Markdown that says the most important things in a few lines, whoever's words are in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapshot.changeset.entry import FileEntry, FileType, PathChange
from snapshot.changeset.file_diff import FileDiff
from snapshot.changeset.text_diff import DiffLine, Hunk
from snapshot.engine.types import ChangeKind
from snapshot.journal.step import Step
from snapshot.packages.interface import PackageChange
from snapshot.report.markdown import code, markdown
from snapshot.report.model import ConfigRow, Fact, Report, ReportFinding, ReportLayer, Stage
from snapshot.report.visible import visible

if TYPE_CHECKING:
    from tests.unit.report.any_report import HOSTILE, any_report
else:
    from any_report import HOSTILE, any_report

EMPTY = Report("it", "image", "", "")
#: What is left outside of code is made of these, and of the one fold.
_HARMLESS = re.compile(r"[A-Za-z0-9 .,:;'*#|()-]*")
_FOLD = {"<details><summary>What differs in texts</summary>", "</details>"}


def outside_of_code(text: str) -> Iterator[str]:
    """The lines of a Markdown text without code (CommonMark 0.31, 4.5 and 6.1), its blocks left out."""
    fence = ""
    for line in text.splitlines():
        opening = re.match("`{3,}", line)
        if fence:
            fence = "" if re.fullmatch(f"`{{{len(fence)},}} *", line) else fence
        elif opening and "`" not in line[opening.end() :]:
            fence = opening[0]
        else:
            yield re.sub("(?<!`)(`+)(?!`).*?(?<!`)\\1(?!`)", "", line)
    assert not fence


def added(path: str) -> PathChange:
    return PathChange(ChangeKind.ADDED, path, FileEntry(path, FileType.FILE, 0o644, 0, 0, 1200))


@given(st.one_of(st.text("`| ab\\", max_size=30), st.text(max_size=30)))
def test_a_text_in_code_is_the_text(raw: str) -> None:
    written = code(raw)
    assert list(outside_of_code(f"x {written} y")) in (["x  y"], ["x (empty) y"])
    found = re.fullmatch("(`+)(.*?)\\1", written)
    if found:
        held = found[2][1:-1] if found[2].startswith(" ") and found[2].endswith(" ") else found[2]
        assert held == visible(raw).replace("|", "\\x7c")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(any_report())
def test_whatever_a_report_holds_is_code(report: Report) -> None:
    text = markdown(replace(report, kind="image"))
    text.encode()
    for line in outside_of_code(text):
        assert line in _FOLD or _HARMLESS.fullmatch(line)
    bars = [
        len(re.findall(r"(?:\\.|[^|\\])*\|", line)) for line in text.splitlines() if line.startswith("| ")
    ]
    assert set(bars) <= {5, 6, 7}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_text_breaks_out_of_no_cell_and_no_block(hostile: str) -> None:
    # No name of a file has half of a surrogate pair.
    change = added("/" + hostile.replace("\ud800", ""))
    hunk = Hunk(1, 1, 1, 1, (DiffLine("+", hostile), DiffLine("-", hostile)))
    report = Report(
        hostile,
        "image",
        "",
        "",
        (Fact(hostile, hostile),),
        (hostile,),
        (ReportFinding(hostile, False, hostile),),
        stages=(Stage("", "", steps=(Step(1, "exec", (hostile,)),)),),
        compared_with=hostile,
        changes=(change,),
        file_diffs=(FileDiff(change, None, change.file, (hunk,)),),
        packages=(PackageChange(*[hostile] * 4),),
        layers=(ReportLayer(0, hostile, 1, 1, created_by=hostile),),
        config=(ConfigRow(hostile, hostile, None),),
    )
    text = markdown(report)
    for line in outside_of_code(text):
        assert line in _FOLD or _HARMLESS.fullmatch(line)
    assert max(map(len, text.splitlines())) < 1500


def test_it_says_what_is_and_what_changed() -> None:
    report = Report(
        "ch03-change",
        "image",
        "",
        "",
        (Fact("base", "diamol/ch03-lab"),),
        findings=(ReportFinding("record", True, "sealed"),),
        stages=(Stage("", "", steps=(Step(1, "run", ("make",), duration_s=2.0, exit_code=2),)),),
        compared_with="diamol/ch03-lab",
        changes=(added("/a"), PathChange(ChangeKind.DELETED, "/b")),
        packages=(PackageChange("dpkg", "curl", "1", "2"),),
        config=(ConfigRow("user", "root", "app"), ConfigRow("cmd", "x", "x")),
    )
    assert (
        markdown(report)
        == """\
## Image `ch03-change`

- base: `diamol/ch03-lab`

**Verified**: passed 1 check

### Steps

1. `snap run -- make` (2.00 s, **exit status 2**)

### Changes

Against `diamol/ch03-lab`: 1 added, 1 deleted.

```diff
+ A /a (1.2 kB)
- D /b
```

### Packages

| Package |  | From | To | Manager |
| --- | --- | --- | --- | --- |
| `curl` | changed | `1` | `2` | `dpkg` |

### Config

| Part |  | Before | After |
| --- | --- | --- | --- |
| `user` | changed | `root` | `app` |
"""
    )


def test_a_verification_that_failed_tells_what_failed() -> None:
    findings = tuple(ReportFinding(f"part{n}", n == 0, "is not as recorded") for n in range(30))
    text = markdown(replace(EMPTY, findings=findings))
    assert "**Not as recorded**: failed 29 of 30 checks" in text
    assert "- `part1`: `is not as recorded`" in text
    assert "19 more failures not shown" in text
    assert "part0" not in text


def test_what_has_no_room_is_counted() -> None:
    change = added("/f")
    hunk = Hunk(0, 0, 1, 500, tuple(DiffLine("+", f"{number}") for number in range(500)))
    text = markdown(
        replace(
            EMPTY,
            compared_with="base",
            facts=tuple(Fact("a", "b") for _ in range(100)),
            notes=("note",) * 100,
            stages=(Stage("", "", steps=tuple(Step(n, "exec", ("x",)) for n in range(500)), summed_up=8),),
            changes=tuple(added(f"/f{number:05}") for number in range(50_000)),
            file_diffs=(FileDiff(change, None, change.file, (hunk,), lines_cut=11),),
            packages=tuple(PackageChange("npm", f"p{n}", "", "1") for n in range(900)),
            layers=tuple(ReportLayer(n, "", 1, 1) for n in range(120)),
            config=tuple(ConfigRow(f"env {n}", "1", None) for n in range(90)),
        )
    )
    assert len(text.splitlines()) < 300
    for told in (
        "84 more facts not shown",
        "92 more notes not shown",
        "484 earlier steps not told",
        "And 49,960 more: 49,960 added.",
        "876 more packages not shown",
        "100 lower layers not shown",
        "70 more changed parts not shown",
    ):
        assert told in text
    # The head of the one file takes lines as well.
    (lines,) = re.findall(r"([\d,]+) more lines not shown", text)
    assert int(lines) + len(re.findall(r"^\+\d+$", text, re.MULTILINE)) == 511
