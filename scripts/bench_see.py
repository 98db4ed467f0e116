"""Measure ``snap diff`` and ``snap report``: what they read, how long they take, how much memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench_commit import (
    BASE,
    BOX,
    BY_ENGINE,
    LARGE_BASE,
    OTHER_BOX,
    SMALL,
    SNAP,
    Bench,
    BenchFailed,
    Target,
    Way,
    engine,
    make_large_base,
    print_table,
)

__all__ = ["SEE_KINDS", "see"]

#: With files that can be read directly, and without.
SEE_KINDS = ("docker20", "docker28-containerd")

_OF_LARGE = "bench/of-large"
#: A layer of 10 MB, which is what a comparison with its base has to read.
_LAYER_BYTES = 10_000_000
_LAYER = f"head -c {_LAYER_BYTES} /dev/urandom > /srv/layer"
_CHANGES = 50_000
_MANY = f"""
for d in $(seq {_CHANGES // 500}); do
    mkdir -p /srv/$d
    for i in $(seq 500); do echo $d $i > /srv/$d/$i; done
done
"""
_MOST_READ = 1.5
_MOST_MEMORY_MB = 200
_MOST_PAGE_MB = 10


class Usage(NamedTuple):
    """What a command took: the most memory, and how many bytes it read from files, Python's own included."""

    memory_mb: float
    read_mb: float


def see(kinds: Sequence[str], runs: int) -> None:
    """Measure on private engines, and print the table; what was made for it is removed."""
    rows: list[tuple[str, ...]] = []
    for kind in kinds:
        bench = Bench(kind, runs, rows)
        with tempfile.TemporaryDirectory() as folder, engine(bench):
            os.environ["XDG_STATE_HOME"] = f"{folder}/state"
            make_large_base(bench)
            _one_layer(bench)
            _thorough(bench)
            _report(bench, Path(folder))
    print_table(rows)


def _one_layer(bench: Bench) -> None:
    """Two images that share all but one layer, on a base and on one of ten times the size."""
    case = "two images, one layer of 10 MB apart"
    for base, image in ((BASE, BY_ENGINE), (LARGE_BASE, _OF_LARGE)):
        with bench.container(BOX, base, _LAYER):
            bench.shell(f"{bench.cli} commit {BOX} {image}")
    small, large = (
        Way(name, f"{SNAP} diff {base} {image}", "true")
        for name, base, image in (
            ("on the base", BASE, BY_ENGINE),
            ("on ten times the base", LARGE_BASE, _OF_LARGE),
        )
    )
    exports = _exports(bench, BASE, BY_ENGINE)
    bench.compare(case, [small, large, exports], [Target(small.name, exports.name, 1.0)])
    if bench.kind == "docker20":
        bench.compare(case, [small, large], [Target(large.name, small.name, 1.2)])
        idle = _usage(bench, [SNAP, "diff", BASE, BASE])
        busy = _usage(bench, [SNAP, "diff", LARGE_BASE, _OF_LARGE])
        read_mb, layer_mb = busy.read_mb - idle.read_mb, _LAYER_BYTES / 1e6
        bench.note(
            case,
            "bytes read / bytes of the layer",
            f"{read_mb:.1f} MB / {layer_mb:.1f} MB",
            f"{read_mb / layer_mb:.2f}",
            f"{_MOST_READ}",
            "yes" if read_mb <= _MOST_READ * layer_mb else "NO",
        )
    bench.shell(f"{bench.cli} rmi {BY_ENGINE} {_OF_LARGE}")


def _exports(bench: Bench, old: str, new: str) -> Way:
    """What it takes by hand to know that all of two images is or is not the same."""
    names = f"{BOX}-old {BOX}-new"
    make = f"{bench.cli} create --name {BOX}-old {old} true; {bench.cli} create --name {BOX}-new {new} true"
    script = f"for box in {names}; do {bench.cli} export $box | sha256sum; done"
    return Way("two exports through sha256sum", script, f"{bench.cli} rm {names}", make)


def _thorough(bench: Bench) -> None:
    """A small change in a container of the base of 200 MB, all content compared."""
    with bench.container(BOX, BASE, SMALL), bench.container(OTHER_BOX, BASE, "true"):
        thorough = Way("snap diff --thorough", f"{SNAP} diff --thorough {BOX}", "true")
        exports = Way(
            "two exports through sha256sum",
            f"for box in {BOX} {OTHER_BOX}; do {bench.cli} export $box | sha256sum; done",
            "true",
        )
        targets = [Target(thorough.name, exports.name, 2.0)]
        bench.compare("a container of a 200 MB base", [thorough, exports], targets)


def _report(bench: Bench, folder: Path) -> None:
    """A page about 50,000 changes: its size, and the most memory that writing it takes."""
    page = folder / "report.html"
    with bench.container(BOX, BASE, _MANY):
        bench.shell(f"{bench.cli} stop -t 0 {BOX}")
        taken = _usage(bench, [SNAP, "report", BOX, "-o", str(page)])
        case = f"a report of {_CHANGES:,} changes"
        _note_limit(bench, case, "most memory", taken.memory_mb, _MOST_MEMORY_MB)
        _note_limit(bench, case, "size of the page", page.stat().st_size / 1e6, _MOST_PAGE_MB)


def _note_limit(bench: Bench, case: str, what: str, found_mb: float, most_mb: float) -> None:
    reached = "yes" if found_mb <= most_mb else "NO"
    bench.note(case, what, f"{found_mb:.1f} MB", "", f"{most_mb} MB", reached)


def _usage(bench: Bench, command: Sequence[str]) -> Usage:
    environment = {**os.environ, "DOCKER_HOST": bench.url}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        # The process has ended and is still known, so that what it read can be asked for.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        counts = dict(line.split(": ") for line in Path(f"/proc/{process.pid}/io").read_text().splitlines())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchFailed(f"{' '.join(command)} ended with {process.returncode}")
    return Usage(usage.ru_maxrss / 1024, int(counts["rchar"]) / 1e6)
