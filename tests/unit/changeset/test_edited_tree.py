"""Edits of an image's files: what stands there afterwards, what the layer holds, what counts as changed."""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from snapshot.changeset.edited_tree import EditedTree
from snapshot.changeset.entry import FileEntry, FileType, PathChange, Skipped
from snapshot.changeset.layer import LayerSpool
from snapshot.changeset.member import Member
from snapshot.changeset.paths import component_order
from snapshot.engine.types import ChangeKind
from snapshot.errors import InvalidInput, PathNotFound

if TYPE_CHECKING:
    from tests.unit import memory_files as memory
else:
    import memory_files as memory

FOLDER, Thing, symlink = memory.FOLDER, memory.Thing, memory.symlink

BASE = memory.whole(
    {
        "/etc/motd": Thing(text="hello"),
        "/etc/empty": FOLDER,
        "/etc/deep/er/file": Thing(text="deep"),
        "/link": symlink("etc"),
        "/caf\udce9": Thing(text="latin"),
        "/pipe": Thing(FileType.FIFO),
    }
)


@pytest.fixture
def spool() -> Iterator[LayerSpool]:
    with LayerSpool() as opened:
        yield opened


@pytest.fixture
def tree(spool: LayerSpool) -> EditedTree:
    return EditedTree(memory.MemoryFiles(BASE), spool)


def put(tree: EditedTree, path: str, thing: memory.Thing) -> None:
    # Content comes under another path than it is put at.
    tree.put(path, tree.take(memory.member("/taken", thing)))


def lines(tree: EditedTree) -> list[str]:
    return [f"{change.kind.value} {change.path}" for change in tree.changeset().changes]


def tar_of(tree: EditedTree) -> bytes:
    layer = tree.layer()
    return b"".join(layer.chunks()) if layer else b""


def names_in_tar(tar: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(tar), errors="surrogateescape") as archive:
        return archive.getnames()


# Against a model: a dict of paths.

PATHS = [*BASE, "/new", "/new/below", "/etc/deep/new", "/etc/motd/below", "/etc/deep/er/\udcff", "/link/x"]
THINGS = [
    FOLDER,
    FOLDER._replace(mode=0o1777),
    Thing(text="hello"),
    Thing(text="HELLO"),
    Thing(text="hello", mtime_s=7),
    Thing(text=""),
    Thing(text="deep", uid=5),
    symlink("etc"),
    symlink("elsewhere"),
    Thing(FileType.FIFO),
]
edits = st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from([None, *THINGS])), max_size=9)


def edited(tree: EditedTree, edits: Sequence[tuple[str, memory.Thing | None]]) -> dict[str, memory.Thing]:
    """Do the edits in a tree and in a model of it, and return the model."""
    model = dict(BASE)
    for path, thing in edits:
        above = model.get(posixpath.dirname(path))
        if thing is None:
            if path != "/" and path in model:
                tree.remove(path)
                model = memory.without(model, path)
            else:
                with pytest.raises((PathNotFound, InvalidInput)):
                    tree.remove(path)
        elif above and above.type is FileType.FOLDER and (path != "/" or thing.type is FileType.FOLDER):
            put(tree, path, thing)
            model = memory.placed(model, path, thing)
        else:
            with pytest.raises(InvalidInput):
                put(tree, path, thing)
    return model


@given(edits)
def test_the_edited_tree_shows_what_stands_after_the_edits(
    edits: list[tuple[str, memory.Thing | None]],
) -> None:
    with LayerSpool() as spool:
        tree = EditedTree(memory.MemoryFiles(BASE), spool)
        model = edited(tree, edits)
        for path in [*PATHS, *model, "/nowhere/at/all"]:
            found = tree.at(path)
            assert (memory.thing_of(found) if found else None) == model.get(path)
            expected = memory.names_in(model, path) if path in model else []
            assert list(tree.names(path)) == expected


