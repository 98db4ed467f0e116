from __future__ import annotations

from dataclasses import replace

import pytest

from snapshot.engine.types import Config, Descriptor, Image
from snapshot.image.record import Base, Record, chain_id
from snapshot.workflow.layer_checks import (
    has_layers_too_many,
    layer_findings,
    named_base_finding,
)

LOWER = ("sha256:a", "sha256:b")
OWN, OTHER = "sha256:c", "sha256:d"


def image(*layers: str) -> Image:
    return Image("sha256:id", (), (), "", "", "", "amd64", "linux", "", 1, layers, Config())


def record(method: str = "sealed", diff_id: str = OWN) -> Record:
    base = Base("docker.io/library/base:1", "sha256:baseid", "sha256:basedigest", chain_id(LOWER), len(LOWER))
    return Record(
        tool="docker-snap 1",
        created="2020-01-01T00:00:00Z",
        container="",
        message="",
        author="",
        base=base,
        manifest_digest="sha256:m",
        added=1,
        changed=0,
        deleted=0,
        size_bytes=1,
        config={},
        method=method,
        diff_id=diff_id,
    )


def verdict(kept: Record, *layers: str) -> list[tuple[str, bool]]:
    return [(finding.subject, finding.passed) for finding in layer_findings(kept, image(*layers))]


PASSED = [("base", True), ("layer", True)]


def test_several_layers_have_to_be_those_that_were_recorded_in_their_order() -> None:
    several = replace(record(diff_id=""), layers=(OWN, OTHER))
    assert verdict(several, *LOWER, OWN, OTHER) == PASSED
    assert verdict(several, *LOWER, OTHER, OWN) == [("base", True), ("layer", False)]
    assert verdict(several, *LOWER, OWN) == [("base", True), ("layer", False)]
    assert has_layers_too_many(several, image(*LOWER, OWN, OTHER, OWN))


def test_a_sealed_image_has_the_base_s_layers_and_the_recorded_one() -> None:
    assert verdict(record(), *LOWER, OWN) == PASSED
    assert verdict(record(diff_id=""), *LOWER) == PASSED


@pytest.mark.parametrize("layers", [(*LOWER, OTHER), LOWER])
def test_another_layer_and_a_missing_one_are_named(layers: tuple[str, ...]) -> None:
    assert verdict(record(), *layers) == [("base", True), ("layer", False)]


@pytest.mark.parametrize(
    "layers", [(), LOWER[:1], (*LOWER[::-1], OWN), ("sha256:x", "sha256:b", OWN), (*LOWER, OWN, OTHER)]
)
def test_other_layers_below_and_one_too_many_fail_the_base(layers: tuple[str, ...]) -> None:
    assert verdict(record(), *layers) == [("base", False)]


def test_an_image_without_changes_has_no_layer_of_its_own() -> None:
    assert verdict(record(diff_id=""), *LOWER, OTHER) == [("base", False)]
    assert record(diff_id="").added_layers == ()
    assert record().added_layers == (OWN,)
    assert replace(record(diff_id=""), layers=(OWN, OTHER)).added_layers == (OWN, OTHER)


@pytest.mark.parametrize(("extra", "passes"), [(0, True), (1, True), (2, False)])
def test_the_engine_s_own_commit_tells_no_layer_so_one_may_be_any(extra: int, passes: bool) -> None:
    assert verdict(record("engine", ""), *LOWER, *[OTHER] * extra) == [("base", passes)]


@pytest.mark.parametrize(
    ("layers", "too_many"),
    [
        ((*LOWER, OWN, OTHER), True),
        ((*LOWER, OWN), False),
        ((*LOWER, OTHER, OWN), False),
        (("sha256:x", "sha256:b", OWN, OTHER), False),
        ((), False),
    ],
)
def test_layers_on_top_of_a_sealed_image_are_told_from_other_layers(
    layers: tuple[str, ...], too_many: bool
) -> None:
    assert has_layers_too_many(record(), image(*layers)) is too_many


def test_a_named_base_is_the_recorded_one_by_layers_and_by_any_of_its_digests() -> None:
    base = image(*LOWER)
    descriptor = Descriptor("type", "sha256:basedigest", 1)
    for known in (
        replace(base, id="sha256:baseid"),
        replace(base, repo_digests=("base@sha256:basedigest",)),
        replace(base, descriptor=descriptor),
    ):
        finding = named_base_finding(record(), known)
        assert (finding.passed, "is the recorded one" in finding.detail) == (True, True)
    elsewhere = named_base_finding(record(), base)
    assert (elsewhere.passed, "sha256:id" in elsewhere.detail) == (True, True)


@pytest.mark.parametrize("layers", [(), LOWER[:1], (*LOWER, OWN), LOWER[::-1]])
def test_a_named_base_with_other_layers_fails_whatever_its_digest(layers: tuple[str, ...]) -> None:
    base = replace(image(*layers), id="sha256:baseid")
    assert not named_base_finding(record(), base).passed
