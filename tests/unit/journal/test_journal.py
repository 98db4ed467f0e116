"""The journal of a container: numbers, ends, what was done behind snap's back, looks, commits."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from snapshot.journal import looks
from snapshot.journal.journal import Journal
from snapshot.journal.marks import EMPTY_LOOK, Look
from snapshot.journal.step import Copied, Step, StepChanges

ID = "ab" * 32
OTHER_ID = "cd" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journals"


@pytest.fixture
def journal(folder: Path) -> Journal:
    return Journal(folder, ID)


def look(**marks: str) -> Look:
    return Look({"/" + name: mark for name, mark in marks.items()}, True)


def draft(verb: str = "exec", *argv: str) -> Step:
    return Step(0, verb, argv or ("true",), started="2024-01-02T03:04:05Z")


def done(journal: Journal, before: Look | None, after: Look | None, verb: str = "exec") -> Step:
    number = journal.begin(draft(verb), before)
    return journal.end(number, after, exit_code=0, duration_s=0.5)


def test_a_step_is_kept_whole(journal: Journal, folder: Path) -> None:
    begun = Step(
        0,
        "exec",
        ("sh", "-c", "echo …"),
        user="root",
        working_dir="/srv",
        env_names=("WHO",),
        started="2024-01-02T03:04:05Z",
        cut=True,
    )
    number = journal.begin(begun, EMPTY_LOOK, name="box", image_id="sha256:1")
    assert number == 1
    copied = (Copied("/a", "ab", 3),)
    step = journal.end(1, look(a="A1"), exit_code=3, duration_s=1.25, session="1", copied=copied)
    assert step == begun._replace(
        number=1,
        exit_code=3,
        duration_s=1.25,
        session="1",
        copied=copied,
        changes=StepChanges(1, listed=("A /a",)),
    )
    assert Journal(folder, ID).steps() == (step,)


def test_the_first_line_names_the_container(journal: Journal, folder: Path) -> None:
    journal.begin(draft("run"), None, name="box", image_id="sha256:1")
    first = (folder / ID / "steps.jsonl").read_text().splitlines()[0]
    assert f'"container":"{ID}","name":"box","image":"sha256:1"' in first


def test_another_container_of_the_same_name_has_another_journal(journal: Journal, folder: Path) -> None:
    done(journal, EMPTY_LOOK, EMPTY_LOOK)
    other = Journal(folder, OTHER_ID)
    assert other.steps() == ()
    assert other.begin(draft(), EMPTY_LOOK, name="box") == 1
    assert len(journal.steps()) == 1


@pytest.mark.parametrize("name", ["", "box", "../" + ID, "AB" * 32, ID + "a", "a/b"])
def test_only_an_id_becomes_a_path(folder: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is no container ID"):
        Journal(folder, name)


def test_a_step_is_held_against_the_one_before_it(journal: Journal) -> None:
    done(journal, EMPTY_LOOK, look(a="A1"))
    assert done(journal, look(a="A1"), look(a="A2", b="C1")).changes == StepChanges(
        changed=2, listed=("C /a", "C /b")
    )
    assert done(journal, look(a="A2", b="C1"), look(b="C1")).changes == StepChanges(
        deleted=1, listed=("D /a",)
    )


def test_what_was_done_behind_our_back_becomes_a_step_of_its_own(journal: Journal) -> None:
    done(journal, EMPTY_LOOK, look(a="A1"))
    step = done(journal, look(a="A1", b="A1"), look(a="A1", b="A1", c="A1"))
    first, unknown, last = journal.steps()
    assert (first.number, unknown.number, last.number) == (1, 2, 3)
    assert unknown.verb == "unknown"
    assert unknown.changes == StepChanges(1, listed=("A /b",))
    assert not unknown.interrupted
    assert last == step
    assert last.changes == StepChanges(1, listed=("A /c",))


def test_what_a_container_had_before_its_journal_began_is_an_unknown_step(journal: Journal) -> None:
    assert journal.begin(draft(), look(a="A1")) == 2
    assert [step.verb for step in journal.steps()] == ["unknown", "exec"]


def test_no_unknown_step_is_written_while_somebody_is_at_work(journal: Journal) -> None:
    first = journal.begin(draft("run"), EMPTY_LOOK)
    second = journal.begin(draft(), look(a="A1"))
    assert (first, second) == (1, 2)
    assert journal.note_unknown(look(a="A1")) is None
    assert journal.end(second, look(a="A1"), exit_code=0, duration_s=1).overlaps
    assert journal.end(first, look(a="A1"), exit_code=0, duration_s=2).overlaps
    assert [step.overlaps for step in journal.steps()] == [True, True]
    assert [step.changes for step in journal.steps()] == [StepChanges(), StepChanges(1, listed=("A /a",))]


def test_steps_one_after_the_other_do_not_overlap(journal: Journal) -> None:
    for _ in range(3):
        assert not done(journal, None, None).overlaps
    assert not any(step.overlaps for step in journal.steps())


def test_unknown_changes_are_noted_when_asked_for_and_once(journal: Journal) -> None:
    done(journal, EMPTY_LOOK, look(a="A1"))
    step = journal.note_unknown(look(a="A2"))
    assert step is not None
    assert (step.number, step.verb, step.changes) == (2, "unknown", StepChanges(changed=1, listed=("C /a",)))
    assert journal.note_unknown(look(a="A2")) is None
    assert journal.note_unknown(None) is None
    assert journal.steps()[1:] == (step,)


def test_a_container_without_changes_gets_no_journal_by_looking(journal: Journal, folder: Path) -> None:
    assert journal.note_unknown(EMPTY_LOOK) is None
    assert journal.steps() == ()
    assert journal.last_commit() is None
    assert not folder.exists()


def test_where_nobody_could_look_nothing_is_said_to_have_changed(journal: Journal) -> None:
    assert done(journal, EMPTY_LOOK, None).changes is None
    assert journal.look_at(1) is None
    assert done(journal, None, look(a="A1")).changes == StepChanges(1, listed=("A /a",))


def test_a_step_at_work_has_no_end_yet(journal: Journal, folder: Path) -> None:
    journal.begin(draft(), None)
    (step,) = Journal(folder, ID).steps()
    assert (step.exit_code, step.duration_s, step.interrupted) == (None, None, False)


def test_a_step_can_be_ended_by_another_object(journal: Journal, folder: Path) -> None:
    number = journal.begin(draft("exec", "vi", "/a"), None)
    step = Journal(folder, ID).end(number, None, exit_code=0, duration_s=1)
    assert step.argv == ("vi", "/a")
    assert journal.steps() == (step,)


def test_looks_are_kept_by_step(journal: Journal) -> None:
    done(journal, EMPTY_LOOK, look(a="A1"))
    done(journal, look(a="A1"), EMPTY_LOOK)
    assert journal.look_at(0) == EMPTY_LOOK
    assert journal.look_at(1) == look(a="A1")
    assert journal.look_at(2) == EMPTY_LOOK
    assert journal.look_at(3) is None


def test_only_the_newest_looks_are_kept_and_those_still_needed(
    journal: Journal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "MOST_KEPT", 5)
    long_one = journal.begin(draft("run"), EMPTY_LOOK)
    done(journal, None, look(a="A1"))
    journal.committed("sha256:1")
    for _ in range(10):
        done(journal, None, look(a="A2"))
    journal.end(long_one, look(b="A1"), exit_code=0, duration_s=1)
    assert done(journal, look(b="A1"), look(b="A1")).changes == StepChanges()
    assert len(list((folder / ID / "looks").iterdir())) == 5
    commit = journal.last_commit()
    assert commit is not None
    assert commit.look == look(a="A1")


def test_the_newest_commit_is_known_with_what_it_holds(journal: Journal) -> None:
    assert journal.last_commit() is None
    journal.committed("sha256:0")
    commit = journal.last_commit()
    assert commit == ("sha256:0", EMPTY_LOOK)
    done(journal, EMPTY_LOOK, look(a="A1"))
    journal.committed("sha256:1")
    done(journal, look(a="A1"), look(a="A2"))
    assert journal.last_commit() == ("sha256:1", look(a="A1"))
    assert [step.number for step in journal.steps()] == [1, 2]


def test_forgetting_removes_everything_of_that_container_alone(journal: Journal, folder: Path) -> None:
    done(journal, EMPTY_LOOK, look(a="A1"))
    journal.sessions_folder.mkdir(parents=True)
    (journal.sessions_folder / "1.cast").write_text("{}")
    other = Journal(folder, OTHER_ID)
    done(other, EMPTY_LOOK, look(a="A1"))
    journal.forget()
    assert journal.sessions_folder == folder.parent / "sessions" / ID
    assert not journal.sessions_folder.exists()
    assert list(folder.iterdir()) == [folder / OTHER_ID]
    assert journal.steps() == ()
    assert len(other.steps()) == 1
    journal.forget()


def test_a_step_that_ends_after_its_journal_was_forgotten_leaves_nothing(
    journal: Journal, folder: Path
) -> None:
    number = journal.begin(draft(), None)
    journal.forget()
    assert journal.end(number, look(a="A1"), exit_code=0, duration_s=1).exit_code == 0
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("jump_s", [-86400 * 365, 86400 * 365])
def test_a_clock_that_jumps_changes_no_order(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, jump_s: int
) -> None:
    real = time.gmtime
    now = time.time()
    for turn in range(3):
        monkeypatch.setattr(time, "gmtime", lambda at=now + turn * jump_s: real(at))
        number = journal.begin(draft()._replace(started=""), None)
        journal.end(number, None, exit_code=0, duration_s=0.25 + turn)
    steps = journal.steps()
    assert [step.number for step in steps] == [1, 2, 3]
    assert [step.duration_s for step in steps] == [0.25, 1.25, 2.25]
    assert len({step.started[:4] for step in steps}) == 3


def test_nobody_else_can_read_a_journal(journal: Journal, folder: Path) -> None:
    before = os.umask(0)
    try:
        done(journal, EMPTY_LOOK, look(a="A1"))
    finally:
        os.umask(before)
    for path in [folder.parent, folder, *folder.rglob("*")]:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_what_others_could_read_is_taken_from_them(journal: Journal, folder: Path) -> None:
    done(journal, EMPTY_LOOK, look(a="A1"))
    (folder / ID).chmod(0o755)
    (folder / ID / "steps.jsonl").chmod(0o644)
    done(journal, look(a="A1"), look(a="A1"))
    assert stat.S_IMODE((folder / ID).stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / ID / "steps.jsonl").stat().st_mode) == 0o600


def test_words_that_are_no_utf8_are_kept(journal: Journal) -> None:
    number = journal.begin(draft("exec", "\udcff", "ä\n"), None)
    journal.end(number, None, exit_code=0, duration_s=0)
    assert journal.steps()[0].argv == ("\udcff", "ä\n")
