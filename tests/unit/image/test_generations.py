from __future__ import annotations

import base64
import json
import random
import string
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from snapshot.image.generations import (
    MOST_STEPS_CHARS,
    Generation,
    at_a_fixed_time,
    folded_at_a_fixed_time,
    for_an_image,
    generations_of,
    history_entries,
    steps_label,
    steps_since,
)
from snapshot.image.record import STEPS_LABEL, Base, Record, RecordDamaged
from snapshot.journal.step import Copied, Step, StepChanges

CREATED = "2026-01-01T00:00:00Z"
RECORD = Record(
    tool="docker-snap 1",
    created=CREATED,
    container="ch03",
    message="sign the lab",
    author="",
    base=Base("docker.io/diamol/ch03-lab:latest", "sha256:b0", "sha256:bb", "sha256:cc", 1),
    manifest_digest="sha256:dd",
    added=1,
    changed=2,
    deleted=3,
    size_bytes=4,
    config={},
)
STEPS = (
    Step(
        1,
        "run",
        ("sh", "-c", "echo \udcff 'x'"),
        env_names=("WHO",),
        started="2025-12-31T23:00:00Z",
        duration_s=0.25,
        exit_code=0,
        changes=StepChanges(1, 0, 0, ("A /a",)),
    ),
    Step(2, "cp", ("./f", "ch03:/f"), copied=(Copied("/f", "ab", 3),), changes=None, cut=True),
    Step(3, "unknown", changes=StepChanges(2, 3, 4, exact=False)),
)
NEW = Generation(RECORD.base.name, RECORD.base.id, RECORD.container, RECORD.message, RECORD.created, STEPS)
OLDER = [
    Generation("docker.io/x:1", "sha256:01", "a", "first", CREATED, STEPS),
    Generation("docker.io/x:2", "sha256:02", "b", "second", CREATED, STEPS[:1], summed_up=4),
]


def labels(before: Sequence[Generation], new: Generation = NEW, record: Record = RECORD) -> dict[str, str]:
    return record.to_labels("", steps_label(before, new, record))


def packed(value: Any) -> dict[str, str]:
    """Labels with a true seal over steps that need not be any."""
    content = json.dumps(value).encode()
    return RECORD.to_labels("", base64.b64encode(zlib.compress(content)).decode())


def noise(seed: int, length: int) -> str:
    return "".join(random.Random(seed).choices(string.ascii_letters + string.digits, k=length))


def long_steps(number: int) -> tuple[Step, ...]:
    return tuple(Step(n, "exec", ("sh", "-c", noise(n, 400)), exit_code=0) for n in range(1, number + 1))


# --- what an image tells ---


def test_generations_come_back_from_labels_with_the_images_that_they_made() -> None:
    found = generations_of(labels(OLDER))
    assert [made._replace(image="") for made in found] == [*OLDER, NEW]
    assert [made.image for made in found] == ["sha256:02", "sha256:b0", ""]


def test_what_the_record_says_is_not_said_twice() -> None:
    elsewhere = replace(RECORD, base=replace(RECORD.base, name="localhost/x:1", id="sha256:99"))
    new = NEW._replace(base_name="localhost/x:1", base_id="sha256:99")
    assert steps_label([], NEW, RECORD) == steps_label([], new, elsewhere)


def test_a_folded_image_names_the_base_of_its_container() -> None:
    new = NEW._replace(base_name="docker.io/x:3", base_id="sha256:03")
    assert generations_of(labels(OLDER, new))[-1] == new


def test_an_image_without_a_record_has_no_generations() -> None:
    assert generations_of({"a": "b"}) == ()


def test_an_image_from_before_there_were_steps_has_one_generation_without_any() -> None:
    (made,) = generations_of(RECORD.to_labels("manifest"))
    assert made == NEW._replace(steps=())


# --- labels from strangers ---


def generation(**edits: Any) -> dict[str, Any]:
    return {"schema": 1, "generations": [{"steps": [], **edits}]}


@pytest.mark.parametrize(
    "value",
    [
        [],
        None,
        {},
        {"schema": 2, "generations": [{"steps": []}]},
        {"schema": 1, "generations": []},
        {"schema": 1, "generations": {}},
        {"schema": 1, "generations": [None]},
        {"schema": 1, "generations": [{}]},
        {"schema": 1, "generations": [{"steps": []}] * 201},
        generation(steps=None),
        generation(steps=[{"number": 1, "verb": "evil"}]),
        generation(steps=[[]]),
        generation(message=1),
        generation(base_id=None),
        generation(summed_up=-1),
        generation(summed_up=True),
        generation(summed_up=10**4000),
    ],
)
def test_a_sealed_text_that_tells_no_steps_is_damaged(value: Any) -> None:
    with pytest.raises(RecordDamaged):
        generations_of(packed(value))


