"""What overlayfs keeps in a container's folders is read as the container sees it, and nothing else is."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.overlay import NotReadableDirectly, require_rights
from snapshot.changeset.upper_folder import UpperFolder
from snapshot.engine.types import ChangeKind
from snapshot.errors import ContainerUnusable

if TYPE_CHECKING:
    from tests.unit.changeset.overlay_mount import (
        CAPABILITY,
        PATHS,
        TYPES,
        WHAT,
        Node,
        edit,
        mounted,
        tree_of,
    )
else:
    from overlay_mount import CAPABILITY, PATHS, TYPES, WHAT, Node, edit, mounted, tree_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount, and see overlayfs' marks")

edits = st.lists(
    st.tuples(st.sampled_from([*WHAT, "rename"]), st.sampled_from(PATHS), st.sampled_from(PATHS)), max_size=6
)


def above(path: str) -> set[str]:
    found = set()
    while path := path.rpartition("/")[0]:
        found.add(path)
    return found


def differences(before: dict[str, Node], after: dict[str, Node]) -> dict[str, ChangeKind]:
    """The changes as ``docker diff`` lists them, but for what is below a folder that is a file now."""
    gone = before.keys() - after.keys()
    kinds = dict.fromkeys(after.keys() - before.keys(), ChangeKind.ADDED)
    kinds |= {path: ChangeKind.CHANGED for path in after.keys() & before if after[path] != before[path]}
    for path in gone:
        parent = after.get(path.rpartition("/")[0])
        if path.count("/") == 1 or (parent and parent.type == stat.S_IFDIR):
            kinds[path] = ChangeKind.DELETED
    for path in list(kinds):
        for folder in above(path):
            kinds.setdefault(folder, ChangeKind.CHANGED)
    return kinds


def node_of(entry: FileEntry, mtime_s: int, content: bytes) -> Node:
    is_folder = entry.type is FileType.FOLDER
    content = entry.link_target.encode("utf-8", "surrogateescape") or content
    return Node(TYPES[entry.type], entry.mode, (entry.uid, entry.gid), 0 if is_folder else mtime_s, content)


def in_seconds(node: Node) -> Node:
    return Node(node.type, node.mode, node.owner, node.mtime_ns // 10**9, node.content)


@settings(max_examples=40)
@given(edits, edits)
def test_a_container_s_changes_are_those_that_it_sees(
    built: list[tuple[str, str, str]], done: list[tuple[str, str, str]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lower, middle, upper = (folder / layer for layer in ("lower", "middle", "upper"))
        (lower / "d/e").mkdir(parents=True)
        for path in ("a", "b", "d/a", "d/b", "d/e/a"):
            (lower / path).write_text(path)
        with mounted(folder, [lower], middle) as merged:
            for step in built:
                edit(merged, *step)
        with mounted(folder, [middle, lower], upper) as merged:
            before = tree_of(merged)
            for step in done:
                edit(merged, *step)
            after = tree_of(merged)
            with UpperFolder.open(str(upper), [str(middle), str(lower)]) as opened:
                kinds = {change.path: change.kind for change in opened.changes()}
                members = {
                    member.entry.path: node_of(member.entry, member.mtime_s, b"".join(member.content()))
                    for member in opened.members(kinds)
                }
    assert kinds == differences(before, after)
    assert members == {path: in_seconds(after[path]) for path in kinds.keys() & after.keys()}


@pytest.fixture
def layers(tmp_path: Path) -> tuple[Path, Path]:
    """An upper and a lower folder, of which nothing is mounted."""
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    upper.mkdir()
    lower.mkdir()
    return upper, lower


@pytest.fixture
def upper(layers: tuple[Path, Path]) -> Path:
    return layers[0]


@pytest.fixture
def lower(layers: tuple[Path, Path]) -> Path:
    return layers[1]


@pytest.fixture
def opened(layers: tuple[Path, Path]) -> Iterator[UpperFolder]:
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with UpperFolder.open(str(layers[0]), [str(layers[1])]) as folder:
        yield folder
    assert set(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208


def listed(folder: UpperFolder) -> dict[str, str]:
    return {change.path: change.kind.value for change in folder.changes()}


def whiteout(path: Path) -> None:
    os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))


def test_a_whiteout_deletes_what_is_below_and_nothing_where_there_is_nothing(
    upper: Path, lower: Path, opened: UpperFolder
) -> None:
    (lower / "gone").touch()
    whiteout(upper / "gone")
    whiteout(upper / "never")
    assert listed(opened) == {"/gone": "D"}


@pytest.mark.parametrize(("old_ns", "same"), [(5 * 10**9, True), (5 * 10**9 + 1, False), (6 * 10**9, False)])
def test_a_time_without_fractions_is_equal_to_one_with_them(
    upper: Path, lower: Path, opened: UpperFolder, old_ns: int, same: bool
) -> None:
    for layer, mtime_ns in ((lower, old_ns), (upper, 5 * 10**9 + 7)):
        (layer / "f").touch()
        os.utime(layer / "f", ns=(0, mtime_ns))
    assert listed(opened) == ({} if same else {"/f": "C"})


def test_names_of_one_file_are_told_by_the_first_of_those_that_are_asked_for(
    upper: Path, opened: UpperFolder
) -> None:
    (upper / "b").write_bytes(b"content")
    for name in ("a", "c"):
        os.link(upper / "b", upper / name)
    assert listed(opened) == {"/a": "A", "/b": "A", "/c": "A"}
    found = [(m.entry.path, m.link_to, b"".join(m.content())) for m in opened.members(["/c", "/b"])]
    assert found == [("/b", "", b"content"), ("/c", "/b", b"")]
    assert opened.size_bytes(["/a", "/b", "/c"]) == 7


def test_a_further_name_of_a_file_of_the_image_brings_its_first_name_along(tmp_path: Path) -> None:
    lower, upper = tmp_path / "lower", tmp_path / "upper"
    (lower / "d").mkdir(parents=True)
    (lower / "d/old").write_bytes(b"content")
    with mounted(tmp_path, [lower], upper) as merged:
        os.link(merged / "d/old", merged / "new")
        with UpperFolder.open(str(upper), [str(lower)]) as opened:
            assert listed(opened) == {"/new": "A", "/d": "C", "/d/old": "C"}


def test_attributes_that_an_image_can_hold_are_read_and_compared(
    upper: Path, lower: Path, opened: UpperFolder
) -> None:
    for layer in (lower, upper):
        for name in ("tool", "same", "other"):
            (layer / name).touch()
            os.utime(layer / name, (1, 1))
            os.setxattr(layer / name, "user.a", b"same")
    os.setxattr(upper / "tool", "security.capability", CAPABILITY)
    os.setxattr(upper / "other", "user.a", b"diff")
    assert listed(opened) == {"/tool": "C", "/other": "C"}
    members = {member.entry.path: member for member in opened.members(["/tool", "/other"])}
    assert members["/tool"].xattrs == {"security.capability": CAPABILITY, "user.a": b"same"}
    assert members["/tool"].entry.capability == CAPABILITY.hex()
    assert members["/other"].xattrs == {"user.a": b"diff"}


@pytest.mark.parametrize(
    ("options", "what"), [("redirect_dir=on", "rename"), ("metacopy=on,redirect_dir=on", "chmod")]
)
def test_what_overlayfs_keeps_elsewhere_is_not_guessed(tmp_path: Path, options: str, what: str) -> None:
    lower, upper = tmp_path / "lower", tmp_path / "upper"
    (lower / "d/e").mkdir(parents=True)
    (lower / "f").write_bytes(b"content")
    with mounted(tmp_path, [lower], upper, options) as merged:
        edit(merged, what, "d/e" if what == "rename" else "f", "moved")
        with UpperFolder.open(str(upper), [str(lower)]) as opened, pytest.raises(NotReadableDirectly):
            opened.changes()


@pytest.mark.parametrize(
    ("mark", "value"),
    [
        ("trusted.overlay.redirect", b"/x"),
        ("trusted.overlay.metacopy", b""),
        ("trusted.overlay.nlink", b"U+1"),
        ("trusted.overlay.opaque", b"x"),
        ("trusted.overlay.unknown", b"y"),
        ("user.overlay.opaque", b"y"),
        ("user.fuseoverlayfs.opaque", b"y"),
        ("user.containers.override_stat", b"0:0:0755"),
    ],
)
def test_a_mark_that_is_not_known_is_named(upper: Path, opened: UpperFolder, mark: str, value: bytes) -> None:
    (upper / "d").mkdir()
    os.setxattr(upper / "d", mark, value)
    with pytest.raises(NotReadableDirectly, match=mark):
        opened.changes()


def test_a_mark_of_fuse_overlayfs_is_not_taken_for_a_file(upper: Path, opened: UpperFolder) -> None:
    (upper / ".wh.x").touch()
    with pytest.raises(NotReadableDirectly, match=r"\.wh\.x"):
        opened.changes()


def test_sockets_have_no_member_and_devices_have_their_numbers(upper: Path, opened: UpperFolder) -> None:
    os.mknod(upper / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(upper / "s"))
    assert listed(opened) == {"/null": "A", "/s": "A"}
    assert [member.entry.device for member in opened.members(["/null", "/s"])] == ["1:3"]
    assert opened.is_socket("/s")
    assert not opened.is_socket("/null")
    assert not opened.is_socket("/none")


def test_a_folder_that_became_a_link_meanwhile_is_refused_and_not_followed(
    upper: Path, opened: UpperFolder, tmp_path: Path
) -> None:
    for folder in (upper / "d", tmp_path / "secret"):
        folder.mkdir()
        (folder / "f").write_bytes(b"from " + folder.name.encode())
    assert listed(opened) == {"/d": "A", "/d/f": "A"}
    shutil.rmtree(upper / "d")
    (upper / "d").symlink_to(tmp_path / "secret")
    for path in ("/d", "/d/f"):
        with pytest.raises(ContainerUnusable, match="was changed by the container"):
            list(opened.members([path]))


def test_a_file_that_became_another_meanwhile_is_refused(
    upper: Path, opened: UpperFolder, tmp_path: Path
) -> None:
    (upper / "f").write_bytes(b"listed")
    (upper / "g").write_bytes(b"listed")
    (tmp_path / "secret").write_bytes(b"secret")
    opened.changes()
    os.link(tmp_path / "secret", upper / "new")
    (upper / "new").replace(upper / "f")
    (upper / "g").unlink()
    (upper / "g").symlink_to(tmp_path / "secret")
    for path in ("/f", "/g"):
        with pytest.raises(ContainerUnusable):
            list(opened.members([path]))


def test_what_went_meanwhile_and_what_was_not_listed_is_left_out(upper: Path, opened: UpperFolder) -> None:
    (upper / "d").mkdir()
    (upper / "d/f").touch()
    opened.changes()
    shutil.rmtree(upper / "d")
    (upper / "later").touch()
    assert list(opened.members(["/d", "/d/f", "/later", "/never"])) == []


def test_a_file_that_grew_is_given_up_to_its_size_and_one_that_shrank_is_refused(
    upper: Path, opened: UpperFolder
) -> None:
    for name in ("grows", "shrinks"):
        (upper / name).write_bytes(b"12345")
    opened.changes()
    grown, shrunk = b"", 0
    for member in opened.members(["/grows", "/shrinks"]):
        if member.entry.path == "/grows":
            (upper / "grows").write_bytes(b"1234567")
            grown = b"".join(member.content())
        else:
            (upper / "shrinks").write_bytes(b"123")
            with pytest.raises(ContainerUnusable, match="/shrinks"):
                list(member.content())
            shrunk += 1
    assert (grown, shrunk) == (b"12345", 1)


def test_content_is_not_to_be_had_after_its_turn(upper: Path, opened: UpperFolder) -> None:
    for name in "ab":
        (upper / name).write_bytes(b"1")
    members = list(opened.members(listed(opened)))
    with pytest.raises(RuntimeError, match="before the next member"):
        list(members[0].content())


def test_deep_folders_are_read(upper: Path, lower: Path, opened: UpperFolder) -> None:
    deep = "/".join("d" * 150)
    for layer in (upper, lower):
        (layer / deep).mkdir(parents=True)
    for number in (60, 70, 150):
        (upper / deep[: 2 * number - 1] / "f").write_bytes(b"%d" % number)
    kinds = listed(opened)
    assert sum(kind == "A" for kind in kinds.values()) == 3
    contents = [b"".join(member.content()) for member in opened.members(kinds) if member.entry.size_bytes]
    assert contents == [b"150", b"70", b"60"]


def test_the_root_is_read_when_it_is_asked_for(upper: Path, opened: UpperFolder) -> None:
    upper.chmod(0o1750)
    assert listed(opened) == {}
    assert [(member.entry.path, member.entry.mode) for member in opened.members(["/"])] == [("/", 0o1750)]
    assert opened.root_owner() == (0, 0)


def test_folders_that_cannot_be_read_are_refused_by_name(upper: Path, lower: Path, tmp_path: Path) -> None:
    for refused, lowers in [
        (str(upper), []),
        ("relative", [str(lower)]),
        (str(tmp_path / "missing"), [str(lower)]),
        (str(upper), [str(tmp_path / "missing")]),
    ]:
        with pytest.raises(NotReadableDirectly):
            UpperFolder.open(refused, lowers)


def test_without_root_s_rights_marks_could_not_be_seen() -> None:
    require_rights()
    code = (
        "import os; from snapshot.changeset.overlay import NotReadableDirectly, require_rights\n"
        "os.setuid(65534)\n"
        "try: require_rights()\n"
        "except NotReadableDirectly as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "rights of root" in done.stdout
