from __future__ import annotations

import sys

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.weights import WeighedChange
from snapshot.cli.diff_stat import stat_document, stat_lines, summary
from snapshot.engine.types import ChangeKind
from snapshot.packages.interface import PackageChange

A, C, D = ChangeKind.ADDED, ChangeKind.CHANGED, ChangeKind.DELETED

CHANGES = [
    WeighedChange(A, "/etc/motd", 0, 1000),
    WeighedChange(C, "/etc/passwd", 1200, 1200),
    WeighedChange(D, "/usr/share/doc/curl", 9000, 0),
    WeighedChange(C, "/usr/share/doc/new\x1b[2J/copyright", 2000, 5000),
]


def test_a_line_a_folder_with_its_counts_and_bytes_and_a_bar() -> None:
    assert stat_lines(CHANGES) == [
        "FOLDER                       A    C    D    BEFORE      NOW",
        "/etc                         1    1    -    1.2 kB   2.2 kB  ++",
        "/usr/share/doc               -    -    1      9 kB  0 bytes  --------------------",
        r"/usr/share/doc/new\x1b[2J    -    1    -      2 kB     5 kB  +++++++",
        "in all                       1    2    1   12.2 kB   7.2 kB  -5 kB",
    ]


def test_what_is_not_known_is_a_question_mark() -> None:
    lines = stat_lines([WeighedChange(C, "/a/b", None, 10)])
    assert lines[1].split() == ["/a", "-", "1", "-", "?", "10", "bytes"]
    assert lines[2].split() == ["in", "all", "-", "1", "-", "?", "10", "bytes"]


def test_many_folders_are_summed_up_and_nothing_is_lost() -> None:
    changes = [WeighedChange(A, f"/a/{number % 40}/{number}", 0, 1) for number in range(400)]
    lines = stat_lines(changes)
    assert [line.split()[:2] for line in lines[1:]] == [["/a", "400"], ["in", "all"]]
    assert len(stat_document(changes)["folders"]) == 40


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_it_is_as_wide_as_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    changes = [
        *CHANGES,
        WeighedChange(A, f"/{'folder/' * 30}x", 0, 5000),
        WeighedChange(D, "/bin/x", 10**12, 0),
    ]
    lines = [click.unstyle(line) for line in stat_lines(changes)]
    assert max(map(len, lines)) <= columns
    assert any("…" in line for line in lines)
    long = next(line for line in lines if line.startswith("/folder"))
    assert long.split()[1:] == ["1", "-", "-", "0", "bytes", "5", "kB", "+"]


SIZES = st.integers(0, 10**15)


@given(
    st.lists(st.builds(WeighedChange, st.sampled_from([A, C, D]), st.just("/a/b"), SIZES, SIZES), min_size=1)
)
def test_a_bar_has_a_sign_for_what_came_and_for_what_went(changes: list[WeighedChange]) -> None:
    line = stat_lines(changes)[1]
    signs = line.split(" ")[-1] if line[-1] in "+-" and line.split(" ")[-1] != "-" else ""
    assert ("+" in signs) is any(change.now_bytes > (change.before_bytes or 0) for change in changes)
    assert ("-" in signs) is any(change.now_bytes < (change.before_bytes or 0) for change in changes)
    assert len(signs) <= 20
    assert "-+" not in signs


def test_the_json_has_bytes() -> None:
    document = stat_document(CHANGES)
    assert document["folders"][0] == {
        "path": "/etc", "added": 1, "changed": 1, "deleted": 0, "before_bytes": 1200, "now_bytes": 2200,
        "came_bytes": 1000, "went_bytes": 0,
    }  # fmt: skip
    assert document["total"] == {
        "added": 1, "changed": 2, "deleted": 1, "before_bytes": 12200, "now_bytes": 7200,
        "came_bytes": 4000, "went_bytes": 9000,
    }  # fmt: skip


def package(name: str, old: str, new: str) -> PackageChange:
    return PackageChange("dpkg", name, old, new)


def test_the_summary_says_what_where_how_much_and_which_packages() -> None:
    packages = [
        package("curl", "7.88.1-10", "7.88.1-12"),
        package("jq", "", "1.6"),
        package("vim", "9.0", ""),
    ]
    assert summary(CHANGES[:3], packages) == (
        "1 added, 1 changed, 1 deleted below /etc and /usr/share/doc; -8 kB;"
        " curl 7.88.1-10 -> 7.88.1-12, +jq 1.6, -vim 9.0"
    )


def test_what_there_is_none_of_is_not_in_the_summary() -> None:
    assert summary(CHANGES[1:2], ()) == "1 changed below /etc"
    assert summary([WeighedChange(A, "/motd", 0, 5)], ()) == "1 added; +5 bytes"
    assert summary([WeighedChange(C, "/etc/motd", None, 5)], ()) == "1 changed below /etc"
    assert summary([], ()) == "nothing changed"


TEXTS = st.text(min_size=1, max_size=200)


@given(
    st.lists(
        st.builds(WeighedChange, st.sampled_from([A, C, D]), TEXTS.map("/{}".format), SIZES, SIZES),
        max_size=30,
    ),
    st.lists(st.builds(package, TEXTS, TEXTS, TEXTS), max_size=30),
)
def test_the_summary_is_one_line_of_a_commit_message(
    changes: list[WeighedChange], packages: list[PackageChange]
) -> None:
    text = summary(changes, packages)
    assert text.isprintable()
    assert len(text) <= 120


def test_packages_that_have_no_room_are_counted() -> None:
    packages = [package(f"lib{number}", "", "1.0") for number in range(1000)]
    text = summary(CHANGES[:1], packages)
    told = text.count("+lib")
    assert told > 3
    assert text.endswith(f" and {1000 - told:,} more")
    assert len(text) <= 120
