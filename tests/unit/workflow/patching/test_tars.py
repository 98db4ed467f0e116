"""Tars of strangers on their way into an image."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import tarfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.layer import LayerSpool
from snapshot.changeset.tar_header import END, header
from snapshot.errors import DiskFull, InvalidInput, PathNotFound, Refused
from snapshot.recipe.instructions import Copy, TarFile
from snapshot.workflow.patching import collecting
from snapshot.workflow.patching.applying import apply_edit
from snapshot.workflow.patching.sources import Gathered, gathered

if TYPE_CHECKING:
    from tests.unit.workflow.patching import made_tars as made
    from tests.unit.workflow.patching import memory_image as memory
else:
    import made_tars as made
    import memory_image as memory

STDIN = TarFile("-")
info, tar, lines = made.info, made.tar, made.lines
FILE, FOLDER, SYMLINK, HARD = made.FILE, made.FOLDER, made.SYMLINK, made.HARD
DEVICE, FIFO, MTIME_S = made.DEVICE, made.FIFO, made.MTIME_S


Unpack = Callable[[dict[str, memory.Thing], bytes, str], memory.Editor]


@pytest.fixture
def unpacked(spool: LayerSpool) -> Unpack:
    """Gives an image that a tar was copied into."""

    def unpack(things: dict[str, memory.Thing], content: bytes, destination: str) -> memory.Editor:
        editor = memory.Editor(spool, things)
        found = gathered(STDIN, spool, stdin=io.BytesIO(content))
        apply_edit(editor.tree, Copy(STDIN, destination), editor.config, gathered=found, now_s=memory.NOW_S)
        return editor

    return unpack


# Tars.


def test_a_tar_keeps_owners_modes_and_times(read: Callable[[bytes], Gathered]) -> None:
    found = read(
        tar(
            info("./", FOLDER),
            info("d/", FOLDER),
            (info("d/f"), b"f"),
            info("d/l", SYMLINK, "/etc"),
            info("d/h", HARD, "d/f"),
            info("dev/null", DEVICE),
            info("pipe", FIFO),
        )
    )
    assert lines(found) == [
        "folder /d 755 11:12",
        "file /d/f 640 11:12",
        "file /d/h 640 11:12 -> /d/f",
        "symlink /d/l 777 11:12 -> /etc",
        "chardev /dev/null 640 11:12",
        "fifo /pipe 640 11:12",
    ]
    assert {piece.mtime_s for piece in found.pieces} == {MTIME_S}
    assert found.is_tar
    assert found.is_folder


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_tar_is_unpacked(read: Callable[[bytes], Gathered], pack: Callable[[bytes], bytes]) -> None:
    plain = tar((info("a"), b"a"))
    assert read(pack(plain)).digest == read(plain).digest


def test_a_tar_in_a_file_or_given_is_held_against_its_digest(spool: LayerSpool, tmp_path: Path) -> None:
    content = gzip.compress(tar((info("a"), b"a")) + bytes(20_000))
    sha256 = hashlib.sha256(content).hexdigest()
    path = tmp_path / "a.tgz"
    path.write_bytes(content)
    found = gathered(TarFile(str(path), sha256), spool, stdin=None)
    assert found == gathered(TarFile("given", sha256, content), spool, stdin=None)._replace(
        pieces=found.pieces
    )
    for source in (TarFile(str(path), "0" * 64), TarFile("given", "0" * 64, content)):
        with pytest.raises(InvalidInput, match="not what it was"):
            gathered(source, spool, stdin=None)


def test_a_tar_that_is_not_there_is_an_error(spool: LayerSpool, tmp_path: Path) -> None:
    with pytest.raises(PathNotFound):
        gathered(TarFile(str(tmp_path / "no")), spool, stdin=None)
    with pytest.raises(InvalidInput, match="no tar on stdin"):
        gathered(STDIN, spool, stdin=None)
    with pytest.raises(InvalidInput, match="not a regular file"):
        gathered(TarFile(str(tmp_path)), spool, stdin=None)


def test_a_tar_from_a_pipe_is_read_to_its_end(spool: LayerSpool) -> None:
    content = tar((info("a"), b"a")) + bytes(100_000)
    reading, writing = os.pipe()
    written: list[int] = []

    def write() -> None:
        with open(writing, "wb") as output:  # noqa: PTH123
            written.append(output.write(content))

    thread = threading.Thread(target=write)
    thread.start()
    with open(reading, "rb") as stream:  # noqa: PTH123
        assert lines(gathered(STDIN, spool, stdin=stream)) == ["file /a 640 11:12"]
        thread.join()
    assert written == [len(content)]


def test_an_empty_tar_makes_the_destination_alone(unpacked: Unpack) -> None:
    assert unpacked({}, bytes(10_240), "/n").lines() == ["A /n 755 0:0"]


@pytest.mark.parametrize(
    ("members", "result"),
    [
        ([(info("x"), b"1"), (info("x"), b"2")], ["A /x 640 11:12"]),
        ([info("x", FOLDER), info("x/a"), (info("x"), b"2")], ["A /x 640 11:12"]),
        ([info("x"), info("x", FOLDER), info("x/a")], ["A /x 755 11:12", "A /x/a 640 11:12"]),
        (
            [info("x", SYMLINK, "/etc"), info("x", FOLDER), info("x/a")],
            ["A /x 755 11:12", "A /x/a 640 11:12"],
        ),
        ([info("x/a"), info("x", FOLDER)], ["A /x 755 11:12", "A /x/a 640 11:12"]),
        ([info("x/a"), info("./x//a/")], ["A /x 755 0:0", "A /x/a 640 11:12"]),
        ([info("/abs/a")], ["A /abs 755 0:0", "A /abs/a 640 11:12"]),
        ([info("x", SYMLINK, "../../../etc/motd")], ["A /x 777 11:12"]),
    ],
)
def test_the_last_member_of_a_name_counts(
    unpacked: Unpack, members: Sequence[tarfile.TarInfo], result: list[str]
) -> None:
    assert unpacked({}, tar(*members), "/").lines() == result


def test_a_name_of_a_file_keeps_it_when_the_first_one_is_replaced(unpacked: Unpack) -> None:
    editor = unpacked(
        {}, tar((info("a"), b"old"), info("b", HARD, "a"), info("c", HARD, "b"), (info("a"), b"new")), "/"
    )
    assert [editor.text(path) for path in ("/a", "/b", "/c")] == ["new", "old", "old"]
    files = [change.file for change in editor.tree.changeset().changes if change.file]
    assert [file.hard_link for file in files] == ["", "", "/b"]


def test_another_name_of_a_link_or_a_pipe_is_one_more(read: Callable[[bytes], Gathered]) -> None:
    found = read(tar(info("l", SYMLINK, "x"), info("m", HARD, "l"), info("p", FIFO), info("q", HARD, "p")))
    assert [(piece.entry.type.value, piece.entry.hard_link) for piece in found.pieces] == [
        ("symlink", ""),
        ("symlink", ""),
        ("fifo", ""),
        ("fifo", ""),
    ]


def test_a_tar_takes_the_place_of_what_is_there_and_merges_folders(unpacked: Unpack) -> None:
    things = {
        "/d/old": memory.file("old"),
        "/lib": memory.link("usr/lib"),
        "/usr/lib/so": memory.file("so"),
        "/opt": memory.link("usr/lib"),
        "/file": memory.file("file"),
        "/gone/below": memory.file(),
    }
    content = tar(
        *(info("d", FOLDER), info("lib", FOLDER), info("lib/new")),
        *(info("opt/new"), info("file/in"), info("gone")),
    )
    with pytest.raises(InvalidInput, match="'/file' in the image is a file"):
        unpacked(things, content, "/")
    del things["/file"]
    editor = unpacked(things, content, "/")
    assert editor.text("/d/old") == "old"
    assert editor.lines() == [
        "C /d 755 11:12",
        "A /file 755 0:0",
        "A /file/in 640 11:12",
        "C /gone 640 11:12",
        "C /lib 755 11:12",  # a folder takes the place of a link
        "A /lib/new 640 11:12",
        "C /usr 755 0:0",
        "C /usr/lib 755 0:0",
        "A /usr/lib/new 640 11:12",  # without a folder of its own the member goes through the link
    ]


def test_members_go_through_links_of_the_image_and_never_out_of_it(unpacked: Unpack, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    things = {
        "/d/out": memory.link(str(tmp_path / "here")),
        "/d/up": memory.link("../../../../" + str(tmp_path)),
    }
    editor = unpacked(things, tar((info("out/a"), b"a"), (info("up/here/b"), b"b")), "/d")
    assert editor.text(f"{tmp_path}/here/a") == "a"
    assert editor.text(f"{tmp_path}/here/b") == "b"
    assert list((tmp_path / "here").iterdir()) == []


def test_the_tar_of_a_whole_system_can_be_unpacked_at_the_root(unpacked: Unpack) -> None:
    editor = unpacked(
        {}, tar(info("proc", FOLDER), info("dev", FOLDER), info("etc", FOLDER), info("etc/a")), "/"
    )
    assert editor.lines() == ["A /etc 755 11:12", "A /etc/a 640 11:12"]
    for name in ("proc/a", "dev/null", "etc/hosts"):
        with pytest.raises(Refused, match=f"'/{name}'"):
            unpacked({}, tar(info(name)), "/")


def test_owner_and_mode_hold_for_a_tar_too(spool: LayerSpool) -> None:
    editor = memory.Editor(spool, {})
    found = gathered(STDIN, spool, stdin=io.BytesIO(tar(info("a/b"), info("l", SYMLINK, "x"))))
    edit = Copy(STDIN, "/n", owner="5:6", mode="600")
    apply_edit(editor.tree, edit, editor.config, gathered=found, now_s=1)
    assert editor.lines() == ["A /n 755 5:6", "A /n/a 755 5:6", "A /n/a/b 600 5:6", "A /n/l 777 5:6"]


# Tars that mean harm.


def big_id() -> tarfile.TarInfo:
    made = info("a")
    made.uid = 2**32
    return made


def with_records(**records: str) -> tarfile.TarInfo:
    made = info("a")
    made.pax_headers = records
    return made


def globals_of(count: int) -> bytes:
    """A tar with so many records for all of its members."""
    records = {f"key{number}": "value" for number in range(count)}
    return tarfile.TarInfo.create_pax_global_header(records) + tar(info("a"))


def device_0() -> tarfile.TarInfo:
    made = info("a", DEVICE)
    made.devmajor = made.devminor = 0
    return made


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"no tar" * 1000, "none at all"),
        (tar(info("../a")), "upwards"),
        (tar(info("a/../../b")), "upwards"),
        (
            tar(info("l", SYMLINK, "/etc"), info("l/passwd")),
            "'/l/passwd' stands below '/l', which is a symlink",
        ),
        (tar(info("l", SYMLINK, "d"), info("d", FOLDER), info("l/x/y")), "below '/l'"),
        (tar(info("f"), info("f/x")), "which is a file"),
        (tar(info("h", HARD, "/etc/passwd")), "no file before it"),
        (tar(info("h", HARD, "h")), "no file before it"),
        (tar(info("d", FOLDER), info("h", HARD, "d")), "no file before it"),
        (tar(info("h", HARD, "../x")), "upwards"),
        (tar(info(".", FILE)), "its top is not a folder"),
        (tar(info("l", SYMLINK, "")), "no text"),
        (tar(info("l", SYMLINK, "a" * 4096)), "too long"),
        (tar(info("a" * 256)), "too long"),
        (tar(info("a/" * 2100 + "a")), "too long"),
        (tar(info("é" * 128)), "too long"),
        (tar(big_id()), "no number of a user"),
        (tar(with_records(**{"SCHILY.xattr.user.overlay.opaque": "y"})), "attributes"),
        (tar(with_records(**{"GNU.sparse.major": "1"})), "sparse"),
        (globals_of(100), "global records"),
        (tar((info("a"), bytes(5000)))[:3000], "unexpected end"),
        (tar((info("a"), bytes(5000)))[:700], "unexpected end"),
        (gzip.compress(tar((info("a"), bytes(5000))))[:-20], "damaged"),
        (gzip.compress(tar((info("a"), bytes(5000))))[:-8] + bytes(8), "damaged"),
        (lzma.compress(bytes(100_000))[:60], "damaged"),
        (bz2.compress(bytes(100_000))[:-10], "damaged"),
        (b"\x1f\x8bnot gzip", "damaged"),
    ],
)
def test_a_bad_tar_is_refused_with_a_reason(
    read: Callable[[bytes], Gathered], content: bytes, reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason):
        read(content)


@pytest.mark.parametrize(
    "content",
    [tar(info(".wh.a")), tar(info(".wh..wh..opq")), tar(info("x/.wh.y/z")), tar(device_0())],
)
def test_marks_of_deleted_names_are_refused(read: Callable[[bytes], Gathered], content: bytes) -> None:
    with pytest.raises(Refused):
        read(content)


def test_a_size_that_lies_is_refused_before_anything_is_written(spool: LayerSpool) -> None:
    lying = header(FileEntry("/a", FileType.FILE, 0o644, 0, 0, 2**60), 0, {}) + bytes(10_000)
    with pytest.raises(DiskFull, match="are free"):
        gathered(STDIN, spool, stdin=io.BytesIO(lying))


class Endless:
    """Some bytes, again and again; counts what was read of them."""

    def __init__(self, begin: bytes, again: bytes) -> None:
        self._rest, self._again, self.count = begin, again, 0

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size:
            self._rest += self._again * (size // len(self._again) + 1)
        piece, self._rest = self._rest[:size], self._rest[size:]
        self.count += len(piece)
        return piece


def extended(flag: str, size: int = 1 << 19) -> bytes:
    """An extended header of one long record."""
    record = b"%d comment=" % size
    record += b"x" * (size - len(record) - 1) + b"\n"
    block = header(FileEntry("/x", FileType.FILE, 0o644, 0, 0, size), 0, {})
    as_info = tarfile.TarInfo("x")
    as_info.type, as_info.size = flag.encode(), size
    return as_info.tobuf(tarfile.USTAR_FORMAT)[: len(block)] + record


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        (b"", extended("g")),
        (b"", extended("x")),
        (b"", info("skipped", b"Z").tobuf()),
        (tar(info("a")), bytes(512)),
        (END, bytes(512)),
    ],
    ids=["global headers", "headers", "unknown members", "zeros after the end", "zeros"],
)
def test_a_tar_without_end_is_read_so_far_and_no_further(
    spool: LayerSpool, begin: bytes, again: bytes
) -> None:
    endless = Endless(begin, again)
    with pytest.raises(InvalidInput, match="damaged"):
        gathered(STDIN, spool, stdin=_stream(endless))
    assert endless.count < 100 << 20


def _stream(endless: Endless) -> BinaryIO:
    made: BinaryIO = endless  # type: ignore[assignment]
    return made


@pytest.mark.parametrize(
    "names",
    [
        lambda _: "same",
        lambda number: f"f{number}",
        lambda number: f"d{number}/e/f",
        lambda number: f"d/{'a/' * 500}{number}/f",
    ],
    ids=["one name", "many names", "many folders", "deep folders"],
)
def test_too_many_members_are_refused(
    spool: LayerSpool, monkeypatch: pytest.MonkeyPatch, names: Callable[[int], str]
) -> None:
    monkeypatch.setattr(collecting, "MOST_ENTRIES", 500)
    content = tar(*(info(names(number)) for number in range(501)))
    with pytest.raises(InvalidInput, match="more than 500"):
        gathered(STDIN, spool, stdin=io.BytesIO(content))


def test_too_long_names_are_refused_together(spool: LayerSpool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "MOST_NAME_BYTES", 100_000)
    for made in (info("x" * 200), info("a/" * 100 + "a"), info("l", SYMLINK, "x" * 300)):
        with pytest.raises(InvalidInput, match="too many and too long"):
            gathered(STDIN, spool, stdin=io.BytesIO(tar(*(made for _ in range(500)))))


def test_a_folder_that_is_replaced_again_and_again_is_what_it_is_at_last(
    read: Callable[[bytes], Gathered],
) -> None:
    times = [info("x", FOLDER if number % 2 else FILE) for number in range(100)]
    found = read(tar(info("x/a"), info("x/b/c"), *times, info("x/d")))
    assert lines(found) == ["folder /x 755 11:12", "file /x/d 640 11:12"]
