"""Kept results of steps: found by name and label, listed, and cleared away unless something uses them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from docker.errors import ImageNotFound
from sandbox import Sandbox

from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.image.config_blob import Commit, config_blob
from snapshot.image.history import with_layers
from snapshot.recipe.instructions import Instruction, Run
from snapshot.recipe.keys import CACHE_LABEL, KeptStep, StepKey, cache_label, cache_name
from snapshot.workflow.cache import Collected, find_kept, gc_cache, keep_result, keys_of, list_cache
from snapshot.workflow.delivery import deliver
from snapshot.workflow.progress import SILENT

pytestmark = pytest.mark.engine


@pytest.fixture
def engine(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A connection of its own, with the state folder of the commands."""
    monkeypatch.setenv("HOME", str(sandbox.home))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    with closing(Engine.connect(sandbox.host)) as connected:
        yield connected


class Chain(NamedTuple):
    """Steps of which nobody kept a result before."""

    engine: Engine
    base: Image
    keys: tuple[StepKey, ...]

    def kept_with_label(self, label: str, unique: str = "") -> Image:
        """An unnamed image with that label."""
        base = self.base
        config = replace(base.config, labels={CACHE_LABEL: label})
        commit = Commit("2026-01-01T00:00:00Z", f"kept {unique}", "", "", ())
        history = with_layers(self.engine.transfer.history(base.id), len(base.layers))
        blob = config_blob(base, base.layers, history, config, commit)
        return deliver(self.engine, base, base.layers, blob, None, SILENT)[0]

    def kept(self, count: int, unique: str = "", useless: str = "") -> Image:
        """Keep a result of the first steps."""
        label = cache_label(
            [KeptStep(key, f"--run step {n}", 0.5) for n, key in enumerate(self.keys, 1)][:count]
        )
        image = self.kept_with_label(label, unique)
        keep_result(self.engine, image, self.keys[count - 1].key, useless=useless)
        return image

    def name(self, count: int) -> str:
        """What the result of the first steps is kept under."""
        return cache_name(self.keys[count - 1].key)


@pytest.fixture
def chain(sandbox: Sandbox, engine: Engine) -> Chain:
    base = engine.image(sandbox.base_image)
    once = secrets.token_hex(8)
    steps: list[Instruction] = [Run(f"{once} {number}") for number in range(4)]
    return Chain(engine, base, keys_of(base, steps, [""] * 4, {}, None))


def is_here(sandbox: Sandbox, name: str) -> bool:
    try:
        sandbox.inspect(name)
    except ImageNotFound:
        return False
    return True


def removed(collected: Collected) -> set[str]:
    return {result.name for result in collected.removed}


def test_the_longest_kept_result_is_found(chain: Chain) -> None:
    engine = chain.engine
    assert find_kept(engine, chain.keys) is None
    second, third = chain.kept(2), chain.kept(3)
    for keys, ends, expected in [
        (chain.keys, None, (3, third.id)),
        (chain.keys, (1, 2, 4), (2, second.id)),
        (chain.keys, (4,), None),
        (chain.keys[:2], None, (2, second.id)),
        (chain.keys[:1], None, None),
    ]:
        found = find_kept(engine, keys, ends)
        assert (found and (found[0], found[1].id)) == expected


def test_an_image_is_no_kept_result_for_its_name_alone(sandbox: Sandbox, chain: Chain) -> None:
    of_two = [KeptStep(key, "", 0.0) for key in chain.keys[:2]]
    for label in ("", "damaged", cache_label(of_two), cache_label(of_two[:1] * 3)):
        image = chain.kept_with_label(label)
        repository, _, tag = chain.name(3).partition(":")
        sandbox.client.tag(image.id, repository, tag)
        assert find_kept(chain.engine, chain.keys) is None
        assert chain.name(3) not in {result.name for result in list_cache(chain.engine)}
    # Nor does it go with the results.
    assert chain.name(3) not in removed(gc_cache(chain.engine))
    assert is_here(sandbox, chain.name(3))


