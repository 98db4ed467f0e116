"""What Python's tarfile, GNU tar and bsdtar write is read, and what is damaged is never read wrong."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.member import Member, no_content
from snapshot.changeset.tar_header import END, header, padding
from snapshot.changeset.tar_reader import read_members
from snapshot.errors import EngineGone

LONG = "long-" * 40
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
AS_ROOT = os.geteuid() == 0
NOTHING: Mapping[int, bytes] = {}


class Dribble(io.BytesIO):
    """A stream that gives less than it was asked for, as sockets do."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__(data)
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._most if size is None or size < 0 else min(size, self._most))


# A member with its content in one piece, and without the function that gave it.
Read = tuple[Member, bytes]


def reads(stream: io.BytesIO, root: str = "/", strip: int = 0) -> Iterator[Read]:
    for member in read_members(stream, root, strip=strip):
        content = b"".join(member.content())
        yield replace(member, content=no_content), content


def read(data: bytes, root: str = "/", strip: int = 0) -> list[Read]:
    return list(reads(io.BytesIO(data), root, strip))


def names(data: bytes, root: str = "/", strip: int = 0) -> list[str]:
    return [member.entry.path for member, _ in read(data, root, strip)]


def block(name: bytes, flag: bytes = b"0", size: int = 0, at: Mapping[int, bytes] = NOTHING) -> bytes:
    """A header by hand; ``at`` has what else is to stand at which offset."""
    raw = bytearray(512)
    raw[: len(name)] = name
    raw[100:148] = b"0000644\x000000001\x000000002\x00%011o\x0000000000005\x00" % size
    raw[156:157] = flag
    raw[257:265] = b"ustar\x0000"
    for start, value in at.items():
        raw[start : start + len(value)] = value
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\x00 " % sum(raw)
    return bytes(raw)


def whole(content: bytes) -> bytes:
    return content + padding(len(content))


def extended(*records: bytes, flag: bytes = b"x") -> bytes:
    lines = b""
    for record in records:
        length = len(record) + 3
        length += len(str(length + 1)) - 1
        lines += b"%d %b\n" % (length, record)
    return block(b"PaxHeaders/x", flag, len(lines)) + whole(lines)


def test_members_have_all_that_a_layer_needs() -> None:
    data = (
        extended(b"SCHILY.xattr.security.capability=" + CAPABILITY, b"SCHILY.xattr.user.a=\n\0=\xff",
                 b"SCHILY.xattr.trusted.b=c", b"LIBARCHIVE.xattr.user.c=ZA")
        + block(b"etc/tool", size=3) + whole(b"abc") + END
    )  # fmt: skip
    entry = FileEntry("/etc/tool", FileType.FILE, 0o644, 1, 2, size_bytes=3, capability=CAPABILITY.hex())
    xattrs = {"security.capability": CAPABILITY, "user.a": b"\n\0=\xff"}
    assert read(data) == [(Member(entry, 5, xattrs=xattrs), b"abc")]


@pytest.mark.parametrize(
    ("name", "root", "strip", "path"),
    [
        (b"a/b", "/", 0, "/a/b"),
        (b"./a//b/./c/", "/", 0, "/a/b/c"),
        (b"/a/.b", "/", 0, "/a/.b"),
        (b"./", "/", 0, "/"),
        (b"etc/x", "/etc", 1, "/etc/x"),
        (b"etc/", "/etc", 1, "/etc"),
        (b"b", "/a/b/", 1, "/a/b"),
        (b"./b/..c", "/a/b", 1, "/a/b/..c"),
        (b"x/y/z", "/r", 2, "/r/z"),
        (b"/", "/", 1, "/"),
    ],
)
def test_names_become_absolute_paths(name: bytes, root: str, strip: int, path: str) -> None:
    assert names(block(name, b"5") + END, root, strip) == [path]


@pytest.mark.parametrize("name", [b"..", b"../a", b"a/../b", b"a/.."])
def test_a_name_that_leads_upwards_is_damage(name: bytes) -> None:
    for data in (block(name), block(b"a", b"1", at={157: name}), extended(b"path=" + name) + block(b"a")):
        with pytest.raises(EngineGone, match="leads upwards"):
            read(data + END)


def test_a_symlink_may_lead_anywhere() -> None:
    ((found, _),) = read(block(b"a", b"2", at={157: b"../../b/"}) + END)
    assert found.entry.link_target == "../../b/"


@pytest.mark.parametrize(
    ("records", "mtime_s"),
    [(b"1.999999999", 1), (b"-1.5", -2), (b"-0.5", -1), (b"-2.0", -2), (b"-2", -2), (b"7.", 7), (b"", 5)],
)
def test_times_are_rounded_down(records: bytes, mtime_s: int) -> None:
    assert read(extended(b"mtime=" + records) + block(b"a") + END)[0][0].mtime_s == mtime_s


