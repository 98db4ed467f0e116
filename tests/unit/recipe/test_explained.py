from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from snapshot.engine.types import Config, Image
from snapshot.image.config_edits import ConfigEdits
from snapshot.recipe.explained import best_reordering, explained
from snapshot.recipe.instructions import AddText, Copy, EditConfig, Instruction, LocalPath, Run
from snapshot.recipe.keys import KeptStep, StepKey, step_keys

BASE = Image("sha256:b0", (), (), "", "", "", "amd64", "linux", "", 1, ("sha256:l1",), Config())
APP = Copy(LocalPath("app.js"), "/web/")
PACKAGES = Run("apt-get install node", ("TOKEN",))
MODULES = Run("npm install")
COMMAND = EditConfig(ConfigEdits(cmd=["node", "app.js"]))
PLAIN = (APP, PACKAGES, MODULES, COMMAND)
WORDS: dict[int, str] = {
    id(APP): "--copy app.js:/web/",
    id(PACKAGES): "--run apt-get install node",
    id(MODULES): "--run npm install",
    id(COMMAND): "--cmd node app.js",
}
SECONDS: dict[int, float] = {id(PACKAGES): 2.0, id(MODULES): 0.34}


def words(played: Sequence[Instruction]) -> list[str]:
    return [WORDS.get(id(item), f"--other {item!r}") for item in played]


def keys(
    played: Sequence[Instruction] = PLAIN,
    content: str = "sha256:aa",
    env: Mapping[str, str] | None = None,
    base: Image = BASE,
    fixed_time_s: int | None = None,
    network: str = "",
) -> tuple[StepKey, ...]:
    contents = [content if isinstance(item, Copy) else "" for item in played]
    values = {"TOKEN": "t1"} if env is None else env
    return step_keys(base, played, contents, values, fixed_time_s, network=network, secret=b"s")


def chain(played: Sequence[Instruction] = PLAIN, count: int | None = None) -> list[KeptStep]:
    steps = zip(keys(played), words(played), played, strict=True)
    return [KeptStep(key, text, SECONDS.get(id(item), 0.0)) for key, text, item in steps][:count]


def told(
    new: Sequence[StepKey],
    played: Sequence[Instruction] = PLAIN,
    kept: Sequence[Sequence[KeptStep]] | None = None,
    hits: int = 0,
    ends: Sequence[int] = (),
) -> list[tuple[str, str]]:
    chains = [chain()] if kept is None else kept
    found = explained(new, words(played), chains, hits, ends=ends)
    assert [step.number for step in found] == list(range(1, len(played) + 1))
    assert [step.words for step in found] == words(played)
    return [(step.status, step.why) for step in found]


def redone(number: int) -> tuple[str, str]:
    return "redone", f"as step {number} is made again"


def test_steps_whose_results_were_used_are_hits() -> None:
    assert told(keys(), hits=4) == [("hit", "")] * 4


def test_where_nothing_was_kept_all_is_new() -> None:
    assert told(keys(), kept=[]) == [("miss", "not seen before")] * 4


def test_a_changed_file_is_named_and_what_follows_is_made_again_for_it() -> None:
    assert told(keys(content="sha256:ab")) == [("miss", "content of app.js changed"), *[redone(1)] * 3]


@pytest.mark.parametrize(
    ("env", "why"),
    [
        ({"TOKEN": "t2"}, "env TOKEN has another value"),
        ({}, "env TOKEN has another value"),
    ],
)
def test_a_changed_variable_is_named_without_its_value(env: dict[str, str], why: str) -> None:
    assert told(keys(env=env), hits=1) == [("hit", ""), ("miss", why), *[redone(2)] * 2]


def test_a_variable_that_a_run_did_not_ask_for_before_is_named() -> None:
    played = (APP, PACKAGES, replace(MODULES, env_names=("CI",)), COMMAND)
    assert told(keys(played), played, hits=2)[2] == ("miss", "env CI was not given before")
    kept = [chain(played)]
    assert told(keys(), kept=kept, hits=2)[2] == ("miss", "env CI is not given any more")


def test_a_changed_network_and_a_changed_value_are_both_told() -> None:
    why = told(keys(env={"TOKEN": "t2"}, network="none"), hits=1)[1][1]
    assert why == "env TOKEN has another value; network changed"


def test_a_changed_base_makes_all_again() -> None:
    other = replace(BASE, layers=("sha256:l9",))
    assert told(keys(base=other)) == [("miss", "base image changed"), *[redone(1)] * 3]


def test_a_fixed_time_makes_all_again() -> None:
    why = "a fixed time was given, or is not any more"
    assert told(keys(fixed_time_s=1)) == [("miss", why), *[redone(1)] * 3]
    kept = [[KeptStep(key, "x", 0.0) for key in keys(fixed_time_s=1)]]
    assert told(keys(fixed_time_s=2), kept=kept)[0] == ("miss", "the fixed time changed")