@pytest.mark.parametrize(
    "text",
    [
        "no base64!",
        "AAAA",
        base64.b64encode(zlib.compress(b"[" * 100_000)).decode(),
        base64.b64encode(zlib.compress(b"{}")[:-3]).decode(),
        base64.b64encode(zlib.compress(b'{"schema": 1, "generations": [' + b" " * (8 << 20))).decode(),
    ],
    ids=["not base64", "not zlib", "deep", "cut off", "bomb"],
)
def test_a_label_that_cannot_be_unpacked_is_damaged(text: str) -> None:
    with pytest.raises(RecordDamaged):
        generations_of(RECORD.to_labels("", text))


@pytest.mark.parametrize(
    "edit", [lambda text: text + "=", lambda text: text[:-1], lambda _: "", lambda text: text.swapcase()]
)
def test_an_edit_of_the_steps_breaks_the_seal(edit: Callable[[str], str]) -> None:
    before = labels(OLDER)
    with pytest.raises(RecordDamaged):
        generations_of({**before, STEPS_LABEL: edit(before[STEPS_LABEL])})


# --- limits ---


def test_of_too_many_steps_the_oldest_are_summed_up() -> None:
    text = steps_label(OLDER, NEW._replace(steps=long_steps(500)), RECORD)
    assert MOST_STEPS_CHARS * 0.9 < len(text) <= MOST_STEPS_CHARS
    first, second, new = generations_of(RECORD.to_labels("", text))
    assert (first.steps, first.summed_up) == ((), 3)
    assert (second.steps, second.summed_up) == ((), 5)
    assert new.step_count == 500
    assert new.steps == long_steps(500)[new.summed_up :]
    assert 10 < len(new.steps) < 500


def test_a_strangers_count_of_steps_does_not_spoil_the_label_of_a_later_image() -> None:
    most = 1 << 53
    strange = [
        Generation(f"x:{n}", "sha256:" + noise(n, 64), "", "", CREATED, summed_up=most) for n in range(250)
    ]
    text = steps_label(strange, NEW, RECORD)
    assert generations_of(RECORD.to_labels("", text))[0].summed_up == most


def test_of_too_many_generations_the_oldest_are_told_as_one() -> None:
    many = [
        Generation(f"docker.io/x:{n}", "sha256:" + noise(n, 64), noise(n, 12), noise(n, 200), CREATED, STEPS)
        for n in range(250)
    ]
    text = steps_label(many, NEW, RECORD)
    assert len(text) <= MOST_STEPS_CHARS
    found = generations_of(RECORD.to_labels("", text))
    assert 1 < len(found) < 200
    assert sum(made.step_count for made in found) == 3 * 250 + 3
    assert (found[0].base_name, found[0].base_id) == (many[0].base_name, many[0].base_id)
    assert found[-1].message == NEW.message


@pytest.mark.parametrize(
    "step",
    [
        Step(1, "exec", ("sh", "-c", noise(1, 100_000))),
        Step(1, "exec", tuple(noise(1, 3) for _ in range(20_000))),
        Step(1, "exec", ("",) * 20_000),
        Step(1, "exec", ("x",), user=noise(1, 50_000), working_dir=noise(2, 50_000)),
        Step(1, "exec", ("x",), env_names=tuple(noise(n, 20) for n in range(2000))),
        Step(1, "cp", ("a", "b:/"), copied=tuple(Copied(noise(n, 20), noise(n, 64), n) for n in range(1000))),
    ],
    ids=["argument", "arguments", "empty", "user", "env", "copied"],
)
def test_a_step_that_is_long_by_itself_is_shortened_and_told(step: Step) -> None:
    (made,) = generations_of(labels([], NEW._replace(steps=(step,))))
    (told,) = made.steps
    assert (told.number, told.verb) == (step.number, step.verb)
    assert told != step


def test_a_step_whose_words_are_shortened_says_so_and_keeps_what_it_copied() -> None:
    step = Step(
        1, "patch", ("--add-text", f"/etc/x={noise(1, 9000)}"), copied=(Copied("/etc/x", "ab", 9000),)
    )
    (made,) = generations_of(labels([], NEW._replace(steps=(step,))))
    (told,) = made.steps
    assert told.cut
    assert told.argv[1].endswith("…")
    assert told.copied == step.copied


