"""Local files as a tar, and a tar that is passed on."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import socket
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from snapshot.errors import InvalidInput, SnapError
from snapshot.journal.step import Copied
from snapshot.workflow.copying.local_tar import MOST_NOTED, LocalTar
from snapshot.workflow.copying.passed_tar import PassedTar

MEGABYTE = 1 << 20


def opened(pieces: LocalTar | PassedTar) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(b"".join(pieces)))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def a_tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for info, content in members:
            info.size = len(content) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def test_a_folder_comes_under_its_name_with_all_in_it(tmp_path: Path) -> None:
    source = tmp_path / "app"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "file").write_bytes(b"text")
    (source / "sub" / "file").chmod(0o4750)
    (source / "link").symlink_to("/nowhere")
    os.mkfifo(source / "pipe")
    os.utime(source / "sub" / "file", (5, 1234.75))
    tar = LocalTar(source, "site", "/srv", keep_owner=False)
    with opened(tar) as made:
        members = {member.name: member for member in made}
        assert list(members) == ["site", "site/link", "site/pipe", "site/sub", "site/sub/file"]
        assert members["site/link"].linkname == "/nowhere"
        assert members["site/pipe"].isfifo()
        file = members["site/sub/file"]
        assert (file.mode, file.mtime, file.uid, file.gid) == (0o4750, 1234, 0, 0)
    assert tar.contents.copied == [Copied("/srv/site/sub/file", sha256(b"text"), 4)]
    assert (tar.contents.files, tar.contents.size_bytes) == (1, 4)


def test_without_a_name_what_is_in_the_folder_stands_at_the_top(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with opened(LocalTar(tmp_path, "", "/", keep_owner=False)) as made:
        assert made.getnames() == ["a"]


def test_owners_are_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with opened(LocalTar(tmp_path / "a", "a", "/", keep_owner=True)) as made:
        member = made.getmember("a")
    assert (member.uid, member.gid) == (os.getuid(), (tmp_path / "a").stat().st_gid)


def test_names_of_one_file_stay_names_of_one_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    tar = LocalTar(tmp_path, "x", "/srv", keep_owner=False)
    with opened(tar) as made:
        assert (made.getmember("x/b").islnk(), made.getmember("x/b").linkname) == (True, "x/a")
    assert [copied.path for copied in tar.contents.copied] == ["/srv/x/a", "/srv/x/b"]
    assert tar.contents.size_bytes == 4


def test_names_that_are_not_utf8_travel_as_they_are(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    (tmp_path / name).write_bytes(b"")
    tar = LocalTar(tmp_path, "x" * 120, "/", keep_owner=False)
    with tarfile.open(fileobj=io.BytesIO(b"".join(tar)), errors="surrogateescape") as made:
        assert made.getnames() == ["x" * 120, f"{'x' * 120}/{name}"]


def test_a_socket_is_left_out_and_said(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        tar = LocalTar(tmp_path, "x", "/", keep_owner=False)
        with opened(tar) as made:
            assert made.getnames() == ["x"]
    assert tar.contents.skipped == [str(tmp_path / "s")]


def test_a_file_without_a_size_is_read_to_its_end() -> None:
    tar = LocalTar(Path("/proc/self/cmdline"), "a", "/", keep_owner=False)
    with opened(tar) as made:
        assert made.getmember("a").size == len(Path("/proc/self/cmdline").read_bytes())


@pytest.mark.parametrize("change", [lambda size: size + 1, lambda size: size // 2])
def test_a_large_file_that_changes_its_size_ends_the_stream_before_it_looks_whole(
    tmp_path: Path, change: Callable[[int], int]
) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(2 * MEGABYTE))
    pieces = iter(LocalTar(large, "large", "/", keep_owner=False))
    sent = len(next(pieces))
    os.truncate(large, change(2 * MEGABYTE))
    rest: list[bytes] = []
    with pytest.raises(SnapError, match=r"large' changed while it was copied"):
        rest.extend(pieces)
    assert sent + sum(map(len, rest)) < 2 * MEGABYTE


def test_a_file_that_has_grown_since_it_was_listed_is_sent_as_it_is(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_bytes(bytes(100_000))
    pieces = iter(LocalTar(tmp_path, "x", "/", keep_owner=False))
    sent = next(pieces)
    os.truncate(tmp_path / "b", 3 * MEGABYTE)
    sent += b"".join(pieces)
    with tarfile.open(fileobj=io.BytesIO(sent)) as made:
        assert made.getmember("x/b").size == 3 * MEGABYTE


def test_a_file_that_goes_meanwhile_is_named(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(bytes(100_000))
    pieces = iter(LocalTar(tmp_path, "x", "/", keep_owner=False))
    next(pieces)
    # Listed before it is read.
    (tmp_path / "b").unlink()
    with pytest.raises(SnapError, match=r"/b' cannot be read: No such file"):
        list(pieces)


def test_a_large_file_is_never_in_memory(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.touch()
    os.truncate(large, 200 * MEGABYTE)
    tar = LocalTar(large, "large", "/", keep_owner=False)
    assert tar.size_bytes() == 200 * MEGABYTE
    tracemalloc.start()
    for _ in tar:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MEGABYTE
    assert tar.contents.copied[0].size_bytes == 200 * MEGABYTE


def test_so_many_files_are_noted_and_all_are_counted(tmp_path: Path) -> None:
    for number in range(MOST_NOTED + 1):
        (tmp_path / str(number)).touch()
    tar = LocalTar(tmp_path, "x", "/", keep_owner=False)
    list(tar)
    assert (tar.contents.files, len(tar.contents.copied)) == (MOST_NOTED + 1, MOST_NOTED)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_tar_is_passed_on_as_it_is(pack: Callable[[bytes], bytes]) -> None:
    link = tarfile.TarInfo("./further")
    link.type, link.linkname = tarfile.LNKTYPE, "./a"
    # With the zeros that tar programs write after the end.
    raw = a_tar((tarfile.TarInfo("./a"), b"x" * 300_000), (link, b"")) + bytes(20_000)
    tar = PassedTar(io.BytesIO(pack(raw)), "/srv")
    assert b"".join(tar) == raw
    assert tar.contents.copied == [
        Copied("/srv/a", sha256(b"x" * 300_000), 300_000),
        Copied("/srv/further", sha256(b"x" * 300_000), 300_000),
    ]
    assert (tar.contents.files, tar.contents.size_bytes) == (2, 300_000)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"hello",
        bytes(range(256)) * 8,
        gzip.compress(b"hello" * 1000)[:30],
        bz2.compress(b"hello" * 1000)[:20] + bytes(40),
        a_tar((tarfile.TarInfo("a"), bytes(5000)))[:3000],
        a_tar((tarfile.TarInfo("../a"), b"")),
    ],
)
def test_what_is_no_whole_tar_is_refused_with_a_sentence(raw: bytes) -> None:
    with pytest.raises(InvalidInput, match="stdin"):
        list(PassedTar(io.BytesIO(raw), "/"))


@pytest.mark.parametrize(
    ("kind", "size_bytes", "number"), [(tarfile.XHDTYPE, 1 << 20, 40), (b"Q", 40 << 20, 1)]
)
def test_what_belongs_to_no_file_is_not_collected_in_memory(
    kind: bytes, size_bytes: int, number: int
) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, size_bytes
    content = f"{size_bytes} comment=".encode().ljust(size_bytes - 1, b"a") + b"\n"
    with pytest.raises(InvalidInput, match="belong to no file"):
        list(PassedTar(io.BytesIO((info.tobuf() + content) * number), "/"))
