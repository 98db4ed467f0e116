"""An image's files are the same whichever way they are read, and so is a layer that is made from them."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from doctor import SavedImage, put_together
from layer_tars import CAPABILITY, Entry, folder, layer, symlink
from sandbox import Sandbox

from snapshot.changeset.edited_tree import EditedTree
from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.layer import LayerSpool
from snapshot.changeset.links import resolve
from snapshot.changeset.member import Member
from snapshot.engine.client import Engine
from snapshot.errors import Refused
from snapshot.workflow.image_files import files_of
from snapshot.workflow.methods.interface import CaptureWay

pytestmark = pytest.mark.engine

LAYERS = [
    layer(
        folder("etc"),
        Entry("etc/motd", text="hello\n", mode=0o640, owner=(7, 8)),
        folder("a", 0o1777),
        Entry("a/one", text="1"),
        Entry("a/two", text="2"),
        Entry("a/hard", tarfile.LNKTYPE, "a/one"),
        symlink("a/sym", "../etc/motd"),
        symlink("a/loop", "loop"),
        symlink("a/dangling", "/nowhere"),
        Entry("a/caf\udce9", text="latin"),
        Entry("a/café", text="utf-8"),
        folder("f\udcff"),
        Entry("f\udcff/in", text="deep"),
        folder("special"),
        Entry("special/null", tarfile.CHRTYPE, mode=0o666, device=(1, 3)),
        Entry("special/sda", tarfile.BLKTYPE, device=(8, 0)),
        Entry("special/pipe", tarfile.FIFOTYPE),
        Entry(
            "special/ping",
            text="ping",
            mode=0o4755,
            records={"SCHILY.xattr.security.capability": CAPABILITY.decode("latin-1")},
        ),
        Entry("special/star*", text="star"),
        folder("o"),
        Entry("o/x", text="x"),
        folder("o/sub"),
        Entry("o/sub/y", text="y"),
        folder("gone"),
        Entry("gone/z", text="z"),
        folder("was-folder"),
        Entry("was-folder/u"),
        Entry("was-file", text="file"),
    ),
    layer(
        folder("a", 0o700, (3, 4)),
        Entry("a/.wh.two"),
        Entry("a/three", text="3"),
        folder("o"),
        Entry("o/.wh..wh..opq"),
        Entry("o/new", text="new"),
        Entry(".wh.gone"),
        Entry("was-folder", text="now a file"),
        folder("was-file"),
        Entry("was-file/below", text="b"),
    ),
    layer(
        folder("o"), folder("o/sub"), Entry("o/sub/only", text="only"), folder("gone"), Entry("gone/again")
    ),
]

#: What stands where: type, mode, owner, and content, target or device. Nothing stands at the other ones.
EXPECTED = {
    "/etc": "folder 755 0:0 ",
    "/etc/motd": "file 640 7:8 hello\n",
    "/a": "folder 700 3:4 ",
    "/a/one": "file 644 0:0 1",
    "/a/hard": "file 644 0:0 1",
    "/a/three": "file 644 0:0 3",
    "/a/sym": "symlink 777 0:0 ../etc/motd",
    "/a/loop": "symlink 777 0:0 loop",
    "/a/dangling": "symlink 777 0:0 /nowhere",
    "/a/caf\udce9": "file 644 0:0 latin",
    "/a/café": "file 644 0:0 utf-8",
    "/f\udcff/in": "file 644 0:0 deep",
    "/special/null": "chardev 666 0:0 1:3",
    "/special/sda": "blockdev 644 0:0 8:0",
    "/special/pipe": "fifo 644 0:0 ",
    "/special/ping": "file 4755 0:0 ping",
    "/special/star*": "file 644 0:0 star",
    "/o/new": "file 644 0:0 new",
    "/o/sub/only": "file 644 0:0 only",
    "/gone/again": "file 644 0:0 ",
    "/was-folder": "file 644 0:0 now a file",
    "/was-file/below": "file 644 0:0 b",
}
NOTHING = [
    "/none",
    "/none/below",
    "/a/two",
    "/a/none\udce9",
    "/a/sym/x",
    "/a/loop/x",
    "/etc/motd/x",
    "/o/x",
    "/o/sub/y",
    "/gone/z",
    "/was-folder/u",
    "/special/st*",
]
NAMES = {
    "/a": ["café", "caf\udce9", "dangling", "hard", "loop", "one", "sym", "three"],
    "/o": ["new", "sub"],
    "/o/sub": ["only"],
    "/gone": ["again"],
    "/f\udcff": ["in"],
    "/was-file": ["below"],
    "/was-folder": [],
    "/a/sym": [],
    "/none": [],
}

#: What the edits of these files come to, wherever they are made.
LAYER = "sha256:3015ea96425e4448413c0eea42c14289f72e70586dbe53495643a21730d0b7ac"


@pytest.fixture(scope="module")
def engine(host: str) -> Iterator[Engine]:
    with closing(Engine.connect(host)) as connected:
        yield connected


@pytest.fixture(scope="module")
def image(space: Sandbox) -> str:
    """An image of three layers with links, devices, whiteouts and an opaque folder; its user is not root."""
    name = space.name("layers")
    config: dict[str, Any] = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"User": "1234"},
        "history": [{"created": "2020-01-01T00:00:00Z"}] * len(LAYERS),
    }
    put_together(space.client, SavedImage(config, LAYERS), name)
    return name


@pytest.fixture(params=list(CaptureWay), ids=lambda way: str(way.value))
def files(request: pytest.FixtureRequest, engine: Engine, image: str) -> Iterator[ImageFiles]:
    way = request.param
    found = engine.image(image)
    if way is CaptureWay.DIRECT and not found.upper_folder:
        # The containerd store names no folders.
        with pytest.raises(Refused, match="cannot be read directly"), files_of(engine, found, way):
            pass
        way = CaptureWay.API
    with files_of(engine, found, way) as opened:
        yield opened


def described(files: ImageFiles, path: str) -> str:
    found = files.at(path)
    assert found, ascii(path)
    entry = found.entry
    assert (entry.path, found.link_to) == (path, "")
    if entry.type is not FileType.FOLDER:
        assert found.mtime_s == 1_500_000_000
    content = b"".join(found.content())
    assert entry.size_bytes == len(content)
    return f"{entry.type.value} {entry.mode:o} {entry.owner} " + (
        content.decode() or entry.link_target or entry.device
    )


def test_each_way_shows_what_the_layers_have_together(files: ImageFiles) -> None:
    assert {path: described(files, path) for path in EXPECTED} == EXPECTED
    assert [path for path in NOTHING if files.at(path)] == []
    assert {path: list(files.names(path)) for path in NAMES} == NAMES
    # As well as before after all in some folders was read together.
    assert [path for path in (*EXPECTED, *NOTHING) if files.at(path)] == list(EXPECTED)
    root, ping = files.at("/"), files.at("/special/ping")
    assert root
    assert ping
    assert (root.entry.type, root.entry.owner) == (FileType.FOLDER, "0:0")
    assert ping.entry.capability == CAPABILITY.hex()
    assert resolve(files, "/a/sym/../x") == "/etc/x"


def edited_layer(files: ImageFiles) -> str:
    """The digest of a layer with edits in many places of the image."""

    def text(path: str, content: bytes) -> Member:
        entry = FileEntry(path, FileType.FILE, 0o600, 1, 2, len(content))
        return Member(entry, 1_600_000_000, content=lambda: [content])

    with LayerSpool(latest_mtime_s=1_700_000_000) as spool:
        tree = EditedTree(files, spool)
        for path in ("/etc/new", "/o/sub/new", "/a/three", "/f\udcff/new"):
            tree.put(path, tree.take(text("/x", b"content")))
        for path in ("/a/hard", "/was-file"):
            tree.remove(path)
        kept = tree.at("/special")
        assert kept
        tree.remove("/special")
        tree.put("/special", tree.take(kept))
        assert [f"{change.kind.value} {change.path}" for change in tree.changeset().changes] == [
            "C /a",
            "D /a/hard",
            "C /a/three",
            "C /etc",
            "A /etc/new",
            "C /f\udcff",
            "A /f\udcff/new",
            "C /o",
            "C /o/sub",
            "A /o/sub/new",
            "C /special",
            "D /special/null",
            "D /special/ping",
            "D /special/pipe",
            "D /special/sda",
            "D /special/star*",
            "D /was-file",
        ]
        made = tree.layer()
        assert made
        return made.diff_id


def test_each_way_gives_the_same_layer_on_every_engine(files: ImageFiles) -> None:
    assert edited_layer(files) == LAYER
