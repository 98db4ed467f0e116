from __future__ import annotations

import subprocess
import sys

import pytest

from snapshot.cli.plain_exec import plain_command


@pytest.mark.parametrize(
    ("words", "plain"),
    [
        (["exec", "web", "true"], ("web", ("true",))),
        (["exec", "web", "--", "ls", "-l", "--", "x"], ("web", ("ls", "-l", "--", "x"))),
        (["exec", "web", "ls", "--help"], ("web", ("ls", "--help"))),
        (["exec", "web"], None),
        (["exec", "web", "--"], None),
        (["exec", "-it", "web", "sh"], None),
        (["exec", "--help", "x"], None),
        (["exec", "", "true"], None),
        (["--host", "x", "exec", "web", "true"], None),
        (["run", "web", "true"], None),
        ([], None),
    ],
)
def test_a_call_without_options_is_plain(words: list[str], plain: tuple[str, tuple[str, ...]] | None) -> None:
    assert plain_command(words) == plain


def test_a_plain_call_loads_neither_click_nor_docker(tmp_path: object) -> None:
    program = (
        "import sys\n"
        "sys.argv = ['snap', 'exec', 'web', 'true']\n"
        "import snapshot.cli.leaving as leaving\n"
        "leaving.leave = lambda status: sys.exit(status)\n"
        "from snapshot.cli import snap\n"
        "try:\n    snap()\n"
        "except SystemExit as end:\n    status = end.code\n"
        "slow = {'docker', 'requests', 'urllib3', 'click', 'tabulate', 'ssl'} & sys.modules.keys()\n"
        "sys.exit(f'{status}, and loaded {slow}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"DOCKER_HOST": f"unix://{tmp_path}/nobody", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines()[-1] == "5, and loaded set()"
    assert "No engine can be reached" in done.stderr
