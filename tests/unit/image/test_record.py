from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from snapshot.engine.types import Config
from snapshot.image.record import (
    MANIFEST_LABEL,
    MOST_LABEL_CHARS,
    MOST_MANIFEST_CHARS,
    RECORD_LABEL,
    RECORD_LABELS,
    SEAL_LABEL,
    SESSIONS_LABEL,
    STEPS_LABEL,
    Base,
    Record,
    RecordDamaged,
    chain_id,
    config_digests,
    label_chars,
)

RECORD = Record(
    tool="docker-snap 1",
    created="2020-01-01T00:00:00Z",
    container="ch03",
    message="sign \x1b[2J the \udcff lab",
    author="",
    base=Base("docker.io/diamol/ch03-lab:latest", "sha256:aa", "sha256:bb", "sha256:cc", 1),
    manifest_digest="sha256:dd",
    added=1,
    changed=2,
    deleted=3,
    size_bytes=4,
    config={"cmd": "00"},
    kept_by_engine=("env WHO",),
    skipped=("/s",),
)


def sealed(record: str, manifest: str = "") -> dict[str, str]:
    """Labels with a true seal over a text that need not be a record, as before there were steps."""
    seal = "sha256:" + hashlib.sha256(f"{record}\n{manifest}".encode()).hexdigest()
    return {RECORD_LABEL: record, MANIFEST_LABEL: manifest, SEAL_LABEL: seal}


def test_a_record_comes_back_from_its_labels() -> None:
    assert Record.from_labels(RECORD.to_labels("manifest")) == RECORD


def test_an_image_without_labels_has_no_record() -> None:
    assert Record.from_labels({"other": "label"}) is None


def test_a_manifest_that_is_too_large_is_left_out_and_the_seal_fits() -> None:
    labels = RECORD.to_labels("x" * (MOST_MANIFEST_CHARS + 1))
    assert labels[MANIFEST_LABEL] == ""
    assert Record.from_labels(labels) == RECORD


def test_an_image_without_steps_is_sealed_as_before_there_were_any() -> None:
    labels = RECORD.to_labels("manifest")
    assert labels == sealed(labels[RECORD_LABEL], "manifest")


def test_labels_for_all_parts_have_no_room_for_a_large_manifest() -> None:
    labels = RECORD.to_labels("x" * MOST_MANIFEST_CHARS, "s" * (10 << 10), "t" * (8 << 10))
    assert labels[MANIFEST_LABEL] == ""
    assert label_chars(labels) <= MOST_LABEL_CHARS
    assert Record.from_labels(labels) == RECORD
    most = RECORD.to_labels("x" * (MOST_MANIFEST_CHARS - 1000), "s" * (10 << 10))
    assert most[MANIFEST_LABEL]
    assert label_chars(most) <= MOST_LABEL_CHARS


def test_nothing_can_be_moved_from_one_label_into_another() -> None:
    labels = RECORD.to_labels("manifest", "steps", "sessions")
    for moved in (
        {MANIFEST_LABEL: "manifest\nsteps\nsessions", STEPS_LABEL: "", SESSIONS_LABEL: ""},
        {MANIFEST_LABEL: "", STEPS_LABEL: "manifeststeps"},
        {STEPS_LABEL: "sessions", SESSIONS_LABEL: "steps"},
        {STEPS_LABEL: "stepssessions", SESSIONS_LABEL: ""},
    ):
        with pytest.raises(RecordDamaged):
            Record.from_labels({**labels, **moved})


@pytest.mark.parametrize("label", sorted(RECORD_LABELS))
def test_an_edit_of_any_label_shows(label: str) -> None:
    labels = RECORD.to_labels("manifest", "steps", "sessions")
    assert Record.from_labels(labels) == RECORD
    for damaged in ({**labels, label: labels[label] + " "}, {k: v for k, v in labels.items() if k != label}):
        with pytest.raises(RecordDamaged):
            Record.from_labels(damaged)


def without(key: str) -> Callable[[dict[str, Any]], Any]:
    return lambda value: {name: item for name, item in value.items() if name != key}


@pytest.mark.parametrize(
    "edit",
    [
        *(without(key) for key in ("base", "config", "tool", "added", "schema")),
        lambda value: {**value, "schema": 2},
        lambda value: {**value, "added": "1"},
        lambda value: {**value, "added": True},
        lambda value: {**value, "message": None},
        lambda value: {**value, "base": []},
        lambda value: {**value, "base": {**value["base"], "layer_count": "1"}},
        lambda value: {**value, "config": ["cmd"]},
        lambda value: {**value, "config": {"cmd": 1}},
        lambda value: {**value, "skipped": "text"},
        lambda value: {**value, "skipped": [1]},
        lambda _: [],
        lambda _: "text",
        lambda _: None,
    ],
)
def test_a_sealed_text_that_is_no_record_is_damaged(edit: Callable[[dict[str, Any]], Any]) -> None:
    value = json.loads(RECORD.to_labels("")[RECORD_LABEL])
    with pytest.raises(RecordDamaged):
        Record.from_labels(sealed(json.dumps(edit(value))))


def test_deep_nesting_is_damaged() -> None:
    with pytest.raises(RecordDamaged):
        Record.from_labels(sealed("[" * 60_000))


def test_fields_of_a_later_version_are_passed_over() -> None:
    value = json.loads(RECORD.to_labels("")[RECORD_LABEL])
    value["later"] = 1
    value["base"]["later"] = 1
    assert Record.from_labels(sealed(json.dumps(value))) == RECORD


def test_the_chain_id_is_that_of_the_specification() -> None:
    first, second = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    expected = "sha256:" + hashlib.sha256(f"{first} {second}".encode()).hexdigest()
    assert chain_id(()) == ""
    assert chain_id((first,)) == first
    assert chain_id((first, second)) == expected != chain_id((second, first))


def test_parts_of_a_config_are_named_and_their_values_are_not_there() -> None:
    config = Config(env=("A=hunter2",), cmd=("x",), labels={"l": ""}, exposed_ports=frozenset({"80/tcp"}))
    digests = config_digests(config)
    assert digests.keys() == {"env A", "cmd", "label l", "port 80/tcp"}
    assert "hunter2" not in str(digests)


def test_the_records_own_labels_are_no_part_of_the_config() -> None:
    assert config_digests(Config(labels=RECORD.to_labels("", "steps", "sessions"))) == {}
