"""The journal under many writers, under kill, and with garbage in its files."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from snapshot.errors import DiskFull, SnapError
from snapshot.journal import journal_lines
from snapshot.journal.journal import Journal
from snapshot.journal.journal_lines import locked_lines
from snapshot.journal.marks import EMPTY_LOOK, Look
from snapshot.journal.step import Step, StepChanges

ID = "ab" * 32
ROOT = Path(__file__).parents[3]

#: Does steps one after the other and says each that has ended, until it is done or killed.
WRITER = """
import sys
from pathlib import Path
from snapshot.journal.journal import Journal
from snapshot.journal.marks import Look
from snapshot.journal.step import Step
folder, name, count = sys.argv[1:]
journal = Journal(Path(folder), "ab" * 32)
for turn in range(int(count)):
    number = journal.begin(Step(0, "exec", (name, str(turn), "x" * 300)), None)
    journal.end(number, Look({"/" + name: "A" + str(turn)}, True), exit_code=turn % 256, duration_s=0.5)
    sys.stdout.write(f"{number} {turn}\\n")
    sys.stdout.flush()
"""


def writer(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), name, str(count)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def file_of(folder: Path) -> Path:
    return folder / ID / "steps.jsonl"


def has_open(pid: int, path: Path) -> bool:
    """Whether a process has a file open (on Linux)."""
    with contextlib.suppress(OSError):
        return any(link.resolve() == path for link in Path(f"/proc/{pid}/fd").iterdir())
    return False


def one_step(journal: Journal, name: str = "after") -> Step:
    number = journal.begin(Step(0, "exec", (name,)), None)
    return journal.end(number, EMPTY_LOOK, exit_code=0, duration_s=0.5)


def test_eight_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    writers = [writer(tmp_path, f"writer{number}", 25) for number in range(8)]
    said = [process.communicate(timeout=60)[0] for process in writers]
    assert [process.returncode for process in writers] == [0] * 8
    steps = Journal(tmp_path, ID).steps()
    assert [step.number for step in steps] == list(range(1, 201))
    assert not any(step.interrupted for step in steps)
    done = {(step.argv[0], int(step.argv[1])): step for step in steps}
    for name, text in enumerate(said):
        for line in text.splitlines():
            number, turn = map(int, line.split())
            assert done[f"writer{name}", turn].number == number
            assert done[f"writer{name}", turn].exit_code == turn
    for line in file_of(tmp_path).read_text("ascii").splitlines():
        json.loads(line)


def test_a_killed_writer_loses_the_step_in_hand_alone(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ID)
    chance = random.Random(4)
    ended: dict[int, int] = {}
    for number in range(30):
        process = writer(tmp_path, f"round{number}", 10**6)
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(chance.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        process.wait()
        process.stdout.close()
        for line in (first + rest).splitlines():
            ended_number, turn = map(int, line.split())
            ended[ended_number] = turn
    steps = {step.number: step for step in journal.steps()}
    assert sorted(steps) == list(range(1, len(steps) + 1))
    for number, turn in ended.items():
        assert (steps[number].exit_code, steps[number].interrupted) == (turn % 256, False)
    assert sum(step.interrupted for step in steps.values()) <= 30
    assert not any(step.overlaps for step in steps.values())
    assert one_step(journal).number == len(steps) + 1


def test_a_step_whose_process_is_gone_is_interrupted_and_holds_nobody_up(tmp_path: Path) -> None:
    program = WRITER.replace("    journal.end", "    sys.exit()\n    journal.end")
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), "gone", "1"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    journal = Journal(tmp_path, ID)
    assert [step.interrupted for step in journal.steps()] == [True]
    step = journal.note_unknown(Look({"/a": "A1"}, True))
    assert step is not None
    assert not one_step(journal).overlaps
    assert [step.overlaps for step in journal.steps()] == [False, False, False]


def test_a_later_process_of_the_same_number_is_another_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ID)
    journal.begin(Step(0, "exec"), None)
    path = file_of(tmp_path)
    lines = path.read_text().splitlines()
    line = json.loads(lines[-1])
    line["tally"]["at_work"]["1"][1] = "1"
    path.write_text("\n".join([*lines[:-1], json.dumps(line)]))
    assert journal.steps()[0].interrupted


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.98])
def test_a_torn_last_line_is_passed_over(tmp_path: Path, kept: float) -> None:
    journal = Journal(tmp_path, ID)
    whole = one_step(journal)
    path = file_of(tmp_path)
    size = path.stat().st_size
    journal.begin(Step(0, "exec", ("torn",)), None)
    os.truncate(path, size + max(1, int((path.stat().st_size - size) * kept)))
    assert journal.steps() == (whole,)
    after = one_step(Journal(tmp_path, ID))
    assert after.number == 2
    assert journal.steps() == (whole, after)


def test_a_line_that_lacks_its_end_alone_counts(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ID)
    whole = one_step(journal)
    path = file_of(tmp_path)
    os.truncate(path, path.stat().st_size - 1)
    assert journal.steps() == (whole,)
    assert one_step(Journal(tmp_path, ID)).number == 2
    assert len(journal.steps()) == 2


GARBAGE = [
    b"\xff\xfe\x00",
    b"\x00" * 5000,
    b"{",
    b"{}",
    b"[]",
    b"null",
    b'{"a":' * 50_000,
    b'{"line":"begin"}',
    b'{"line":"end","step":{"number":1,"verb":"exec"}}',
    b'{"line":"end","step":{"number":1,"verb":"exec"},"tally":{"last":"x"}}',
    b'{"tally":{"last":9,"look":0,"committed":0,"at_work":{"1":[0,"",false]}}}',
    b'{"tally":{"last":9,"look":0,"committed":0,"at_work":{"1":[1]}}}',
    b'{"tally":{"last":-9,"look":0,"committed":0,"at_work":{}}}',
    b'{"tally":[]}',
    b"x" * 100_000,
]


@pytest.mark.parametrize("number", range(len(GARBAGE)))
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_foreign_lines_are_passed_over(tmp_path: Path, number: int, end: bytes) -> None:
    path = file_of(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(GARBAGE[number] + end)
    journal = Journal(tmp_path, ID)
    assert journal.steps() == ()
    assert journal.last_commit() is None
    first = one_step(journal)
    with path.open("ab") as file:
        file.write(GARBAGE[number] + end)
    second = one_step(Journal(tmp_path, ID))
    assert (first.number, second.number) == (1, 2)
    assert journal.steps() == (first, second)


def test_a_damaged_look_makes_the_next_changes_unknown_and_no_more(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ID)
    one_step(journal)
    (tmp_path / ID / "looks" / "1").write_bytes(b"garbage")
    assert journal.look_at(1) is None
    assert journal.begin(Step(0, "exec"), Look({"/a": "A1"}, True)) == 2
    assert journal.end(2, Look({"/a": "A1"}, True), exit_code=0, duration_s=1).changes is None
    assert journal.begin(Step(0, "exec"), Look({"/a": "A1"}, True)) == 3
    assert journal.end(3, EMPTY_LOOK, exit_code=0, duration_s=1).changes == StepChanges(
        deleted=1, listed=("D /a",)
    )


def test_who_waits_too_long_for_the_others_is_told_for_which_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_lines, "LOCK_TIMEOUT_S", 0.05)
    journal = Journal(tmp_path, ID)
    whole = one_step(journal)
    with file_of(tmp_path).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SnapError, match=str(file_of(tmp_path))):
            journal.begin(Step(0, "exec"), None)
        assert journal.steps() == (whole,)
    assert one_step(journal).number == 2


def test_a_journal_that_was_removed_meanwhile_is_begun_anew(tmp_path: Path) -> None:
    path = file_of(tmp_path)
    with locked_lines(path):
        process = writer(tmp_path, "late", 1)
        while not has_open(process.pid, path):
            time.sleep(0.01)
        path.unlink()
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert [step.argv[0] for step in Journal(tmp_path, ID).steps()] == ["late"]


def test_a_full_disk_is_said_and_spoils_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path, ID)
    whole = one_step(journal)
    before = file_of(tmp_path).read_bytes()
    write = os.write
    room = 20

    def into_a_full_disk(descriptor: int, data: memoryview) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        room -= (written := write(descriptor, data[:room]))
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", into_a_full_disk)
        with pytest.raises(DiskFull, match="No space left"):
            journal.begin(Step(0, "exec"), None)
    assert file_of(tmp_path).read_bytes() == before
    assert journal.steps() == (whole,)
    assert one_step(journal).number == 2


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    path = file_of(tmp_path)
    path.mkdir(parents=True)
    journal = Journal(tmp_path, ID)
    for ask in (journal.steps, journal.last_commit, lambda: journal.begin(Step(0, "exec"), None)):
        with pytest.raises(SnapError, match=str(path)) as caught:
            ask()
        assert caught.value.hint
