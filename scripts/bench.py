"""Measure snap, as ratios taken within one run: a slower machine, or a busier one, moves both sides."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from bench_commit import CASES, KINDS, BenchFailed, commit
from tabulate import tabulate


def start(runs: int) -> None:
    """Print how long snap takes to start, against a bare interpreter and one that imports click."""
    snap = str(Path(sys.executable).with_name("snap"))
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import click'": [sys.executable, "-c", "import click"],
        "snap --version": [snap, "--version"],
        "snap --help": [snap, "--help"],
    }
    medians = interleaved_medians(commands, runs)
    bare, click = list(medians.values())[:2]
    print(
        tabulate(
            [
                (name, f"{seconds * 1000:.0f}", f"{seconds / bare:.2f}", f"{seconds / click:.2f}")
                for name, seconds in medians.items()
            ],
            headers=("command", "median ms", "/ bare", "/ click"),
            disable_numparse=True,
            colalign=("left", "right", "right", "right"),
        )
    )


def interleaved_medians(commands: Mapping[str, Sequence[str]], runs: int) -> dict[str, float]:
    """Run all commands in turn, ``runs`` times; return the median of each one's seconds."""
    # As on a user's machine: with the compiled files, which the first round writes.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            begin = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
            if turn:  # the first round warms the caches
                seconds[name].append(time.perf_counter() - begin)
    return {name: median(taken) for name, taken in seconds.items()}


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    what = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    starting = what.add_parser("start", help="snap --help and --version against a bare interpreter")
    starting.add_argument("--runs", type=int, default=20, metavar="N", help="of each command [%(default)s]")
    committing = what.add_parser("commit", help="snap commit against the engine's own tools; needs root")
    committing.add_argument("--runs", type=int, default=5, metavar="N", help="of each way [%(default)s]")
    committing.add_argument(
        "--engine", action="append", choices=KINDS, help="one of scripts/engine's kinds [all]"
    )
    committing.add_argument("--case", action="append", choices=CASES, help="what to measure [all]")
    executing = what.add_parser("exec", help="snap exec against the engine's own CLI; needs root")
    executing.add_argument("--runs", type=int, default=20, metavar="N", help="of each command [%(default)s]")
    executing.add_argument(
        "--engine", action="append", choices=KINDS, help="one of scripts/engine's kinds [all]"
    )
    patching = what.add_parser("patch", help="snap patch against buildah and docker build; needs root")
    patching.add_argument("--runs", type=int, default=10, metavar="N", help="of each way [%(default)s]")
    seeing = what.add_parser("see", help="snap diff and snap report: time, bytes read, memory; needs root")
    seeing.add_argument("--runs", type=int, default=5, metavar="N", help="of each way [%(default)s]")
    seeing.add_argument(
        "--engine",
        action="append",
        choices=KINDS,
        help="one of scripts/engine's kinds [docker20, docker28-containerd]",
    )
    arguments = parser.parse_args()
    if arguments.runs < 1:
        parser.error("--runs must be at least 1")
    try:
        if arguments.what == "start":
            start(arguments.runs)
        elif arguments.what == "exec":
            from bench_exec import exec_

            exec_(arguments.engine or KINDS, arguments.runs)
        elif arguments.what == "patch":
            from bench_patch import patch

            patch(arguments.runs)
        elif arguments.what == "see":
            from bench_see import SEE_KINDS, see

            see(arguments.engine or SEE_KINDS, arguments.runs)
        else:
            commit(arguments.engine or KINDS, arguments.case or CASES, arguments.runs)
    except (subprocess.CalledProcessError, BenchFailed) as error:
        print(f"scripts/bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
