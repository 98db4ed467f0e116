from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapshot.journal.harmless import Filter, ModesLeft, harmless

ALLOWED = re.compile(
    r"[^\x00-\x1f\x7f-\x9f]|[\a\b\t\n\r\x0e\x0f]|\x1b[78DEHM]|\x1b[()][0AB]|\x1b\[[0-9;:]*[@A-MPSTXZ`a-gmrsu]"
    r"|\x1b\[\?(6|7|12|25|47|1047|1048|1049)(;(6|7|12|25|47|1047|1048|1049))*[hl]|\x1b\[4[hl]"
)
PIECES = st.lists(
    st.sampled_from(["\x1b", "[", "]", "P", "_", "^", "X", "k", "?", ">", ";", ":", "$", " ", "!", "(", "0"])
    | st.sampled_from(
        ["52", "1049", "2004", "h", "l", "n", "c", "t", "m", "p", "q", "x", "i", "J", "3", "\\"]
    )
    | st.sampled_from(["\a", "\x05", "\x18", "\x1a", "\x9b", "\x9c", "\x9d", "\x90", "\x9f", "\n", "é"])
).map("".join)


@pytest.mark.parametrize(
    "output",
    [
        "plain text, grün 漢字 👍🏽\r\n",
        "\x1b[1;38;5;196mred\x1b[0m\x1b[4:3mcurly\x1b[m",
        "\x1b[?1049h\x1b[2J\x1b[10;20Hx\x1b[K\x1b[3A\x1b[2L\x1b[1;24r\x1b[?25l\x1b[?25h\x1b[?1049l",
        "\x1b7\x1b(0lqk\x1b(B\x1b8\x1bM\a\b\t",
    ],
)
def test_what_draws_stays(output: str) -> None:
    assert harmless(output) == output


@pytest.mark.parametrize(
    "output",
    [
        "\x1b]52;c;cm0gLXJmIC8=\a",
        "\x1b]52;c;cm0gLXJmIC8=\x1b\\",
        "\x9d52;c;cm0=\x9c",
        "\x1b]0;title\a\x1b[21t",
        "\x1b]8;;http://evil\x1b\\\x1b]8;;\x1b\\",
        "\x1b]50;?\a\x1b]11;?\a",
        "\x1bP$qm\x1b\\",
        "\x1bPq#0;2;0;0;0~\x1b\\",
        "\x1b_Gi=1;AAAA\x1b\\",
        "\x1b^private\x1b\\",
        "\x1bktitle\x1b\\",
        "\x1b[6n\x1b[5n\x1b[?6n\x1b[c\x1b[>c\x1b[=c\x1bZ\x05\x9a",
        "\x1b[>q\x1b[?u\x1b[$p\x1b[1$p\x1b[x\x1b[14t",
        "\x1b[5i\x1b[4i\x1b[?5i",
        "\x1b[?1000h\x1b[?1003;1006h\x1b[?1004h\x1b[?2004h\x1b[?1h",
        "\x1b[>4;2m\x1b[>1u",
        "\x1bc\x1b[!p\x1b#8\x1b=\x1b>",
        "\x1b[3J",
        "\u202e\u2066\u200b\x00\x7f",
    ],
)
def test_what_does_more_than_draw_goes(output: str) -> None:
    assert harmless(f"a{output}b") == "ab"
    # Also where the pieces of a recording cut it.
    cut = Filter()
    assert "".join(map(cut.feed, f"a{output}b")) == "ab"


def test_of_several_modes_those_that_draw_stay() -> None:
    assert harmless("\x1b[?1000;25;1049;2004h") == "\x1b[?25;1049h"


def test_counts_are_kept_small() -> None:
    assert harmless("a\x1b[2147483647b") == "a\x1b[9999b"


@settings(deadline=None)
@given(PIECES)
def test_nothing_but_drawing_is_left_of_any_output(output: str) -> None:
    cut = harmless(output)
    assert re.fullmatch(f"({ALLOWED.pattern})*", cut)
    assert harmless(cut) == cut


def left(output: str) -> str:
    modes = ModesLeft()
    modes.feed(output)
    return modes.undo()


def test_an_editor_that_never_ended_is_undone() -> None:
    undo = left("\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[1;31mtext")
    assert {"\x1b[?1049l", "\x1b[?25h", "\x1b[?2004l", "\x1b[m"} <= set(
        re.findall(r"\x1b\[\??\d*[a-z]", undo)
    )


def test_an_editor_that_ended_is_not_undone_again() -> None:
    assert "1049" not in left("\x1b[?1049h\x1b[?25l:q\x1b[?25h\x1b[?1049l")


def test_text_alone_leaves_nothing_to_undo() -> None:
    assert left("a\r\nb\t\x07") == ""
