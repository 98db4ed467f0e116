"""The page holds what it is told, as text, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings

from snapshot.changeset.entry import FileEntry, FileType, PathChange
from snapshot.changeset.file_diff import FileDiff
from snapshot.changeset.text_diff import DiffLine, Hunk
from snapshot.engine.types import ChangeKind
from snapshot.journal.step import Step, StepChanges
from snapshot.report.changes import MOST_TREE_CHARS
from snapshot.report.markup import MOST_NAME_CHARS
from snapshot.report.model import ConfigRow, Fact, Report, ReportFinding, ReportLayer, Stage
from snapshot.report.page import page
from snapshot.report.recording import RecordingView
from snapshot.report.text_diffs import MOST_DIFF_CHARS
from snapshot.report.visible import middle_cut, visible

if TYPE_CHECKING:
    from tests.unit.report.any_report import HOSTILE, any_report
else:
    from any_report import HOSTILE, any_report

EMPTY = Report("it", "image", "2025-03-01T12:00:00Z", "snap")
_VOID = {"meta", "link", "input", "br", "rect"}
_TAGS = re.compile(
    "html|head|title|style|body|meta|link|script|header|nav|main|section|article|footer|h1|h2|h3|p|a|b|i|bdi|br|small|"
    "code|pre|span|ins|del|div|dl|dt|dd|ul|ol|li|blockquote|details|summary|table|thead|tbody|tr|th|td|svg|rect|text|"
    "input|label|fieldset|legend|button"
)
_ATTRIBUTES = re.compile(
    "lang|dir|charset|http-equiv|content|name|rel|href|class|id|aria-label|aria-labelledby|aria-hidden|tabindex|role|"
    "scope|viewbox|preserveaspectratio|x|y|width|height|hidden|for|type|autocomplete|spellcheck|value|checked|open|"
    "data-kind|data-more"
)
_LINK = re.compile(r"#[a-z]+(-\d+)?|data:,")


class Read(HTMLParser):
    """Reads a page strictly: each element is closed where it has to be, and is one that a page has."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.told: list[str] = []
        self.policy = ""
        self.scripts = 0
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert _TAGS.fullmatch(tag)
        assert len(values) == len(attrs)
        assert all(map(_ATTRIBUTES.fullmatch, values))
        assert _LINK.fullmatch(values.get("href") or "#a")
        if tag == "script":
            assert values in ({}, {"type": "application/json", "class": "recording-data"})
            self.scripts += not values
        if "id" in values:
            self.ids.append(values["id"] or "")
        if values.get("http-equiv"):
            assert values["http-equiv"] == "Content-Security-Policy"
            self.policy = values["content"] or ""
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.told.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)


def html_of(report: Report) -> str:
    return "".join(page(report))


def text_of(report: Report) -> str:
    """What a page shows, blanks made one."""
    return " ".join("".join(Read(html_of(report)).told).split())


def added(path: str, size_bytes: int = 5) -> PathChange:
    return PathChange(ChangeKind.ADDED, path, FileEntry(path, FileType.FILE, 0o644, 0, 0, size_bytes))


def with_changes(*changes: PathChange, diffs: tuple[FileDiff, ...] = ()) -> Report:
    return Report("it", "image", "", "", compared_with="base", changes=changes, file_diffs=diffs)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(any_report())
def test_whatever_a_report_holds_is_text(report: Report) -> None:
    html = html_of(report)
    html.encode()
    read = Read(html)
    assert read.scripts == 1 + any(recording.data for recording in report.recordings)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_text_in_every_place_is_read_as_it_is(hostile: str) -> None:
    path = f"/{hostile}"
    change = PathChange(
        ChangeKind.ADDED, path, FileEntry(path, FileType.SYMLINK, 0, 0, 0, link_target=hostile)
    )
    hunk = Hunk(1, 1, 1, 1, (DiffLine("-", hostile), DiffLine("+", hostile)))
    step = Step(
        1, "exec", (hostile,), hostile, hostile, (hostile,), changes=StepChanges(1, listed=(hostile,))
    )
    report = Report(
        hostile,
        "image",
        hostile,
        hostile,
        (Fact(hostile, hostile),),
        (hostile,),
        (ReportFinding(hostile, False, hostile),),
        stages=(Stage(hostile, hostile, hostile, hostile, (step,)),),
        compared_with=hostile,
        changes=(change,),
        file_diffs=(FileDiff(change, None, change.file, (hunk,), hostile),),
        layers=(ReportLayer(0, hostile, 1, 1, created_by=hostile, shared_with=(hostile, hostile)),),
        config=(ConfigRow(hostile, hostile, None), ConfigRow(hostile, None, hostile)),
        recordings=(RecordingView(1, hostile, 1, 1, 1.0, hostile, hostile, '{"a": "</script>"}'),),
    )
    read = Read(html_of(report))
    assert read.scripts == 2
    told = "".join(read.told)
    # A long one is whole in some places, and short in others.
    forms = {visible(hostile), visible(middle_cut(hostile, MOST_NAME_CHARS))}
    assert sum(map(told.count, forms)) >= 20


def test_only_the_style_and_the_scripts_of_the_page_are_let_in() -> None:
    html = html_of(EMPTY)
    read = Read(html)
    hashes = {
        f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
        for content in re.findall("<style>(.*?)</style>|<script>(.*?)</script>", html, re.DOTALL)
        for content in content
        if content
    }
    assert set(re.findall(r"'sha256-[^']*'", read.policy)) == hashes
    assert read.policy.startswith("default-src 'none';")
    assert "unsafe" not in read.policy


