from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.engine.types import Config, Image
from snapshot.image.config_edits import ConfigEdits
from snapshot.image.record import RECORD_LABEL
from snapshot.recipe.instructions import (
    AddText,
    AppendText,
    ChangeMode,
    ChangeOwner,
    Copy,
    EditConfig,
    FileContent,
    Instruction,
    LocalPath,
    Remove,
    ReplaceText,
    Run,
    TarFile,
)
from snapshot.recipe.keys import (
    CACHE_LABEL,
    MOST_LABEL_CHARS,
    MOST_WORDS_CHARS,
    KeptStep,
    StepKey,
    cache_label,
    cache_name,
    kept_steps,
    step_keys,
)

BASE = Image(
    "sha256:b0", (), (), "2026", "", "", "amd64", "linux", "", 1, ("sha256:l1", "sha256:l2"), Config()
)
PLAYED: tuple[Instruction, ...] = (
    Copy(LocalPath("src/app.js"), "/web/"),
    Run("npm install", ("TOKEN",)),
    EditConfig(ConfigEdits(cmd=["node", "app.js"])),
)
CONTENTS = ("sha256:aa", "", "")
SECRET = b"0" * 32


def keys(
    played: Sequence[Instruction] = PLAYED,
    contents: Sequence[str] = CONTENTS,
    env: Mapping[str, str] | None = None,
    base: Image = BASE,
    fixed_time_s: int | None = None,
    network: str = "",
    secret: bytes = SECRET,
) -> tuple[StepKey, ...]:
    given = {"TOKEN": "t1"} if env is None else env
    return step_keys(base, played, contents, given, fixed_time_s, network=network, secret=secret)


def first_changed(other: Sequence[StepKey]) -> int:
    """The number of the first step whose key is another than in the plain case, 0 for none."""
    pairs = zip(keys(), other, strict=True)
    return next((number for number, (old, new) in enumerate(pairs, 1) if old.key != new.key), 0)


def test_the_same_steps_on_the_same_base_have_the_same_keys() -> None:
    assert keys() == keys()
    assert len({step.key for step in keys()}) == 3


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"base": replace(BASE, layers=("sha256:l1",))}, 1),
        ({"base": replace(BASE, config=Config(env=("A=1",)))}, 1),
        ({"base": replace(BASE, architecture="arm64")}, 1),
        ({"fixed_time_s": 0}, 1),
        ({"contents": ("sha256:ab", "", "")}, 1),
        ({"env": {"TOKEN": "t2"}}, 2),
        ({"env": {"TOKEN": ""}}, 2),
        ({"env": {}}, 2),
        ({"network": "none"}, 2),
        ({"secret": b"1" * 32}, 1),
        # What a store calls the image, and variables that no run asks for, change nothing.
        ({"base": replace(BASE, id="sha256:b1", tags=("x:1",), created="2027")}, 0),
        ({"base": replace(BASE, config=Config(labels={RECORD_LABEL: "…"}))}, 0),
        ({"env": {"TOKEN": "t1", "OTHER": "x"}}, 0),
    ],
)
def test_a_changed_input_changes_the_key_of_its_step(change: dict[str, Any], number: int) -> None:
    assert first_changed(keys(**change)) == number


def test_a_changed_step_changes_the_keys_of_all_that_follow() -> None:
    other = keys(contents=("sha256:ab", "", ""))
    assert not {step.key for step in keys()} & {step.key for step in other}
    assert [step.own_inputs for step in other[1:]] == [step.own_inputs for step in keys()[1:]]


def test_a_file_is_known_by_its_own_name_and_not_by_the_folder_it_lies_in() -> None:
    moved = (Copy(LocalPath("elsewhere/app.js"), "/web/"), *PLAYED[1:])
    renamed = (Copy(LocalPath("src/main.js"), "/web/"), *PLAYED[1:])
    assert first_changed(keys(moved)) == 0
    assert first_changed(keys(renamed)) == 1


ALIKE: list[Instruction] = [
    Copy(LocalPath("a"), "/b"),
    Copy(LocalPath("a"), "/b", owner="1"),
    Copy(LocalPath("a"), "/b", mode="1"),
    Copy(LocalPath("b"), "/b"),
    Copy(TarFile("a"), "/b"),
    Copy(FileContent("a", b"", mtime_s=1), "/b"),
    AddText("/a", "b"),
    AddText("/a", "b", owner="1"),
    AddText("/a", "b", mode="1"),
    AppendText("/a", "b"),
    ReplaceText("/a", "b", ""),
    ReplaceText("/a", "b", "", all=True),
    ReplaceText("/a", "", "b"),
    Remove("/a"),
    ChangeMode("/a", "b"),
    ChangeOwner("/a", "b"),
    Run("a"),
    Run(("a",)),
    Run("a", ("B",)),
    Run("a", (), "none"),
    Run("a", user="1"),
    Run("a", working_dir="/a"),
    EditConfig(ConfigEdits(env={"a": "b"})),
    EditConfig(ConfigEdits(env={"a": "b", "c": "d"})),
    EditConfig(ConfigEdits(env={"c": "d", "a": "b"})),
    EditConfig(ConfigEdits(labels={"a": "b"})),
    EditConfig(ConfigEdits(cmd="a")),
    EditConfig(ConfigEdits(cmd=["a"])),
    EditConfig(ConfigEdits(cmd=["a", "b"])),
    EditConfig(ConfigEdits(cmd=[])),
    EditConfig(ConfigEdits()),
]


