"""What happened between two looks at a container."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.journal.marks import EMPTY_LOOK, Look, changes_between, decode_look, encode_look, step_changes
from snapshot.journal.step import MOST_LISTED, StepChanges


def between(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [f"{change.kind.value} {change.path}" for change in changes_between(before, after)]


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        ("", "A1", "A"),
        ("", "C1", "C"),
        ("", "D", "D"),
        ("A1", "", "D"),
        ("C1", "", "C"),  # changed back to what the image has
        ("D", "", "A"),  # there again, as the image has it
        ("A1", "A1", ""),
        ("A1", "A2", "C"),
        ("C1", "C2", "C"),
        ("A", "A", ""),
        ("D", "D", ""),
        ("D", "Dx", ""),
        ("A1", "C1", "C"),
        ("C1", "A1", "C"),
        ("A1", "D", "D"),
        ("C1", "D", "D"),
        ("D", "C1", "A"),
        ("D", "A1", "A"),
    ],
)
def test_each_pair_of_marks_has_one_meaning(was: str, now: str, expected: str) -> None:
    before = {"/x": was} if was else {}
    after = {"/x": now} if now else {}
    assert between(before, after) == ([f"{expected} /x"] if expected else [])


@pytest.mark.parametrize(("was", "now"), [("A", "A1"), ("C1", "C"), ("Ca:1", "Cd:1"), ("Ca:", "Ca:1")])
def test_marks_that_cannot_be_compared_are_no_change_and_said_to_be_unknown(was: str, now: str) -> None:
    assert between({"/x": was}, {"/x": now}) == []
    changes = step_changes(Look({"/x": was}, True), Look({"/x": now}, True))
    assert changes == StepChanges(exact=False)


def test_marks_of_one_way_can_be_compared() -> None:
    assert between({"/x": "Ca:1:2"}, {"/x": "Ca:1:3"}) == ["C /x"]
    assert step_changes(Look({"/x": "Ca:1"}, True), Look({"/x": "Ca:1"}, True)) == StepChanges()


def test_a_folder_of_the_image_that_goes_away_is_one_change() -> None:
    before = {"/srv/a": "C1", "/srv/b": "D", "/srv/new": "A1"}
    assert between(before, {"/srv": "D"}) == ["D /srv", "D /srv/new"]


def test_a_folder_that_was_added_goes_with_all_that_was_added_in_it() -> None:
    assert between({"/new": "A1", "/new/x": "A2"}, {}) == ["D /new", "D /new/x"]


def test_a_folder_that_comes_back_brings_what_is_in_it_and_no_more() -> None:
    assert between({"/srv": "D"}, {"/srv": "C1", "/srv/a": "C2", "/srv/b": "D"}) == ["A /srv", "A /srv/a"]


def test_changes_are_ordered_by_the_components_of_their_paths() -> None:
    after = {"/a.b": "A", "/a/c": "A", "/a": "A", "/B": "A"}
    assert between({}, after) == ["A /B", "A /a", "A /a/c", "A /a.b"]


def test_few_changes_are_listed_and_many_are_counted() -> None:
    few = {f"/{number:02}": "A1" for number in range(MOST_LISTED)}
    changes = step_changes(EMPTY_LOOK, Look(few, True))
    assert changes is not None
    assert changes.listed[0] == "A /00"
    assert len(changes.listed) == MOST_LISTED
    changes = step_changes(EMPTY_LOOK, Look({**few, "/x": "D", "/y": "C1"}, True))
    assert changes == StepChanges(MOST_LISTED, 1, 1)


def test_changes_are_exact_where_nothing_could_go_unseen() -> None:
    exact, vague = Look({"/x": "A1"}, True), Look({"/x": "A"}, False)
    assert step_changes(EMPTY_LOOK, vague) == StepChanges(1, listed=("A /x",))
    assert step_changes(exact, vague) == StepChanges(exact=False)
    assert step_changes(exact, exact) == StepChanges()


def test_without_a_look_nothing_is_known() -> None:
    assert step_changes(None, EMPTY_LOOK) is None
    assert step_changes(EMPTY_LOOK, None) is None


MARKS = st.dictionaries(st.text(max_size=8), st.builds("".join, st.tuples(st.sampled_from("ACD"), st.text())))


@given(MARKS, st.booleans())
def test_a_look_survives_its_encoding(marks: dict[str, str], exact: bool) -> None:
    assert decode_look(encode_look(Look(marks, exact))) == Look(marks, exact)


def test_a_look_keeps_names_that_are_no_utf8() -> None:
    look = Look({"/\udcff": "A1"}, True)
    assert decode_look(encode_look(look)) == look


@given(MARKS, MARKS)
def test_two_equal_looks_never_differ_and_two_others_always_can_be_held_together(
    before: dict[str, str], after: dict[str, str]
) -> None:
    assert changes_between(before, before) == []
    paths = [change.path for change in changes_between(before, after)]
    assert len(paths) == len(set(paths))


NO_LOOKS: list[object] = [
    [],
    {},
    {"marks": {}},
    {"marks": {"/x": "X"}, "exact": True},
    {"marks": {"/x": ""}, "exact": True},
    {"marks": {"/x": 1}, "exact": True},
    {"marks": [], "exact": True},
    {"marks": {}, "exact": 1},
]


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"garbage",
        encode_look(EMPTY_LOOK)[:-3],
        *(zlib.compress(json.dumps(value).encode()) for value in NO_LOOKS),
        zlib.compress(b"\xff"),
        zlib.compress(b"[" * 100_000),
    ],
)
def test_a_damaged_look_is_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (any words will do)
        decode_look(damaged)