@example([("/etc", Thing()), ("/link", Thing(mtime_s=7))])
@given(edits)
def test_the_layer_makes_of_the_image_what_stands_after_the_edits(
    edits: list[tuple[str, memory.Thing | None]],
) -> None:
    with LayerSpool() as spool:
        tree = EditedTree(memory.MemoryFiles(BASE), spool)
        model = edited(tree, edits)
        changes = tree.changeset().changes
        layer = tree.layer()
        tar = b"".join(layer.chunks()) if layer else b""
        unpacked = memory.unpacked(BASE, tar) if tar else dict(BASE)

    def comparable(things: memory.Tree) -> dict[str, memory.Thing]:
        return {path: thing.comparable() for path, thing in things.items()}

    assert comparable(unpacked) == comparable(model)
    assert bool(changes) == (comparable(model) != comparable(BASE)) == bool(tar)
    paths = [change.path for change in changes]
    assert paths == sorted(set(paths), key=component_order)
    in_tar = names_in_tar(tar) if tar else []
    assert [path.strip("/") or "." for path in paths] == [name.replace(".wh.", "") for name in in_tar]


# What counts as a change.


def test_a_new_file_is_listed_with_the_folders_that_it_stands_in(tree: EditedTree) -> None:
    put(tree, "/etc/deep/er/new", Thing(text="n"))
    assert lines(tree) == ["C /etc", "C /etc/deep", "C /etc/deep/er", "A /etc/deep/er/new"]


def test_folders_on_the_way_are_in_the_layer_as_the_image_has_them(spool: LayerSpool) -> None:
    folder = FOLDER._replace(mode=0o2775, uid=7, mtime_s=33, xattrs={"user.note": b"kept"})
    tree = EditedTree(memory.MemoryFiles({"/d": folder}), spool)
    put(tree, "/d/new", Thing())
    with tarfile.open(fileobj=io.BytesIO(tar_of(tree))) as archive:
        info = archive.getmember("d")
    assert (info.mode, info.uid, info.mtime) == (0o2775, 7, 33)
    assert info.pax_headers["SCHILY.xattr.user.note"] == "kept"


@pytest.mark.parametrize(
    ("path", "thing", "time_s"),
    # 1000 stands for the time that the folder has in the image.
    [
        ("/etc/new", Thing(mtime_s=50), 50),
        ("/etc/new", Thing(mtime_s=500), 100),
        ("/etc/motd", None, 100),
        ("/etc", FOLDER._replace(mtime_s=60, mode=0o700), 60),
        ("/etc", FOLDER._replace(mode=0o700), 100),
    ],
)
def test_a_folder_that_engines_write_into_has_a_time_that_does_not_depend_on_them(
    path: str, thing: memory.Thing | None, time_s: int
) -> None:
    tars = set()
    for started_s in (1000, 2000):
        base = BASE | {"/etc": FOLDER._replace(mtime_s=started_s)}
        with LayerSpool(latest_mtime_s=100) as spool:
            tree = EditedTree(memory.MemoryFiles(base), spool)
            if thing is None:
                tree.remove(path)
            else:
                put(tree, path, thing if thing.mtime_s != 1000 else thing._replace(mtime_s=started_s))
            tars.add(tar_of(tree))
    (tar,) = tars
    assert memory.unpacked(BASE, tar)["/etc"].mtime_s == time_s


@pytest.mark.parametrize("path", ["/etc/motd", "/etc", "/link", "/caf\udce9", "/pipe", "/"])
def test_what_is_put_as_it_was_is_no_change(tree: EditedTree, path: str) -> None:
    put(tree, path, BASE[path])
    assert lines(tree) == []
    assert tree.layer() is None


def test_another_content_of_the_same_size_and_time_is_a_change(tree: EditedTree) -> None:
    put(tree, "/etc/motd", BASE["/etc/motd"]._replace(text="HELLO"))
    assert lines(tree) == ["C /etc", "C /etc/motd"]


def test_the_content_of_the_image_is_read_only_where_nothing_else_differs(spool: LayerSpool) -> None:
    def content() -> list[bytes]:
        raise AssertionError("the image's content was read")

    class Unreadable(memory.MemoryFiles):
        def at(self, path: str) -> Member | None:
            found = super().at(path)
            return replace(found, content=content) if found else None

    tree = EditedTree(Unreadable(BASE), spool)
    put(tree, "/etc/motd", Thing(text="longer than before"))
    put(tree, "/etc/deep/er/file", Thing(text="deep", mtime_s=4))
    assert len(lines(tree)) == 5