def test_no_two_different_instructions_have_one_key() -> None:
    found = {keys([instruction], [""])[0].key for instruction in ALIKE}
    assert len(found) == len(ALIKE)


def test_names_of_files_and_texts_need_not_be_unicode() -> None:
    played: list[Instruction] = [Copy(LocalPath("caf\udce9"), "/\udcff"), AddText("/\udce9", "\udce9")]
    label = cache_label([KeptStep(step, "--copy caf\udce9", 0.0) for step in keys(played, ["", ""])])
    assert [step.words for step in kept_steps({CACHE_LABEL: label})] == ["--copy caf\udce9"] * 2


def test_inputs_are_called_what_people_call_them() -> None:
    names = [[name for name, _ in step.inputs] for step in keys(fixed_time_s=1)]
    assert names == [
        ["base", "fixed time", "instruction", "content of app.js"],
        ["instruction", "env TOKEN", "network"],
        ["instruction"],
    ]


def test_who_lacks_the_secret_cannot_tell_a_value_by_trying_it() -> None:
    label = cache_label([KeptStep(step, "--run", 0.0) for step in keys(env={"TOKEN": "1234"})])
    steps = kept_steps({CACHE_LABEL: label})
    tried = [keys(env={"TOKEN": "1234"}, secret=secret) for secret in (b"", b"1" * 32)]
    for attempt in tried:
        assert not {step.key for step in attempt} & {step.key.key for step in steps}
        assert not {item for step in attempt for item in step.inputs} & {
            item for step in steps for item in step.key.inputs
        }


def test_a_result_is_kept_under_the_first_half_of_its_key() -> None:
    assert cache_name("0123456789abcdef" * 4) == "docker-snap-cache:0123456789abcdef0123456789abcdef"


def kept(count: int, words: str = "--run x") -> list[KeptStep]:
    played: list[Instruction] = [Run(f"step {number}", ("A", "B")) for number in range(count)]
    return [KeptStep(key, words, 1.25) for key in keys(played, [""] * count)]


def test_the_label_holds_the_steps() -> None:
    assert kept_steps({CACHE_LABEL: cache_label(kept(30))}) == tuple(kept(30))
    assert kept_steps({"other": "x"}) == ()


def test_long_words_are_cut() -> None:
    (step,) = kept_steps({CACHE_LABEL: cache_label(kept(1, "x" * 5000))})
    assert len(step.words) == MOST_WORDS_CHARS
    assert step.words.endswith("…")


def test_too_many_steps_give_no_label() -> None:
    assert 0 < len(cache_label(kept(250))) <= MOST_LABEL_CHARS
    assert cache_label(kept(2000)) == ""


def label_of(value: object) -> str:
    return base64.b64encode(zlib.compress(json.dumps(value).encode())).decode()


KEY = "0" * 64
DAMAGED = {
    "no base64": "?",
    "no zlib": base64.b64encode(b"x").decode(),
    "cut off": cache_label(kept(3))[:-8],
    "a bomb": base64.b64encode(zlib.compress(b"[" * (30 << 20))).decode(),
    "too long": "A" * (MOST_LABEL_CHARS + 1),
    "deep": base64.b64encode(zlib.compress(b"[" * 100_000)).decode(),
    "another schema": label_of({"schema": 2, "steps": [[KEY, [], "", 1]]}),
    "a list": label_of([]),
    "no steps": label_of({"schema": 1, "steps": []}),
    "too many": label_of({"schema": 1, "steps": [0] * 10_001}),
    "no step": label_of({"schema": 1, "steps": [5]}),
    "a short step": label_of({"schema": 1, "steps": [[KEY, [], ""]]}),
    "a short key": label_of({"schema": 1, "steps": [[KEY[1:], [], "", 1]]}),
    "no words": label_of({"schema": 1, "steps": [[KEY, [], 5, 1]]}),
    "a true duration": label_of({"schema": 1, "steps": [[KEY, [], "", True]]}),
    "no duration": label_of({"schema": 1, "steps": [[KEY, [], "", float("nan")]]}),
    "endless": label_of({"schema": 1, "steps": [[KEY, [], "", float("inf")]]}),
    "huge": label_of({"schema": 1, "steps": [[KEY, [], "", 10**400]]}),
    "negative": label_of({"schema": 1, "steps": [[KEY, [], "", -1]]}),
    "inputs as text": label_of({"schema": 1, "steps": [[KEY, "ab", "", 1]]}),
    "an input as text": label_of({"schema": 1, "steps": [[KEY, ["ab"], "", 1]]}),
    "an input of numbers": label_of({"schema": 1, "steps": [[KEY, [[1, 2]], "", 1]]}),
    "a long digest": label_of({"schema": 1, "steps": [[KEY, [["a", KEY]], "", 1]]}),
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_label_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever is wrong, nothing else may come out
        kept_steps({CACHE_LABEL: text})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(KEY),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


@given(st.lists(_JSON, max_size=4))
def test_any_label_is_read_or_refused(steps: list[object]) -> None:
    try:
        found = kept_steps({CACHE_LABEL: label_of({"schema": 1, "steps": steps})})
    except ValueError:
        return
    assert len(found) == len(steps)