def test_numbers_in_base_256() -> None:
    huge, negative = b"\x80" + (2**40).to_bytes(11, "big"), b"\xff" * 11 + b"\xfe"
    owner = b"\x80" + (2**31).to_bytes(7, "big")
    ((found, _),) = read(block(b"a", b"5", at={108: owner, 124: huge, 136: negative}) + END)
    assert (found.entry.uid, found.entry.gid, found.mtime_s) == (2**31, 2, -2)
    assert next(read_members(io.BytesIO(block(b"a", at={124: huge})), "/", strip=0)).entry.size_bytes == 2**40


def test_a_size_beyond_8_gib_of_an_extended_header() -> None:
    data = extended(b"size=%d" % 2**40) + block(b"a")
    members = read_members(io.BytesIO(data), "/", strip=0)
    assert next(members).entry.size_bytes == 2**40
    with pytest.raises(EngineGone):
        next(members)


def test_headers_of_the_7th_edition() -> None:
    plain = {257: bytes(255)}
    data = (
        block(b"dir/", b"\0", at={100: b" 40755 \0"} | plain)
        + block(b"dir/a", b"\0", 1, at={100: b"100644 \0", 257: bytes(8), 345: b"no prefix"}) + whole(b"x")
        + block(b"dir/b", b"7", at=plain) + END
    )  # fmt: skip
    file = FileType.FILE
    entries = [member.entry for member, _ in read(data)]
    assert [(entry.path, entry.type, entry.mode) for entry in entries] == [
        ("/dir", FileType.FOLDER, 0o755),
        ("/dir/a", file, 0o644),
        ("/dir/b", file, 0o644),
    ]


def test_a_checksum_of_signed_bytes_counts() -> None:
    raw = bytearray(block(b"caf\xe9"))
    raw[148:156] = b"%06o\x00 " % (sum(raw[:148] + b" " * 8 + raw[156:]) - 256)
    assert names(bytes(raw) + END) == ["/caf\udce9"]


def test_what_holds_for_all_members_gives_way_to_what_holds_for_one() -> None:
    data = extended(b"uid=7", b"gid=8", flag=b"g") + block(b"a") + extended(b"uid=9") + block(b"b") + END
    assert [member.entry.owner for member, _ in read(data)] == ["7:8", "9:8"]


def test_unknown_types_are_passed_over_with_their_content() -> None:
    assert names(block(b"V", b"V", 600) + bytes(1024) + block(b"a") + END) == ["/a"]


@pytest.mark.parametrize("flag", [b"1", b"2", b"3", b"4", b"5", b"6"])
def test_only_files_have_content_whatever_size_a_header_says(flag: bytes) -> None:
    assert names(block(b"a", flag, 600, at={157: b"t"}) + block(b"b") + END) == ["/a", "/b"]


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_content_that_was_left_or_half_read_is_passed_over(taken: int) -> None:
    data = block(b"a", size=3 << 20) + bytes(3 << 20) + block(b"b", size=1) + whole(b"b") + END
    found = []
    for member in read_members(io.BytesIO(data), "/", strip=0):
        pieces = iter(member.content())
        for _ in range(taken):
            next(pieces, None)
        found.append(member.entry.path)
    assert found == ["/a", "/b"]


def test_big_content_comes_in_big_pieces() -> None:
    size = 5 << 20
    data = block(b"a", size=size) + bytes(size) + END
    member = next(read_members(io.BytesIO(data), "/", strip=0))
    sizes = [len(piece) for piece in member.content()]
    assert sum(sizes) == size
    assert all(256 << 10 <= piece <= 1 << 20 for piece in sizes[1:-1])


def test_content_asked_for_too_late_or_twice_is_refused() -> None:
    data = (block(b"a", size=1) + whole(b"a")) * 2 + END
    members = read_members(io.BytesIO(data), "/", strip=0)
    one, two = next(members), next(members)
    assert list(two.content()) == [b"a"]
    for member, rest in ((one, []), (two, []), (two, list(members))):
        assert rest == []
        with pytest.raises(RuntimeError):
            list(member.content())


def test_the_first_member_of_a_large_archive_costs_little() -> None:
    stream = io.BytesIO(block(b"dir/", b"5") + block(b"a", size=1 << 20) + bytes(1 << 20) + END)
    next(read_members(stream, "/dir", strip=1))
    assert stream.tell() <= 16 << 10


