"""Measure ``snap exec NAME -- true`` against ``docker exec NAME true``, and where its time goes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from bench_commit import ENGINE, KINDS, SNAP, Bench, BenchFailed
from tabulate import tabulate

from snapshot.engine.process_types import ExecSpec
from snapshot.engine.processes import Processes
from snapshot.engine.types import Container
from snapshot.journal.step import Step
from snapshot.workflow.look import take_look
from snapshot.workflow.steps import journal_of

__all__ = ["KINDS", "exec_"]

_BOX, _IMAGE = "bench-box", "bench/ch03-lab"
_MOST = 2.0
_EXEC = "snap exec NAME -- true"


def exec_(kinds: Sequence[str], runs: int) -> None:
    """Measure on private engines, and print two tables; what was made for it is removed."""
    ratios, parts = [], []
    for kind in kinds:
        with _box(kind, runs) as bench, tempfile.TemporaryDirectory() as state:
            os.environ["XDG_STATE_HOME"] = state
            against = "docker" if kind != "podman" else "podman --remote"
            theirs = f"{against} exec NAME true"
            seconds = _medians(
                {
                    theirs: partial(bench.shell, f"exec {bench.cli} exec {_BOX} true"),
                    _EXEC: partial(bench.shell, f"exec {SNAP} exec {_BOX} -- true"),
                },
                runs,
            )
            ours = seconds[_EXEC]
            ratios.append(
                (kind, theirs, f"{seconds[theirs] * 1000:.0f}", f"{ours * 1000:.0f}",
                 f"{ours / seconds[theirs]:.2f}", f"{_MOST:.1f}")
            )  # fmt: skip
            for name, taken in _parts(bench, runs).items():
                parts.append((kind, name, f"{taken * 1000:.1f}"))
    print(_table(ratios, ("engine", "against", "its ms", "snap's ms", "ratio", "to reach")), end="\n\n")
    print(_table(parts, ("engine", f"part of {_EXEC}", "ms")))


def _table(rows: Sequence[tuple[str, ...]], headers: tuple[str, ...]) -> str:
    return tabulate(rows, headers=headers, disable_numparse=True, tablefmt="github")


@contextmanager
def _box(kind: str, runs: int) -> Iterator[Bench]:
    """An engine with a container that rests."""
    done = subprocess.run([ENGINE, "up", kind, "bench"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise BenchFailed(f"there is no engine {kind}")
    bench = Bench(kind, runs, url=done.stdout.strip())
    try:
        bench.shell(f"{sys.executable} {Path(__file__).with_name('lookalike.py')} {_IMAGE}")
        bench.shell(f"{bench.cli} run -d --name {_BOX} --network none {_IMAGE} sleep infinity")
        yield bench
    finally:
        subprocess.run([ENGINE, "down", kind, "bench"], check=True)


def _medians(works: Mapping[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """Do all in turn, ``runs`` times; the median of each one's seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(runs + 1):
        for name, work in works.items():
            begin = time.perf_counter()
            work()
            if turn:  # the first round warms the caches
                seconds[name].append(time.perf_counter() - begin)
    return {name: median(taken) for name, taken in seconds.items()}


def _parts(bench: Bench, runs: int) -> dict[str, float]:
    """What such a command is made of, each part measured alone."""
    processes = Processes.connect(bench.url)
    try:
        container = processes.container(_BOX)
        journal = journal_of(container.id)
        look = take_look(processes, container)

        def write_step() -> None:
            number = journal.begin(Step(0, "exec", ("true",)), look)
            journal.end(number, look, exit_code=0, duration_s=0.0)

        modules = "snapshot.cli.plain_exec, snapshot.cli.sitting, snapshot.workflow.exec"
        return _medians(
            {
                "Python's start": lambda: bench.shell(f"exec {sys.executable} -c pass"),
                "Python's start, and the modules": lambda: bench.shell(
                    f"exec {sys.executable} -c 'import {modules}'"
                ),
                "asking for the container": lambda: processes.container(_BOX),
                "the command itself, in the engine": lambda: _run_true(processes, container),
                "a look at what is changed (two are taken)": lambda: take_look(processes, container),
                "writing the step": write_step,
            },
            runs,
        )
    finally:
        processes.close()


def _run_true(processes: Processes, container: Container) -> None:
    spec = ExecSpec(("true",))
    exec_id = processes.exec_create(container.id, spec)
    duplex = processes.exec_start(exec_id, spec)
    assert duplex is not None
    try:
        while duplex.read() != b"":
            time.sleep(0.0005)
    finally:
        duplex.close()
    processes.exec_state(exec_id)
