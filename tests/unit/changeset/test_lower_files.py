"""An image's files are read from the folders of its layers as a container would see them."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapshot.changeset.entry import FileType
from snapshot.changeset.lower_files import LowerFiles, NotReadableDirectly
from snapshot.changeset.member import Member
from snapshot.errors import EngineError

if TYPE_CHECKING:
    from tests.unit.changeset.overlay_mount import CAPABILITY, PATHS, TYPES, Edit, Node, edits, stacked
else:
    from overlay_mount import CAPABILITY, PATHS, TYPES, Edit, Node, edits, stacked

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount, and see overlayfs' marks")


def node_of(member: Member) -> Node:
    entry = member.entry
    content = b"".join(member.content()) or entry.link_target.encode("utf-8", "surrogateescape")
    assert entry.size_bytes == (len(content) if entry.type is FileType.FILE else 0)
    mtime_s = 0 if entry.type is FileType.FOLDER else member.mtime_s
    return Node(TYPES[entry.type], entry.mode, (entry.uid, entry.gid), mtime_s, content)


@settings(max_examples=40)
@given(st.lists(edits, min_size=1, max_size=3))
def test_an_image_has_the_files_that_its_merged_layers_show(layers: list[list[Edit]]) -> None:
    with stacked(layers) as (folders, seen):
        with LowerFiles.open([str(folder) for folder in folders[::-1]]) as files:
            asked = {*seen, *(f"/{path}" for path in PATHS), "/a/below", "/none/x"}
            members = {path: member for path in asked if (member := files.at(path))}
            names = {path: list(files.names(path)) for path in (*asked, "/")}
        # Content is read after the files were closed as well.
        found = {path: node_of(member) for path, member in members.items()}
    for path, node in seen.items():
        seen[path] = Node(node.type, node.mode, node.owner, node.mtime_ns // 10**9, node.content)
    assert found == seen
    for path, listed in names.items():
        below = {other.rpartition("/")[2] for other in seen if (other.rpartition("/")[0] or "/") == path}
        assert listed == sorted(below, key=os.fsencode)


@pytest.fixture
def upper(tmp_path: Path) -> Path:
    (tmp_path / "upper").mkdir()
    return tmp_path / "upper"


@pytest.fixture
def lower(tmp_path: Path) -> Path:
    (tmp_path / "lower").mkdir()
    return tmp_path / "lower"


@pytest.fixture
def files(upper: Path, lower: Path) -> Iterator[LowerFiles]:
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with LowerFiles.open([str(upper), str(lower)]) as opened:
        yield opened
    assert set(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208


def read(files: LowerFiles, path: str) -> bytes:
    found = files.at(path)
    assert found
    return b"".join(found.content())


def test_the_root_is_that_of_the_topmost_layer(upper: Path, lower: Path, files: LowerFiles) -> None:
    upper.chmod(0o1711)
    lower.chmod(0o700)
    os.setxattr(upper, "user.note", b"top")
    found = files.at("/")
    assert found
    assert (found.entry.path, found.entry.type, found.entry.mode) == ("/", FileType.FOLDER, 0o1711)
    assert found.xattrs == {"user.note": b"top"}


def test_each_name_of_a_file_is_a_file_by_itself(lower: Path, files: LowerFiles) -> None:
    (lower / "one").write_bytes(b"content")
    os.link(lower / "one", lower / "two")
    for path in ("/one", "/two"):
        found = files.at(path)
        assert found
        assert (found.link_to, found.entry.size_bytes) == ("", 7)
        assert read(files, path) == b"content"


def test_devices_capabilities_and_attributes_are_seen(lower: Path, files: LowerFiles) -> None:
    os.mknod(lower / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    (lower / "ping").touch()
    os.setxattr(lower / "ping", "security.capability", CAPABILITY)
    os.setxattr(lower / "ping", "user.a", b"1")
    device, ping = files.at("/null"), files.at("/ping")
    assert device
    assert ping
    assert device.entry.device == "1:3"
    assert ping.entry.capability == CAPABILITY.hex()
    assert ping.xattrs == {"security.capability": CAPABILITY, "user.a": b"1"}


def test_no_link_is_followed_on_the_way(lower: Path, upper: Path, files: LowerFiles) -> None:
    (lower / "d").mkdir()
    (lower / "d/file").touch()
    (upper / "link").symlink_to("d")
    (upper / "out").symlink_to(lower)
    assert files.at("/link/file") is None
    assert files.at("/out/d") is None
    assert files.names("/out") == ()


def test_a_socket_is_nothing(lower: Path, files: LowerFiles) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(lower / "socket"))
    assert files.at("/socket") is None
    assert files.names("/") == []


def test_content_is_read_again_from_its_beginning(lower: Path, files: LowerFiles) -> None:
    (lower / "big").write_bytes(b"x" * 3_000_000)
    found = files.at("/big")
    assert found
    assert next(iter(found.content()))[:1] == b"x"
    assert sum(map(len, found.content())) == 3_000_000


def test_a_layer_that_goes_meanwhile_is_told(lower: Path, files: LowerFiles) -> None:
    (lower / "d").mkdir()
    (lower / "d/file").write_bytes(b"1")
    found = files.at("/d/file")
    assert found
    files.at("/")
    (lower / "d/file").unlink()
    with pytest.raises(EngineError, match="'/d/file' cannot be read any more"):
        list(found.content())
    (lower / "d").rmdir()
    with pytest.raises(EngineError, match="/d/other"):
        files.at("/d/other")


def test_a_file_that_is_another_one_meanwhile_is_not_read(lower: Path, files: LowerFiles) -> None:
    (lower / "file").write_bytes(b"1")
    found = files.at("/file")
    assert found
    (lower / "file").write_bytes(b"12")
    with pytest.raises(EngineError, match="'/file' cannot be read any more"):
        list(found.content())


@pytest.mark.parametrize("name", [".wh.name", ".wh..wh..opq"])
def test_marks_of_other_drivers_are_not_guessed_at(upper: Path, lower: Path, name: str) -> None:
    for layer in (lower, upper):
        (layer / "d").mkdir()
        (layer / "d/name").touch()
    (upper / "d" / name).touch()
    with LowerFiles.open([str(upper), str(lower)]) as files:
        for look in (lambda: files.at("/d/name"), lambda: files.names("/d")):
            with pytest.raises(NotReadableDirectly):
                look()
        assert files.at("/d")


@pytest.mark.parametrize("mark", ["redirect", "metacopy"])
def test_a_mark_that_content_lies_elsewhere_is_not_guessed_at(
    lower: Path, files: LowerFiles, mark: str
) -> None:
    (lower / "file").touch()
    os.setxattr(lower / "file", f"trusted.overlay.{mark}", b"/x")
    with pytest.raises(NotReadableDirectly, match=mark):
        files.at("/file")


def test_owners_that_may_be_shifted_are_left_to_the_engine(upper: Path, lower: Path) -> None:
    os.chown(upper, 100_000, 100_000)
    with pytest.raises(NotReadableDirectly, match="owners"):
        LowerFiles.open([str(upper), str(lower)])


@pytest.mark.parametrize("folder", ["/no/such/folder", "relative", "/dev/null"])
def test_what_is_no_folder_here_is_left_to_the_engine(lower: Path, folder: str) -> None:
    with pytest.raises(NotReadableDirectly, match=folder):
        LowerFiles.open([str(lower), folder])


def test_files_that_stand_by_their_digests_are_left_to_the_engine(tmp_path: Path, lower: Path) -> None:
    (tmp_path / "composefs-data").mkdir()
    with pytest.raises(NotReadableDirectly, match="digests"):
        LowerFiles.open([str(lower)])


def test_names_that_are_too_long_are_not_there(files: LowerFiles) -> None:
    assert files.at("/" + "n" * 255) is None
    assert files.at("/" + "n" * 300) is None
    assert files.at("/" + "n" * 252 + "/x") is None