def test_the_time_of_a_file_counts_and_that_of_a_folder_does_not(tree: EditedTree) -> None:
    put(tree, "/etc/motd", BASE["/etc/motd"]._replace(mtime_s=5))
    put(tree, "/etc/empty", FOLDER._replace(mtime_s=5))
    assert lines(tree) == ["C /etc", "C /etc/motd"]


def test_other_extended_attributes_are_a_change(tree: EditedTree) -> None:
    tree.put("/etc/motd", tree.take(memory.member("/x", BASE["/etc/motd"]._replace(xattrs={"user.a": b"1"}))))
    assert lines(tree) == ["C /etc", "C /etc/motd"]


def test_what_is_added_and_removed_again_is_no_change(tree: EditedTree) -> None:
    put(tree, "/new", FOLDER)
    put(tree, "/new/file", Thing())
    tree.remove("/new")
    assert lines(tree) == []


def test_a_removed_folder_is_one_change(tree: EditedTree) -> None:
    tree.remove("/etc")
    assert lines(tree) == ["D /etc"]


def test_of_a_folder_that_is_made_again_what_is_missing_is_listed_as_deleted(tree: EditedTree) -> None:
    tree.remove("/etc")
    put(tree, "/etc", FOLDER)
    put(tree, "/etc/motd", BASE["/etc/motd"])
    put(tree, "/etc/new", Thing())
    put(tree, "/etc/deep", FOLDER)
    assert lines(tree) == ["C /etc", "C /etc/deep", "D /etc/deep/er", "D /etc/empty", "A /etc/new"]


def test_what_an_engine_shows_of_its_own_is_not_missed_in_a_folder_that_is_made_again(
    spool: LayerSpool,
) -> None:
    tree = EditedTree(memory.MemoryFiles(BASE | {"/etc/hosts": Thing(), "/etc/hosts.allow": Thing()}), spool)
    tree.remove("/etc")
    put(tree, "/etc", FOLDER)
    assert lines(tree) == ["C /etc", "D /etc/deep", "D /etc/empty", "D /etc/hosts.allow", "D /etc/motd"]


def test_the_list_of_changes_follows_each_edit(tree: EditedTree) -> None:
    for content in ("one", "two", "hello"):
        put(tree, "/etc/motd", BASE["/etc/motd"]._replace(text=content))
        assert lines(tree) == ([] if content == "hello" else ["C /etc", "C /etc/motd"])
    tree.remove("/etc/motd")
    assert lines(tree) == ["C /etc", "D /etc/motd"]
    put(tree, "/etc", Thing())
    assert lines(tree) == ["C /etc"]


def test_a_file_in_the_place_of_a_folder_is_one_change(tree: EditedTree) -> None:
    put(tree, "/etc", Thing())
    assert lines(tree) == ["C /etc"]


