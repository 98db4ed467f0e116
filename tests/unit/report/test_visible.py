from __future__ import annotations

import json
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.report.markup import MOST_NAME_CHARS, bounded, name, plain, text
from snapshot.report.recordings import harmless_json
from snapshot.report.visible import middle_cut, visible


@given(st.text())
def test_what_is_shown_can_be_printed_and_written_as_utf_8(raw: str) -> None:
    assert visible(raw).isprintable()
    plain(raw).encode()
    assert unescape(plain(raw)) == visible(raw)


@given(st.text())
def test_no_text_is_markup(raw: str) -> None:
    assert "<" not in plain(raw)
    assert '"' not in plain(raw)
    assert "'" not in plain(raw)
    assert text(raw).replace("<i>", "").replace("</i>", "") == plain(raw)


@pytest.mark.parametrize("hidden", "\u202e\u2066\u200b\ufeff\u00ad\x1b\udcff\ud800\u3164\u2800\n\u00a0")
def test_what_cannot_be_seen_is_written_out(hidden: str) -> None:
    assert visible(f"a{hidden}b").isascii()


def test_letters_of_any_script_stay_and_keep_their_accents() -> None:
    assert visible("שלום e\u0301 日本 é") == "שלום e\u0301 日本 é"


def test_accents_cannot_climb_into_other_lines() -> None:
    assert visible("e" + "\u0301" * 5) == "e" + "\u0301" * 3 + "\\u0301" * 2


@given(st.text(max_size=50), st.integers(2, 60))
def test_what_is_too_long_loses_its_middle_alone(raw: str, most: int) -> None:
    cut = middle_cut(raw, most)
    assert len(cut) <= most
    if cut != raw:
        begin, _, end = cut.partition("…") if "…" not in raw else (raw[:0], "", raw[:0])
        assert raw.startswith(begin)
        assert raw.endswith(end)


def test_a_long_name_is_there_as_a_whole_too() -> None:
    assert "<details" not in name("n" * MOST_NAME_CHARS)
    assert "n" * 500 in name("n" * 500)


def test_a_text_without_end_is_cut_and_its_length_told() -> None:
    assert bounded("x" * 1_000_000).endswith("(1,000,000 characters)")
    assert len(bounded("x" * 1_000_000)) < 5000


@given(st.text())
def test_json_stays_in_its_element(raw: str) -> None:
    document = harmless_json(json.dumps([raw], ensure_ascii=False))
    assert "<" not in document
    assert json.loads(document.encode()) == [raw]