def test_another_user_finds_none_of_it(
    sandbox: Sandbox, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[Instruction] = [Run("x")]
    mine = keys_of(chain.base, steps, [""], {}, None)
    assert keys_of(chain.base, steps, [""], {}, None) == mine
    secret = sandbox.home / ".local/state/docker-snap/cache-secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("XDG_STATE_HOME", str(sandbox.home / "other"))
    assert keys_of(chain.base, steps, [""], {}, None)[0].key != mine[0].key


def test_a_result_that_somebody_kept_meanwhile_stays(sandbox: Sandbox, chain: Chain) -> None:
    first, second = chain.kept(1, "first"), chain.kept(1, "second")
    assert find_kept(chain.engine, chain.keys[:1])[1].id == first.id  # type: ignore[index]
    # Whoever made the second one may go on with it.
    assert is_here(sandbox, second.id)


def test_a_result_that_is_no_good_is_replaced(sandbox: Sandbox, chain: Chain) -> None:
    older = chain.kept(1, "older")
    newer = chain.kept(1, "newer", useless=older.id)
    assert older.id != newer.id
    assert find_kept(chain.engine, chain.keys[:1])[1].id == newer.id  # type: ignore[index]
    assert not is_here(sandbox, older.id)
    # Kept a third time as it is, it stays.
    chain.kept(1, "newer", useless=newer.id)
    assert is_here(sandbox, newer.id)


def test_a_replaced_result_with_another_name_stays(sandbox: Sandbox, chain: Chain) -> None:
    older = chain.kept(1, "older")
    sandbox.client.tag(older.id, sandbox.name("mine"))
    chain.kept(1, "newer", useless=older.id)
    assert sandbox.inspect(sandbox.name("mine"))["Id"] == older.id


def test_results_are_listed_with_what_uses_them(sandbox: Sandbox, chain: Chain) -> None:
    first, second = chain.kept(1), chain.kept(2)
    box, other = sandbox.name("box"), sandbox.name("other")
    sandbox.client.create_container(first.id, ["true"], name=box)
    sandbox.client.tag(second.id, other)
    lines = [line.split() for line in sandbox.snap("cache", "ls").stdout.splitlines()]
    assert " ".join(lines[0]) == "KEY STEPS LAST STEP SIZE CREATED USED BY"
    told = {line[0]: " ".join(line[1:5] + line[8:]) for line in lines[1:]}
    key = {number: chain.name(number).partition(":")[2][:12] for number in (1, 2)}
    assert told[key[1]] == f"1 --run step 1 container {box}"
    assert told[key[2]] == f"2 --run step 2 image {other}:latest"
    document = json.loads(sandbox.snap("cache", "ls", "--format", "json").stdout)
    assert document["schema"] == "docker-snap.cache/1"
    results = {item["name"]: item for item in document["results"]}
    assert results[chain.name(1)]["containers"] == [box]
    assert results[chain.name(1)]["other_names"] == []
    assert results[chain.name(2)]["id"] == second.id
    assert results[chain.name(2)]["other_names"] == [f"{other}:latest"]
    assert [step["key"] for step in results[chain.name(2)]["steps"]] == [step.key for step in chain.keys[:2]]
    assert results[chain.name(2)]["steps"][1]["duration_s"] == 0.5


def test_kept_results_are_no_snapshots(sandbox: Sandbox, chain: Chain) -> None:
    image = chain.kept(1)
    for arguments in (["ls"], ["log", "--graph", chain.name(1)]):
        assert image.id not in sandbox.snap(*arguments, "--format", "json", expect=None).stdout


def test_what_nothing_uses_is_cleared_away(sandbox: Sandbox, chain: Chain) -> None:
    images = [chain.kept(number) for number in (1, 2)]
    done = sandbox.snap("cache", "gc")
    assert {chain.name(1), chain.name(2)} <= set(done.stdout.split())
    assert not any(is_here(sandbox, image.id) for image in images)
    assert is_here(sandbox, sandbox.base_image)
    assert sandbox.snap("cache", "ls").stdout == ""


def test_a_result_that_a_container_was_made_from_stays(sandbox: Sandbox, chain: Chain) -> None:
    image = chain.kept(1)
    box = sandbox.name("box")
    sandbox.client.create_container(image.id, ["true"], name=box)
    done = sandbox.snap("cache", "gc")
    assert chain.name(1) not in done.stdout
    assert f"snap: {chain.name(1)} is kept: used by {box}" in done.stderr
    assert sandbox.inspect(chain.name(1))["Id"] == image.id
    document: dict[str, Any] = json.loads(sandbox.snap("cache", "gc", "--format", "json").stdout)
    assert {item["name"]: item["why"] for item in document["kept"]}[chain.name(1)] == f"used by {box}"
    # The engine would not have given it away either, had the container come in between.
    with pytest.raises(Exception, match=r"container|in use"):
        sandbox.client.remove_image(chain.name(1))
    sandbox.client.remove_container(box)
    assert chain.name(1) in removed(gc_cache(chain.engine))


def test_an_image_with_another_name_loses_ours_alone(sandbox: Sandbox, chain: Chain) -> None:
    image, other = chain.kept(1), sandbox.name("other")
    sandbox.client.tag(image.id, other)
    done = sandbox.snap("cache", "gc")
    assert chain.name(1) in done.stdout
    assert f"is still here as {other}:latest" in done.stderr
    assert sandbox.inspect(other)["Id"] == image.id
    assert not is_here(sandbox, chain.name(1))


def test_images_that_stand_on_a_kept_result_stay_whole(sandbox: Sandbox, chain: Chain) -> None:
    image = chain.kept(1)
    snapshot, by_engine = sandbox.name("snapshot"), sandbox.name("by-engine")
    box = sandbox.changed("echo hello > /hello", image=image.id)
    sandbox.snap("commit", box, snapshot)
    sandbox.client.commit(box, by_engine)
    # Made from it, it has its label, and is none for that.
    assert CACHE_LABEL in sandbox.config(by_engine)["Labels"]
    sandbox.snap("rm", "-f", box)
    gone = removed(gc_cache(chain.engine))
    assert chain.name(1) in gone
    assert not gone & {snapshot, by_engine}
    sandbox.snap("verify", "--deep", snapshot)
    for name in (snapshot, by_engine):
        assert sandbox.output_of(name, "cat", "/hello") == "hello\n"


def test_an_image_that_inherited_the_label_is_not_cleared_away(sandbox: Sandbox, chain: Chain) -> None:
    image = chain.kept(1)
    unnamed = chain.kept_with_label(image.config.labels[CACHE_LABEL], "unnamed")
    gc_cache(chain.engine)
    assert is_here(sandbox, unnamed.id)


def test_with_nothing_kept_that_is_said(sandbox: Sandbox) -> None:
    sandbox.snap("cache", "gc")
    assert sandbox.snap("cache", "gc").stderr == "snap: nothing was kept\n"
    assert "nothing is kept" in sandbox.snap("cache", "ls").stderr
