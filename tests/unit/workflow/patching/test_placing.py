"""Where a copy comes to in an image, by the rules of a Dockerfile's COPY."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshot.changeset.entry import FileType
from snapshot.changeset.layer import LayerSpool
from snapshot.errors import InvalidInput, Refused
from snapshot.recipe.instructions import (
    Copy,
    FileContent,
    LocalPath,
)

if TYPE_CHECKING:
    from tests.unit.workflow.patching import memory_image as memory
else:
    import memory_image as memory


NOW_S = memory.NOW_S
SYMLINK = FileType.SYMLINK

IMAGE: Mapping[str, memory.Thing] = {
    "/etc/passwd": memory.file("joe:x:1000:1001::/:/bin/sh\n"),
    "/etc/motd": memory.file("hello\n", 0o640, "5:6"),
    "/data": memory.folder(0o700, "5:6"),
    "/data/old": memory.file("old"),
    "/data/sub/deep": memory.file("deep"),
    "/absolute": memory.link("/etc"),
    "/up": memory.link("../../../../etc"),
    "/to-motd": memory.link("up/motd"),
    "/dangling": memory.link("/not/there"),
    "/pipe": memory.Thing(FileType.FIFO),
    "/work/here": memory.file("here"),
}


@pytest.fixture
def editor() -> Iterator[memory.Editor]:
    with LayerSpool() as spool:
        yield memory.Editor(spool, IMAGE, "/work")


def content(text: str, name: str = "app.js", mode: int = 0o644) -> FileContent:
    return FileContent(name, text.encode(), mode)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir(mode=0o711)
    (tmp_path / "a").write_text("a")
    (tmp_path / "a").chmod(0o4750)
    (tmp_path / "sub" / "b").write_text("b")
    (tmp_path / "l").symlink_to("/etc/motd")
    tmp_path.chmod(0o700)
    return tmp_path


def test_of_a_folder_its_content_is_copied(editor: memory.Editor, source: Path) -> None:
    copied = editor.make(Copy(LocalPath(str(source)), "/n/m"))
    assert editor.lines() == [
        "A /n 755 0:0",
        "A /n/m 755 0:0",
        "A /n/m/a 4750 0:0",
        "A /n/m/l 777 0:0",
        "A /n/m/sub 711 0:0",
        "A /n/m/sub/b 644 0:0",
    ]
    assert editor.at("/n/m/l") == memory.link("/etc/motd")._replace(mtime_s=_mtime_s(source / "l"))
    assert [(item.path, item.sha256, item.size_bytes) for item in copied] == [
        ("/n/m/a", hashlib.sha256(b"a").hexdigest(), 1),
        ("/n/m/sub/b", hashlib.sha256(b"b").hexdigest(), 1),
    ]


def test_owner_and_mode_hold_for_all_that_is_copied_and_the_owner_for_what_is_made(
    editor: memory.Editor, source: Path
) -> None:
    editor.make(Copy(LocalPath(str(source)), "/n/m", owner="joe:9", mode="g=u"))
    assert editor.lines() == [
        "A /n 755 1000:9",
        "A /n/m 755 1000:9",
        "A /n/m/a 4770 1000:9",
        "A /n/m/l 777 1000:9",
        "A /n/m/sub 771 1000:9",
        "A /n/m/sub/b 664 1000:9",
    ]


def test_a_folder_that_is_there_keeps_what_is_in_it(editor: memory.Editor, source: Path) -> None:
    editor.make(Copy(LocalPath(str(source)), "/data"))
    assert editor.lines() == [
        "C /data 700 5:6",  # the destination itself stays what it is
        "A /data/a 4750 0:0",
        "A /data/l 777 0:0",
        "C /data/sub 711 0:0",  # below it, a folder becomes the one that is copied
        "A /data/sub/b 644 0:0",
    ]
    assert editor.text("/data/old") == "old"
    assert editor.text("/data/sub/deep") == "deep"


@pytest.mark.parametrize(
    ("destination", "path"),
    [
        ("/n/name", "/n/name"),
        ("/n/", "/n/app.js"),
        ("/n/.", "/n/app.js"),
        ("/data", "/data/app.js"),
        ("/absolute", "/etc/app.js"),
        ("/up/", "/etc/app.js"),
        ("/up/n/", "/etc/n/app.js"),
        (".", "/work/app.js"),
        ("..", "/app.js"),
        ("../../../x", "/x"),
        ("name", "/work/name"),
        ("/", "/app.js"),
        ("/to-motd", "/etc/motd"),
        ("/dangling", "/not/there"),
        ("/dangling/", "/not/there/app.js"),
        ("/pipe", "/pipe"),
    ],
)
def test_a_file_comes_where_copy_puts_it(editor: memory.Editor, destination: str, path: str) -> None:
    editor.make(Copy(content("js", mode=0o640), destination))
    assert editor.at(path) == memory.file("js", 0o640)._replace(mtime_s=NOW_S)


def test_a_file_takes_the_place_of_a_link_below_the_destination(editor: memory.Editor) -> None:
    editor.make(Copy(content("js", "to-motd"), "/"))
    assert editor.text("/to-motd") == "js"
    assert editor.text("/etc/motd") == "hello\n"


def test_a_link_takes_the_place_of_a_file_below_the_destination(
    editor: memory.Editor, tmp_path: Path
) -> None:
    (tmp_path / "motd").symlink_to("x")
    editor.make(Copy(LocalPath(str(tmp_path)), "/etc"))
    found = editor.at("/etc/motd")
    assert found
    assert (found.type, found.text) == (SYMLINK, "x")


def test_files_and_folders_do_not_take_each_others_places(editor: memory.Editor, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "sub").write_text("")
    (tmp_path / "folders" / "old").mkdir(parents=True)
    (tmp_path / "links" / "motd").mkdir(parents=True)
    for edit in (
        Copy(LocalPath(str(tmp_path / "files")), "/data"),
        Copy(LocalPath(str(tmp_path / "folders")), "/data"),
        Copy(LocalPath(str(tmp_path / "links")), "/etc"),
        Copy(content("", "sub"), "/data"),
        Copy(LocalPath(str(tmp_path)), "/etc/motd"),
        Copy(content(""), "/etc/motd/"),
        Copy(content(""), "/etc/motd/x"),
    ):
        with pytest.raises(InvalidInput, match="in the image is a"):
            editor.make(edit)


def test_a_mode_for_a_copied_file_counts_from_its_own(editor: memory.Editor) -> None:
    editor.make(Copy(content("x", mode=0o600), "/f", mode="+x"))
    assert editor.lines() == ["A /f 711 0:0"]


def test_a_given_time_is_kept(editor: memory.Editor) -> None:
    editor.make(Copy(FileContent("n", b"x", mtime_s=-5), "/f"))
    found = editor.at("/f")
    assert found
    assert found.mtime_s == -5


def test_names_of_one_file_stay_names_of_one_file(editor: memory.Editor, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    editor.make(Copy(LocalPath(str(tmp_path)), "/n", owner="3", mode="600"))
    changes = editor.tree.changeset().changes
    assert [(change.path, change.file.hard_link) for change in changes if change.file] == [
        ("/n", ""),
        ("/n/a", ""),
        ("/n/b", "/n/a"),
    ]
    assert editor.lines()[1:] == ["A /n/a 600 3:3", "A /n/b 600 3:3"]


def test_names_that_are_not_utf_8_are_copied(editor: memory.Editor, tmp_path: Path) -> None:
    (tmp_path / "caf\udce9").write_text("x")
    editor.make(Copy(LocalPath(str(tmp_path)), "/n\udcff"))
    assert editor.text("/n\udcff/caf\udce9") == "x"


def test_folders_of_the_engine_are_passed_over_and_what_is_in_them_is_refused(
    editor: memory.Editor, tmp_path: Path
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "x").write_text("x")
    editor.make(Copy(LocalPath(str(tmp_path)), "/"))
    assert editor.lines() == ["A /x 644 0:0"]
    (tmp_path / "proc" / "y").write_text("y")
    with pytest.raises(Refused, match="'/proc/y'"):
        editor.make(Copy(LocalPath(str(tmp_path)), "/"))


def _mtime_s(path: Path) -> int:
    return int(path.lstat().st_mtime)
