from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapshot.engine.process_types import TerminalSize
from snapshot.journal.asciicast import Event, Recording, recording_from_bytes
from snapshot.journal.screen import Screen
from snapshot.report import recording as bounds
from snapshot.report.recording import RecordingView, recording_view


def recording(*events: list[object], columns: int = 40, rows: int = 6, title: str = "") -> Recording:
    header = {"version": 2, "width": columns, "height": rows, "title": title}
    return recording_from_bytes("\n".join(map(json.dumps, [header, *events])).encode(), "'x.cast'")


def told(*texts: str, step_s: float = 1.0, columns: int = 40, rows: int = 6) -> Recording:
    events: list[list[object]] = [[number * step_s, "o", text] for number, text in enumerate(texts)]
    return recording(*events, columns=columns, rows=rows)


def screens(view: RecordingView) -> list[tuple[float, list[str]]]:
    """What the player shows, frame by frame."""
    film = json.loads(view.data)
    rows, found = [0] * film["rows"], []
    for begin_s, changes, _ in film["frames"]:
        for row, line in zip(changes[::2], changes[1::2], strict=True):
            rows[row] = line
        found.append((begin_s, ["".join(run[2] for run in film["lines"][line]) for line in rows]))
    return found


def last_screen(view: RecordingView) -> list[str]:
    return screens(view)[-1][1]


def film_of(view: RecordingView) -> dict[str, Any]:
    film: dict[str, Any] = json.loads(view.data)
    return film


def test_each_moment_is_a_frame_with_the_rows_that_changed() -> None:
    view = recording_view(told("one\r\n", "two\r\n", "\x1b[Hthree"), 7)
    assert view.step == 7
    assert (view.columns, view.rows, view.duration_s, view.note) == (40, 6, 2.0, "")
    assert screens(view) == [
        (0, ["one", "", "", "", "", ""]),
        (1, ["one", "two", "", "", "", ""]),
        (2, ["three", "two", "", "", "", ""]),
    ]
    assert [len(frame[1]) // 2 for frame in film_of(view)["frames"]] == [1, 1, 1]
    # What was overwritten was seen nevertheless, in the text of what left the screen.
    assert view.text == "three\ntwo\n"


def test_colours_and_weight_are_drawn() -> None:
    film = film_of(recording_view(told("\x1b[1;4;38;5;196mred\x1b[m\x1b[7mturned\x1b[m"), 1))
    (_, _, red), (_, _, turned) = film["lines"][film["frames"][-1][1][1]]
    assert (red, turned) == ("red", "turned")
    styles = [film["styles"][run[0]] for run in film["lines"][film["frames"][-1][1][1]]]
    assert styles == [["#ff0000", "#161b22", "bold underlined"], ["#161b22", "#d0d7de", ""]]


def test_wide_characters_take_two_columns() -> None:
    film = film_of(recording_view(told("語x"), 1))
    assert film["lines"][film["frames"][-1][1][1]] == [[0, 3, "語x"]]


def test_long_pauses_are_cut_and_it_is_said() -> None:
    view = recording_view(told("one", "two", step_s=3600.0), 1)
    assert [begin_s for begin_s, _ in screens(view)] == [0, bounds.IDLE_LIMIT_S]
    assert view.duration_s == 3600.0
    assert view.note == "Pauses longer than 2 seconds are cut to that."


def test_another_size_of_the_window_keeps_what_fits() -> None:
    view = recording_view(recording([0, "o", "a\r\nb"], [1, "r", "60x9"], [2, "o", "\x1b[9;60Hz"]), 1)
    assert (view.columns, view.rows) == (60, 9)
    assert last_screen(view) == ["a", "b", *[""] * 6, f"{'':59}z"]


def test_a_long_recording_is_thinned_out_to_its_bounds_and_ends_as_it_did(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "MOST_FRAMES", 50)
    monkeypatch.setattr(bounds, "MOST_DATA_BYTES", 3000)
    view = recording_view(told(*(f"line {number}\r\n" for number in range(1000)), step_s=0.1), 1)
    assert len(view.data) <= 3000
    assert len(screens(view)) <= 50
    assert last_screen(view)[-2:] == ["line 999", ""]
    assert "It is played in steps of " in view.note
    assert view.text.count("\n") == 1000


def test_text_that_is_too_long_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_TEXT_CHARS", 30)
    view = recording_view(told(*(f"line {number}\r\n" for number in range(10))), 1)
    assert view.text == "line 0\nline 1\nline 2\nline 3\n"
    assert view.note == "The end of its text is left out: 6 more lines."


def test_a_line_that_is_no_event_ends_it_and_is_said() -> None:
    view = recording_view(recording([0, "o", "seen"], [1, "o", 7], [2, "o", "not seen"]), 1)
    assert last_screen(view)[0] == "seen"
    assert view.note == ("Line 3 of the recording 'x.cast' has something else where text should be.")


def test_a_window_too_large_to_be_drawn_is_told_as_text_alone() -> None:
    view = recording_view(told("seen", columns=1000, rows=1000), 1)
    assert (view.data, view.text) == ("", "seen\n")
    assert view.note == "It is not played here: its window has 1,000 by 1,000 characters."


def test_output_that_would_take_minutes_to_draw_is_cut_off() -> None:
    fills = (f"\x1b[{41 + number % 6}m\x1b[J" for number in range(20_000))
    view = recording_view(told(*fills, step_s=0.06, columns=200, rows=200), 1)
    assert "too much" in view.note
    assert len(screens(view)) < 1000


def test_nothing_but_text_is_in_it() -> None:
    view = recording_view(told("</script><b>\x1b]0;title\x07\x1bPdcs\x1b\\ok\u202e\x9b31m"), 1)
    assert last_screen(view)[0] == "</script><b>ok"
    assert view.text == "</script><b>ok\n"


@settings(max_examples=40)
@given(
    st.lists(
        st.text(st.sampled_from("ab \n\r\t\b\x1b[]12;mHJKASTLM?hlr語é"), max_size=30), min_size=1, max_size=12
    )
)
def test_the_last_frame_is_what_a_screen_shows(texts: list[str]) -> None:
    screen = Screen(TerminalSize(20, 5))
    for text in texts:
        screen.feed(text)
    view = recording_view(told(*texts, columns=20, rows=5), 1)
    seen = [line.rstrip(" ") for line in last_screen(view)]
    assert seen == ["".join(cell.text for cell in row.cells[:20]).rstrip(" ") for row in screen.rows]


def test_frames_of_one_recording_do_not_depend_on_how_its_output_was_cut() -> None:
    whole = Recording(told("x").header, [Event(0.0, "one\r\ntwo\x1b[31m!")])
    cut = Recording(told("x").header, [Event(0.0, char) for char in "one\r\ntwo\x1b[31m!"])
    assert recording_view(whole, 1).data == recording_view(cut, 1).data
