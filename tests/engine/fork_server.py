"""Runs snap commands in forks of one process that has imported all: imports are most of a short command.

A command gets its own environment, folder and descriptors, as a new process would. What Python itself reads
from the environment when it starts it does not heed; :meth:`Sandbox.snap` starts a new process for that.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

#: What Python reads when it starts.
READ_AT_START = ("PYTHON", "LANG", "LC_")


class ForkServer:
    """The process that forks; started when it is first needed, ended with this one."""

    def __init__(self) -> None:
        self._here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(there.fileno())],
                pass_fds=[there.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            )

    def run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        files: Sequence[IO[bytes]],
        timeout_s: float,
        limits: Mapping[int, int],
    ) -> int:
        """Run ``snap`` with ``files`` as stdin, stdout and stderr; returns its status as a shell has it.

        ``limits`` are of :func:`resource.setrlimit`; the command has them as soon as it has begun.
        """
        here, there = socket.socketpair()
        request = json.dumps([list(arguments), dict(environment), str(folder)]).encode()
        with here:
            with there:
                descriptors = [there.fileno(), *(file.fileno() for file in files)]
                socket.send_fds(self._here, [b"+"], descriptors)
            here.sendall(len(request).to_bytes(4, "big") + request)
            here.settimeout(timeout_s)
            pid = int(here.recv(10))
            with contextlib.suppress(ProcessLookupError):
                for number, most in limits.items():
                    resource.prlimit(pid, number, (most, most))
            try:
                return int(here.recv(10))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(list(arguments), timeout_s) from None

    def close(self) -> None:
        """End the server."""
        self._here.close()
        self._process.wait()


def _serve(requests: socket.socket) -> None:
    _import_everything()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        data, descriptors, _, _ = socket.recv_fds(requests, 1, 4)
        if not data:
            return
        if os.fork() == 0:
            requests.close()
            _watch(socket.socket(fileno=descriptors[0]), descriptors[1:])
        for descriptor in descriptors:
            os.close(descriptor)


def _import_everything() -> None:
    # By name, since the package calls its function the same.
    for verb in importlib.import_module("snapshot.cli.main").VERBS:
        importlib.import_module(f"snapshot.cli.{verb.replace('-', '_')}")
    for module in ("docker", "tabulate", "snapshot.api"):
        importlib.import_module(module)


def _watch(answers: socket.socket, descriptors: Sequence[int]) -> NoReturn:
    """Fork once more, and tell what becomes of the command."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with answers.makefile("rb") as file:
        size = int.from_bytes(file.read(4), "big")
        arguments, environment, folder = json.loads(file.read(size))
    pid = os.fork()
    if pid == 0:
        answers.close()
        _become(arguments, environment, folder, descriptors)
    with contextlib.suppress(OSError):
        answers.sendall(b"%-10d" % pid)
        answers.sendall(b"%-10d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    os._exit(0)


def _become(
    arguments: Sequence[str], environment: Mapping[str, str], folder: str, descriptors: Sequence[int]
) -> NoReturn:
    status = 70
    try:
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
        sys.argv = ["snap", *arguments]
        importlib.import_module("snapshot.cli").snap()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        with contextlib.suppress(OSError):
            sys.stdout.flush()
    finally:
        os._exit(status)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
