from __future__ import annotations

from pathlib import Path

import pytest

from snapshot.errors import InvalidInput
from snapshot.journal.journal import Journal
from snapshot.journal.marks import EMPTY_LOOK, Look
from snapshot.journal.step import Step
from snapshot.workflow.diff import look_after

#: How a journal is read by its numbers: ``None`` for a step at whose end nobody could look.
LOOKS = {
    1: Look({"/a": "A"}, True),
    2: None,
    3: Look({}, True),
    4: Look({"/b": "A"}, True),
    5: Look({}, True),
}


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A journal with a step for each look and one that is still at work."""
    kept = Journal(tmp_path / "journals", "ab" * 32)
    before: Look | None = EMPTY_LOOK
    for number, look in LOOKS.items():
        assert kept.begin(Step(0, "run" if number == 1 else "exec"), before) == number
        kept.end(number, look, exit_code=0, duration_s=1.0)
        before = look
    kept.begin(Step(0, "exec"), before)
    return kept


def test_the_look_at_the_end_of_a_step_is_given(journal: Journal) -> None:
    assert look_after(journal, "box", 0) == EMPTY_LOOK
    assert look_after(journal, "box", 1) == LOOKS[1]
    assert look_after(journal, "box", 4) == LOOKS[4]


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (2, "What 'box' had changed when step 2 ended is not known (any more)."),
        (6, "Step 6 of 'box' has not ended."),
        (7, "The journal of 'box' has no step 7."),
        (-1, "The journal of 'box' has no step -1."),
    ],
)
def test_a_step_without_a_look_is_refused_with_those_that_have_one(
    journal: Journal, number: int, what: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        look_after(journal, "box", number)
    assert caught.value.what == what
    assert caught.value.hint == (
        "There is what it had changed after steps 0, 1, 3 to 5; 0 is the container as it was made."
    )


def test_a_container_without_a_journal_has_the_beginning_alone(tmp_path: Path) -> None:
    empty = Journal(tmp_path, "ab" * 32)
    assert look_after(empty, "box", 0) == EMPTY_LOOK
    with pytest.raises(InvalidInput) as caught:
        look_after(empty, "box", 1)
    assert "after step 0; 0 is" in (caught.value.hint or "")
