"""An engine of its own on a small disk, which a test may fill up or kill."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from processes import wait_until

_SCRIPT = Path(__file__).parents[2] / "scripts" / "engine"
_KIND = os.environ.get("SNAP_TEST_ENGINE", "docker20")
_NAME = "small"
_NOT_TO_BE_HAD = 4


class SecondEngine:
    """A private engine of ``scripts/engine``; its folder is a mounted tmpfs."""

    def __init__(self, base: Path, kind: str = _KIND) -> None:
        self.kind = kind
        self._base = base
        self.folder = base / _NAME
        self.host = f"unix://{self.folder}/docker.sock"

    def up(self) -> None:
        """Start it, or start it again."""
        self._call("up")

    def down(self) -> None:
        """End it and remove all that it made."""
        self._call("down")

    def kill(self) -> None:
        """Kill the daemon without a warning; its containers live on."""
        pid = int((self.folder / "pid").read_text())
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _runs(pid), "the daemon is dead")

    def free_bytes(self) -> int:
        """Room on its disk."""
        room = os.statvfs(self.folder)
        return room.f_bavail * room.f_bsize

    def _call(self, command: str) -> None:
        environment = {**os.environ, "SNAP_ENGINES": str(self._base)}
        done = subprocess.run(
            [_SCRIPT, command, self.kind, _NAME],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode == _NOT_TO_BE_HAD:
            pytest.skip(done.stderr.splitlines()[-1])
        if done.returncode:
            pytest.fail(f"scripts/engine {command}: {done.stderr}")


@contextmanager
def small_engine(size_mb: int, kind: str = _KIND) -> Iterator[SecondEngine]:
    """An engine whose disk is that small; skips the test where that takes rights that are not there.

    ``kind`` is one of ``scripts/engine``'s, by default that of the engine at hand. One that cannot be had on
    this machine skips the test too; ``scripts/test`` says in its last line that it was not run.
    """
    if os.geteuid() != 0:
        pytest.skip("an engine of its own needs root")
    # The sockets' addresses leave room for a short path alone.
    with tempfile.TemporaryDirectory(prefix="snap-", dir="/tmp") as name:
        engine = SecondEngine(Path(name), kind)
        engine.folder.mkdir()
        with mounted_tmpfs(engine.folder, f"{size_mb}m"):
            try:
                engine.up()
                yield engine
            finally:
                engine.down()


@contextmanager
def other_engine(kind: str) -> Iterator[SecondEngine]:
    """An engine of that kind on the disk that temporary files are on; fails where it cannot be had."""
    with tempfile.TemporaryDirectory(prefix="snap-", dir="/tmp") as name:
        engine = SecondEngine(Path(name), kind)
        try:
            try:
                engine.up()
            except pytest.skip.Exception as reason:
                pytest.fail(str(reason), pytrace=False)
            yield engine
        finally:
            engine.down()


@contextmanager
def mounted_tmpfs(folder: Path, size: str) -> Iterator[None]:
    """A file system of that size at ``folder``."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        # An engine's last process may be on its way out yet.
        wait_until(lambda: subprocess.run(["umount", folder], check=False).returncode == 0, "unmounted")


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
