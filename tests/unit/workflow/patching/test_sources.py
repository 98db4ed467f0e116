"""Reading what is copied: local files and given content, and the digest that tells it."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshot.changeset.layer import LayerSpool
from snapshot.changeset.member import Member
from snapshot.errors import InvalidInput, PathNotFound, Refused, SnapError
from snapshot.recipe.instructions import FileContent, LocalPath, TarFile
from snapshot.workflow.patching.sources import Gathered, gathered

if TYPE_CHECKING:
    from tests.unit.workflow.patching import made_tars as made
else:
    import made_tars as made

STDIN = TarFile("-")
info, tar, lines = made.info, made.tar, made.lines


# Local files.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "top"
    (top / "sub").mkdir(parents=True)
    (top / "sub").chmod(0o711)
    (top / "a").write_bytes(b"a")
    (top / "a").chmod(0o640)
    (top / "link").symlink_to("/nowhere")
    (top / "sub" / "b").hardlink_to(top / "a")
    os.utime(top / "a", (5, 5.9))
    return top


def test_a_local_folder_is_what_is_in_it(spool: LayerSpool, folder: Path) -> None:
    found = gathered(LocalPath(str(folder)), spool, stdin=None)
    assert lines(found) == [
        "file /a 640 0:0",
        "symlink /link 777 0:0 -> /nowhere",
        "folder /sub 711 0:0",
        "file /sub/b 640 0:0 -> /a",
    ]
    assert found.pieces[0].entry.sha256 == hashlib.sha256(b"a").hexdigest()
    assert found.pieces[0].mtime_s == 5
    assert b"".join(spool.content(found.pieces[0])) == b"a"
    assert found[1:3] == (True, "")
    assert not found.is_tar


@pytest.mark.parametrize("ending", ["", "/", "/.", "/sub/.."])
def test_the_end_of_a_folders_path_means_nothing(spool: LayerSpool, folder: Path, ending: str) -> None:
    found = gathered(LocalPath(f"{folder}{ending}"), spool, stdin=None)
    assert found.digest == gathered(LocalPath(str(folder)), spool, stdin=None).digest


def test_a_link_that_is_named_itself_is_followed_and_gives_the_name(spool: LayerSpool, folder: Path) -> None:
    (folder.parent / "to-a").symlink_to("top/a")
    (folder.parent / "to-top").symlink_to("top")
    found = gathered(LocalPath(str(folder.parent / "to-a")), spool, stdin=None)
    assert (found.name, lines(found)) == ("to-a", ["file /to-a 640 0:0"])
    assert gathered(LocalPath(str(folder.parent / "to-top")), spool, stdin=None).is_folder


def test_a_relative_path_counts_from_the_working_folder(
    spool: LayerSpool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "sub")
    assert gathered(LocalPath("b"), spool, stdin=None).name == "b"
    assert gathered(LocalPath("."), spool, stdin=None).is_folder
    assert gathered(LocalPath("../a"), spool, stdin=None).name == "a"


def test_sockets_are_left_out_and_named(
    spool: LayerSpool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)  # the kernel takes no long path for one
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
    os.mkfifo("pipe")
    found = gathered(LocalPath("."), spool, stdin=None)
    assert found.skipped == (str(folder / "socket"),)
    assert "fifo /pipe" in " ".join(lines(found))


def test_what_cannot_be_read_is_an_error_of_its_name(spool: LayerSpool, folder: Path) -> None:
    (folder / "round").symlink_to("round")
    os.mkfifo(folder / "pipe")
    for name, kind, reason in [
        ("nothing", PathNotFound, "nothing at"),
        ("link", PathNotFound, "nothing at"),
        ("a/below", PathNotFound, "nothing at"),
        ("round", SnapError, "cannot be read"),
        ("a/", SnapError, "there|folder"),
        ("pipe", InvalidInput, "neither a file nor a folder"),
        ("a\0b", SnapError, "cannot be"),
        ("x" * 300, SnapError, "cannot be read"),
    ]:
        with pytest.raises(kind, match=reason):
            gathered(LocalPath(f"{folder}/{name}"), spool, stdin=None)


def test_a_file_that_is_written_to_while_it_is_read_is_an_error(
    spool: LayerSpool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = folder / "large"
    large.write_bytes(bytes(3 << 20))
    taken = LayerSpool.add

    def adding(self: LayerSpool, member: Member) -> object:
        os.truncate(large, 2 << 20)
        return taken(self, member)

    monkeypatch.setattr(LayerSpool, "add", adding)
    with pytest.raises(SnapError, match="changed while it was copied") as caught:
        gathered(LocalPath(str(large)), spool, stdin=None)
    assert caught.value.hint == "Nothing was copied."


def test_a_local_mark_of_a_deleted_name_is_refused(spool: LayerSpool, folder: Path) -> None:
    (folder / "sub" / ".wh.x").touch()
    with pytest.raises(Refused, match=r"'/sub/\.wh\.x'"):
        gathered(LocalPath(str(folder)), spool, stdin=None)


# The digest.


def test_the_digest_does_not_depend_on_times_and_on_who_owns_the_files_here(
    spool: LayerSpool, folder: Path
) -> None:
    before = gathered(LocalPath(str(folder)), spool, stdin=None).digest
    os.utime(folder / "a", (99, 99))
    if os.geteuid() == 0:
        os.chown(folder / "a", 3, 4)
        (folder / "a").chmod(0o640)
    assert gathered(LocalPath(str(folder)), spool, stdin=None).digest == before


@pytest.mark.parametrize(
    "change",
    [
        lambda top: (top / "a").write_bytes(b"b"),
        lambda top: (top / "a").chmod(0o600),
        lambda top: (top / "sub").chmod(0o700),
        lambda top: (top / "a").rename(top / "c"),
        lambda top: [(top / "link").unlink(), (top / "link").symlink_to("/other")],
        lambda top: [(top / "sub" / "b").unlink(), (top / "sub" / "b").write_bytes(b"a")],
        lambda top: (top / "empty").mkdir(),
    ],
)
def test_the_digest_tells_what_an_image_would_show(
    spool: LayerSpool, folder: Path, change: Callable[[Path], object]
) -> None:
    before = gathered(LocalPath(str(folder)), spool, stdin=None).digest
    change(folder)
    assert gathered(LocalPath(str(folder)), spool, stdin=None).digest != before


def test_the_digest_of_a_tar_tells_owners_and_that_of_a_file_its_name(
    spool: LayerSpool, read: Callable[[bytes], Gathered]
) -> None:
    other = info("a")
    other.uid = 1
    digests = [
        read(tar(info("a"))).digest,
        read(tar(other)).digest,
        gathered(FileContent("a", b""), spool, stdin=None).digest,
        gathered(FileContent("b", b""), spool, stdin=None).digest,
    ]
    assert len(set(digests)) == 4
    later = info("a")
    later.mtime = 1
    assert read(tar(later)).digest == digests[0]


# Content that is given.


def test_given_content_is_a_file(spool: LayerSpool, tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"content")
    sha256 = hashlib.sha256(b"content").hexdigest()
    given = gathered(FileContent("n", b"content", 0o755, 7, sha256), spool, stdin=None)
    kept = gathered(FileContent("n", tmp_path / "kept", 0o755, 7, sha256), spool, stdin=None)
    assert lines(given) == lines(kept) == ["file /n 755 0:0"]
    assert given.digest == kept.digest
    assert b"".join(spool.content(kept.pieces[0])) == b"content"


def test_kept_content_that_is_another_or_gone_is_an_error(spool: LayerSpool, tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"other")
    with pytest.raises(InvalidInput, match="not what it was"):
        gathered(FileContent("n", tmp_path / "kept", sha256="0" * 64), spool, stdin=None)
    with pytest.raises(PathNotFound):
        gathered(FileContent("n", tmp_path / "gone"), spool, stdin=None)
    with pytest.raises(InvalidInput, match="not a regular file"):
        gathered(FileContent("n", tmp_path), spool, stdin=None)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "x" * 256, "/a"])
def test_a_name_of_given_content_is_a_name(spool: LayerSpool, name: str) -> None:
    with pytest.raises(InvalidInput):
        gathered(FileContent(name, b""), spool, stdin=None)


def test_a_name_of_given_content_marks_no_deleted_one(spool: LayerSpool) -> None:
    with pytest.raises(Refused):
        gathered(FileContent(".wh.a", b""), spool, stdin=None)


def test_a_content_that_became_a_link_meanwhile_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("secret")
    kept = tmp_path / "kept"
    kept.symlink_to("elsewhere")
    with LayerSpool() as spool, pytest.raises(SnapError, match="kept"):
        gathered(FileContent("a", kept), spool, stdin=None)
