from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from snapshot.engine.types import HistoryEntry
from snapshot.image.history import LayerStep
from snapshot.image.record import chain_id, chain_ids
from snapshot.workflow.layer_sizes import sizes_told


def step(size_bytes: int, layer: int | None, created_by: str = "RUN x") -> LayerStep:
    return LayerStep(HistoryEntry("", created_by, size_bytes=size_bytes), layer)


def untold(layer: int) -> LayerStep:
    return step(0, layer, "")


@given(st.lists(st.sampled_from(["sha256:aa", "sha256:bb", "sha256:cc"])))
def test_chain_ids_are_those_of_all_beginnings(layers: list[str]) -> None:
    expected = [chain_id(tuple(layers[:count])) for count in range(1, len(layers) + 1)]
    assert list(chain_ids(layers)) == expected


def test_steps_without_a_layer_have_no_size() -> None:
    assert sizes_told([step(5, 0), step(0, None), step(7, 1)], [None, None], 12) == [5, 7]


def test_a_layer_without_a_step_has_the_rest() -> None:
    assert sizes_told([step(5, 0), untold(1)], [None, None], 12) == [5, 7]


def test_a_layer_that_is_known_from_another_image_is_not_asked_again() -> None:
    assert sizes_told([step(5, 0), untold(1), untold(2)], [None, 4, None], 12) == [5, 4, 3]


def test_a_rest_is_never_below_nothing() -> None:
    assert sizes_told([step(5, 0), untold(1)], [None, None], 0) == [5, 0]


def test_an_engine_that_says_less_than_nothing_is_not_believed() -> None:
    assert sizes_told([step(-1, 0)], [None], 0) == [0]
