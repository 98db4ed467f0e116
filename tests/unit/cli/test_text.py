from __future__ import annotations

import sys

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.cli.text import (
    bytes_in_words,
    coloured,
    columns_of,
    count,
    printable,
    shortened,
    table,
    without_middle,
)


@given(st.text())
def test_whatever_is_shown_has_nothing_that_steers_a_terminal(text: str) -> None:
    assert printable(text).isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain Größe", "plain Größe"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("two\nlines", r"two\nlines"),
        ("\u202eright to left", r"\u202eright to left"),
        ("caf\udce9", r"caf\xe9"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_is_not_printable_is_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_an_id_that_looks_like_a_number_stays_as_it_is() -> None:
    assert table([["1234567e5", "007"]]) == "1234567e5  007"


def test_columns_are_aligned() -> None:
    assert table([["a", "1"], ["bb", "22"]], right=(1,)) == "a    1\nbb  22"


def test_numbers_and_nouns_agree() -> None:
    assert [count(n, "path") for n in (0, 1, 1234)] == ["0 paths", "1 path", "1,234 paths"]


def test_a_long_text_in_a_column_is_cut_with_a_mark() -> None:
    assert shortened("12345", 5) == "12345"
    assert shortened("123456", 5) == "1234…"


PATH = "/usr/share/doc/a-package-with-a-long-name/changelog.gz"


@given(st.text(st.sampled_from("ab/漢é\u0301"), max_size=60), st.integers(1, 50))
def test_what_lost_its_middle_has_its_beginning_and_its_end(text: str, most: int) -> None:
    found = without_middle(text, most)
    assert columns_of(found) <= most
    if columns_of(text) <= most:
        assert found == text
    else:
        start, _, end = found.partition("…")
        assert text.startswith(start)
        assert text.endswith(end)


def test_a_table_in_a_pipe_has_everything() -> None:
    assert table([["A", PATH * 5]], shorten=1) == f"A  {PATH * 5}"


def test_a_table_is_as_wide_as_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    lines = table([["A", PATH, "12"], ["D", "/etc", "1,234"]], ["", "PATH", "SIZE"], (2,), 1).splitlines()
    assert [len(line) for line in lines] == [40, 40, 40]
    assert lines[1].startswith("A   /usr/share/")
    assert lines[1].endswith("changelog.gz      12")
    assert lines[1].count("…") == 1


def test_a_column_stays_wide_enough_to_tell_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "10")
    assert table([["A", PATH]], shorten=1) == "A  /usr/shar…angelog.gz"


def test_of_several_columns_the_first_named_gives_way_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "70")
    name = "registry.example.com/team/image"
    assert table([[name, PATH]], shorten=(1, 0)) == f"{name}  {without_middle(PATH, 37)}"
    monkeypatch.setenv("COLUMNS", "42")
    assert table([[name, PATH]], shorten=(1, 0)) == f"{without_middle(name, 20)}  {without_middle(PATH, 20)}"


@pytest.mark.parametrize(
    ("text", "columns"), [("plain", 5), ("漢字", 4), ("e\u0301", 1), ("\x1b[32mgreen\x1b[0m", 5), ("\tx", 9)]
)
def test_columns_are_those_that_a_terminal_shows(text: str, columns: int) -> None:
    assert columns_of(text) == columns


@pytest.mark.parametrize(
    ("variables", "is_coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colours_are_for_terminals_that_want_them(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], is_coloured: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert coloured("A") == "A"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert (coloured("A") != "A") is is_coloured
    assert coloured("other") == "other"
    assert click.unstyle(coloured("+ line", "added")) == "+ line"


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (72_800_000, "72.8 MB"),
        (-1_234, "-1.23 kB"),
        (1 << 63, "9.22 EB"),
    ],
)
def test_sizes_are_said_as_docker_says_them(size_bytes: int, words: str) -> None:
    assert bytes_in_words(size_bytes) == words
