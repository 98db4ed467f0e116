"""What would be lost with a container, in words."""

from __future__ import annotations

import pytest

from snapshot.engine.types import Config, Container
from snapshot.errors import Refused
from snapshot.workflow.unsaved import Loss, Unsaved, agreed

BOX = Container(
    id="0" * 64, name="box", image_id="sha256:1", image_name="base", state="exited", exit_code=0,
    created="", config=Config(), mounts=(),
)  # fmt: skip


def loss(paths: int | None, *volumes: str, runs: bool = False) -> Loss:
    return Loss(BOX, Unsaved(paths), volumes, runs)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (loss(1), "loses 1 changed path that no image holds"),
        (loss(1234), "loses 1,234 changed paths that no image holds"),
        (loss(None), "loses changes that no image may hold (the engine does not tell)"),
        (loss(0, "/a", "/b"), "loses the data of 2 anonymous volumes"),
        (loss(0, runs=True), "ends its processes"),
        (
            loss(2, "/a", runs=True),
            "ends its processes and loses 2 changed paths that no image holds"
            " and the data of 1 anonymous volume",
        ),
    ],
)
def test_a_loss_is_said_in_words(given: Loss, words: str) -> None:
    assert given.in_words() == words


@pytest.mark.parametrize(
    ("given", "loses"),
    [
        (loss(0), False),
        (loss(0, runs=True), False),
        (loss(2), True),
        (loss(None), True),
        (loss(0, "/a"), True),
    ],
)
def test_what_nobody_can_tell_counts_as_lost(given: Loss, loses: bool) -> None:
    assert given.loses_data is loses


def test_where_nobody_can_be_asked_it_is_refused_with_the_way_to_keep_the_changes() -> None:
    with pytest.raises(Refused) as refused:
        agreed(loss(3), "Removing 'box'", None)

    assert refused.value.what == "Removing 'box' loses 3 changed paths that no image holds."
    assert refused.value.hint is not None
    assert "snap commit box" in refused.value.hint


def test_the_answer_is_that_of_the_person() -> None:
    assert agreed(loss(3), "Removing 'box'", lambda _: True)
    assert not agreed(loss(3), "Removing 'box'", lambda _: False)
