"""Unified diffs of whole files, held against what git writes and what git and GNU patch make of them."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshot.changeset.entry import FileEntry, FileType, PathChange
from snapshot.changeset.file_diff import FileDiff, UnifiedLine, unified
from snapshot.changeset.text_diff import TextDiff, text_diff
from snapshot.engine.types import ChangeKind

if TYPE_CHECKING:
    from tests.unit.memory_files import FOLDER, Thing, member, symlink
else:
    from memory_files import FOLDER, Thing, member, symlink

OLD = {
    "/plain": Thing(text="one\ntwo\nthree\n"),
    "/etc/deep/blank in it": Thing(text="a b\n"),
    "/gone": Thing(text="x\ny\n"),
    "/gone-empty": Thing(),
    "/no-end": Thing(text="a\nb"),
    "/dos": Thing(text="a\r\nb\r\n"),
    "/latin": Thing(text="caf\udce9\n"),
    "/now-executable": Thing(text="#!/bin/sh\n"),
    "/both": Thing(text="#!/bin/sh\n", mode=0o755),
    "/link": symlink("old/target"),
    "/link-gone": symlink("x"),
    "/dashes": Thing(text="-- a\n++ b\n"),
}
NEW = {
    "/plain": Thing(text="one\n2\nthree\nfour\n"),
    "/etc/deep/blank in it": Thing(text="a c\n"),
    "/no-end": Thing(text="a\nc"),
    "/dos": Thing(text="a\r\nc\r\nd\n"),
    "/latin": Thing(text="caf\u00e9\n\udcff"),
    "/now-executable": Thing(text="#!/bin/sh\n", mode=0o755),
    "/both": Thing(text="#!/bin/sh\n:\n", mode=0o640),
    "/link": symlink("new/target"),
    "/new": Thing(text="1\n"),
    "/new-empty": Thing(),
    "/new-program": Thing(text="#!/bin/sh\n", mode=0o755),
    "/new-link": symlink("new"),
    "/dashes": Thing(text="++ b\n-- a\n-- c\n"),
}
NAMES = [
    "blank in it", 'a"quote', "back\\slash", "tab\there", "caf\u00e9", "byte\udcff", "bell\x07", "\x1b[31m",
    "delete\x7f", "'single'", "\u202egnp.exe", "c1\x85",
]  # fmt: skip


def entry_of(path: str, thing: Thing | None) -> FileEntry | None:
    return member(path, thing).entry if thing else None


def text_of(thing: Thing | None) -> bytes:
    return thing.text.encode("utf-8", "surrogateescape") if thing else b""


def file_diff(path: str, old: Thing | None, new: Thing | None) -> FileDiff:
    kind = ChangeKind.ADDED if old is None else ChangeKind.CHANGED if new else ChangeKind.DELETED
    entries = entry_of(path, old), entry_of(path, new)
    found = text_diff(text_of(old), text_of(new))
    if old and new and old.type is not new.type:
        hunks = text_diff(text_of(old), b"").hunks + text_diff(b"", text_of(new)).hunks
        found = TextDiff(hunks)
    return FileDiff(PathChange(kind, path, entries[1]), *entries, **found._asdict())


def patch_of(old: Mapping[str, Thing], new: Mapping[str, Thing]) -> bytes:
    lines = [
        line.text
        for path in sorted({*old, *new})
        for line in unified(file_diff(path, old.get(path), new.get(path)))
    ]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def written(folder: Path, things: Mapping[str, Thing]) -> Path:
    """A folder with these in it."""
    folder.mkdir()
    for path, thing in things.items():
        place = folder / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        if thing.type is FileType.SYMLINK:
            place.symlink_to(thing.text)
        else:
            place.write_bytes(text_of(thing))
            place.chmod(thing.mode)
    return folder


def found_in(folder: Path) -> dict[str, Thing]:
    """What stands in a folder; of modes that alone which git knows."""
    found = {}
    for above, _, names in os.walk(folder):
        for place in (Path(above) / name for name in names):
            path = f"/{place.relative_to(folder)}"
            if place.is_symlink():
                found[path] = symlink(str(place.readlink()))
            else:
                text = place.read_bytes().decode("utf-8", "surrogateescape")
                found[path] = Thing(text=text, mode=place.stat().st_mode & stat.S_IXUSR)
    return found


def as_git_knows(things: Mapping[str, Thing]) -> dict[str, Thing]:
    return {
        path: thing if thing.type is FileType.SYMLINK else thing._replace(mode=thing.mode & stat.S_IXUSR)
        for path, thing in things.items()
    }


@pytest.mark.parametrize("command", [["git", "apply"], ["patch", "-p1", "--fuzz=0"]], ids=["git", "patch"])
def test_git_and_gnu_patch_make_the_new_files_of_it(tmp_path: Path, command: list[str]) -> None:
    folder = written(tmp_path / "root", OLD)
    done = subprocess.run(
        command, cwd=folder, input=patch_of(OLD, NEW), capture_output=True, check=False, env=outside_of_git()
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert found_in(folder) == as_git_knows(NEW)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (Thing(text="a\nb\n"), symlink("a")),
        (symlink("a"), Thing(text="a\n", mode=0o755)),
        (Thing(), symlink("a")),
    ],
)
def test_a_file_that_became_a_link_is_a_deletion_and_a_creation(
    tmp_path: Path, old: Thing, new: Thing
) -> None:
    folder = written(tmp_path / "root", {"/x": old})
    patch = patch_of({"/x": old}, {"/x": new})
    subprocess.run(["git", "apply"], cwd=folder, input=patch, check=True, env=outside_of_git())
    assert found_in(folder) == as_git_knows({"/x": new})


def test_it_is_what_git_writes_but_for_its_names_of_contents(tmp_path: Path) -> None:
    old = {**OLD, **{f"/{name}": Thing(text="1\n") for name in NAMES}}
    new = {**NEW, **{f"/{name}": Thing(text="2\n") for name in NAMES}}
    written(tmp_path / "a", old)
    written(tmp_path / "b", new)
    done = subprocess.run(
        [
            "git",
            "diff",
            "--no-index",
            "--no-renames",
            "--no-prefix",
            "--text",
            "--minimal",
            "--no-indent-heuristic",
            "a",
            "b",
        ],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        env=outside_of_git(),
    )
    ours, gits = by_file(patch_of(old, new)), by_file(done.stdout)
    for head, lines in gits.items():
        if not any(map(is_index, ours[head])):
            lines[:] = [line for line in lines if not is_index(line)]
    assert ours == gits


def by_file(patch: bytes) -> dict[bytes, list[bytes]]:
    """The lines below each head, without the words that git writes behind ``@@``."""
    found: dict[bytes, list[bytes]] = {}
    for line in patch.splitlines():
        if line.startswith(b"diff --git "):
            # Of what is on one side alone, git has the name of that side twice between two folders.
            current = found.setdefault(line.replace(b"a/", b"b/"), [])
        else:
            current.append(line.partition(b" @@")[0])
    return found


def is_index(line: bytes) -> bool:
    """Whether it names contents as git does: here that is known for links and empty files alone."""
    return line.startswith(b"index ")


def outside_of_git() -> dict[str, str]:
    """Surroundings in which git finds no repository and no settings."""
    return {
        **os.environ,
        "GIT_DIR": "/nonexistent",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }


def test_each_line_has_its_kind() -> None:
    diff = file_diff("/x", Thing(text="a\nb\n"), Thing(text="a\nc", mode=0o755))
    assert list(unified(diff)) == [
        UnifiedLine("head", "diff --git a/x b/x"),
        UnifiedLine("head", "old mode 100644"),
        UnifiedLine("head", "new mode 100755"),
        UnifiedLine("old", "--- a/x"),
        UnifiedLine("new", "+++ b/x"),
        UnifiedLine("hunk", "@@ -1,2 +1,2 @@"),
        UnifiedLine("same", " a"),
        UnifiedLine("removed", "-b"),
        UnifiedLine("added", "+c"),
        UnifiedLine("note", "\\ No newline at end of file"),
    ]


def changed(old: Thing, new: Thing) -> FileDiff:
    return FileDiff(PathChange(ChangeKind.CHANGED, "/x"), entry_of("/x", old), entry_of("/x", new))


@pytest.mark.parametrize(
    "diff",
    [
        replace(changed(Thing(), Thing(text="\0", mode=0o755)), not_told="binary"),
        FileDiff(
            PathChange(ChangeKind.ADDED, "/x"), None, entry_of("/x", Thing(text="\0")), not_told="binary"
        ),
        FileDiff(PathChange(ChangeKind.DELETED, "/x"), entry_of("/x", FOLDER), None),
        FileDiff(PathChange(ChangeKind.DELETED, "/x"), None, None, not_told="not here"),
        changed(Thing(uid=0), Thing(uid=1)),
        changed(Thing(mode=0o644), Thing(mode=0o4640)),
        changed(FOLDER, Thing(FileType.FIFO)),
    ],
)
def test_nothing_is_written_of_what_no_patch_can_hold(diff: FileDiff) -> None:
    assert list(unified(diff)) == []