def test_another_instruction_is_told_with_what_it_was() -> None:
    played = (APP, PACKAGES, Run("npm ci"), COMMAND)
    why = "the instruction changed: was --run npm install"
    assert told(keys(played), played, hits=2)[2:] == [("miss", why), redone(3)]


def test_a_step_that_is_new_between_others_is_not_taken_for_the_next_one() -> None:
    played = (APP, PACKAGES, AddText("/etc/motd", "hello"), MODULES, COMMAND)
    assert told(keys(played), played, hits=2)[2:] == [
        ("miss", "not seen before"),
        redone(3),
        redone(3),
    ]


def test_steps_in_another_order_are_told_where_they_were() -> None:
    played = (PACKAGES, MODULES, APP, COMMAND)
    assert told(keys(played), played) == [
        ("miss", "it was step 2 before"),
        *[redone(1)] * 3,
    ]


def test_steps_after_the_last_one_that_was_kept_are_new() -> None:
    assert told(keys(), kept=[chain(count=2)], hits=2)[2:] == [("miss", "not seen before")] * 2


def test_a_result_that_is_gone_is_told_apart_from_a_changed_step() -> None:
    gone = ("redone", "no result of it is kept here")
    assert told(keys(), hits=2) == [*[("hit", "")] * 2, gone, gone]


def test_an_edit_that_shares_a_layer_with_a_changed_one_is_made_again_with_it() -> None:
    edits = (AddText("/a", "1"), AddText("/b", "1"), MODULES)
    changed = (edits[0], AddText("/b", "2"), MODULES)
    steps = told(keys(changed), changed, kept=[chain(edits)], ends=(2, 3))
    assert steps[0] == ("redone", "it is made together with step 2")
    assert steps[1][0] == "miss"
    assert steps[2] == redone(2)


def test_without_the_cache_no_reason_is_sought() -> None:
    found = explained(keys(), words(PLAIN), [chain()], 0, use_cache=False)
    assert {(step.status, step.why) for step in found} == {("redone", "kept results were not to be used")}


def test_the_kept_steps_that_are_most_alike_are_compared() -> None:
    other = [KeptStep(key, "x", 0.0) for key in keys(base=replace(BASE, layers=("sha256:l9",)))]
    short = chain(count=1)
    for kept in ([other, short, chain()], [chain(), short, other]):
        assert told(keys(env={"TOKEN": "t2"}), kept=kept, hits=1)[1:] == [
            ("miss", "env TOKEN has another value"),
            *[redone(2)] * 2,
        ]


def test_kept_steps_in_another_order_are_more_alike_than_others() -> None:
    played = (PACKAGES, APP)
    kept = [chain((MODULES, COMMAND)), chain((APP, PACKAGES))]
    assert told(keys(played), played, kept) == [("miss", "it was step 2 before"), redone(1)]


def test_a_changed_step_before_slow_ones_should_stand_after_them() -> None:
    new = keys(content="sha256:ab")
    assert best_reordering(new, words(PLAIN), [chain()], 0) == (
        "If step 1 (--copy app.js:/web/) stood after step 3, 2.3 s would have been saved,"
        " if those between need nothing of it."
    )


def test_a_single_slow_step_is_named() -> None:
    played = (APP, MODULES)
    new = keys(played, content="sha256:ab")
    assert best_reordering(new, words(played), [chain(played)], 0).endswith(
        "stood after step 2, 0.3 s would have been saved, if step 2 needs nothing of it."
    )


def test_only_steps_up_to_the_next_change_would_have_been_saved() -> None:
    played = (APP, PACKAGES, Run("npm ci"), COMMAND)
    new = keys(played, content="sha256:ab")
    assert "stood after step 2, 2.0 s" in best_reordering(new, words(played), [chain()], 0)


@pytest.mark.parametrize(
    ("new", "kept", "hits"),
    [
        pytest.param(keys(), [chain()], 4, id="all were used"),
        pytest.param(keys(), [], 0, id="nothing was kept"),
        pytest.param(keys(base=replace(BASE, layers=())), [chain()], 0, id="the base changed"),
        pytest.param(keys(fixed_time_s=5), [chain()], 0, id="the time changed"),
        pytest.param(keys((APP, PACKAGES, Run("x"), COMMAND)), [chain()], 2, id="nothing slow follows"),
        pytest.param(keys((*PLAIN[:3], EditConfig())), [chain()], 3, id="it is the last already"),
    ],
)
def test_where_no_order_would_help_none_is_proposed(
    new: Sequence[StepKey], kept: Sequence[Sequence[KeptStep]], hits: int
) -> None:
    assert best_reordering(new, words(PLAIN), kept, hits) == ""


def test_a_long_step_is_shortened_in_the_sentence() -> None:
    sentence = best_reordering(keys(content="sha256:ab"), ["x" * 500, "", "", ""], [chain()], 0)
    assert f"({'x' * 79}…)" in sentence
