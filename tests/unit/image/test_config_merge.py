"""Three-way merges of configs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from snapshot.engine.types import Config, Healthcheck
from snapshot.image.config_merge import ConfigConflict, merge_configs
from snapshot.image.record import OCI_AUTHORS, OCI_BASE_NAME, OCI_CREATED, RECORD_LABEL, STARTED_LABEL

OLD = Config(
    env=("PATH=/bin", "A=1", "B=1"),
    cmd=("sh",),
    entrypoint=("/entry",),
    working_dir="/srv",
    user="app",
    labels={"team": "web", "tier": "1"},
    exposed_ports=frozenset({"80/tcp", "81/tcp"}),
    volumes=frozenset({"/data"}),
    stop_signal="SIGTERM",
    healthcheck=Healthcheck(("CMD", "true")),
    on_build=("RUN x",),
    shell=("/bin/sh", "-c"),
)
#: For each part: its name, and two other values.
PARTS: dict[str, tuple[str, Any, Any]] = {
    "cmd": ("cmd", ("a",), ()),
    "entrypoint": ("entrypoint", (), ("b",)),
    "working_dir": ("workdir", "/a", ""),
    "user": ("user", "", "b"),
    "stop_signal": ("stop-signal", "SIGINT", "9"),
    "healthcheck": ("healthcheck", None, Healthcheck(("NONE",))),
    "on_build": ("onbuild", (), ("RUN y",)),
    "shell": ("shell", (), ("/bin/bash", "-c")),
    "env": ("env A", ("PATH=/bin", "B=1"), ("PATH=/bin", "A=3", "B=1")),
    "labels": ("label team", {"team": "ops", "tier": "1"}, {"tier": "1"}),
}


@pytest.mark.parametrize("field", PARTS)
def test_a_part_that_one_side_changed_is_taken_from_there(field: str) -> None:
    for value in PARTS[field][1:]:
        changed = replace(OLD, **{field: value})
        for ours, theirs in ((changed, OLD), (OLD, changed), (changed, changed)):
            assert merge_configs(OLD, ours, theirs) == (changed, ())


@pytest.mark.parametrize("field", PARTS)
def test_a_part_that_both_changed_is_a_conflict_and_one_side_can_be_chosen(field: str) -> None:
    name, first, second = PARTS[field]
    ours, theirs = replace(OLD, **{field: first}), replace(OLD, **{field: second})
    merged = merge_configs(OLD, ours, theirs)
    assert [conflict.part for conflict in merged.conflicts] == [name]
    assert merged.config == theirs
    assert merge_configs(OLD, ours, theirs, prefer_ours=True).config == ours


def test_a_conflict_tells_all_three_values() -> None:
    ours, theirs = replace(OLD, cmd=("a b", "c")), replace(OLD, cmd=())
    assert merge_configs(OLD, ours, theirs).conflicts == (
        ConfigConflict("cmd", '["sh"]', '["a b", "c"]', ""),
    )


def test_changes_of_different_parts_come_together() -> None:
    ours = replace(
        OLD, env=("PATH=/bin", "A=ours", "B=1", "NEW=1"), user="us", labels={"team": "web", "mine": "1"}
    )
    theirs = replace(
        OLD, env=("B=theirs", "PATH=/bin", "A=1", "THEIRS=1"), cmd=("x",), labels={"team": "x", "tier": "1"}
    )
    merged = merge_configs(OLD, ours, theirs)
    assert merged.conflicts == ()
    assert merged.config.env == ("B=theirs", "PATH=/bin", "A=ours", "THEIRS=1", "NEW=1")
    assert merged.config.labels == {"team": "x", "mine": "1"}
    assert (merged.config.user, merged.config.cmd) == ("us", ("x",))


def test_ports_and_volumes_are_there_or_not() -> None:
    ours = replace(OLD, exposed_ports=frozenset({"80/tcp", "90/tcp"}), volumes=frozenset())
    theirs = replace(
        OLD, exposed_ports=frozenset({"80/tcp", "81/tcp", "91/tcp"}), volumes=frozenset({"/data", "/x"})
    )
    merged = merge_configs(OLD, ours, theirs)
    assert merged.conflicts == ()
    assert merged.config.exposed_ports == {"80/tcp", "90/tcp", "91/tcp"}
    assert merged.config.volumes == {"/x"}


def test_labels_in_which_an_image_speaks_of_itself_are_not_merged() -> None:
    """What snap writes is written anew, and a base's title is no title of the snapshot."""
    title = "org.opencontainers.image.title"
    old = replace(OLD, labels={title: "old", OCI_CREATED: "1"})
    ours = replace(
        OLD,
        labels={
            OCI_AUTHORS: "me",
            OCI_CREATED: "2",
            OCI_BASE_NAME: "a",
            RECORD_LABEL: "{}",
            STARTED_LABEL: "x",
        },
    )
    theirs = replace(OLD, labels={title: "new", OCI_CREATED: "3", OCI_BASE_NAME: "b", OCI_AUTHORS: "them"})
    merged = merge_configs(old, ours, theirs)
    assert merged.conflicts == ()
    assert merged.config.labels == {OCI_AUTHORS: "me", OCI_CREATED: "2"}
