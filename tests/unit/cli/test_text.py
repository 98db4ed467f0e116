from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.cli.text import count, printable, shortened, table


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
