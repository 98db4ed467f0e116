"""What is written is read by Python's tarfile, GNU tar, bsdtar and by what reads an engine's archives."""

from __future__ import annotations

import io
import os
import re
import stat
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.tar_header import END, header, padding, whiteout_header
from snapshot.changeset.tar_reader import read_members

# The name, the folder's included, is longer than a header has room for.
LONG = "/etc/" + "long-" * 40
NOT_UTF8 = "/etc/caf\udce9"
LONG_NOT_UTF8 = f"{LONG}\udce9"
# CAP_NET_RAW, effective and permitted (linux/capability.h, VFS_CAP_REVISION_2).
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")

ESCAPED = "surrogateescape"
DOTS = {b".", b".."}
AS_ROOT = os.geteuid() == 0
OWNER = (1000, 2000) if AS_ROOT else (os.geteuid(), os.getegid())

TAR_TYPES = {
    tarfile.REGTYPE: FileType.FILE,
    tarfile.LNKTYPE: FileType.FILE,
    tarfile.DIRTYPE: FileType.FOLDER,
    tarfile.SYMTYPE: FileType.SYMLINK,
    tarfile.CHRTYPE: FileType.CHARACTER_DEVICE,
    tarfile.BLKTYPE: FileType.BLOCK_DEVICE,
    tarfile.FIFOTYPE: FileType.FIFO,
}


@dataclass(frozen=True)
class Item:
    entry: FileEntry
    mtime_s: int = 1_700_000_000
    content: bytes = b""
    xattrs: Mapping[str, bytes] = field(default_factory=dict)


def a_file(path: str, content: bytes = b"", mode: int = 0o644, hard_link: str = "") -> FileEntry:
    return FileEntry(path, FileType.FILE, mode, *OWNER, len(content), hard_link=hard_link)


def special(
    path: str, file_type: FileType, mode: int = 0o755, link_target: str = "", device: str = ""
) -> FileEntry:
    return FileEntry(path, file_type, mode, *OWNER, link_target=link_target, device=device)


def tar_of(*items: Item) -> bytes:
    blocks = []
    for item in items:
        blocks.append(header(item.entry, item.mtime_s, item.xattrs))
        if not item.entry.hard_link:
            blocks += [item.content, padding(len(item.content))]
    return b"".join(blocks) + END


EVERYTHING = [
    Item(special("/", FileType.FOLDER)),
    Item(special("/etc", FileType.FOLDER, 0o1777)),
    Item(a_file("/etc/empty")),
    Item(a_file("/etc/tool", b"#!/bin/sh\n", 0o4755), content=b"#!/bin/sh\n"),
    Item(a_file("/etc/tool-again", b"#!/bin/sh\n", 0o4755, hard_link="/etc/tool")),
    Item(a_file("/etc/two\nlines", bytes(512)), content=bytes(512)),
    Item(a_file("/etc/before-1970", b"x"), mtime_s=-100, content=b"x"),
    Item(a_file("/etc/mötör", b"x" * 513), content=b"x" * 513),
    Item(a_file(NOT_UTF8, b"y"), content=b"y"),
    Item(a_file(LONG, b"long"), content=b"long"),
    Item(a_file(LONG_NOT_UTF8, b"z"), content=b"z"),
    Item(a_file("/etc/again", b"z", hard_link=LONG_NOT_UTF8)),
    Item(special("/etc/link", FileType.SYMLINK, 0o777, link_target="../tool")),
    Item(special("/etc/long-link", FileType.SYMLINK, 0o777, link_target=LONG_NOT_UTF8)),
    Item(special("/etc/folder", FileType.FOLDER, 0o2750)),
    Item(special("/etc/fifo", FileType.FIFO, 0o600)),
]
DEVICES = [
    Item(special("/etc/null", FileType.CHARACTER_DEVICE, 0o666, device="1:3")),
    Item(special("/etc/disk", FileType.BLOCK_DEVICE, 0o660, device="4095:1048575")),
]


def only(data: bytes) -> tarfile.TarInfo:
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape", encoding="utf-8") as tar:
        (info,) = tar
        return info


def first(data: bytes) -> tarfile.TarInfo:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r|") as tar:
        info = tar.next()
        assert info
        return info


