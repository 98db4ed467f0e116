"""A real engine for the tests: a base image, a scratch space, and nothing left behind."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker
import lookalike
import pytest
from docker.errors import NotFound
from sandbox import Sandbox

__all__ = ["Sandbox"]


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
