from __future__ import annotations

from dataclasses import replace

import pytest

from snapshot.engine.types import Config, Healthcheck
from snapshot.image.engine_commit import kept_by_engine, merged_by_engine, without_gaps

HELD = Config(
    env=("PATH=/evil", "WHO=Elton"),
    cmd=("60",),
    entrypoint=("sleep",),
    working_dir="/tmp",
    user="1000",
    labels={"team": "other", "extra": "1"},
    exposed_ports=frozenset({"22/tcp"}),
    volumes=frozenset({"/data"}),
    stop_signal="SIGKILL",
    healthcheck=Healthcheck(("CMD", "true"), interval_ns=5),
)
WANTED = Config(env=("PATH=/bin",), cmd=("serve",), labels={"team": "lab"})


def test_an_image_gets_what_is_wanted_and_what_cannot_be_left_out() -> None:
    merged = merged_by_engine(without_gaps(WANTED, HELD), HELD)
    assert merged.env == ("PATH=/bin", "WHO=Elton")
    assert merged.cmd == ("serve",)
    assert merged.entrypoint == ()
    assert merged.labels == {"team": "lab", "extra": "1"}
    assert (merged.working_dir, merged.user, merged.stop_signal) == ("/", "0", "SIGTERM")
    assert merged.healthcheck is not None
    assert merged.healthcheck.test == ("NONE",)


def test_what_could_not_be_left_out_is_named() -> None:
    wanted = without_gaps(WANTED, HELD)
    assert set(kept_by_engine(wanted, merged_by_engine(wanted, HELD))) == {
        "env WHO",
        "label extra",
        "port 22/tcp",
        "volume /data",
        "healthcheck",
    }


def test_an_empty_command_lets_the_containers_in_unless_there_is_an_entrypoint() -> None:
    empty = replace(WANTED, cmd=())
    assert kept_by_engine(empty, merged_by_engine(empty, Config(cmd=("sleep",)))) == ("cmd",)
    assert merged_by_engine(replace(empty, entrypoint=("/app",)), HELD).cmd == ()


@pytest.mark.parametrize("container", [Config(), WANTED])
def test_a_container_that_adds_nothing_leaves_the_config_as_wanted(container: Config) -> None:
    wanted = without_gaps(WANTED, container)
    assert wanted == WANTED
    assert merged_by_engine(wanted, container) == WANTED