def test_python_reads_all_that_is_written() -> None:
    items = EVERYTHING + DEVICES
    data = tar_of(*items)
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as tar:
        infos = list(tar)
        assert [info.name for info in infos] == [item.entry.path[1:] or "." for item in items]
        for info, item in zip(infos, items, strict=True):
            entry = item.entry
            assert TAR_TYPES[info.type] is entry.type
            assert (info.mode, info.uid, info.gid, info.mtime) == (entry.mode, *OWNER, item.mtime_s)
            assert (info.uname, info.gname) == ("", "")
            if entry.hard_link:
                assert (info.type, info.linkname) == (tarfile.LNKTYPE, entry.hard_link[1:])
            elif info.isfile():
                content = tar.extractfile(info)
                assert content
                assert content.read() == item.content
            assert info.linkname == (entry.link_target or entry.hard_link[1:])
            if entry.device:
                assert f"{info.devmajor}:{info.devminor}" == entry.device


@pytest.mark.parametrize(
    "command",
    [["tar", "-xp", "--numeric-owner", "--delay-directory-restore"], ["bsdtar", "-xp", "--numeric-owner"]],
    ids=["gnu", "bsd"],
)
def test_tar_programs_unpack_all_that_is_written(command: list[str], tmp_path: Path) -> None:
    items = EVERYTHING + (DEVICES if AS_ROOT else [])
    # The mode of the root is the test's own business.
    unpack(command, tar_of(*items), tmp_path)
    for item in items[1:]:
        entry = item.entry
        path = tmp_path / entry.path[1:]
        status = path.lstat()
        assert (status.st_uid, status.st_gid) == OWNER
        assert int(status.st_mtime // 1) == item.mtime_s
        kind = stat.S_IFMT(status.st_mode)
        if entry.type is not FileType.SYMLINK:
            assert stat.S_IMODE(status.st_mode) == entry.mode
        if entry.hard_link:
            assert path.samefile(tmp_path / entry.hard_link[1:])
        elif entry.type is FileType.FILE:
            assert path.read_bytes() == item.content
        elif entry.type is FileType.SYMLINK:
            assert str(path.readlink()) == entry.link_target
        elif entry.device:
            assert f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}" == entry.device
            assert stat.S_ISCHR(kind) == (entry.type is FileType.CHARACTER_DEVICE)
        else:
            assert stat.S_ISFIFO(kind) == (entry.type is FileType.FIFO)


