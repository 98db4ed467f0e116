"""What a person at a terminal sees of a listing, and what a pager is given."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

PATIENCE_S = 60
CTRL_C = "\x03"
#: Ends with 7, so that a status that comes from elsewhere shows.
PROGRAM = """
import sys
from snapshot.cli import leaving
from snapshot.cli.pager import paged
leaving.prepare()
try:
    {lines}
    paged(lines, {wanted})
    print("the end")
    sys.exit(7)
except KeyboardInterrupt as error:
    sys.exit(leaving.report(error, debug=False))
"""
HUNDRED = 'lines = [f"line {number}" for number in range(100)]'
THREE = 'lines = "one\\ntwo\\nthree\\n"'
ENDLESS = 'import itertools; lines = map("line {}".format, itertools.count())'


def program(lines: str, wanted: bool | None = None) -> list[str]:
    return [sys.executable, "-c", PROGRAM.format(lines=lines, wanted=wanted)]


def surroundings(variables: dict[str, str]) -> dict[str, str]:
    left_out = {"SNAP_PAGER", "PAGER", "LESS", "LV", "TERM", "COLUMNS", "LINES"}
    return {name: value for name, value in os.environ.items() if name not in left_out} | variables


@contextmanager
def at_terminal(lines: str, wanted: bool | None = None, **variables: str) -> Iterator[pexpect.spawn[str]]:
    words = ["/usr/bin/env", "--default-signal", *program(lines, wanted)]
    child: pexpect.spawn[str] = pexpect.spawn(
        words[0],
        words[1:],
        env=surroundings({"TERM": "xterm", **variables}),
        dimensions=(24, 80),
        encoding="utf-8",
        timeout=PATIENCE_S,
        echo=False,
    )
    try:
        yield child
    finally:
        child.close(force=True)


def shown(lines: str, wanted: bool | None = None, **variables: str) -> tuple[int | None, list[str]]:
    """The exit status and all that came to the terminal."""
    with at_terminal(lines, wanted, **variables) as child:
        child.expect(pexpect.EOF)
        child.wait()
        return child.exitstatus, (child.before or "").splitlines()


NUMBERED = "sed s/^/paged:/"


def test_a_listing_longer_than_the_screen_goes_through_the_pager() -> None:
    status, lines = shown(HUNDRED, PAGER=NUMBERED)
    assert lines == [*(f"paged:line {number}" for number in range(100)), "the end"]
    assert status == 7


def test_a_listing_that_fits_is_printed_as_it_is() -> None:
    assert shown(THREE, PAGER=NUMBERED) == (7, ["one", "two", "three", "the end"])


def test_one_row_is_left_for_the_prompt() -> None:
    assert shown('lines = ["x"] * 23', PAGER=NUMBERED)[1][0] == "x"
    assert shown('lines = ["x"] * 24', PAGER=NUMBERED)[1][0] == "paged:x"


@pytest.mark.parametrize("line", ["x" * 81, "漢" * 41, "\t" * 10 + "x"])
def test_lines_that_wrap_take_the_rows_that_they_need(line: str) -> None:
    assert not shown(f"lines = [{line!r}] * 11", PAGER=NUMBERED)[1][0].startswith("paged:")
    assert shown(f"lines = [{line!r}] * 12", PAGER=NUMBERED)[1][0].startswith("paged:")


def test_colours_take_no_room() -> None:
    coloured = 'lines = ["\\x1b[32m" + "x" * 79 + "\\x1b[0m"] * 20'
    assert not shown(coloured, PAGER=NUMBERED)[1][0].startswith("paged:")


def test_a_short_listing_is_paged_where_that_is_asked_for() -> None:
    assert shown(THREE, wanted=True, PAGER=NUMBERED)[1][0] == "paged:one"


def test_no_listing_is_paged_where_that_is_asked_for() -> None:
    assert shown(HUNDRED, wanted=False, PAGER=NUMBERED)[1][0] == "line 0"


@pytest.mark.parametrize("pager", ["", "cat", " ", "no-such-pager -R", "'no such pager' -R", "/etc/passwd"])
def test_it_is_printed_where_there_is_no_pager(pager: str) -> None:
    status, lines = shown(HUNDRED, PAGER=pager)
    assert lines == [*(f"line {number}" for number in range(100)), "the end"]
    assert status == 7


def test_snap_pager_comes_before_pager() -> None:
    assert shown(HUNDRED, PAGER="sed s/^/other:/", SNAP_PAGER=NUMBERED)[1][0] == "paged:line 0"
    assert shown(HUNDRED, PAGER=NUMBERED, SNAP_PAGER="cat")[1][0] == "line 0"


def test_a_pager_may_be_a_line_for_the_shell() -> None:
    assert shown(HUNDRED, PAGER='MARK=shell; sed "s/^/$MARK:/" | head -n 2')[1][:2] == [
        "shell:line 0",
        "shell:line 1",
    ]


def test_a_terminal_that_is_dumb_has_no_less() -> None:
    assert shown(HUNDRED, TERM="dumb")[1][0] == "line 0"
    assert shown(HUNDRED, TERM="dumb", PAGER=NUMBERED)[1][0] == "paged:line 0"


def test_less_is_told_what_git_tells_it_unless_the_user_did() -> None:
    assert shown(HUNDRED, PAGER="printenv LESS LV")[1][:2] == ["FRX", "-c"]
    assert shown(HUNDRED, PAGER="printenv LESS LV", LESS="S", LV="")[1][:2] == ["S", ""]
    # It would leave at once where all fits.
    assert shown(HUNDRED, wanted=True, PAGER="printenv LESS")[1][0] == "RX"


def test_a_pipe_gets_everything_without_a_pager() -> None:
    for wanted in (None, True):
        done = subprocess.run(
            program(HUNDRED, wanted),
            env=surroundings({"PAGER": NUMBERED}),
            stdout=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 7
        assert done.stdout.splitlines() == [*(f"line {number}" for number in range(100)), "the end"]


def test_leaving_the_pager_early_is_no_failure_and_asks_for_no_more_lines() -> None:
    assert shown(ENDLESS, PAGER="head -n 2") == (7, ["line 0", "line 1", "the end"])


def test_lines_are_asked_for_as_they_are_shown(tmp_path: Path) -> None:
    slow = f"""
    import itertools, os
    def slowly():
        yield from ["line"] * 30
        while not os.path.exists({str(tmp_path / "seen")!r}):
            pass
        yield "last"
    lines = slowly()"""
    with at_terminal(slow.strip(), PAGER="sed -u s/^/paged:/") as child:
        child.expect_exact("paged:line\r\n" * 30)
        (tmp_path / "seen").touch()
        child.expect_exact("paged:last")


def test_what_no_encoding_can_hold_is_shown_legible() -> None:
    assert shown('lines = ["\\udcff"] * 30', PAGER=NUMBERED)[1][0] == "paged:\\udcff"


def test_less_shows_a_screen_and_q_leaves_it() -> None:
    with at_terminal(HUNDRED) as child:
        child.expect_exact("line 22")
        child.send("q")
        child.expect_exact("the end")
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == 7


def test_ctrl_c_belongs_to_the_pager_while_it_runs() -> None:
    with at_terminal(ENDLESS) as child:
        child.expect_exact("line 22")
        child.send(CTRL_C)
        child.send(" ")
        child.expect_exact("line 40")
        child.send("q")
        child.expect_exact("the end")
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == 7


STUCK = """
    import signal
    def stuck():
        yield from ["line"] * 30
        while True:
            signal.pause()
    lines = stuck()"""


def test_ctrl_c_ends_the_work_when_the_pager_was_left_already() -> None:
    with at_terminal(STUCK.strip(), PAGER="head -n 1") as child:
        child.expect_exact("line")
        for _ in range(300):
            child.send(CTRL_C)
            if child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=0.2) == 0:
                break
        child.wait()
        assert child.exitstatus == 130


def test_a_request_to_terminate_ends_the_pager_too(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with at_terminal(STUCK.strip(), PAGER=f"echo $$ > {note}; exec less -+F") as child:
        child.expect_exact("line")
        child.kill(15)
        child.expect_exact("Stopped by a request to terminate.")
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == 143
    assert not Path(f"/proc/{note.read_text().strip()}").exists()


def test_a_failure_in_the_middle_is_told_when_the_pager_was_left() -> None:
    failing = """
    def failing():
        yield from ["line"] * 30
        raise KeyboardInterrupt
    lines = failing()"""
    with at_terminal(failing.strip().replace("KeyboardInterrupt", "ValueError('broken')")) as child:
        child.expect_exact("line")
        child.send("q")
        child.expect_exact("ValueError: broken")