def test_a_long_message_is_kept_whole_in_the_record_and_shortened_below_it() -> None:
    message = noise(1, 5000)
    record = replace(RECORD, message=message)
    older = OLDER[0]._replace(message=message)
    first, new = generations_of(labels([older], NEW._replace(message=message), record))
    assert first.message == f"{message[:299]}…"
    assert new.message == message


# --- history ---


def test_history_has_an_entry_without_a_layer_for_each_step() -> None:
    entries = history_entries(STEPS, CREATED)
    assert [entry.created_by for entry in entries] == [
        "snap run -e WHO -- sh -c 'echo \\xff '\"'\"'x'\"'\"'' # 1 added",
        "snap cp ./f ch03:/f",
        "unknown step (docker exec, the container's own work): 2 added, 3 changed, 4 deleted",
    ]
    assert [entry.created for entry in entries] == ["2025-12-31T23:00:00Z", CREATED, CREATED]
    assert all(entry.empty_layer for entry in entries)


@pytest.mark.parametrize("started", ["", "yesterday", "2025-12-31T23:00:00", "2025-12-31T23:00:00Z\n"])
def test_an_entry_has_a_time_that_engines_read(started: str) -> None:
    (entry,) = history_entries([STEPS[0]._replace(started=started)], CREATED)
    assert entry.created == CREATED


def test_of_too_many_steps_the_oldest_share_an_entry() -> None:
    entries = history_entries(long_steps(500), CREATED)
    assert len(entries) == 100
    assert entries[0].created_by == "snap: 401 earlier steps"
    assert all(len(entry.created_by) <= 300 for entry in entries)
    assert len(history_entries(long_steps(100), CREATED)) == 100
    assert history_entries(long_steps(100), CREATED)[0].created_by.startswith("snap exec")


# --- what differs between two runs of the same work ---


def one_run(name: str, moment: str) -> tuple[Step, ...]:
    return (
        Step(1, "run", ("true",), started=moment, duration_s=len(name), exit_code=0, session="1.cast"),
        Step(2, "exec", ("echo", "a:b"), started=moment, overlaps=name == "other", interrupted=name == "box"),
        Step(3, "cp", ("./a", f"{name}:/c:d"), changes=StepChanges(1, exact=name == "box")),
    )


def test_two_runs_of_the_same_work_are_equal_at_a_fixed_time() -> None:
    one, other = (
        at_a_fixed_time(one_run(name, moment), CREATED)
        for name, moment in (("box", "2025-01-01T00:00:00Z"), ("other", "2025-02-02T00:00:00Z"))
    )
    assert one == other
    assert {step.started for step in one} == {CREATED}
    assert one[1].argv == ("echo", "a:b")
    assert one[2].argv == ("./a", "CONTAINER:/c:d")
    assert one[0].exit_code == 0


def test_what_edits_of_files_changed_is_the_same_each_time_and_kept_at_a_fixed_time() -> None:
    edit = Step(1, "patch", ("--rm", "/a"), changes=StepChanges(deleted=1, listed=("D /a",)))
    run = Step(2, "patch", ("--run", "make"), exit_code=0, changes=StepChanges(added=1))
    assert [step.changes for step in at_a_fixed_time([edit, run], CREATED)] == [edit.changes, None]


def test_what_was_folded_is_equal_at_a_fixed_time_too() -> None:
    def run(name: str, moment: str) -> list[Generation]:
        return [
            Generation("docker.io/x:1", "sha256:01", name, "first", moment, one_run(name, moment)),
            Generation(
                f"docker.io/{name}:2", f"sha256:{name}", name, "second", moment, one_run(name, moment)
            ),
        ]

    one, other = (
        folded_at_a_fixed_time(run(name, moment), CREATED)
        for name, moment in (("box", "2025-01-01T00:00:00Z"), ("other", "2025-02-02T00:00:00Z"))
    )
    assert one == other
    assert one[0].base_id == "sha256:01"


@pytest.mark.parametrize(
    ("base_id", "verbs"),
    [
        ("sha256:02", ["run"]),
        ("sha256:01", ["run", "cp", "unknown", "run"]),
        ("sha256:none", ["run", "cp", "unknown", "run"]),
    ],
)
def test_the_steps_since_an_image_are_numbered_through(base_id: str, verbs: list[str]) -> None:
    steps = steps_since(OLDER, base_id)
    assert [step.verb for step in steps] == verbs
    assert [step.number for step in steps] == list(range(1, len(verbs) + 1))


def test_no_image_tells_where_a_recording_is() -> None:
    (step,) = for_an_image([Step(1, "run", session="/home/me/x.cast", started=CREATED)])
    assert step == Step(1, "run", started=CREATED)
