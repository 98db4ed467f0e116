"""What each edit of files makes of an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshot.changeset.entry import FileType
from snapshot.changeset.layer import LayerSpool
from snapshot.changeset.member import CAPABILITY
from snapshot.errors import InvalidInput, PathNotFound, Refused, SnapError
from snapshot.recipe.instructions import (
    AddText,
    AppendText,
    ChangeMode,
    ChangeOwner,
    Copy,
    FileContent,
    FileEdit,
    MakeFolder,
    MakeSymlink,
    Remove,
    ReplaceText,
)

if TYPE_CHECKING:
    from tests.unit.workflow.patching import memory_image as memory
else:
    import memory_image as memory

NOW_S, BASE_S = memory.NOW_S, memory.BASE_S
CAP = bytes.fromhex("0100000200200000000000000000000000000000")

IMAGE: Mapping[str, memory.Thing] = {
    "/etc/passwd": memory.file("joe:x:1000:1001::/:/bin/sh\n"),
    "/etc/motd": memory.file("hello\n", 0o640, "5:6"),
    "/etc/no-newline": memory.file("hello"),
    "/etc/empty": memory.file(),
    "/etc/latin": memory.file("caf\udce9\n"),
    "/bin/su": memory.file("su", 0o6755)._replace(xattrs={CAPABILITY: CAP, "user.a": b"1"}),
    "/bin/locked": memory.file("l", 0o6745),
    "/data": memory.folder(0o700, "5:6"),
    "/data/old": memory.file("old"),
    "/data/sub/deep": memory.file("deep"),
    "/sgid": memory.folder(0o6755),
    "/absolute": memory.link("/etc"),
    "/up": memory.link("../../../../etc"),
    "/to-motd": memory.link("up/motd"),
    "/dangling": memory.link("/not/there"),
    "/loop": memory.link("pool"),
    "/pool": memory.link("loop"),
    "/pipe": memory.Thing(FileType.FIFO),
    "/work/here": memory.file("here"),
    "/hosts-by-link": memory.link("/etc/hosts"),
}


@pytest.fixture
def editor() -> Iterator[memory.Editor]:
    with LayerSpool() as spool:
        yield memory.Editor(spool, IMAGE, "/work")


def content(text: str, name: str = "app.js", mode: int = 0o644) -> FileContent:
    return FileContent(name, text.encode(), mode)


# Text.


@pytest.mark.parametrize(
    ("edit", "path", "text"),
    [
        (AppendText("/etc/motd", "you"), "/etc/motd", "hello\nyou\n"),
        (AppendText("/etc/motd", "you\n"), "/etc/motd", "hello\nyou\n"),
        (AppendText("/etc/no-newline", "you"), "/etc/no-newline", "hello\nyou\n"),
        (AppendText("/etc/empty", "you"), "/etc/empty", "you\n"),
        (AppendText("/etc/empty", ""), "/etc/empty", "\n"),
        (AppendText("here", "you"), "/work/here", "here\nyou\n"),
        (AppendText("/to-motd", "x"), "/etc/motd", "hello\nx\n"),
        (AppendText("/absolute/motd", "x"), "/etc/motd", "hello\nx\n"),
        (ReplaceText("/etc/motd", "hello", "bye"), "/etc/motd", "bye\n"),
        (ReplaceText("/etc/motd", "l", "L", all=True), "/etc/motd", "heLLo\n"),
        (ReplaceText("/etc/latin", "caf\udce9", "café"), "/etc/latin", "café\n"),
        (ReplaceText("/etc/motd", "hello\n", ""), "/etc/motd", ""),
        (AddText("/etc/motd", "new"), "/etc/motd", "new"),
        (AddText("/to-motd", "new"), "/etc/motd", "new"),
        (AddText("/a/b/c", "new"), "/a/b/c", "new"),
        (AddText("x/y", ""), "/work/x/y", ""),
        (AddText("/dangling", "new"), "/not/there", "new"),
        (AddText("../up/x", "new"), "/etc/x", "new"),
    ],
)
def test_text_comes_where_the_path_leads(editor: memory.Editor, edit: FileEdit, path: str, text: str) -> None:
    editor.make(edit)
    assert editor.text(path) == text


@pytest.mark.parametrize(
    "edit", [AppendText("/etc/motd", "x"), ReplaceText("/etc/motd", "h", "H"), AddText("/etc/motd", "x")]
)
def test_a_file_that_is_edited_keeps_mode_and_owner_and_has_a_new_time(
    editor: memory.Editor, edit: FileEdit
) -> None:
    editor.make(edit)
    found = editor.at("/etc/motd")
    assert found
    assert (found.mode, found.owner, found.mtime_s) == (0o640, "5:6", NOW_S)
    assert editor.lines() == ["C /etc 755 0:0", "C /etc/motd 640 5:6"]


def test_writing_takes_the_capabilities_of_a_file_away_and_leaves_the_rest(editor: memory.Editor) -> None:
    editor.make(AppendText("/bin/su", "x"))
    found = editor.at("/bin/su")
    assert found
    assert (found.mode, found.xattrs) == (0o6755, {"user.a": b"1"})


def test_a_new_file_belongs_to_root_unless_an_owner_is_given(editor: memory.Editor) -> None:
    editor.make(AddText("/n/a", "x"), AddText("/m/b", "x", owner="joe", mode="go=,u+x"))
    assert [line for line in editor.lines() if line.startswith("A")] == [
        "A /m 755 1000:1001",
        "A /m/b 700 1000:1001",
        "A /n 755 0:0",
        "A /n/a 644 0:0",
    ]


def test_mode_and_owner_hold_for_a_file_that_is_there_too(editor: memory.Editor) -> None:
    editor.make(AddText("/etc/motd", "x", owner="1:2", mode="o+r"))
    assert editor.lines()[-1] == "C /etc/motd 644 1:2"


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (ReplaceText("/etc/motd", "nothing", "x"), "does not hold 'nothing'"),
        (ReplaceText("/etc/motd", "nothing", "x", all=True), "does not hold 'nothing'"),
        (ReplaceText("/etc/motd", "l", "x"), "more than once"),
        (ReplaceText("/etc/motd", "", "x"), "no text to look for"),
        (AddText("/data", "x"), "is a folder"),
        (AddText("/", "x"), "is a folder"),
        (AppendText("/pipe", "x"), "is a fifo"),
        (AddText("/etc/motd/below", "x"), "'/etc/motd' in the image is a file"),
        (AddText("/new/", "x"), "written as a folder's name"),
        (AddText("/loop", "x"), "circle"),
        (AddText("", "x"), "empty"),
        (AddText("/a\0b", "x"), "zero byte"),
        (AddText("/" + "a" * 256, "x"), "too long"),
        (AddText("/" + "é" * 128, "x"), "too long"),
        (AddText("/" + "a/" * 2048 + "b", "x"), "too long"),
        (AddText("/f", "x", mode="9"), "not a mode"),
        (AddText("/f", "x", owner="nobody"), "no user 'nobody'"),
    ],
)
def test_text_that_cannot_be_written_is_an_error(editor: memory.Editor, edit: FileEdit, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        editor.make(edit)
    assert editor.lines() == []


def test_places_that_overlap_are_more_than_one(editor: memory.Editor) -> None:
    editor.make(AddText("/f", "xaaay"))
    with pytest.raises(InvalidInput, match="more than once"):
        editor.make(ReplaceText("/f", "aa", "b"))


def test_a_large_file_is_not_edited_as_text() -> None:
    huge = memory.file("x")._replace(size=(64 << 20) + 1)
    with LayerSpool() as spool:
        editor = memory.Editor(spool, {"/huge": huge})
        for edit in (AppendText("/huge", "x"), ReplaceText("/huge", "x", "y")):
            with pytest.raises(Refused, match="too large"):
                editor.make(edit)


def test_a_text_may_not_grow_without_end(editor: memory.Editor) -> None:
    editor.make(AddText("/f", "a" * 1000))
    with pytest.raises(Refused, match="too large"):
        editor.make(ReplaceText("/f", "a", "b" * 100_000, all=True))


@pytest.mark.parametrize(
    "edit",
    [
        AppendText("/nothing", "x"),
        ReplaceText("/nothing", "x", "y"),
        AppendText("/dangling", "x"),
        Remove("/nothing"),
        Remove("/etc/motd/below"),
        ChangeMode("/nothing", "u+x"),
        ChangeMode("/dangling", "u+x"),
        ChangeOwner("/dangling", "1"),
    ],
)
def test_what_is_not_there_cannot_be_changed(editor: memory.Editor, edit: FileEdit) -> None:
    with pytest.raises(PathNotFound, match="There is no '"):
        editor.make(edit)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: AddText(path, "x"),
        lambda path: MakeFolder(path),
        lambda path: MakeSymlink(path, "x"),
        lambda path: Copy(content("x"), path),
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "/etc/hosts",
        "/proc/x",
        "/absolute/hostname",
        "/dev",
        "/.dockerenv",
        "/sys/a/b",
        "/a/.wh.b",
        "/.wh.a/b",
    ],
)
def test_paths_of_the_engine_and_marks_of_deleted_names_are_refused(
    editor: memory.Editor, make: Callable[[str], FileEdit], path: str
) -> None:
    with pytest.raises(Refused):
        editor.make(make(path))
    assert editor.lines() == []


def test_a_link_to_a_path_of_the_engine_is_no_way_around(editor: memory.Editor) -> None:
    with pytest.raises(Refused, match=r"'/hosts-by-link' \('/etc/hosts'\) is the engine's own"):
        editor.make(AddText("/hosts-by-link", "x"))


@pytest.mark.parametrize(
    "edit", [Remove("/"), Remove("/etc/.."), ChangeMode("/", "700"), ChangeOwner("/", "1")]
)
def test_the_root_folder_stays_what_it_is(editor: memory.Editor, edit: FileEdit) -> None:
    with pytest.raises(Refused, match="root folder"):
        editor.make(edit)


# Names: removing, folders, links.


def test_removing_takes_a_folder_with_all_in_it_and_of_a_link_the_link(editor: memory.Editor) -> None:
    editor.make(Remove("/data"), Remove("/to-motd"), Remove("/absolute/motd"), Remove("here"))
    assert editor.lines() == [
        "D /data",
        "C /etc 755 0:0",
        "D /etc/motd",
        "D /to-motd",
        "C /work 755 0:0",
        "D /work/here",
    ]


def test_a_folder_is_made_with_those_on_the_way(editor: memory.Editor) -> None:
    editor.make(MakeFolder("/n/m", owner="joe:7", mode="2770"), MakeFolder("rel"))
    assert editor.lines() == [
        "A /n 755 1000:7",
        "A /n/m 2770 1000:7",
        "C /work 755 0:0",
        "A /work/rel 755 0:0",
    ]


@pytest.mark.parametrize("path", ["/data", "/absolute", "/", "/data/"])
def test_a_folder_that_is_there_is_left_as_it_is(editor: memory.Editor, path: str) -> None:
    editor.make(MakeFolder(path, owner="9", mode="700"))
    assert editor.lines() == []


@pytest.mark.parametrize("path", ["/etc/motd", "/to-motd", "/pipe", "/etc/motd/x"])
def test_no_folder_is_made_of_something_else(editor: memory.Editor, path: str) -> None:
    with pytest.raises(InvalidInput, match="not a folder"):
        editor.make(MakeFolder(path))


def test_a_link_is_made_where_nothing_stands(editor: memory.Editor) -> None:
    editor.make(MakeSymlink("/n/l", "../../etc/motd"), MakeSymlink("/absolute/l", "/any\udce9"))
    assert editor.at("/n/l") == memory.link("../../etc/motd")._replace(mtime_s=NOW_S)
    assert editor.at("/etc/l") == memory.link("/any\udce9")._replace(mtime_s=NOW_S)
    assert editor.at("/n") == memory.folder()._replace(mtime_s=NOW_S)


@pytest.mark.parametrize("path", ["/etc/motd", "/data", "/dangling", "/loop", "/"])
def test_no_link_takes_the_place_of_something(editor: memory.Editor, path: str) -> None:
    with pytest.raises(InvalidInput, match="already"):
        editor.make(MakeSymlink(path, "x"))


@pytest.mark.parametrize("target", ["", "a\0b", "a" * 4096])
def test_a_link_leads_somewhere(editor: memory.Editor, target: str) -> None:
    with pytest.raises(InvalidInput, match="cannot lead"):
        editor.make(MakeSymlink("/l", target))


# Modes and owners.


@pytest.mark.parametrize(
    ("edit", "line"),
    [
        (ChangeMode("/etc/motd", "600"), "C /etc/motd 600 5:6"),
        (ChangeMode("/to-motd", "a+x"), "C /etc/motd 751 5:6"),
        (ChangeMode("/data", "u-w,g+s"), "C /data 2500 5:6"),
        (ChangeMode("/sgid", "0700"), "C /sgid 700 0:0"),
        (ChangeMode("/sgid", "go="), "C /sgid 6700 0:0"),
        (ChangeMode("/pipe", "600"), "C /pipe 600 0:0"),
        (ChangeOwner("/etc/motd", "joe"), "C /etc/motd 640 1000:6"),
        (ChangeOwner("/to-motd", ":9"), "C /etc/motd 640 5:9"),
        (ChangeOwner("/sgid", "1:1"), "C /sgid 6755 1:1"),
        (ChangeOwner("/bin/su", "1"), "C /bin/su 755 1:0"),
        (ChangeOwner("/bin/su", "0"), "C /bin/su 755 0:0"),  # the kernel looks at the call, not at the number
        (ChangeOwner("/bin/locked", "0:0"), "C /bin/locked 2745 0:0"),
    ],
)
def test_mode_and_owner_change_as_in_a_container(editor: memory.Editor, edit: FileEdit, line: str) -> None:
    editor.make(edit)
    assert editor.lines()[-1] == line
    assert line.count("/") == 1 or len(editor.lines()) == 2


def test_a_change_of_mode_keeps_time_content_and_capabilities(editor: memory.Editor) -> None:
    editor.make(ChangeMode("/bin/su", "755"))
    assert editor.at("/bin/su") == IMAGE["/bin/su"]._replace(mode=0o755)


def test_a_change_of_owner_takes_the_capabilities_away(editor: memory.Editor) -> None:
    editor.make(ChangeOwner("/bin/su", "1"))
    found = editor.at("/bin/su")
    assert found
    assert (found.xattrs, found.mtime_s, found.text) == ({"user.a": b"1"}, BASE_S, "su")


@pytest.mark.parametrize("edit", [ChangeMode("/etc/motd", "640"), ChangeOwner("/etc/motd", "5:6")])
def test_what_is_so_already_is_no_change(editor: memory.Editor, edit: FileEdit) -> None:
    editor.make(edit)
    assert editor.lines() == []


# Many edits.


def test_the_last_of_many_edits_counts_and_the_layer_has_it_all(editor: memory.Editor) -> None:
    editor.make(
        Copy(content("1"), "/n/"),
        AppendText("/n/app.js", "2"),
        ChangeMode("/n/app.js", "u+x"),
        ChangeOwner("/n/app.js", "joe"),
        Remove("/data"),
        AddText("/data/new", "new"),
    )
    assert editor.text("/n/app.js") == "1\n2\n"
    assert editor.lines() == [
        "C /data 755 0:0",
        "A /data/new 644 0:0",
        "D /data/old",
        "D /data/sub",
        "A /n 755 0:0",
        "A /n/app.js 744 1000:0",
    ]
    assert editor.tree.layer() is not None


def test_nothing_of_this_machine_is_read_through_a_link_of_the_image(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with LayerSpool() as spool:
        editor = memory.Editor(spool, {"/l": memory.link(str(tmp_path / "secret"))})
        with pytest.raises(PathNotFound):
            editor.make(AppendText("/l", "x"))
        editor.make(AddText("/l", "y"))
        assert editor.text(str(tmp_path / "secret")) == "y"
    assert (tmp_path / "secret").read_text() == "secret"


def test_every_error_is_one_of_ours(editor: memory.Editor) -> None:
    for path in ("/loop/x", "/etc/motd/x", "/pipe/x", "/dangling/x"):
        for edit in (AppendText(path, ""), Remove(path), ChangeMode(path, "1"), ChangeOwner(path, "1")):
            with pytest.raises(SnapError):
                editor.make(edit)
