"""Steps as JSON: small, whole, and refused where they are something else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.journal.step import VERBS, Copied, Step, StepChanges
from snapshot.journal.step_json import step_from_json, step_to_json

COUNTS = st.integers(0, 10**12)
TEXTS = st.lists(st.text(), max_size=3).map(tuple)
CHANGES = st.builds(
    StepChanges, added=COUNTS, changed=COUNTS, deleted=COUNTS, listed=TEXTS, exact=st.booleans()
)
STEPS = st.builds(
    Step,
    number=COUNTS,
    verb=st.sampled_from(VERBS),
    argv=TEXTS,
    user=st.text(),
    working_dir=st.text(),
    env_names=TEXTS,
    copied=st.lists(st.builds(Copied, st.text(), st.text(), COUNTS), max_size=2).map(tuple),
    started=st.text(),
    duration_s=st.none() | st.floats(0, 1e9),
    exit_code=st.none() | st.integers(-1, 255),
    changes=st.none() | CHANGES,
    session=st.text(),
    interrupted=st.booleans(),
    overlaps=st.booleans(),
    cut=st.booleans(),
)


@given(STEPS)
def test_a_step_survives_json(step: Step) -> None:
    assert step_from_json(json.loads(json.dumps(step_to_json(step)))) == step


def test_a_patch_is_kept_with_what_it_copied() -> None:
    step = Step(1, "patch", ("--copy", "app.js:/web/"), copied=(Copied("/web/app.js", "ab" * 32, 3),))
    assert step_to_json(step) == {
        "number": 1,
        "verb": "patch",
        "argv": ["--copy", "app.js:/web/"],
        "copied": [{"path": "/web/app.js", "sha256": "ab" * 32, "size_bytes": 3}],
    }
    assert step_from_json(step_to_json(step)) == step


def test_what_says_nothing_is_left_out() -> None:
    assert step_to_json(Step(3, "exec", ("true",))) == {"number": 3, "verb": "exec", "argv": ["true"]}
    full = Step(
        1,
        "cp",
        ("./a", "box:/a"),
        copied=(Copied("/a", "ab", 3),),
        duration_s=0.0,
        exit_code=0,
        changes=StepChanges(1, listed=("A /a",), exact=False),
        cut=True,
    )
    assert step_to_json(full) == {
        "number": 1,
        "verb": "cp",
        "argv": ["./a", "box:/a"],
        "copied": [{"path": "/a", "sha256": "ab", "size_bytes": 3}],
        "duration_s": 0.0,
        "exit_code": 0,
        "changes": {"added": 1, "listed": ["A /a"], "exact": False},
        "cut": True,
    }


def test_nothing_changed_is_told_from_nobody_looked() -> None:
    assert step_from_json({"number": 1, "verb": "exec", "changes": {}}).changes == StepChanges()
    assert step_from_json({"number": 1, "verb": "exec"}).changes is None


def test_what_a_later_version_adds_is_passed_over() -> None:
    assert step_from_json({"number": 1, "verb": "run", "mood": 3, "changes": {"x": 1}}).number == 1


WRONG_FIELDS: list[dict[str, Any]] = [
    {"number": "1"},
    {"number": True},
    {"number": -1},
    {"number": 1.0},
    {"argv": "sh"},
    {"argv": [1]},
    {"argv": None},
    {"user": 0},
    {"env_names": {"A": 1}},
    {"cut": 1},
    {"overlaps": "yes"},
    {"exit_code": "0"},
    {"exit_code": False},
    {"exit_code": -(10**4000)},
    {"number": 10**4000},
    {"changes": {"added": 10**4000}},
    {"duration_s": "1"},
    {"duration_s": float("nan")},
    {"duration_s": float("inf")},
    {"duration_s": -1},
    {"changes": []},
    {"changes": {"added": "1"}},
    {"changes": {"added": -1}},
    {"changes": {"listed": [None]}},
    {"changes": {"exact": 0}},
    {"copied": {}},
    {"copied": ["/a"]},
    {"copied": [{"path": "/a"}]},
    {"copied": [{"path": "/a", "sha256": "ab", "size_bytes": None}]},
]


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "step",
        {},
        {"number": 1},
        {"number": 1, "verb": "fly"},
        {"number": 1, "verb": ["run"]},
        {"verb": "run"},
        *({"number": 1, "verb": "run", **wrong} for wrong in WRONG_FIELDS),
    ],
)
def test_what_is_no_step_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="step"):
        step_from_json(value)


def test_what_is_said_of_a_wrong_verb_is_short() -> None:
    with pytest.raises(ValueError, match="verb") as caught:
        step_from_json({"number": 1, "verb": "x" * 100_000})
    assert len(str(caught.value)) < 200


def test_a_number_too_large_for_a_float_is_no_crash() -> None:
    assert step_from_json({"number": 1, "verb": "run", "duration_s": 10**400}).number == 1
