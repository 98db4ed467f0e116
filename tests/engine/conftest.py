"""A real engine for the tests: a base image, a scratch space, and nothing left behind."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import docker
import lookalike
import pytest
from docker.errors import NotFound
from sandbox import Sandbox

__all__ = ["Sandbox"]

KINDS = ("docker20", "docker28", "docker28-containerd", "podman")  #: as scripts/engine has them
#: Files whose tests are about something else than the engine: they run on one kind alone.
ONCE = (
    "test_scripts.py", "test_docs.py", "test_examples.py", "test_hostile_recipes.py", "test_lab.py",
    "test_diff_shown.py", "test_packages.py",
)  # fmt: skip
#: Files whose tests are about what Docker 28 with its classic store has either in common with Docker 20 (the
#: store) or with its other store (the rest of the engine), on both of which they run.
NOT_ON_DOCKER28 = (
    "test_commit_again.py", "test_commit_config.py", "test_commit_depth.py", "test_commit_files.py",
    "test_commit_interrupted.py", "test_commit_options.py", "test_diff.py",
    "test_diff_sides.py", "test_diff_thorough.py",
    "test_engine_errors.py", "test_export.py", "test_import_diff.py",
    "test_instructions_as_the_engine.py", "test_layers.py", "test_library.py", "test_ls_show.py",
    "test_own_changes.py", "test_patch.py", "test_rebase.py", "test_recipe_of.py", "test_replay.py",
    "test_report.py",
    "test_round_trips.py", "test_squash.py", "test_squash_image.py", "test_tree.py",
    "test_undo.py", "test_verify.py", "test_verify_checks.py", "test_verify_rebuilt.py",
)  # fmt: skip
_left_out: Counter[str] = Counter()  # reasons


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "only_on(*kinds, reason): for these of scripts/engine's kinds alone; deselected on the others",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that are not for the engine at hand, and remember why."""
    for item in items:
        if item.path.parent != Path(__file__).parent or not item.get_closest_marker("engine"):
            continue
        if item.path.name in ONCE:
            item.add_marker(pytest.mark.only_on("docker20", reason=f"{item.path.name} runs once"))
        if item.path.name in NOT_ON_DOCKER28:
            reason = "they run on Docker 20 and on Docker 28's other store"
            item.add_marker(pytest.mark.only_on("docker20", "docker28-containerd", "podman", reason=reason))
    kind = engine_kind() if any(item.get_closest_marker("only_on") for item in items) else None
    if kind is None:
        return
    others = []
    for item in items:
        for mark in item.iter_markers("only_on"):
            unknown = set(mark.args) - set(KINDS)
            assert not unknown, f"{item.nodeid}: only_on has no kinds {unknown}"
            if kind not in mark.args:
                _left_out[mark.kwargs["reason"]] += 1
                others.append(item)
                break
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


def pytest_report_collectionfinish() -> Sequence[str]:
    return [f"not for this engine: {count} tests, {reason}" for reason, count in _left_out.items()]


def engine_kind() -> str | None:
    """Which of scripts/engine's kinds the engine is, or is like; ``None`` where there is none to ask."""
    if kind := os.environ.get("SNAP_TEST_ENGINE"):
        return kind
    if not (host := os.environ.get("SNAP_TEST_HOST")):
        return None
    with closing(docker.APIClient(host, version="auto")) as client:
        version, info = client.version(), client.info()
    if any(part["Name"] == "Podman Engine" for part in version.get("Components", ())):
        return "podman"
    if any("containerd.snapshotter" in value for _, value in info.get("DriverStatus") or ()):
        return "docker28-containerd"
    return "docker20" if int(version["Version"].partition(".")[0]) < 23 else "docker28"


@pytest.fixture(scope="session")
def host() -> str:
    """The engine to test on; a run without one fails rather than skips."""
    value = os.environ.get("SNAP_TEST_HOST")
    if not value:
        pytest.fail("SNAP_TEST_HOST names no engine: run the tests with scripts/test.", pytrace=False)
    return value


@pytest.fixture(scope="session")
def client(host: str) -> Iterator[docker.APIClient]:
    """The engine's API, to set up a case and to look at what snap did."""
    api = docker.APIClient(host, version="auto", timeout=120)
    yield api
    api.close()


@pytest.fixture(scope="session")
def base_image(client: docker.APIClient) -> Iterator[str]:
    """A look-alike of diamol/ch03-lab under a name of its own."""
    name = f"snap-test-{secrets.token_hex(4)}/ch03-lab:latest"
    image_id = lookalike.make_ch03_lab(client, name)
    yield name
    with suppress(NotFound):
        client.remove_image(image_id, force=True)


@pytest.fixture
def sandbox(client: docker.APIClient, host: str, base_image: str, tmp_path: Path) -> Iterator[Sandbox]:
    """A scratch space on the engine; a helper container that a snap command leaves behind fails the test."""
    space = Sandbox(client, host, base_image, tmp_path)
    yield space
    strays = space.strays()
    space.clean()
    assert not strays, f"left behind: {strays}"
    assert not space.new_images(), "images could not be removed"


@pytest.fixture(scope="module")
def space(
    client: docker.APIClient, host: str, base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sandbox]:
    """Where containers and images live that many tests of a file only look at."""
    shared = Sandbox(client, host, base_image, tmp_path_factory.mktemp("home"))
    yield shared
    shared.clean()
