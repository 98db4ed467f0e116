"""Builders of Dockerfiles: the engine's own over its API, BuildKit with Docker's CLI, buildah by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import docker
import pytest
from sandbox import Sandbox

_TIMEOUT_S = 120


def build_classic(space: Sandbox, folder: Path, name: str) -> None:
    """The builder behind ``POST /build``: Docker's classic one; with Podman it is buildah."""
    client = space.client
    lines = list(
        client.build(path=str(folder), tag=name, rm=True, forcerm=True, network_mode="none", decode=True)
    )
    errors = [line["error"] for line in lines if "error" in line]
    assert not errors, errors


def build_with_buildkit(space: Sandbox, folder: Path, name: str) -> None:
    """BuildKit inside Docker's engine."""
    environment = {"PATH": os.environ["PATH"], "DOCKER_HOST": space.host, "DOCKER_BUILDKIT": "1"}
    command = [_docker(), "build", "--network", "none", "--progress", "plain", "-t", name, str(folder)]
    done = subprocess.run(
        command,
        env={**environment, "HOME": str(space.home)},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def forget_builds(client: docker.APIClient) -> None:
    """Remove what BuildKit keeps for the next build."""
    client.prune_builds()


@cache
def _docker() -> str:
    """Docker's CLI with a BuildKit client in it: one from before 23.0, or one that has buildx."""
    for program in ("/usr/bin/docker", shutil.which("docker")):
        if program and Path(program).exists():
            done = subprocess.run(
                [program, "version", "--format", "{{.Client.Version}}"],
                capture_output=True,
                text=True,
                check=False,
            )
            is_old = done.stdout.partition(".")[0].isdigit() and int(done.stdout.partition(".")[0]) < 23
            if is_old or _succeeds([program, "buildx", "version"]):
                return program
    pytest.fail("no docker that can use BuildKit: install docker.io, or docker-buildx", pytrace=False)


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class Buildah:
    """buildah with a store of its own."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("buildah") is None:
            pytest.fail("buildah is missing: install the package of that name.", pytrace=False)
        policy = folder / "policy.json"
        policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        registries = folder / "registries.conf"
        registries.write_text('unqualified-search-registries = ["docker.io"]\n')
        storage = [
            "--root",
            str(folder / "root"),
            "--runroot",
            str(folder / "run"),
            "--storage-driver",
            "vfs",
        ]
        self._command = ["buildah", *storage, "--registries-conf", str(registries)]
        self._policy = ["--signature-policy", str(policy)]
        self._folder = folder

    def run(self, verb: str, *arguments: str) -> str:
        """Run a verb; gives what it prints."""
        needs_policy = verb in {"pull", "push", "build"}
        done = subprocess.run(
            [*self._command, verb, *(self._policy if needs_policy else []), *arguments],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(self._folder)},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()
