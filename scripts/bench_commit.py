"""Measure ``snap commit`` against the engine's own tools, on a private engine and a Debian base."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tabulate import tabulate

ENGINE = Path(__file__).with_name("engine")
SNAP = str(Path(sys.executable).with_name("snap"))
CACHE = Path("/var/cache/docker-snap")

KINDS = ("docker28", "docker28-containerd", "docker20", "podman")
CASES = ("small", "large", "base", "many", "memory")

BASE, LARGE_BASE = "bench/debian", "bench/debian-ten-times"
BOX, OTHER_BOX = "bench-box", "bench-other-box"
BY_SNAP, BY_ENGINE = "bench/by-snap", "bench/by-engine"

#: What is done in a container, by case.
SMALL = "echo changed > /etc/motd"
LARGE = """
for d in 1 2 3 4 5 6 7; do
    mkdir -p /srv/$d
    for i in $(seq 500); do head -c $((i * 4)) /dev/urandom > /srv/$d/$i; done
done
head -c 200000000 /dev/urandom > /srv/large
"""
MANY = """
for d in $(seq 100); do
    mkdir -p /srv/$d
    for i in $(seq 1000); do echo $d $i > /srv/$d/$i; done
done
"""
HUGE = "head -c 2000000000 /dev/urandom > /srv/huge"


@dataclass(frozen=True)
class Way:
    """A way to do something: a shell script that is timed, one that undoes it, and one to run before."""

    name: str
    script: str
    undo: str
    before: str = ""


@dataclass(frozen=True)
class Target:
    """What the way ``name`` may take at most, in times of what ``against`` takes."""

    name: str
    against: str
    most: float


@dataclass
class Bench:
    """A private engine with the base images, and what has been measured on it.

    Attributes
    ----------
    rows:
        Engine, case, what is compared, figures, ratio, target, whether it is reached.
    """

    kind: str
    runs: int
    rows: list[tuple[str, ...]] = field(default_factory=list)
    url: str = ""

    @property
    def cli(self) -> str:
        """The engine's own command line."""
        if self.kind == "podman":
            return f"podman --remote --url {self.url}"
        program = "docker" if self.kind == "docker20" else f"{CACHE}/docker28/usr/bin/docker"
        return f"{program} --host {self.url}"

    def shell(self, script: str) -> str:
        """Run a script; returns what it printed, and fails with what it complained of."""
        # As on a user's machine: with the compiled files, which the first round writes.
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        done = subprocess.run(
            ["sh", "-ec", script],
            env={**environment, "DOCKER_HOST": self.url},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BenchFailed(f"{script!r} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    @contextmanager
    def container(self, name: str, image: str, script: str) -> Iterator[None]:
        """A container of ``image`` that rests after ``script``."""
        self.shell(f"{self.cli} run -d --name {name} --network none {image} sleep infinity")
        try:
            self.shell(f"{self.cli} exec {name} sh -ec '{script}'")
            yield
        finally:
            self.shell(f"{self.cli} rm -f {name}")

    def snap(self, name: str, box: str = BOX, options: str = "") -> Way:
        """A commit by snap, verified."""
        return Way(name, f"{SNAP} commit -q {options} {box} {BY_SNAP}", f"{self.cli} rmi {BY_SNAP}")

    def engine(self, name: str, before: str = "true", after: str = "true") -> Way:
        """A commit by the engine, with what else it takes to know what was committed."""
        script = f"{before}; {self.cli} commit {BOX} {BY_ENGINE}; {after}"
        return Way(name, script, f"{self.cli} rmi {BY_ENGINE}")

    def compare(self, case: str, ways: Sequence[Way], targets: Sequence[Target]) -> None:
        """Go the ways in turn, and note the ratios of the medians."""
        seconds: dict[str, list[float]] = {way.name: [] for way in ways}
        for turn in range(self.runs + 1):
            for way in ways:
                if way.before:
                    self.shell(way.before)
                begin = time.perf_counter()
                self.shell(way.script)
                if turn:  # the first round warms the caches
                    seconds[way.name].append(time.perf_counter() - begin)
                self.shell(way.undo)
        medians = {name: median(taken) for name, taken in seconds.items()}
        for target in targets:
            self.note_ratio(case, medians, target)

    def note_ratio(self, case: str, seconds: Mapping[str, float], target: Target) -> None:
        """Note how one way stands to another, and whether that is as it should be."""
        ours, theirs = seconds[target.name], seconds[target.against]
        ratio = ours / theirs
        self.note(
            case,
            f"{target.name} / {target.against}",
            f"{ours:.2f} s / {theirs:.2f} s",
            f"{ratio:.2f}",
            f"{target.most:.1f}",
            "yes" if ratio <= target.most else "NO",
        )

    def note(self, *row: str) -> None:
        """Keep a row of the table, and say at once how far it is."""
        self.rows.append((self.kind, *row))
        print("  ".join(self.rows[-1]), file=sys.stderr)


class BenchFailed(Exception):
    """Why nothing can be said."""


def commit(kinds: Sequence[str], cases: Sequence[str], runs: int) -> None:
    """Measure on private engines, and print the table; what was made for it is removed."""
    rows: list[tuple[str, ...]] = []
    for kind in kinds:
        bench = Bench(kind, runs, rows)
        with engine(bench):
            for case in cases:
                _MEASUREMENTS[case](bench)
    print_table(rows)


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print what a `Bench` has noted."""
    headers = ("engine", "case", "compared", "medians", "ratio", "to reach", "reached")
    print(tabulate(rows, headers=headers, disable_numparse=True, tablefmt="github"))


@contextmanager
def engine(bench: Bench) -> Iterator[None]:
    """Start the engine, with the base image; remove it afterwards."""
    command = [str(ENGINE), "up", bench.kind, "bench"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise BenchFailed(f"there is no engine {bench.kind}")
    bench.url = done.stdout.strip()
    try:
        _make_base(bench)
        yield
    finally:
        subprocess.run([ENGINE, "down", bench.kind, "bench"], check=True)


def _make_base(bench: Bench) -> None:
    """Import a Debian."""
    tree = CACHE / "debian"
    if not tree.exists():
        draft = CACHE / "debian.new"
        bench.shell(f"rm -rf {draft}; debootstrap --variant=minbase bookworm {draft}; mv {draft} {tree}")
    bench.shell(f"tar -C {tree} -c . | {bench.cli} import - {BASE}")


def _small(bench: Bench) -> None:
    """One small file: against what it takes by hand to know the same."""
    with bench.container(BOX, BASE, SMALL):
        look = f"{bench.cli} run --rm --network none {BY_ENGINE} cat /etc/motd"
        ways = [bench.snap("snap"), bench.engine("diff + commit + run cat", f"{bench.cli} diff {BOX}", look)]
        bench.compare("one small file", ways, [Target("snap", ways[1].name, 1.0)])


def _large(bench: Bench) -> None:
    """3,500 small files and one of 200 MB; then the time that a verification takes."""
    with bench.container(BOX, BASE, LARGE):
        plain = bench.engine("commit")
        proven = bench.engine("commit + save, hashed", after=f"{bench.cli} save {BY_ENGINE} | sha256sum")
        ways = [bench.snap("snap by API", options="--capture api"), plain, proven]
        targets = [Target(ways[0].name, proven.name, 1.4), Target(ways[0].name, plain.name, 2.5)]
        if bench.kind != "docker28-containerd":  # it does not say where a container's files are
            ways.insert(0, bench.snap("snap directly", options="--capture direct"))
            targets = [
                Target(ways[0].name, proven.name, 1.0),
                Target(ways[0].name, plain.name, 1.5),
                *targets,
            ]
        bench.compare("3,500 small files and 200 MB", ways, targets)
        bench.shell(bench.snap("").script)
        taken = []
        for _ in range(bench.runs):
            begin = time.perf_counter()
            bench.shell(f"{SNAP} verify {BY_SNAP}")
            taken.append(time.perf_counter() - begin)
        bench.shell(bench.snap("").undo)
        bench.note("the image of it", "snap verify", f"{median(taken):.2f} s", "", "0.6 s")


def make_large_base(bench: Bench) -> None:
    """Make a base of ten times the size: nine copies of the Debian are in it."""
    copies = " ".join(f"mkdir -p /copies/{n}; cp -a /usr /var /etc /copies/{n};" for n in range(9))
    with bench.container(BOX, BASE, copies):
        bench.shell(f"{bench.cli} commit {BOX} {LARGE_BASE}")


def _base(bench: Bench) -> None:
    """The same change on a base of ten times the size."""
    make_large_base(bench)
    with bench.container(BOX, BASE, LARGE), bench.container(OTHER_BOX, LARGE_BASE, LARGE):
        ways = [bench.snap("on ten times the base", OTHER_BOX), bench.snap("on the base")]
        bench.compare("the same, the base larger", ways, [Target(ways[0].name, ways[1].name, 1.2)])


def _many(bench: Bench) -> None:
    """Many small files."""
    with bench.container(BOX, BASE, MANY):
        ways = [bench.snap("snap"), bench.engine("commit")]
        bench.compare("100,000 small files", ways, [Target("snap", "commit", 3.0)])


def _memory(bench: Bench) -> None:
    """The most memory that a commit takes, for one large file."""
    with bench.container(BOX, BASE, HUGE):
        for way in ("direct", "api"):
            if bench.kind == "docker28-containerd" and way == "direct":
                continue
            command = [SNAP, "commit", "-q", "--capture", way, BOX, BY_SNAP]
            environment = {**os.environ, "DOCKER_HOST": bench.url}
            with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise BenchFailed(f"{' '.join(command)} ended with {process.returncode}")
            bench.shell(f"{bench.cli} rmi {BY_SNAP}")
            peak_mb = usage.ru_maxrss / 1024
            bench.note("one file of 2 GB", f"most memory, {way}", f"{peak_mb:.0f} MB", "", "120 MB")


_MEASUREMENTS = {"small": _small, "large": _large, "base": _base, "many": _many, "memory": _memory}