def test_an_archive_without_members_is_none_and_one_without_an_end_is_read() -> None:
    assert read(END) == []
    assert read(bytes(512)) == []
    assert names(block(b"a")) == ["/a"]
    assert names(block(b"a") + END + bytes(9000)) == ["/a"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x" * 100,
        b"x" * 512,
        bytes(511),
        bytes(512) + block(b"a"),
        block(b"a", size=1) + b"a",
        block(b"a", b"x", 2 << 20) + bytes(2 << 20) + block(b"a"),
        extended(b"path=a"),
        extended(b"path=a") + END,
        *(
            block(b"x", b"x", len(raw)) + whole(raw) + block(b"a")
            for raw in [b"5 a=b", b"9 a=b\n", b"6 ab\n\n", b"999999999999 a=b\n"]
        ),
        *(extended(record) + block(b"a") for record in [b"path=a\0b", b"uid=-1", b"size=" + b"9" * 19]),
        *(extended(record) + block(b"a") for record in [b"mtime=1e9", b"GNU.sparse.major=1"]),
        block(b"a", b"S", 512),
        block(b"a", b"1"),
        block(b"a", at={108: b"0o17\0\0\0\0"}),
        block(b"a", at={124: b"\xff" * 12}),
        block(b"a", at={136: b"\x80" + b"\x7f" * 11}),
        block(b"a", b"3", at={329: b"7777777\0"}),
    ],
    ids=lambda data: f"{len(data)}-bytes",
)
def test_damage_is_said(data: bytes) -> None:
    with pytest.raises(EngineGone, match=r"The engine's archive of '/' broke off or is damaged \(.+\)\."):
        read(data)


def make_tree(folder: Path, *, long_names: bool, devices: bool) -> None:
    folder.mkdir()
    (folder / "empty").touch()
    (folder / "tool").write_bytes(b"x" * 513)
    (folder / "tool").chmod(0o4751)
    (folder / "again").hardlink_to(folder / "tool")
    (folder / "two\nlines").write_bytes(bytes(512))
    (folder / "mötör \udce9").write_bytes(b"abc")
    (folder / "link").symlink_to("../mötör \udce9")
    (folder / "a" / ("b" * 90)).mkdir(parents=True, mode=0o2750)
    if long_names:
        (folder / f"{LONG}\udce9").write_bytes(b"long")
        (folder / "long-link").symlink_to(f"{LONG}/\udce9")
        (folder / "long-again").hardlink_to(folder / f"{LONG}\udce9")
    os.utime(folder / "tool", ns=(0, 1_999_999_999))
    if devices:
        os.mkfifo(folder / "fifo")
        if AS_ROOT:
            os.mknod(folder / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
            os.mknod(folder / "disk", stat.S_IFBLK | 0o600, os.makedev(259, 70_000))
    if long_names and AS_ROOT:
        os.chown(folder / "empty", 2**31, 2**21)


TYPES = dict(zip("-dlcbp", FileType, strict=True))


def assert_is_tree(found: list[Read], folder: Path) -> None:
    paths = {Path(member.entry.path): (member, content) for member, content in found}
    assert set(paths) == {folder, *folder.rglob("*")}
    assert len(paths) == len(found)
    for path, (member, content) in paths.items():
        entry, status = member.entry, path.lstat()
        is_device = stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)
        number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
        assert entry.type is TYPES[stat.filemode(status.st_mode)[0]]
        assert entry.mode == stat.S_IMODE(status.st_mode)
        assert entry.owner == f"{status.st_uid}:{status.st_gid}"
        assert member.mtime_s == status.st_mtime_ns // 10**9
        assert entry.link_target == (str(path.readlink()) if path.is_symlink() else "")
        assert entry.device == (number if is_device else "")
        if member.link_to:
            assert Path(member.link_to).samefile(path)
        elif stat.S_ISREG(status.st_mode):
            assert (entry.size_bytes, content) == (status.st_size, path.read_bytes())


def written(form: str, folder: Path) -> bytes:
    """The archive of a folder by a program with its options, or in a format of ``tarfile``."""
    if form.endswith("_FORMAT"):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=getattr(tarfile, form)) as tar:
            tar.add(folder, arcname=folder.name)
        return stream.getvalue()
    command = [*form.split(), "-cf", "-", "-C", str(folder.parent), folder.name]
    return subprocess.run(command, capture_output=True, check=True).stdout


MODERN = ["PAX_FORMAT", "GNU_FORMAT", "tar --format=pax", "tar --format=gnu", "bsdtar --format=pax"]
MODERN += ["bsdtar --format=gnutar"]
OLD = ["USTAR_FORMAT", "tar --format=ustar", "tar --format=v7", "tar --format=oldgnu"]
OLD += ["bsdtar --format=ustar", "bsdtar --format=v7"]


