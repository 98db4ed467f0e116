"""A thorough comparison finds what only the content tells, and lists nothing that was merely touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest
from doctor import put_together, take_apart
from layer_tars import Entry, folder, hard_link, layer
from sandbox import Sandbox

from snapshot.changeset.entry import Changeset, FileType
from snapshot.engine.client import Engine
from snapshot.errors import InvalidInput
from snapshot.workflow.compared.engine_container import EngineContainer
from snapshot.workflow.compared.engine_image import EngineImage
from snapshot.workflow.diff import compare
from snapshot.workflow.diff_images import files_that_differ, side_of
from snapshot.workflow.difference import FoundBy
from snapshot.workflow.methods.interface import CaptureWay

pytestmark = pytest.mark.engine

SCRIPT = r"""
cd /case
touch -r edited time; printf EDITED >edited; touch -r time edited; rm time
touch touched; chmod 600 mode; chmod 644 mode
mv moved away; mv away moved
rm -r folder/below; mkdir folder/below; printf same >folder/below/same
mkdir added; printf a >added/a; ln added/a added/b; rm gone; rm -r whole
printf x >>"$(printf 'caf\351')"; printf other >link-a
mkfifo was-file.new; rm was-file; mv was-file.new was-file
chmod 711 own; touch /etc/hosts
"""

EXPECTED = [
    "A /case/added", "A /case/added/a", "A /case/added/b", "C /case/caf\udce9", "C /case/edited",
    "D /case/folder/below/only-there", "D /case/gone", "C /case/link-a", "C /case/own", "C /case/was-file",
    "D /case/whole",
]  # fmt: skip


@pytest.fixture(scope="module")
def image(space: Sandbox) -> str:
    """The base image with a folder to change."""
    name = space.name("case") + ":latest"
    case = layer(
        folder("case"), Entry("case/edited", text="before"), Entry("case/touched", text="t"),
        Entry("case/mode", text="m"), Entry("case/moved", text="v"), folder("case/folder"),
        folder("case/folder/below"), Entry("case/folder/below/same", text="same"),
        Entry("case/folder/below/only-there", text="1"), Entry("case/gone", text="g"), folder("case/whole"),
        Entry("case/whole/x", text="x"), Entry("case/caf\udce9", text="l"),
        Entry("case/link-a", text="linked"),
        hard_link("case/link-b", "case/link-a"), Entry("case/was-file", text="f"), folder("case/own"),
    )  # fmt: skip
    saved = take_apart(space.client, space.base_image)
    put_together(space.client, replace(saved, layers=[*saved.layers, case]), name)
    return name


@pytest.fixture(scope="module")
def box(space: Sandbox, image: str) -> str:
    return space.changed(SCRIPT, "thorough", image=image)


@pytest.fixture(scope="module")
def engine(space: Sandbox) -> Iterator[Engine]:
    with closing(Engine.connect(space.host)) as connected:
        yield connected


def lines(found: Changeset) -> list[str]:
    return [f"{change.kind.value} {change.path}" for change in found.changes]


def test_only_what_differs_in_content_mode_owner_or_names_is_listed(engine: Engine, box: str) -> None:
    found = compare(engine, box, thorough=True).difference
    assert lines(found.changeset) == EXPECTED
    assert found.found_by is FoundBy.FILES
    assert found.container
    assert found.container.name == box
    edited = next(change.file for change in found.changeset.changes if change.path == "/case/edited")
    assert edited
    assert len(edited.sha256) == 64
    links = {change.path: change.file.hard_link for change in found.changeset.changes if change.file}
    assert (links["/case/added/a"], links["/case/added/b"]) == ("", "/case/added/a")
    # The engine goes by size and time.
    by_engine = lines(compare(engine, box).difference.changeset)
    assert "C /case/touched" in by_engine
    if not engine.is_podman:
        assert "C /case/edited" not in by_engine


def test_both_ways_find_the_same(engine: Engine, box: str) -> None:
    container = engine.container(box)
    base = engine.image(container.image_id)
    found = []
    for way in (CaptureWay.AUTO, CaptureWay.API):
        old = EngineImage(engine, base, side_of(base), way)
        found.append(files_that_differ(old, EngineContainer(engine, container, way)).changeset)
    assert found[0].changes == found[1].changes


def test_the_files_of_a_container_are_the_same_whichever_way(engine: Engine, box: str) -> None:
    container = engine.container(box)
    ways = (CaptureWay.AUTO, CaptureWay.API)
    with ExitStack() as stack:
        one, other = (stack.enter_context(EngineContainer(engine, container, way).files()) for way in ways)
        folders = ["/case"]
        while folders:
            path = folders.pop()
            assert list(one.names(path)) == list(other.names(path)), path
            for below in (f"{path}/{name}" for name in one.names(path)):
                members = one.at(below), other.at(below)
                assert members[0]
                assert members[1]
                assert members[0].entry == members[1].entry
                contents = {b"".join(map(bytes, member.content())) for member in members if member}
                assert len(contents) == 1, below
                folders += [below] if members[0].entry.type is FileType.FOLDER else []


def test_two_names_are_always_compared_so(engine: Engine, box: str, image: str) -> None:
    found = compare(engine, image, against=box).difference
    assert lines(found.changeset) == EXPECTED
    assert "is the new side" in "".join(found.notes)


def test_a_snapshot_is_held_against_its_base(engine: Engine, space: Sandbox, box: str) -> None:
    snapshot = space.name("snapshot")
    space.snap("commit", box, snapshot)
    found = compare(engine, snapshot, thorough=True)
    assert [line for line in lines(found.difference.changeset) if line != "C /case/edited"] == [
        line for line in EXPECTED if line != "C /case/edited"
    ]
    assert found.old is not None
    with found.old.files() as before, found.new.files() as after:
        contents = [
            b"".join(member.content()) for files in (before, after) if (member := files.at("/case/link-a"))
        ]
    assert contents == [b"linked", b"other"]


def test_paths_limit_what_is_listed(engine: Engine, box: str) -> None:
    found = compare(engine, box, thorough=True, paths=["/case/added/", "/case/whole/x/../x"]).difference
    assert lines(found.changeset) == ["A /case/added", "A /case/added/a", "A /case/added/b", "D /case/whole"]
    with pytest.raises(InvalidInput, match="case/added"):
        compare(engine, box, paths=["case/added"])


def test_extended_attributes_count_where_they_are_seen(engine: Engine, space: Sandbox, image: str) -> None:
    box = space.changed("touch /case/touched", "attributes", image=image)
    upper = engine.container(box).upper_folder
    if not upper:
        found = compare(engine, box, thorough=True).difference
        assert "attributes" in found.notes[0]
        return

    os.setxattr(f"{upper}/case/touched", "user.note", b"1")
    found = compare(engine, box, thorough=True).difference
    assert lines(found.changeset) == ["C /case/touched"]
    assert found.notes == ()
