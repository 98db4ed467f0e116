from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapshot.engine.process_types import TerminalSize
from snapshot.journal.asciicast import Event
from snapshot.journal.escapes import shows
from snapshot.journal.readable import FULL_SCREEN, readable_lines, readable_text
from snapshot.journal.screen import Screen

#: Text and the pieces of which escape sequences are made.
OUTPUT = st.lists(
    st.sampled_from([*"[]P?;19hlmHJKLSTrb\\a漢", "1049", "9999", "52", "long text"])
    | st.sampled_from([*"\x1b\a\r\n\b\t\x18\x9b\x9d\0\x7f\u0301\u202e\ufffd"])
    | st.sampled_from(["\x1b[", "\x1b[?1049h", "\x1b[?1049l", "\x1b[H\x1b[2J", "\x1b[9999"])
).map("".join)


def seen(*pieces: str, columns: int = 20, rows: int = 5) -> str:
    events = [Event(float(number), text) for number, text in enumerate(pieces)]
    return readable_text(events, TerminalSize(columns, rows))


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("no line end", "no line end\n"),
        ("", ""),
        ("a\r\n\r\n\r\nb", "a\n\n\nb\n"),
        ("10%\r50%\r100%\r\n", "100%\n"),
        ("a long line\rshort\x1b[K\r\n", "short\n"),
        ("hellp\b \bo\r\n", "hello\n"),
        ("abcd\x1b[2D\x1b[1P\r\n", "abd\n"),
        ("abd\x1b[1D\x1b[1@c\r\n", "abcd\n"),
        ("abc\x1b[3DX\x1b[1CZ\r\n", "XbZ\n"),
        ("abc\x1b[1Gx\x1b[1K\r\n", "  c\n"),
        ("a\tb\r\n", "a       b\n"),
        ("\x1b[1;31mred\x1b[0m \x1b[38;2;1;2;3mtrue\x1b[m\r\n", "red true\n"),
        ("\x1b]0;title\x07a\x1b]2;other\x1b\\b\x1bPq#0~\x1b\\c\r\n", "abc\n"),
        ("\x9b1mbold\x9d0;title\x9c\r\n", "bold\n"),
        ("one\r\ntwo\x1b[1A\rONE\x1b[1B\r\n", "ONE\ntwo\n"),
        ("\x1b(0lqk\x1b(B\r\n", "┌─┐\n"),
        ("\x07bell\x00\x7f\r\n", "bell\n"),
        ("e\u0301 漢字\r\n", "e\u0301 漢字\n"),
        ("right \u202e to left\r\n", "right  to left\n"),
    ],
)
def test_a_line_is_what_stood_there_at_last(output: str, text: str) -> None:
    assert seen(output) == text
    # However the output was cut into events.
    assert seen(*output) == text


def test_lines_that_scrolled_away_are_told_in_order() -> None:
    numbers = [str(number) for number in range(100)]
    assert seen("\r\n".join(numbers)) == "".join(f"{number}\n" for number in numbers)


def test_a_line_that_the_window_wrapped_is_whole() -> None:
    assert seen("$ echo " + "long " * 10 + "\r\n") == "$ echo " + ("long " * 10).rstrip() + "\n"
    assert seen("x" * 20 + "\r\n" + "y") == "x" * 20 + "\ny\n"


def test_what_a_shell_redraws_over_two_rows_is_one_line() -> None:
    # As bash does it when a line is taken from its history and cut again.
    assert seen("$ " + "a" * 25 + "\x1b[A\r$ b\x1b[K\x1b[B\r\x1b[K\x1b[A\x1b[3C\r\n") == "$ b\n"


def test_a_full_screen_program_is_one_line() -> None:
    output = "$ vi f\r\n\x1b[?1049h\x1b[1;1H~\r\n~\r\ntext\x1b[5;1H:wq\x1b[?1049l$ cat f\r\ntext\r\n"
    assert seen(output) == f"$ vi f\n{FULL_SCREEN}\n$ cat f\ntext\n"
    assert seen(*output) == f"$ vi f\n{FULL_SCREEN}\n$ cat f\ntext\n"


def test_a_recording_that_ends_in_an_editor_says_so() -> None:
    assert seen("$ vi\r\n\x1b[?1049h~") == f"$ vi\n{FULL_SCREEN}\n"


@pytest.mark.parametrize("clear", ["\x1b[H\x1b[2J", "\x1b[H\x1b[J", "\x1b[H\x1b[2J\x1b[3J", "\x1bc"])
def test_what_was_cleared_was_seen(clear: str) -> None:
    assert seen(f"one\r\ntwo\r\n{clear}three\r\n") == "one\ntwo\nthree\n"


def test_lines_survive_a_window_that_shrinks_and_grows() -> None:
    events = [
        Event(0, "1\r\n2\r\n3\r\n4\r\n5"),
        Event(1, size=TerminalSize(10, 2)),
        Event(2, "\r\n6"),
        Event(3, size=TerminalSize(30, 6)),
        Event(4, "\r\n7\r\n"),
    ]
    assert readable_text(events, TerminalSize(20, 5)) == "1\n2\n3\n4\n5\n6\n7\n"


def test_the_character_before_is_repeated_however_much_came_at_once() -> None:
    assert seen("ab\x1b[2b", columns=20, rows=2) == "abbb\n"
    assert seen("a\u4e2d\x1b[b", columns=20, rows=2) == "a\u4e2d\u4e2d\n"


@settings(deadline=None)
@given(OUTPUT, st.integers(1, 7), st.integers(1, 4))
def test_whatever_comes_the_text_steers_no_terminal(output: str, columns: int, rows: int) -> None:
    text = seen(output, columns=columns, rows=rows)
    assert all(shows(char) for char in text.replace("\n", ""))
    assert seen(*output, columns=columns, rows=rows) == text


def test_what_a_few_characters_scroll_out_is_told_as_it_goes() -> None:
    lines = readable_lines([Event(0.0, "one\x1b[9999S" * 1_000_000)], TerminalSize(1000, 1000))
    assert list(islice(lines, 3)) == ["one", "", ""]


def test_colours_that_nobody_sees_take_no_room() -> None:
    screen = Screen(TerminalSize(1000, 1000), coloured=False)
    screen.feed("\x1b[41m\x1b[2J\x1b[J\x1b[5;5Hx\x1b[K")
    assert sum(len(row.cells) for row in screen.rows) == 5


def test_a_blank_row_between_filled_ones_is_told_after_it_was_erased_in_colour() -> None:
    assert seen("a\r\nb\r\nc\x1b[44m\x1b[2;1H\x1b[2K\x1b[m\x1b[2J") == "a\n\nc\n"
