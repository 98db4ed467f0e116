"""Folders that overlayfs keeps of layers hold what was done in each, and together what a container sees."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.laid_layers import LaidLayers
from snapshot.changeset.layer import Piece
from snapshot.changeset.layer_contents import LayerContents
from snapshot.changeset.layer_folder import contents_of_folder
from snapshot.changeset.lower_files import LowerFiles, NotReadableDirectly
from snapshot.changeset.member import Member, sha256_of
from snapshot.changeset.reader import Hashes, Headers
from snapshot.changeset.upper_files import UpperFiles
from snapshot.changeset.upper_walk import changed_meanwhile
from snapshot.errors import ContainerUnusable

if TYPE_CHECKING:
    from tests.unit.changeset.overlay_mount import CAPABILITY, PATHS, TYPES, Edit, Node, edits, stacked
else:
    from overlay_mount import CAPABILITY, PATHS, TYPES, Edit, Node, edits, stacked

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount, and see overlayfs' marks")


def contents(folder: Path) -> LayerContents:
    return contents_of_folder(str(folder), "", Hashes(), changed_meanwhile)


def entries(seen: Mapping[str, Node]) -> dict[str, FileEntry]:
    types = {number: kind for kind, number in TYPES.items()}
    found = {}
    for path, node in seen.items():
        kind = types[node.type]
        is_file = kind is FileType.FILE
        found[path] = FileEntry(
            path,
            kind,
            node.mode,
            *node.owner,
            size_bytes=len(node.content) if is_file else 0,
            sha256=sha256_of([node.content]) if is_file else "",
            link_target=node.content.decode("utf-8", "surrogateescape") if kind is FileType.SYMLINK else "",
        )
    return found


@settings(max_examples=40)
@given(st.lists(edits, min_size=1, max_size=3))
def test_all_layers_together_hold_what_a_container_sees(layers: list[list[Edit]]) -> None:
    with stacked(layers) as (folders, seen):
        laid = LaidLayers(None, [contents(folder) for folder in folders])
        found = {path: replace(entry, hard_link="") for path, entry in laid.tree().items()}
    assert found == entries(seen)


@settings(max_examples=40)
@given(st.lists(edits, min_size=1, max_size=2))
def test_an_upper_folder_on_the_layers_below_has_the_files_of_the_container(
    layers: list[list[Edit]],
) -> None:
    with stacked(layers) as (folders, seen):
        *below, upper = map(str, folders)
        with LowerFiles.open(below[::-1]) as lower, closing(UpperFiles(upper, lower)) as files:
            for path in (*seen, *(f"/{path}" for path in PATHS), "/none"):
                member = files.at(path)
                expected = entries(seen).get(path)
                assert (member is None) == (expected is None), path
                if member and expected:
                    digest = sha256_of(member.content()) if expected.sha256 else ""
                    assert replace(member.entry, sha256=digest) == expected
            for path, entry in [("/", None), *entries(seen).items()]:
                if entry is None or entry.type is FileType.FOLDER:
                    names = {
                        other.rpartition("/")[2]
                        for other in seen
                        if (other.rpartition("/")[0] or "/") == path
                    }
                    assert list(files.names(path)) == sorted(names, key=os.fsencode)


def test_names_of_one_file_capabilities_and_attributes_are_told(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("x")
    os.link(tmp_path / "b", tmp_path / "a")
    os.setxattr(tmp_path / "a", "security.capability", CAPABILITY)
    os.setxattr(tmp_path / "a", "user.note", b"1")
    first, second = contents(tmp_path).entries
    assert (first.path, first.hard_link, second.path, second.hard_link) == ("/a", "", "/b", "/a")
    assert first.capability == second.capability == CAPABILITY.hex()
    assert contents(tmp_path).xattrs["/a"]["user.note"] == b"1"


def test_marks_are_told_and_strange_ones_are_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    os.setxattr(tmp_path / "o", "trusted.overlay.opaque", b"y")
    os.mknod(tmp_path / "gone", stat.S_IFCHR, 0)
    found = contents(tmp_path)
    assert (found.deleted, found.emptied) == (("/gone",), ("/o",))
    (tmp_path / ".wh.x").touch()
    with pytest.raises(NotReadableDirectly, match=r"\.wh\.x"):
        contents(tmp_path)
    (tmp_path / ".wh.x").unlink()
    os.setxattr(tmp_path / "o", "trusted.overlay.redirect", b"elsewhere")
    with pytest.raises(NotReadableDirectly, match="redirect"):
        contents(tmp_path)


def test_no_link_is_followed_that_the_container_put_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "upper/d").mkdir(parents=True)
    (tmp_path / "upper/d/secret").write_text("own")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("host")
    (tmp_path / "lower").mkdir()
    with (
        LowerFiles.open([str(tmp_path / "lower")]) as lower,
        closing(UpperFiles(str(tmp_path / "upper"), lower)) as files,
    ):
        member = files.at("/d/secret")
        assert member
        assert b"".join(member.content()) == b"own"
        (tmp_path / "upper/d").rename(tmp_path / "upper/e")
        (tmp_path / "upper/d").symlink_to(tmp_path / "outside")
        with pytest.raises(ContainerUnusable, match="changed by the container"):
            b"".join(member.content())
        (tmp_path / "upper/d").unlink()
        (tmp_path / "upper/d").mkdir()
        os.mkfifo(tmp_path / "upper/d/secret")
        with pytest.raises(ContainerUnusable, match="changed by the container"):
            b"".join(member.content())


def test_no_link_is_followed_that_was_put_in_the_place_of_a_folder_during_the_walk(tmp_path: Path) -> None:
    (tmp_path / "layer/d").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("host")

    class Swapping(Headers):
        def add(self, member: Member) -> Piece:
            (tmp_path / "layer/d").rename(tmp_path / "layer/e")
            (tmp_path / "layer/d").symlink_to(tmp_path / "outside")
            return super().add(member)

    with pytest.raises(ContainerUnusable, match="'/d' was changed by the container"):
        contents_of_folder(str(tmp_path / "layer"), "", Swapping(), changed_meanwhile)
