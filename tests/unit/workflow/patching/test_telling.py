"""A mistake in one of several steps is told with the step."""

from __future__ import annotations

import pytest

from snapshot.errors import InvalidInput, PathNotFound, SnapError
from snapshot.workflow.patching.telling import told_with_step

WORDS = ["--append /etc/motd=x", "--rm /gone"]


def told(words: list[str], error: SnapError) -> str | None:
    with pytest.raises(SnapError) as caught, told_with_step(words, len(words) - 1):
        raise error
    assert caught.value is error
    return caught.value.hint


def test_the_step_is_named_after_what_is_to_be_done() -> None:
    assert told(WORDS, PathNotFound("There is no '/gone'.")) == "That is step 2: --rm /gone"
    assert told(WORDS, InvalidInput("No.", "Leave it out.")) == "Leave it out. That is step 2: --rm /gone"


def test_the_only_step_needs_no_number() -> None:
    assert told(WORDS[1:], InvalidInput("No.", "Leave it out.")) == "Leave it out."
    assert told(WORDS[1:], InvalidInput("No.")) is None


def test_what_an_engine_failed_at_is_no_mistake_in_a_step() -> None:
    assert told(WORDS, SnapError("The engine refused.")) is None
