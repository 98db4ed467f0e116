"""Documents that show commands: each is run, and what it prints is held against what the document shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sandbox import Sandbox

ROOT = Path(__file__).parents[2]


def environment(sandbox: Sandbox) -> dict[str, str]:
    """That of a person at a terminal of some width, with snap installed."""
    env = sandbox.environment()
    return {**env, "PATH": f"{Path(sys.executable).parent}:{env['PATH']}", "COLUMNS": "120"}


def check(document: Path, sandbox: Sandbox, folder: Path) -> None:
    """Run the document's commands in ``folder``; fails where they print something else than it shows."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "docs.py", "--check", document],
        env=environment(sandbox),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