def test_the_parts_have_names_that_links_find() -> None:
    html = html_of(with_changes(added("/a")))
    ids = Read(html).ids
    assert len(set(ids)) == len(ids)
    assert set(re.findall('href="#([^"]*)"', html)) <= set(ids)


def test_parts_of_which_nothing_is_known_are_not_there() -> None:
    ids = Read(html_of(EMPTY)).ids
    assert "changes" in ids
    assert not {"steps", "packages", "sizes", "layers", "config", "recordings"} & set(ids)
    assert "There is nothing to compare it with" in text_of(EMPTY)


def test_a_verification_that_failed_shows_what_failed_first() -> None:
    findings = (
        *(ReportFinding(f"part{n}", True, "as recorded") for n in range(400)),
        ReportFinding("cmd", False, "is not"),
    )
    told = text_of(Report("it", "image", "", "", findings=findings))
    assert "passed 400 of 401 checks" in told
    assert told.index("cmd") < told.index("part0")
    assert "101 more checks not shown" in told


def test_a_file_shows_both_sides_and_its_text() -> None:
    change = added("/etc/motd", 31)
    old = FileEntry("/etc/motd", FileType.FILE, 0o600, 0, 0, 18)
    hunk = Hunk(1, 1, 1, 1, (DiffLine("-", "\tone"), DiffLine("+", "two", ends=False)))
    report = with_changes(change, diffs=(FileDiff(change, old, change.file, (hunk,), lines_added=1),))
    html, told = html_of(report), text_of(report)
    assert "0600 → 0644" in told
    assert "18 bytes → 31 bytes" in told
    assert re.findall("<dt>(.*?)</dt>", sides_of(html))[:2] == ["mode", "size"]
    for line in ("@@ -1 +1 @@", "- one", "+two", "No newline at end of file"):
        assert line in told


def sides_of(html: str) -> str:
    return html.partition('<dl class="sides">')[2].partition("</dl>")[0]


def test_a_file_that_came_has_one_side() -> None:
    change = added("/a", 31)
    sides = sides_of(html_of(with_changes(change, diffs=(FileDiff(change, None, change.file),))))
    assert "31 bytes" in sides
    assert "→" not in sides


def test_a_change_of_the_root_folder_has_a_row() -> None:
    change = PathChange(ChangeKind.CHANGED, "/", FileEntry("/", FileType.FOLDER, 0o711, 0, 0))
    row = html_of(with_changes(change)).partition('<li data-kind="C">')[2].partition("</li>")[0]
    assert "0711" in row


def test_texts_of_files_are_bounded_and_what_is_cut_is_counted() -> None:
    change = added("/a")
    hunk = Hunk(0, 0, 1, 5000, tuple(DiffLine("+", f"{number:04}" + "x" * 900) for number in range(5000)))
    html = html_of(with_changes(change, diffs=(FileDiff(change, None, change.file, (hunk,), lines_cut=7),)))
    assert len(html) < MOST_DIFF_CHARS + 100_000
    shown = html.count("<ins>")
    assert 2000 < shown < 5000
    assert f"{5000 - shown + 7:,} more lines of this file not shown" in html


@pytest.mark.parametrize(
    "path",
    [
        lambda number: f"/usr/share/doc/p{number // 50}/file{number}",
        lambda number: f"/one/{number}",
        lambda number: f"/folder{number}/file",
        lambda number: f"/{'<' * 300}{number}",
        lambda number: "/a" * (number % 400) + f"/{number}",
    ],
)  # fmt: skip
def test_fifty_thousand_changes_have_room_and_all_are_counted(path: object) -> None:
    assert callable(path)
    kinds = list(ChangeKind)
    changes = sorted(
        (PathChange(kinds[n % 3], path(n)) for n in range(50_000)), key=lambda one: one.path.split("/")
    )
    html = html_of(with_changes(*changes))
    assert len(html.encode()) < MOST_TREE_CHARS * 1.5
    counts = Counter(re.findall('<li data-kind="(.)"', html))
    assert counts.total() >= 100
    for more in re.findall(r"and [\d,]+ more: ([^<]*)", html):
        for number, word in re.findall(r"(\d[\d,]*) (\w)", more):
            counts[word.upper()] += int(number.replace(",", ""))
    assert counts == Counter(change.kind.value for change in changes)


def test_recordings_have_room_or_are_counted_and_no_link_leads_to_one_that_is_not_there() -> None:
    steps = tuple(Step(number, "exec", ("x",)) for number in range(1, 9))
    recordings = tuple(
        RecordingView(n, "", 1, 1, 1.0, "", "", '"' + "x" * 1_500_000 + '"') for n in range(1, 9)
    )
    html = html_of(Report("it", "image", "", "", stages=(Stage("", "", steps=steps),), recordings=recordings))
    assert set(re.findall('href="#([^"]*)"', html)) <= set(Read(html).ids)
    assert html.count('class="player"') == 4
    assert "4 recordings too large to be shown here" in html


def test_the_page_comes_in_pieces() -> None:
    report = with_changes(*(added(f"/f/{number:05}") for number in range(2000)))
    assert max(len(piece) for piece in page(report)) < 50_000
