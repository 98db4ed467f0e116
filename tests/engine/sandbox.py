"""A scratch space on a real engine."""

from __future__ import annotations

import atexit
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import docker
import docker.errors
import pytest
from docker.errors import NotFound
from doctor import take_apart
from fork_server import READ_AT_START, ForkServer

from snapshot.engine.process_types import ExecSpec
from snapshot.engine.processes import Processes
from snapshot.workflow.sessions.pump import pump
from snapshot.workflow.sessions.streams import Streams

SNAP = [sys.executable, "-m", "snapshot"]
_TIMEOUT_S = 120
_NOTHING = Path(os.devnull)


class Sandbox:
    """What one test makes on the engine; all of it is removed afterwards.

    Attributes
    ----------
    prefix:
        Begins the name of every container and image of this test.
    home:
        Home folder of the snap commands: no configuration or state of the user's is touched.
    """

    def __init__(self, client: docker.APIClient, host: str, base_image: str, home: Path) -> None:
        self.client = client
        self.host = host
        self.base_image = base_image
        self.home = home
        self.prefix = f"t{secrets.token_hex(4)}"
        self._images_before = self._image_ids()
        self._containers_before = {item["Id"] for item in client.containers(all=True)}

    @property
    def is_podman(self) -> bool:
        """Whether the engine is Podman, which differs from Docker in what a test says it does."""
        return _is_podman(self.client)

    def name(self, stem: str = "box") -> str:
        """A name for a container or image that no other test uses."""
        return f"{self.prefix}-{stem}"

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a snap command: this engine, and a home of its own."""
        kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
        return {
            **kept,
            "DOCKER_HOST": self.host,
            "HOME": str(self.home),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **(extra or {}),
        }

    def snap(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        expect: int | None = 0,
        cwd: Path | None = None,
        stdin: Path = _NOTHING,
        limits: Mapping[int, int] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the command; fail the test where its status is not ``expect`` (``None`` takes any).

        ``limits`` are of :func:`resource.setrlimit`; they need a command that is forked.
        """
        if _is_read_at_start(env):
            assert not limits
            done = _new_process(arguments, self.environment(env), cwd or self.home, stdin)
        else:
            done = _forked(arguments, self.environment(env), cwd or self.home, stdin, limits or {})
        if expect is not None and done.returncode != expect:
            pytest.fail(
                f"snap {' '.join(arguments)} gave {done.returncode}, not {expect}\n{done.stdout}{done.stderr}"
            )
        return done

    def hold(self, stem: str = "box", *options: str, image: str | None = None) -> str:
        """Start a container through snap that is held open by ``sleep``, and return its name."""
        name = self.name(stem)
        self.snap(
            "run",
            "-d",
            "-q",
            "--network",
            "none",
            "--name",
            name,
            *options,
            image or self.base_image,
            "sleep",
            "600",
        )
        return name

    def sh(self, container: str, script: str, user: str = "0") -> str:
        """Run a shell script in a running container (behind snap's back), and return what it printed.

        Over a connection of ours: docker-py's loses what comes along with an answer's head.
        """
        spec = ExecSpec(("/bin/sh", "-ec", script), user=user)
        output = bytearray()
        with closing(Processes.connect(self.host)) as processes:
            exec_id = processes.exec_create(container, spec)
            duplex = processes.exec_start(exec_id, spec)
            assert duplex
            with closing(duplex):
                pump(duplex, Streams(output=lambda out, err: output.extend(out or err or b"")), tty=False)
            while (state := processes.exec_state(exec_id)).running:
                time.sleep(0.005)
        assert state.exit_code == 0, f"{script!r} ended with {state.exit_code}: {bytes(output)!r}"
        return output.decode("utf-8", "surrogateescape")

    def changed(self, script: str, stem: str = "box", *options: str, image: str | None = None) -> str:
        """A running container in which ``script`` was run, by name."""
        name = self.hold(stem, *options, image=image)
        self.sh(name, script)
        return name

    def output_of(self, image: str, *command: str) -> str:
        """What a command prints in a new container of ``image``."""
        done = self.snap(
            "run",
            "-q",
            "--network",
            "none",
            "--name",
            self.name(f"out{secrets.token_hex(3)}"),
            image,
            *command,
        )
        return done.stdout

    def inspect(self, image: str) -> dict[str, Any]:
        """What the engine says of an image."""
        answer: dict[str, Any] = self.client.inspect_image(image)  # type: ignore[no-untyped-call]
        return answer

    def config(self, image: str) -> dict[str, Any]:
        """The config of an image, as the engine says it."""
        answer: dict[str, Any] = self.inspect(image)["Config"]
        if self.is_podman:
            # Its answer leaves out healthcheck, ONBUILD and SHELL; what it saves has them.
            answer |= take_apart(self.client, image).config["config"]
            if check := answer.get("Healthcheck"):
                answer["Healthcheck"] = {key: value for key, value in check.items() if value}
        return answer

    def state(self, container: str) -> str:
        """Docker's word for the state of a container."""
        return str(self.client.inspect_container(container)["State"]["Status"])

    def strays(self) -> list[str]:
        """Containers that this test made and did not name: none may be left by a snap command."""
        return [
            item["Names"][0]
            for item in self.client.containers(all=True)
            if item["Id"] not in self._containers_before
            and not item["Names"][0].startswith(f"/{self.prefix}")
        ]

    def new_images(self) -> set[str]:
        """IDs of the images that were made since the test began."""
        return self._image_ids() - self._images_before

    def clean(self) -> None:
        """Remove all that this test made; also from a container that it left paused."""
        for item in self.client.containers(all=True):
            if item["Id"] not in self._containers_before:
                with suppress(docker.errors.APIError):
                    self.client.unpause(item["Id"])
                with suppress(NotFound):
                    self.client.remove_container(item["Id"], force=True, v=True)
        # A child goes before its parent; a few rounds find the order.
        for _ in range(5):
            for image_id in self.new_images():
                with suppress(docker.errors.APIError):
                    self.client.remove_image(image_id, force=True)

    def _image_ids(self) -> set[str]:
        return {item["Id"] for item in self.client.images(all=True)}


@cache
def _is_podman(client: docker.APIClient) -> bool:
    # Asked once: the answer takes Podman half a second.
    return any(part["Name"] == "Podman Engine" for part in client.version().get("Components", ()))


@cache
def _fork_server() -> ForkServer:
    server = ForkServer()
    atexit.register(server.close)
    return server


def _is_read_at_start(env: Mapping[str, str] | None) -> bool:
    return any(name.startswith(READ_AT_START) for name in env or ())


def _forked(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    stdin: Path,
    limits: Mapping[int, int],
) -> subprocess.CompletedProcess[str]:
    with Path(stdin).open("rb") as given, TemporaryFile() as stdout, TemporaryFile() as stderr:
        files: list[IO[bytes]] = [given, stdout, stderr]
        status = _fork_server().run(arguments, environment, folder, files, _TIMEOUT_S, limits)
        return subprocess.CompletedProcess([*SNAP, *arguments], status, _text(stdout), _text(stderr))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "surrogateescape")


def _new_process(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, stdin: Path
) -> subprocess.CompletedProcess[str]:
    with stdin.open("rb") as given:
        return subprocess.run(
            [*SNAP, *arguments],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=_TIMEOUT_S,
            stdin=given,
            check=False,
        )
