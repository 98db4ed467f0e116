from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from snapshot.engine.types import Config, Healthcheck, HistoryEntry, Image
from snapshot.errors import Refused
from snapshot.image.config_blob import MOST_CONFIG_BYTES, Commit, config_blob

BASE = Image("sha256:1", (), (), "2020", "", "", "arm64", "linux", "v8", 1, ("sha256:a",), Config())
COMMIT = Commit("2026-01-01T00:00:00Z", "snap commit", "a message", "me", ("sha256:b",))
HISTORY = (HistoryEntry("2020", "ADD x"), HistoryEntry("2020", "CMD y", empty_layer=True))


def blob(base: Image = BASE, config: Config = BASE.config, commit: Commit = COMMIT) -> dict[str, Any]:
    written = config_blob(base, base.layers, HISTORY, config, commit)
    value = json.loads(written)
    assert written == json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
    assert isinstance(value, dict)
    return value


def test_the_platform_is_the_base_s() -> None:
    value = blob()
    assert (value["architecture"], value["os"], value["variant"]) == ("arm64", "linux", "v8")
    plain = blob(replace(BASE, variant="", os_version="10.0"))
    assert "variant" not in plain
    assert plain["os.version"] == "10.0"


def test_history_and_layers_grow_by_one() -> None:
    value = blob()
    assert value["rootfs"] == {"type": "layers", "diff_ids": ["sha256:a", "sha256:b"]}
    assert value["history"] == [
        {"created": "2020", "created_by": "ADD x"},
        {"created": "2020", "created_by": "CMD y", "empty_layer": True},
        {
            "author": "me",
            "comment": "a message",
            "created": "2026-01-01T00:00:00Z",
            "created_by": "snap commit",
        },
    ]
    assert (value["created"], value["author"], value["comment"]) == (COMMIT.created, "me", "a message")


def test_steps_stand_in_history_before_the_layer_and_have_none() -> None:
    step = HistoryEntry("2026-01-01T00:00:00Z", "snap run -- ls", empty_layer=True)
    value = blob(commit=replace(COMMIT, steps=(step, step)))
    assert len(value["rootfs"]["diff_ids"]) == 2
    assert value["history"][2:4] == 2 * [
        {"created": "2026-01-01T00:00:00Z", "created_by": "snap run -- ls", "empty_layer": True}
    ]
    assert value["history"][4]["created_by"] == "snap commit"


def test_where_no_file_changed_history_has_an_entry_without_a_layer() -> None:
    value = blob(commit=replace(COMMIT, added=(), author="", comment=""))
    assert value["rootfs"]["diff_ids"] == ["sha256:a"]
    assert value["history"][-1] == {
        "created": "2026-01-01T00:00:00Z",
        "created_by": "snap commit",
        "empty_layer": True,
    }
    assert "author" not in value


def test_an_image_of_no_layers_still_says_so() -> None:
    value = blob(replace(BASE, layers=()), commit=replace(COMMIT, added=()))
    assert value["rootfs"] == {"type": "layers", "diff_ids": []}


def test_the_config_has_what_is_set_and_no_empty_keys() -> None:
    config = Config(
        env=("A=", "B=1"),
        cmd=("sh",),
        labels={"empty": "", "name": "\udcff\u00e4"},
        exposed_ports=frozenset({"80/tcp", "443/tcp"}),
        healthcheck=Healthcheck(("NONE",)),
    )
    value = blob(config=config)["config"]
    assert set(value) == {"Env", "Cmd", "Labels", "ExposedPorts", "Healthcheck"}
    assert value["Env"] == ["A=", "B=1"]
    assert value["Labels"] == {"empty": "", "name": "\udcff\u00e4"}
    assert value["ExposedPorts"] == {"443/tcp": {}, "80/tcp": {}}
    assert value["Healthcheck"]["Test"] == ["NONE"]
    assert "config" not in blob()


def test_equal_configs_are_equal_bytes_in_whatever_order_they_were_given() -> None:
    one = Config(labels={"a": "1", "b": "2"}, volumes=frozenset({"/x", "/y", "/z"}))
    two = Config(labels={"b": "2", "a": "1"}, volumes=frozenset({"/z", "/y", "/x"}))
    assert config_blob(BASE, (), (), one, COMMIT) == config_blob(BASE, (), (), two, COMMIT)


def test_a_config_that_an_engine_would_refuse_is_not_written() -> None:
    blob(config=Config(labels={"a": "x" * (MOST_CONFIG_BYTES - 1000)}))
    with pytest.raises(Refused, match="4,194,304 are the most"):
        blob(config=Config(labels={"a": "x" * MOST_CONFIG_BYTES}))