@pytest.mark.parametrize("form", [*MODERN, *OLD])
def test_what_tar_programs_write_is_read(form: str, tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    make_tree(folder, long_names=form in MODERN, devices="v7" not in form)
    data = written(form, folder)
    assert_is_tree(read(data, str(folder), 1), folder)
    assert list(reads(Dribble(data, 700), str(folder), 1)) == read(data, str(folder), 1)


@pytest.mark.parametrize("form", ["pax", "gnu"])
def test_times_before_1970_that_tar_writes_are_rounded_down(form: str, tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.touch()
    os.utime(path, ns=(0, -1_500_000_000))
    assert read(written(f"tar --format={form}", path))[0][0].mtime_s == -2


@pytest.mark.skipif(not AS_ROOT, reason="only root may set a capability")
@pytest.mark.parametrize("form", ["tar --format=pax --xattrs", "bsdtar --format=pax"])
def test_attributes_that_tar_programs_write_are_read(form: str, tmp_path: Path) -> None:
    path = tmp_path / "ping"
    path.touch()
    os.setxattr(path, "security.capability", CAPABILITY)
    with suppress(OSError):  # a tmpfs before Linux 6.6
        os.setxattr(path, "user.two", b"a=b\n\0c\xff")
    xattrs = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    ((found, _),) = read(written(form, path))
    assert (found.xattrs, found.entry.capability) == (xattrs, CAPABILITY.hex())


@pytest.mark.parametrize("form", ["gnu", "pax --sparse-version=0.0", "pax --sparse-version=0.1", "pax"])
def test_sparse_files_are_refused(form: str, tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 20)
        file.seek(0, os.SEEK_END)
        file.write(b"end")
    data = written(f"tar -S --hole-detection=raw --format={form}", tmp_path)
    with pytest.raises(EngineGone, match="sparse"):
        read(data)


# A stream with all kinds of headers, a member a line.
PIECES = [
    header(FileEntry("/d", FileType.FOLDER, 0o755, 0, 0), 1, {}),
    header(FileEntry("/d/a", FileType.FILE, 0o644, 2**21, 0, 600), 2, {"user.a": b"b"}) + whole(b"x" * 600),
    header(FileEntry("/d/b", FileType.FILE, 0o644, 0, 0, 600, hard_link="/d/a"), 2, {}),
    block(b"L", b"L", 201) + whole(LONG.encode() + b"\0") + block(b"long", size=3) + whole(b"abc"),
    header(FileEntry("/l", FileType.SYMLINK, 0o777, 0, 0, link_target=f"{LONG}\udce9"), -1, {}),
    header(FileEntry("/n", FileType.CHARACTER_DEVICE, 0o666, 0, 0, device="1:3"), 1, {}),
]
STREAM = b"".join(PIECES) + END


@pytest.mark.parametrize("most", [7, 512, 1 << 20])
def test_a_stream_cut_off_anywhere_gives_whole_members_or_an_error(most: int) -> None:
    members = read(STREAM)
    borders = [sum(map(len, PIECES[: count + 1])) for count in range(len(PIECES))]
    for length in range(0, len(STREAM), 1 if most > 7 else 37):
        found = []
        try:
            for one in reads(Dribble(STREAM[:length], most)):
                found.append(one)
            assert length in borders or length >= borders[-1] + 512
        except EngineGone:
            assert length not in borders
        assert found == members[: len(found)]


@given(st.integers(0, len(STREAM) - 1), st.integers(1, 255))
def test_a_changed_byte_of_a_header_changes_nothing_or_is_found(position: int, bits: int) -> None:
    changed = bytearray(STREAM)
    changed[position] ^= bits
    start = position // 512 * 512
    is_header = STREAM[start + 257 : start + 262] == b"ustar" or start >= len(STREAM) - len(END)
    try:
        found = read(bytes(changed))
    except EngineGone:
        return
    # The byte may be one after the digits of the checksum, or of content.
    assert not is_header or found == read(STREAM)


@given(st.binary(max_size=1500), st.integers(0, 3))
def test_garbage_is_damage(garbage: bytes, strip: int) -> None:
    with pytest.raises(EngineGone):
        read(block(b"a") + b"x" + garbage, "/", strip)


@given(st.binary(max_size=600), st.sampled_from([b"x", b"g", b"L", b"K"]))
def test_any_extended_header_is_read_or_is_damage(content: bytes, flag: bytes) -> None:
    with suppress(EngineGone):
        read(block(b"x", flag, len(content)) + whole(content) + block(b"a") + END)
