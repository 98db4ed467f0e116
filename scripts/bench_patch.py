"""Measure ``snap patch`` against buildah and ``docker build``, on Docker 20.10 and a Debian base."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench_commit import (
    BASE,
    BY_ENGINE,
    BY_SNAP,
    LARGE_BASE,
    SNAP,
    Bench,
    Target,
    Way,
    engine,
    make_large_base,
    print_table,
)

__all__ = ["patch"]

_BY_BUILDAH = "bench/by-buildah"
#: The engine's CLI that its package brings; another one of the machine's may build in another way.
_DOCKER = "/usr/bin/docker"


def patch(runs: int) -> None:
    """Measure on a private engine, and print the table; what was made for it is removed."""
    rows: list[tuple[str, ...]] = []
    bench = Bench("docker20", runs, rows)
    with tempfile.TemporaryDirectory() as folder, engine(bench), _buildah(bench) as buildah:
        os.environ["XDG_STATE_HOME"] = f"{folder}/state"
        context = Path(folder, "context")
        context.mkdir()
        (context / "Dockerfile").write_text(f"FROM {BASE}\nCOPY motd /etc/motd\n")
        (context / "motd").write_text("hello\n")
        make_large_base(bench)
        _changed(bench, context, buildah)
        _unchanged(bench, context)
    print_table(rows)


@contextmanager
def _buildah(bench: Bench) -> Iterator[str]:
    """Buildah with a store of its own that has the base; its command, to be followed by arguments."""
    # Not below /tmp, which may be a file system that overlays nothing.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        where = shlex.quote(folder)
        command = f"buildah --root {where}/root --runroot {where}/run --storage-driver overlay"
        bench.shell(f"{bench.cli} save -o {where}/base.tar {BASE}")
        bench.shell(f"{command} pull -q docker-archive:{where}/base.tar; rm {where}/base.tar")
        try:
            yield command
        finally:
            bench.shell(f"{command} rm -a; {command} rmi -a")


def _changed(bench: Bench, context: Path, buildah: str) -> None:
    """A file that is another one each time; its size stays the same."""
    file = shlex.quote(f"{context}/motd")
    new_content = f"date +%s%N > {file}"
    copy = f"--copy {file}:/etc/motd"

    def snap(name: str, edits: str, base: str = BASE) -> Way:
        return Way(
            name, f"{SNAP} patch -q {base} -t {BY_SNAP} {edits}", f"{bench.cli} rmi {BY_SNAP}", new_content
        )

    by_buildah = Way(
        "buildah from + copy + config + commit",
        f"box=$({buildah} from --pull-never {BASE}); {buildah} copy -q $box {file} /etc/motd; "
        f"{buildah} config --label by=hand $box; {buildah} commit -q $box {_BY_BUILDAH}",
        f"{buildah} rm -a; {buildah} rmi {_BY_BUILDAH}",
        new_content,
    )
    undo_build = f"{bench.cli} rmi {BY_ENGINE}"
    by_build = Way("docker build", _build(context), undo_build, new_content)
    by_buildkit = Way("docker build, BuildKit", _build(context, buildkit=True), undo_build, new_content)
    one_file, labelled = snap("snap", copy), snap("snap, with a label", f"{copy} --label by=hand")
    large, config = (
        snap("on ten times the base", copy, LARGE_BASE),
        snap("a variable", "--env A=$(date +%s%N)"),
    )
    bench.compare(
        "one file, changed each time",
        [labelled, by_buildah, one_file, by_build, by_buildkit, large, config],
        [
            Target(labelled.name, by_buildah.name, 1.5),
            Target(one_file.name, by_build.name, 3.0),
            Target(one_file.name, by_buildkit.name, 3.0),
            Target(large.name, one_file.name, 1.2),
            Target(config.name, one_file.name, 1.0),
        ],
    )


def _unchanged(bench: Bench, context: Path) -> None:
    """The same file each time: whoever keeps results finds them."""
    copy = f"--copy {shlex.quote(f'{context}/motd')}:/etc/motd"
    by_snap = Way("snap", f"{SNAP} patch -q {BASE} -t {BY_SNAP} {copy}", "true")
    by_build, by_buildkit = (
        Way(name, _build(context, buildkit=buildkit), "true")
        for name, buildkit in (("docker build", False), ("docker build, BuildKit", True))
    )
    bench.compare(
        "one file, the same each time",
        [by_snap, by_build, by_buildkit],
        [Target("snap", by_build.name, 3.0), Target("snap", by_buildkit.name, 3.0)],
    )


def _build(context: Path, *, buildkit: bool = False) -> str:
    return f"DOCKER_BUILDKIT={int(buildkit)} {_DOCKER} build -q -t {BY_ENGINE} {shlex.quote(str(context))}"
