"""What differs inside of files is the same whatever is compared, however it is read, and can be applied."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sandbox import Sandbox

from snapshot.changeset.file_diff import FileDiff, unified
from snapshot.engine.client import Engine
from snapshot.workflow.compared.engine_image import EngineImage
from snapshot.workflow.content_diff import Bounds, file_diffs
from snapshot.workflow.diff import Comparison, compare
from snapshot.workflow.methods.interface import CaptureWay

pytestmark = [
    pytest.mark.engine,
    pytest.mark.only_on("docker20", "podman", reason="files are read alike on all Docker engines"),
]

# Without times of their own, edits that keep the size would be unseen by the engine where they come too soon.
BEFORE = r"""
mkdir -p /data/gone/deep /data/kept; cd /data; seq 1 3 > to-go; : > gone/x; : > to-fill
seq 1 40 > numbers; printf 'a\nb' > no-end; printf 'a\r\nb\r\n' > dos
printf 'caf\351\n' > "$(printf 'caf\351')"; seq 1 9 > "two words"; seq 1 5 > touched; seq 1 5 > to-run
printf 'a\0b' > binary; seq 1 5 > linked; ln linked linked-too; seq 1 30000 > long
touch -d '2020-02-02 02:02' *; ln -s numbers link
"""
AFTER = r"""
cd /data; sed -i 's/^7$/seven/; 20,22d; 35a more' numbers; printf 'a\nc' > no-end; printf 'a\r\nc\r\n' > dos
rm -r gone to-go; echo new > kept/new; echo x > to-fill; printf 'th\351\n' > "$(printf 'caf\351')"
sed -i 3d "two words"; touch touched; chmod 755 to-run; ln -sf dos link; printf 'a\0c' > binary
rm linked; seq 1 6 > linked; seq 1 30001 > long
printf '#!/bin/sh\n' > program; chmod 755 program; ln -s kept new-link
"""
BINARY = {"/data/binary": "binary", "/data/long": "too long"}


class Pair:
    """An image, a container of it in which files were changed, and the image of that one."""

    def __init__(self, engine: Engine, space: Sandbox) -> None:
        self.engine, self.space = engine, space
        self.old, self.new = space.name("old"), space.name("new")
        space.snap("commit", space.changed(BEFORE, "before"), self.old)
        self.box = space.changed(AFTER, "after", image=self.old)
        space.snap("commit", self.box, self.new)

    def folder(self, container: str, into: Path) -> Path:
        """``/data`` of a container, as the engine hands it out."""
        pieces, _ = self.space.client.get_archive(container, "/data")
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces)), errors="surrogateescape") as tar:
            for info in tar:
                # Files may be linked to others there, and their time is no matter.
                tar.extract(info, into)
        return into


@pytest.fixture(scope="module")
def pair(space: Sandbox) -> Iterator[Pair]:
    with closing(Engine.connect(space.host)) as engine:
        yield Pair(engine, space)


def told(comparison: Comparison) -> dict[str, FileDiff]:
    """By path."""
    diffs = file_diffs(comparison, bounds=Bounds(most_bytes_a_file=100_000))
    return {diff.change.path: diff for diff in diffs}


def texts(found: dict[str, FileDiff]) -> dict[str, tuple[object, ...]]:
    """What differs inside, of all paths where anything does."""
    return {
        path: (diff.hunks, diff.not_told, diff.old and diff.old.sha256, diff.new and diff.new.sha256)
        for path, diff in found.items()
        if diff.hunks or diff.not_told
    }


def over_the_api(comparison: Comparison) -> Comparison:
    assert isinstance(comparison.old, EngineImage)
    assert isinstance(comparison.new, EngineImage)
    return comparison._replace(
        old=replace(comparison.old, way=CaptureWay.API), new=replace(comparison.new, way=CaptureWay.API)
    )


def test_a_container_and_its_image_tell_the_same_alone_and_against_the_base_and_over_the_api(
    pair: Pair,
) -> None:
    of_images = compare(pair.engine, pair.new, against=pair.old, paths=["/data"])
    expected = texts(told(of_images))
    assert {path: not_told for path, (_, not_told, *_) in expected.items() if not_told} == BINARY
    assert {path.removeprefix("/data/") for path in expected} == {
        "binary", "caf\udce9", "dos", "kept/new", "link", "linked", "long", "new-link", "no-end", "numbers",
        "program", "to-fill", "to-go", "two words",
    }  # fmt: skip
    for comparison in (
        compare(pair.engine, pair.box, paths=["/data"]),
        compare(pair.engine, pair.new, paths=["/data"]),
        over_the_api(of_images),
    ):
        assert texts(told(comparison)) == expected


def test_git_and_gnu_patch_make_the_new_files_of_the_old_ones(pair: Pair, tmp_path: Path) -> None:
    before = pair.folder(pair.space.name("before"), tmp_path / "before")
    after = pair.folder(pair.box, tmp_path / "after")
    again = pair.folder(pair.space.name("before"), tmp_path / "again")
    found = told(compare(pair.engine, pair.new, against=pair.old, paths=["/data"]))
    patch = "".join(f"{line.text}\n" for diff in found.values() for line in unified(diff))
    for folder, command in ((before, ["git", "apply"]), (again, ["patch", "-p1", "--fuzz=0"])):
        subprocess.run(
            command,
            cwd=folder,
            input=patch.encode("utf-8", "surrogateescape"),
            check=True,
            env={**os.environ, "GIT_DIR": "/nonexistent"},
            stdout=subprocess.DEVNULL,
        )
        made, expected = contents(folder), contents(after)
        # What has no text stays as it was, and neither knows folders.
        assert made.keys() - expected.keys() <= {"data/gone/x"}
        assert {path: made.get(path) for path in expected if f"/{path}" not in BINARY} == {
            path: content for path, content in expected.items() if f"/{path}" not in BINARY
        }


def contents(folder: Path) -> dict[str, tuple[object, ...]]:
    """Text and whether it can be run of each file; where a link leads."""
    found: dict[str, tuple[object, ...]] = {}
    for above, _, names in os.walk(folder):
        for place in (Path(above) / name for name in names):
            path = str(place.relative_to(folder))
            if place.is_symlink():
                found[path] = (str(place.readlink()),)
            else:
                found[path] = (place.read_bytes(), place.stat().st_mode & 0o100)
    return found