def unpack(command: list[str], data: bytes, folder: Path) -> None:
    done = subprocess.run([*command, "-f", "-", "-C", folder], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    # GNU tar has no use for the record that tells names of other charsets, and says so.
    known = (b"unknown extended header keyword 'hdrcharset'", b"implausibly old time stamp")
    assert [line for line in done.stderr.splitlines() if not any(text in line for text in known)] == []


@pytest.mark.skipif(not AS_ROOT, reason="only root may set a capability")
@pytest.mark.parametrize(
    "command",
    [["tar", "-x", "--xattrs", "--xattrs-include=*"], ["bsdtar", "-x", "-p", "--xattrs"]],
    ids=["gnu", "bsd"],
)
def test_tar_programs_unpack_capabilities_and_attributes(command: list[str], tmp_path: Path) -> None:
    xattrs = {"security.capability": CAPABILITY}
    try:
        os.setxattr(tmp_path, "user.try", b"")
        xattrs["user.two"] = b"a=b\n\0c\xff"
    except OSError:
        pass  # a tmpfs before Linux 6.6
    unpack(command, tar_of(Item(a_file("/ping"), xattrs=xattrs)), tmp_path)
    path = tmp_path / "ping"
    assert {name: os.getxattr(path, name) for name in os.listxattr(path)} == xattrs


@pytest.mark.parametrize(
    "command",
    [["tar", "--numeric-owner", "-tvf", "-"], ["bsdtar", "--numeric-owner", "-tvf", "-"]],
    ids=["gnu", "bsd"],
)
def test_tar_programs_read_numbers_that_do_not_fit_into_a_header(command: list[str]) -> None:
    size = 9 * 2**30 + 1
    entry = FileEntry("/big", FileType.FILE, 0o640, 2**32 - 2, 2**21, size_bytes=size)
    # No content follows, so the programs complain: after they have listed it.
    listed = subprocess.run(command, input=header(entry, 2**33, {}), capture_output=True, check=False)
    line = listed.stdout.decode()
    assert line.startswith("-rw-r-----")
    assert re.search(rf"4294967294[/ ]+2097152 +{size} .*big$", line)


def test_python_reads_numbers_that_do_not_fit_into_a_header() -> None:
    entry = FileEntry("/big", FileType.FILE, 0o640, 2**32 - 2, 2**21, size_bytes=2**40)
    info = first(header(entry, 2**40, {}))
    assert (info.uid, info.gid, info.size, info.mtime) == (2**32 - 2, 2**21, 2**40, 2**40)


def test_the_largest_numbers_that_fit_need_no_extended_header() -> None:
    entry = FileEntry("/" + "n" * 100, FileType.FILE, 0o7777, 2**21 - 1, 2**21 - 1, size_bytes=2**33 - 1)
    data = header(entry, 2**33 - 1, {})
    assert len(data) == 512
    info = first(data)
    assert (info.name, info.uid, info.size, info.mtime) == ("n" * 100, 2**21 - 1, 2**33 - 1, 2**33 - 1)


def test_a_header_has_one_form() -> None:
    data = header(FileEntry("/etc/motd", FileType.FILE, 0o644, 1, 2, size_bytes=3), 4, {})
    total = sum(data[:148] + b" " * 8 + data[156:])
    assert data == (
        b"etc/motd".ljust(100, b"\0")
        + b"0000644\x000000001\x000000002\x0000000000003\x0000000000004\x00"
        + b"%06o\x00 0" % total
        + bytes(100)
        + b"ustar\x0000"
        + bytes(64)
        + b"0000000\x000000000\x00"
        + bytes(167)
    )


def test_an_extended_header_has_one_form() -> None:
    entry = FileEntry(f"/d/{'n' * 120}\udce9", FileType.FOLDER, 0o755, 2**21, 0)
    data = header(entry, -1, {"user.b": b"\0\n", "security.capability": b"c", "user.a": b""})
    assert len(data) == 3 * 512
    assert data[:100] == b"PaxHeaders/" + b"n" * 89
    records = (
        b"21 hdrcharset=BINARY\n"
        b"38 SCHILY.xattr.security.capability=c\n"
        b"24 SCHILY.xattr.user.a=\n"
        b"26 SCHILY.xattr.user.b=\0\n\n"
        b"12 mtime=-1\n"
        b"134 path=d/" + b"n" * 120 + b"\xe9/\n"
        b"15 uid=2097152\n"
    )  # fmt: skip
    assert data[100:148] == b"0000644\x000000000\x000000000\x00%011o\x0000000000000\x00" % len(records)
    assert data[156:157] == b"x"
    assert data[512:1024] == records + padding(len(records))


def test_records_stand_in_one_order_whatever_the_order_of_the_attributes() -> None:
    entry = a_file("/a")
    one, other = {"user.a": b"1", "user.b": b"2"}, {"user.b": b"2", "user.a": b"1"}
    assert header(entry, 0, one) == header(entry, 0, other)


def test_names_in_utf8_are_not_marked_as_binary() -> None:
    data = header(a_file("/" + "ö" * 60), 0, {})
    assert data[512:].startswith(b"130 path=")


def test_two_long_names_that_are_utf8_only_when_joined_are_marked_as_binary() -> None:
    link = special("/" + "n" * 100 + "\udcc3", FileType.SYMLINK, link_target="\udca9" + "n" * 100)
    assert b"hdrcharset=BINARY" in header(link, 0, {})


def test_a_further_name_keeps_owner_mode_and_attributes_and_has_no_size() -> None:
    entry = a_file("/b", b"content", 0o4755, hard_link="/a")
    info = only(header(entry, 5, {"security.capability": b"cap"}) + END)
    assert (info.type, info.linkname, info.size) == (tarfile.LNKTYPE, "a", 0)
    assert (info.mode, info.uid, info.gid, info.mtime) == (0o4755, *OWNER, 5)
    assert info.pax_headers == {"SCHILY.xattr.security.capability": "cap"}


def test_a_further_name_of_a_symlink_is_a_link_to_its_first_name() -> None:
    info = only(
        header(replace(special("/b", FileType.SYMLINK, link_target="/t"), hard_link="/a"), 0, {}) + END
    )
    assert (info.type, info.linkname) == (tarfile.LNKTYPE, "a")


@pytest.mark.parametrize(
    ("path", "name"),
    [("/gone", ".wh.gone"), ("/etc/gone", "etc/.wh.gone"), (NOT_UTF8, "etc/.wh.caf\udce9"), (LONG, None)],
)
def test_a_whiteout_is_an_empty_file_beside_what_is_gone(path: str, name: str | None) -> None:
    info = only(whiteout_header(path) + END)
    assert info.name == (name or f"etc/.wh.{LONG[5:]}")
    assert (info.type, info.size, info.mode, info.uid, info.gid, info.mtime) == (b"0", 0, 0, 0, 0, 0)


@pytest.mark.parametrize(("size", "zeros"), [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)])
def test_padding_fills_the_last_block(size: int, zeros: int) -> None:
    assert padding(size) == bytes(zeros)


