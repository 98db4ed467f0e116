from __future__ import annotations

import itertools
import posixpath
import time
from collections.abc import Collection, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.fetch_plan import (
    CallCosts,
    KnownSizes,
    ReadEverything,
    ReadFolder,
    ReadPath,
    Step,
    plan_fetch,
)
from snapshot.changeset.paths import component_order, is_at_or_below

COSTS = CallCosts(call_s=0.01, file_s=0.0001, bytes_per_s=1e8)
NO_BASE = KnownSizes(base_bytes=0, changed_bytes=10**6)

# Few names, so that paths share folders.
parts = st.lists(st.sampled_from(["a", "a.b", "c"]), max_size=3)
paths = st.sets(parts.map(lambda names: "/" + "/".join(names)), min_size=1, max_size=6)
costs = st.builds(
    CallCosts,
    call_s=st.sampled_from([0.0, 0.001, 0.01, 1.0]),
    file_s=st.sampled_from([0.0, 0.0001, 0.01]),
    bytes_per_s=st.sampled_from([1e4, 1e8]),
)
sizes = st.builds(KnownSizes, st.sampled_from([0, 10**7, 10**11]), st.sampled_from([0, 10**6, 10**10]))


def brought_by(step: Step, wanted: Collection[str]) -> set[str]:
    """Those of ``wanted`` that a step brings, as the steps' own words say."""
    if isinstance(step, ReadPath):
        return {step.path} & set(wanted)
    if isinstance(step, ReadFolder):
        return {path for path in wanted if is_at_or_below(path, step.path)}
    return set(wanted) - {"/"}


def folders_above(wanted: Collection[str]) -> set[str]:
    above = set()
    for path in wanted:
        while path != "/":
            path = posixpath.dirname(path)
            above.add(path)
    return above


def all_plans(wanted: set[str]) -> Iterator[tuple[Step, ...]]:
    """Every set of calls that brings each wanted path once."""
    folders = folders_above(wanted)
    steps: list[Step] = [ReadPath(path) for path in wanted]
    steps += [ReadFolder(path) for path in folders - {"/"}]
    if folders:
        steps.append(ReadEverything())
    for count in range(1, len(wanted) + 1):
        for chosen in itertools.combinations(steps, count):
            brought = [path for step in chosen for path in brought_by(step, wanted)]
            if len(brought) == len(wanted) == len(set(brought)):
                yield chosen


def seconds(plan: tuple[Step, ...], wanted: set[str], costs: CallCosts, changed_bytes: int) -> float:
    """What a plan takes where nothing comes along that is not wanted; the root's header is not counted."""
    bytes_a_file = changed_bytes / len(wanted)
    folders = folders_above(wanted)
    whole = ReadEverything() in plan
    total = 0.0
    for step in plan:
        if isinstance(step, ReadPath):
            content = 0.0 if step.path in folders else bytes_a_file / costs.bytes_per_s
            total += 0.0 if whole and step.path == "/" else costs.call_s + content
        else:
            files = len(brought_by(step, wanted) | (wanted & {"/"} if whole else set()))
            total += costs.call_s + files * (costs.file_s + bytes_a_file / costs.bytes_per_s)
    return total


@given(paths, costs, st.sampled_from([0, 10**6, 10**10]))
def test_no_other_plan_is_cheaper(wanted: set[str], costs: CallCosts, changed_bytes: int) -> None:
    plan = plan_fetch(wanted, (), costs, KnownSizes(0, changed_bytes))
    best = min(seconds(other, wanted, costs, changed_bytes) for other in all_plans(wanted))
    assert plan.estimated_s == pytest.approx(best)
    assert seconds(plan.steps, wanted, costs, changed_bytes) == pytest.approx(best)


@given(paths, paths, paths, costs, sizes)
def test_each_path_is_brought_once_and_in_order(
    wanted: set[str], added: set[str], not_addressable: set[str], costs: CallCosts, sizes: KnownSizes
) -> None:
    plan = plan_fetch(wanted, added, costs, sizes, not_addressable - {"/"})
    brought = [path for step in plan.steps for path in brought_by(step, wanted)]
    assert sorted(brought) == sorted(wanted)
    tops = [step.path for step in plan.steps if not isinstance(step, ReadEverything)]
    assert tops == sorted(tops, key=component_order)
    assert plan == plan_fetch(sorted(wanted), sorted(added), costs, sizes, not_addressable - {"/"})


