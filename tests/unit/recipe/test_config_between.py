"""The edits between two configs make one of the other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.engine.types import Config, Healthcheck
from snapshot.image.config_edits import ConfigEdits
from snapshot.image.record import OCI_CREATED, RECORD_LABEL
from snapshot.recipe.config_between import edits_between

NAMES = st.sampled_from(["A", "B", "C d"])
ARGV = st.lists(st.text(min_size=1, max_size=3).filter(lambda text: "\0" not in text), max_size=2).map(tuple)
CHECKS = st.none() | st.builds(
    Healthcheck,
    st.sampled_from([("CMD", "a", "b c"), ("CMD-SHELL", "a || b"), ("NONE",)]),
    interval_ns=st.sampled_from([0, 10**6, 1_500_000, 90 * 10**9, 1_000_001]),
    retries=st.integers(0, 3),
).map(lambda check: Healthcheck(("NONE",)) if check.test == ("NONE",) else check)
CONFIGS = st.builds(
    Config,
    env=st.dictionaries(NAMES, st.text(st.characters(exclude_characters="\0"), max_size=3), max_size=3).map(
        lambda pairs: tuple(f"{name}={value}" for name, value in pairs.items())
    ),
    cmd=ARGV,
    entrypoint=ARGV,
    labels=st.dictionaries(NAMES, st.text(max_size=3), max_size=3),
    user=st.sampled_from(["", "me", "0:0"]),
    working_dir=st.sampled_from(["/", "/srv"]),
    stop_signal=st.sampled_from(["SIGTERM", "9"]),
    healthcheck=CHECKS,
    on_build=st.lists(st.just("RUN make"), max_size=2).map(tuple),
)


def plain(config: Config) -> Config:
    """Without the order of variables, which means nothing."""
    return replace(config, env=tuple(sorted(config.env)))


@given(CONFIGS, CONFIGS)
def test_the_edits_make_one_config_of_the_other(before: Config, after: Config) -> None:
    if after.healthcheck is None and before.healthcheck is not None:
        # A check can be switched off, and not be taken away.
        after = replace(after, healthcheck=Healthcheck(("NONE",)))
    if after.on_build[: len(before.on_build)] != before.on_build:
        # Triggers cannot be taken away either.
        after = replace(after, on_build=before.on_build)
    assert plain(edits_between(before, after).applied_to(before)) == plain(after)


@given(CONFIGS)
def test_between_equal_configs_there_is_nothing(config: Config) -> None:
    assert edits_between(config, config) == ConfigEdits()


def test_ports_and_volumes_are_added() -> None:
    after = Config(exposed_ports=frozenset({"80/tcp"}), volumes=frozenset({"/data"}))
    assert edits_between(Config(), after) == ConfigEdits(exposed_ports=("80/tcp",), volumes=("/data",))


@pytest.mark.parametrize("label", [RECORD_LABEL, OCI_CREATED, "org.opencontainers.image.version"])
def test_labels_that_snap_writes_or_clears_are_no_edits(label: str) -> None:
    assert edits_between(Config(labels={label: "1"}), Config()) == ConfigEdits()
    assert edits_between(Config(), Config(labels={label: "1"})) == ConfigEdits()