def test_an_attribute_that_no_record_can_name_is_refused() -> None:
    with pytest.raises(ValueError, match="its first '='"):
        header(a_file("/a"), 0, {"user.a=b": b"c"})


def test_a_device_that_linux_cannot_have_is_refused() -> None:
    with pytest.raises(ValueError, match="no device of Linux"):
        header(special("/a", FileType.BLOCK_DEVICE, device=f"1:{2**21}"), 0, {})


@given(
    st.binary(min_size=1, max_size=400).filter(lambda raw: not {0, 0x2F} & set(raw)),
    st.integers(0, 0o7777),
    st.integers(0, 2**32),
    st.integers(-(2**40), 2**40),
)
def test_python_reads_any_name_and_number(raw: bytes, mode: int, uid: int, mtime_s: int) -> None:
    path = "/" + raw.decode("utf-8", "surrogateescape")
    info = only(header(FileEntry(path, FileType.FILE, mode, uid, uid), mtime_s, {}) + END)
    assert (info.name, info.mode, info.uid, info.mtime) == (path[1:], mode, uid, mtime_s)


parts = st.binary(min_size=1, max_size=150).filter(lambda raw: not {0, 0x2F} & set(raw) and raw not in DOTS)
paths = st.lists(parts, min_size=1, max_size=3).map(lambda raw: "/" + b"/".join(raw).decode("utf-8", ESCAPED))
texts = st.binary(min_size=1, max_size=150).map(lambda raw: raw.replace(b"\0", b"-").decode("utf-8", ESCAPED))
devices = st.builds("{}:{}".format, st.integers(0, 4095), st.integers(0, 2**20 - 1))
xattr_names = st.text("abc.\u00f6", min_size=1, max_size=5).map("user.".__add__) | st.just(
    "security.capability"
)


@st.composite
def items(draw: st.DrawFn) -> Item:
    kind = draw(st.sampled_from(FileType))
    content = draw(st.binary(max_size=1500)) if kind is FileType.FILE else b""
    xattrs = draw(st.dictionaries(xattr_names, st.binary(max_size=30), max_size=3))
    entry = FileEntry(
        path=draw(paths),
        type=kind,
        mode=draw(st.integers(0, 0o7777)),
        uid=draw(st.integers(0, 2**32)),
        gid=draw(st.integers(0, 2**32)),
        size_bytes=len(content),
        link_target=draw(texts) if kind is FileType.SYMLINK else "",
        device=draw(devices) if kind in {FileType.CHARACTER_DEVICE, FileType.BLOCK_DEVICE} else "",
        hard_link=draw(paths) if kind is FileType.FILE and draw(st.booleans()) else "",
        capability=xattrs.get("security.capability", b"").hex(),
    )
    return Item(entry, draw(st.integers(-(2**40), 2**40)), content, xattrs)


@given(st.lists(items(), min_size=1, max_size=5))
def test_what_is_written_comes_back(written: list[Item]) -> None:
    found = []
    for member in read_members(io.BytesIO(tar_of(*written)), "/", strip=0):
        entry = replace(member.entry, hard_link=member.link_to)
        found.append(Item(entry, member.mtime_s, b"".join(member.content()), dict(member.xattrs)))
    # A further name has neither size nor content.
    assert found == [
        replace(item, entry=replace(item.entry, size_bytes=0), content=b"") if item.entry.hard_link else item
        for item in written
    ]