@given(paths, paths, costs, sizes)
def test_what_cannot_be_asked_for_is_in_no_call(
    wanted: set[str], not_addressable: set[str], costs: CallCosts, sizes: KnownSizes
) -> None:
    steps = plan_fetch(wanted, (), costs, sizes, not_addressable - {"/"}).steps
    asked = {step.path for step in steps if not isinstance(step, ReadEverything)}
    assert not asked & (not_addressable - {"/"})


@pytest.mark.parametrize("name", ["as listed: \ufffd", "as it is: \udce9"])
def test_a_name_that_is_not_utf8_comes_with_the_nearest_folder_that_can_be_asked_for(name: str) -> None:
    plan = plan_fetch([f"/etc/{name}/x/y", "/etc/z"], [], COSTS, KnownSizes(10**12))
    assert [str(step) for step in plan.steps] == ["folder /etc"]
    assert plan_fetch([f"/{name}"], [], COSTS, KnownSizes(10**12)).steps == (ReadEverything(),)


def test_a_small_file_on_a_large_base_is_asked_for_by_itself() -> None:
    plan = plan_fetch(["/usr/lib/a"], [], COSTS, KnownSizes(base_bytes=10**12, changed_bytes=10))
    assert plan.steps == (ReadPath("/usr/lib/a"),)


def test_many_files_of_a_new_folder_come_in_one_call() -> None:
    wanted = ["/new", *(f"/new/{number}" for number in range(1000))]
    plan = plan_fetch(wanted, ["/new"], COSTS, KnownSizes(base_bytes=10**12))
    assert plan.steps == (ReadFolder("/new"),)


def test_all_below_a_new_folder_is_new() -> None:
    wanted = ["/new", *(f"/new/deep/{number}" for number in range(1000))]
    plan = plan_fetch(wanted, ["/new"], COSTS, KnownSizes(base_bytes=10**12))
    assert plan.steps == (ReadFolder("/new"),)


def test_a_folder_of_the_base_is_not_read_for_a_few_files_of_it() -> None:
    wanted = ["/usr/a", "/usr/b"]
    assert plan_fetch(wanted, [], COSTS, KnownSizes(base_bytes=10**12)).steps == tuple(map(ReadPath, wanted))


def test_where_calls_cost_nothing_each_path_is_a_call_and_where_they_are_dear_all_is_one() -> None:
    wanted = ["/a/b", "/a/c", "/d"]
    free, dear = CallCosts(0.0, 1.0, 1e8), CallCosts(1e9, 0.0, 1e8)
    assert plan_fetch(wanted, [], free, KnownSizes(10**9)).steps == tuple(map(ReadPath, wanted))
    assert plan_fetch(wanted, [], dear, KnownSizes(10**9)).steps == (ReadEverything(),)


def test_an_export_has_no_header_for_the_root_so_that_is_asked_for() -> None:
    dear = CallCosts(1e9, 0.0, 1e8)
    plan = plan_fetch(["/", "/a", "/b"], [], dear, NO_BASE)
    assert plan.steps == (ReadPath("/"), ReadEverything())
    assert plan_fetch(["/"], [], COSTS, NO_BASE).steps == (ReadPath("/"),)


def test_nothing_wanted_is_no_call() -> None:
    plan = plan_fetch([], [], COSTS, NO_BASE)
    assert (plan.steps, plan.estimated_s) == ((), 0.0)
    assert str(plan) == "nothing to read; about 0.00 s"


def test_a_plan_says_what_it_does() -> None:
    plan = plan_fetch(["/a", "/b"], [], COSTS, KnownSizes(10**12))
    assert str(plan) == "2 ReadPath; about 0.02 s"


@pytest.mark.parametrize(
    "wanted",
    [
        [f"/usr/{number % 300}/{number % 7}/{number}" for number in range(100_000)],
        ["/" + "/".join("d" * 2000)],
    ],
    ids=["many", "deep"],
)
def test_long_lists_and_deep_paths_are_quick(wanted: list[str]) -> None:
    begun = time.process_time()
    plan = plan_fetch(wanted, [], COSTS, KnownSizes(10**9, 10**9))
    assert {path for step in plan.steps for path in brought_by(step, wanted[:1])} == {wanted[0]}
    assert time.process_time() - begun < 10