def test_the_root_may_be_changed_and_not_be_removed_or_replaced(tree: EditedTree) -> None:
    with pytest.raises(InvalidInput, match="'/'"):
        tree.remove("/")
    with pytest.raises(InvalidInput, match="'/'"):
        put(tree, "/", Thing())
    put(tree, "/", FOLDER._replace(mode=0o700))
    assert lines(tree) == ["C /"]
    assert names_in_tar(tar_of(tree)) == ["."]


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/no/such/file", "no folder '/no'"),
        ("/etc/motd/below/it", "'/etc/motd' is a file"),
        ("/link/x", "'/link' is a symlink"),
    ],
)
def test_the_folder_that_is_missing_or_none_is_named(tree: EditedTree, path: str, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        put(tree, path, Thing())
    assert lines(tree) == []


@pytest.mark.parametrize("path", ["/nowhere", "/etc/motd/below", "/link/motd"])
def test_nothing_is_removed_where_nothing_stands(tree: EditedTree, path: str) -> None:
    with pytest.raises(PathNotFound, match=path):
        tree.remove(path)


# Several names of one file.


def link(tree: EditedTree, path: str, first: str) -> None:
    entry = FileEntry("/any", FileType.FILE, 0o644, 0, 0, hard_link=first)
    tree.put(path, replace(tree.take(memory.member("/any", Thing())), entry=entry))


def hard_links(tree: EditedTree) -> dict[str, str]:
    return {change.path: change.file.hard_link for change in tree.changeset().changes if change.file}


def test_the_first_name_in_order_has_the_content(tree: EditedTree) -> None:
    put(tree, "/z", Thing(text="both"))
    link(tree, "/b", "/z")
    link(tree, "/c", "/b")
    assert hard_links(tree) == {"/b": "", "/c": "/b", "/z": "/b"}
    unpacked = memory.unpacked(BASE, tar_of(tree))
    assert [unpacked[path] for path in ("/b", "/c", "/z")] == [Thing(text="both")] * 3
    found = tree.at("/c")
    assert found
    assert (found.link_to, found.entry.hard_link, found.entry.size_bytes) == ("", "", 4)


def test_a_name_keeps_the_content_when_the_first_name_goes_or_changes(tree: EditedTree) -> None:
    put(tree, "/a", Thing(text="one"))
    link(tree, "/b", "/a")
    link(tree, "/c", "/a")
    tree.remove("/a")
    put(tree, "/b", Thing(text="two"))
    assert hard_links(tree) == {"/b": "", "/c": ""}
    unpacked = memory.unpacked(BASE, tar_of(tree))
    assert (unpacked["/b"].text, unpacked["/c"].text) == ("two", "one")


def test_a_name_that_is_as_it_was_goes_into_the_layer_with_a_new_one(tree: EditedTree) -> None:
    put(tree, "/etc/motd", BASE["/etc/motd"])
    link(tree, "/new", "/etc/motd")
    assert hard_links(tree) == {"/etc": "", "/etc/motd": "", "/new": "/etc/motd"}


@pytest.mark.parametrize("first", ["/nowhere", "/etc/motd", "/etc", "/folder"])
def test_a_name_of_what_was_not_put_is_refused(tree: EditedTree, first: str) -> None:
    put(tree, "/folder", FOLDER)
    with pytest.raises(InvalidInput, match=f"name of '{first}'"):
        link(tree, "/new", first)


def test_what_was_taken_once_can_stand_in_many_places(tree: EditedTree) -> None:
    piece = tree.take(memory.member("/x", Thing(text="copied")))
    for path in ("/one", "/two"):
        tree.put(path, piece)
    assert hard_links(tree) == {"/one": "", "/two": ""}
    unpacked = memory.unpacked(BASE, tar_of(tree))
    assert unpacked["/one"] == unpacked["/two"] == Thing(text="copied")


# Changes of a container.


def change(kind: str, path: str, entry: FileEntry | Skipped | None = None) -> PathChange:
    return PathChange(ChangeKind(kind), path, entry)


def test_changes_without_content_are_changes_like_others(tree: EditedTree) -> None:
    folder = FileEntry("/etc", FileType.FOLDER, 0o755, 0, 0)
    tree.apply(
        [
            change("C", "/etc", folder),
            change("D", "/etc/deep"),
            change("C", "/etc/motd", FileEntry("/etc/motd", FileType.FILE, 0o600, 0, 0, 3, "aa")),
            change("A", "/etc/socket", Skipped("/etc/socket", "socket")),
            change("D", "/was/never/there"),
        ]
    )
    assert lines(tree) == ["C /etc", "D /etc/deep", "C /etc/motd"]


def test_a_long_way_down_is_no_trouble(tree: EditedTree) -> None:
    path = ""
    for _ in range(1100):
        path += "/d"
        put(tree, path, FOLDER)
    assert len(lines(tree)) == 1100


def test_few_paths_of_the_image_are_looked_at(spool: LayerSpool) -> None:
    files = memory.MemoryFiles(BASE | {f"/etc/{number}": Thing() for number in range(1000)})
    tree = EditedTree(files, spool)
    put(tree, "/etc/new", Thing())
    tree.layer()
    assert set(files.asked) == {"/", "/etc", "/etc/new"}
