"""Tar streams of an engine as a sequence of members with absolute paths.

Python's ``tarfile`` takes three times as long for a small file, most of it for objects that nobody needs.
Read here are all forms that engines and tar programs write: POSIX.1-2017 ``pax`` ("ustar Interchange Format"
and extended headers), GNU tar's long names and base-256 numbers (its manual, "Basic Tar Format"), the headers
of the 7th Edition, and star's ``SCHILY.xattr.``. Where they leave room, Go's ``archive/tar`` is followed: it
is what engines themselves read layers with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from struct import Struct
from types import MappingProxyType
from typing import IO
from zlib import adler32

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.member import CAPABILITY, Member, no_content
from snapshot.errors import EngineGone, SnapError

_BLOCK_BYTES = 512
_ZEROS = bytes(_BLOCK_BYTES)

# The buffer begins small, since often the first header is all that is wanted.
_FIRST_READ_BYTES = 16 << 10
_BUFFER_BYTES = 256 << 10
_PIECE_BYTES = 1 << 20

# Go refuses longer ones too (``maxSpecialFileSize``).
_MOST_EXTENSION_BYTES = 1 << 20
# An honest tar has a handful, and each is kept to the end.
_MOST_RECORDS_FOR_ALL = 64

_FILE = FileType.FILE
_TYPES = {
    b"0": FileType.FILE,
    b"\x00": FileType.FILE,
    b"7": FileType.FILE,
    b"1": FileType.FILE,
    b"2": FileType.SYMLINK,
    b"3": FileType.CHARACTER_DEVICE,
    b"4": FileType.BLOCK_DEVICE,
    b"5": FileType.FOLDER,
    b"6": FileType.FIFO,
}
_EXTENSIONS = frozenset({b"x", b"X", b"g", b"L", b"K"})

# name; mode, uid and gid; size; mtime; checksum; type; link name; magic; [version, names]; device; prefix
_FIELDS = Struct("100s24s12s12s8sc100s6s66x16s155s12x")

_NO_XATTRS: Mapping[str, bytes] = MappingProxyType({})
_XATTR = b"SCHILY.xattr."
_SPARSE = "it holds a sparse file"

_ODD_BEGINNINGS = frozenset({"", "/", "."})

_DECIMAL = re.compile(rb"[0-9]{1,19}")
_SECONDS = re.compile(rb"([+-]?[0-9]{1,19})(?:\.([0-9]*))?")


class _Damaged(Exception):
    """What is wrong with the stream."""


#: Makes an error of what is wrong with a stream.
Broken = Callable[[str], SnapError]


def read_members(
    stream: IO[bytes], root: str, *, strip: int, broken: Broken | None = None
) -> Iterator[Member]:
    """The members of a tar stream, paths made absolute.

    A file's bytes may be taken by :attr:`Member.content` before the next member is asked for, or left.
    Nothing is read beyond the buffer that the end of the archive stands in.

    Parameters
    ----------
    stream:
        The tar as it comes; read once, forwards, in bounded memory.
    root:
        The path in the container for the names' first ``strip`` components.
    strip:
        1 for the archive of a path (names begin with its last part), 0 for an export or a layer.
    broken:
        Makes the error for a stream that is no engine's.

    Raises :class:`~snapshot.errors.EngineGone`, or what ``broken`` makes, where the stream breaks off, is no
    tar, or holds what would be read wrong: a sparse file, or a name with ``..`` in it.
    """
    return _Reader(stream, root, strip, broken or partial(_broken, root)).members()


class _Reader:
    """A tar stream with its buffer, and how much of the present member is still in front."""

    def __init__(self, stream: IO[bytes], root: str, strip: int, broken: Broken) -> None:
        self._read = stream.read
        self._broken = broken
        self._absolute = _absolute_paths(root, strip)
        self._buffer = b""
        self._position = 0
        self._ask = _FIRST_READ_BYTES
        # Of the present header: its number, the bytes of content that were not taken, the zeros after them.
        self._number = 0
        self._left = 0
        self._padding = 0

    def members(self) -> Iterator[Member]:
        """All members, up to the end of the archive."""
        try:
            yield from self._members()
        except _Damaged as error:
            raise self._broken(str(error)) from error

    def _members(self) -> Iterator[Member]:
        # This is run for every file, so it is written for speed.
        for_all: dict[bytes, bytes] = {}
        for_next: dict[bytes, bytes] = {}
        while block := self._next_block():
            name, owner, size_field, mtime_field, checksum, flag, link_name, magic, device, prefix = (
                _FIELDS.unpack(block)
            )
            if b"%06o\x00 " % _checksum(block, checksum) != checksum:
                if block == _ZEROS:
                    self._expect_end()
                    break
                _compare_checksum(block, checksum)
            size = _size(size_field)
            self._left = size
            self._padding = -size % _BLOCK_BYTES
            if flag in _EXTENSIONS:
                if size > _MOST_EXTENSION_BYTES:
                    raise _Damaged("an extended header is too long")
                records = _records(flag, b"".join(self._content(self._number, size)))
                (for_all if flag == b"g" else for_next).update(records)
                if len(for_all) > _MOST_RECORDS_FOR_ALL:
                    raise _Damaged("too many global records")
                continue
            name = name.partition(b"\x00")[0]
            if prefix[0] and magic == b"ustar\x00":
                name = prefix.partition(b"\x00")[0] + b"/" + name
            link_name = link_name.partition(b"\x00")[0]
            mode, uid, gid = _mode_and_owner(owner)
            mtime_s = _number(mtime_field)
            xattrs, capability = _NO_XATTRS, ""
            if for_next or for_all:
                records = {**for_all, **for_next}
                for_next = {}
                name = records.get(b"path") or name
                link_name = records.get(b"linkpath") or link_name
                size = _decimal(records, b"size", size)
                self._left = size
                self._padding = -size % _BLOCK_BYTES
                uid = _decimal(records, b"uid", uid)
                gid = _decimal(records, b"gid", gid)
                mtime_s = _floor(records, mtime_s)
                xattrs = _xattrs(records)
                capability = xattrs.get(CAPABILITY, b"").hex()
            kind = _TYPES.get(flag)
            if kind is None:
                if flag == b"S":
                    raise _Damaged(_SPARSE)
                continue
            path = self._absolute(name.decode("utf-8", "surrogateescape"))
            if flag == b"\x00" and name[-1:] == b"/":
                # That is how the 7th Edition marks a folder.
                kind = FileType.FOLDER
            if kind is _FILE and flag != b"1":
                content = partial(self._content, self._number, size) if size else no_content
                entry = FileEntry(path, kind, mode, uid, gid, size, "", "", "", "", capability)
                yield Member(entry, mtime_s, "", xattrs, content)
                continue
            # Nothing else has content, whatever size stands there (Go's ``isHeaderOnly``).
            self._left = self._padding = 0
            target = link_name.decode("utf-8", "surrogateescape") if flag in b"12" else ""
            numbers = _device(device) if flag in b"34" else ""
            if flag == b"1":
                if not target:
                    raise _Damaged("a link leads nowhere")
                entry = FileEntry(path, kind, mode, uid, gid, capability=capability)
                yield Member(entry, mtime_s, self._absolute(target), xattrs)
            else:
                entry = FileEntry(path, kind, mode, uid, gid, 0, "", target, "", numbers, capability)
                yield Member(entry, mtime_s, "", xattrs)
        if for_next:
            raise _Damaged("an extended header stands before nothing")

    def _next_block(self) -> bytes:
        """The header after what is left of the present member; empty where the stream ends before it."""
        skipped = self._left + self._padding
        self._left = self._padding = 0
        self._number += 1
        position = self._position + skipped
        if position + _BLOCK_BYTES > len(self._buffer):
            self._skip(skipped)
            self._fill(_BLOCK_BYTES)
            position = self._position
            if position == len(self._buffer):
                if self._number == 1:
                    raise _Damaged("empty file")
                return b""
            if position + _BLOCK_BYTES > len(self._buffer):
                raise _Damaged("truncated header")
        self._position = position + _BLOCK_BYTES
        return self._buffer[position : self._position]

    def _expect_end(self) -> None:
        """After a block of zeros: a second one (Go's ``readHeader``), or the stream's end."""
        self._fill(_BLOCK_BYTES)
        block = self._buffer[self._position : self._position + _BLOCK_BYTES]
        if block.strip(b"\x00"):
            raise _Damaged("invalid header")

    def _fill(self, wanted: int) -> None:
        """Have so many bytes in the buffer, or all up to the stream's end."""
        missing = wanted - (len(self._buffer) - self._position)
        if missing <= 0:
            return
        pieces = [self._buffer[self._position :]] if self._position < len(self._buffer) else []
        self._position = 0
        while missing > 0 and (piece := self._read(max(self._ask, missing))):
            pieces.append(piece)
            missing -= len(piece)
            self._ask = min(2 * self._ask, _BUFFER_BYTES)
        self._buffer = b"".join(pieces)

    def _skip(self, count: int) -> None:
        """Pass over so many bytes."""
        buffered = min(count, len(self._buffer) - self._position)
        self._position += buffered
        count -= buffered
        while count:
            piece = self._read(min(count, _PIECE_BYTES))
            if not piece:
                raise _Damaged("unexpected end of data")
            count -= len(piece)

    def _content(self, number: int, size: int) -> Iterator[bytes]:
        """The content after the header with that number."""
        while size:
            if number != self._number or size != self._left:
                raise RuntimeError("content is to be read once, and before the next member is asked for")
            if self._position == len(self._buffer) and size < _BUFFER_BYTES:
                self._fill(1)
            position = self._position
            piece = self._buffer[position : position + size]
            self._position = position + len(piece)
            if not piece:
                piece = self._read(min(size, _PIECE_BYTES))
                if not piece:
                    raise self._broken("unexpected end of data")
            size -= len(piece)
            self._left = size
            yield piece


def _broken(root: str, reason: str) -> EngineGone:
    return EngineGone(
        f"The engine's archive of '{root}' broke off or is damaged ({reason}).",
        "See whether the engine still runs with `snap engine`, then try again.",
    )


def _absolute_paths(root: str, strip: int) -> Callable[[str], str]:
    """Gives a function from a name in the archive to the absolute path in the container."""
    top = "".join(f"/{part}" for part in root.split("/") if part)
    below = f"{top}/"

    def absolute(name: str) -> str:
        # Nearly all names are plain; this spares taking them to parts.
        if strip < 2 and "//" not in name and "/." not in name and name[:1] not in _ODD_BEGINNINGS:
            rest = name.partition("/")[2] if strip else name
            rest = rest[:-1] if rest[-1:] == "/" else rest
            return below + rest if rest else top or "/"
        parts = [part for part in name.split("/") if part not in {"", "."}]
        if ".." in parts:
            raise _Damaged("a name leads upwards")
        return "/".join([top, *parts[strip:]]) or "/"

    return absolute


def _checksum(block: bytes, field: bytes) -> int:
    # The low half of Adler-32 is 1 + the sum of up to 256 bytes, and far faster than sum(). The checksum
    # counts its own eight bytes as spaces.
    halves = (adler32(block[:256]) & 0xFFFF) + (adler32(block[256:]) & 0xFFFF)
    return halves - (adler32(field) & 0xFFFF) - 1 + 8 * 0x20


def _compare_checksum(block: bytes, field: bytes) -> None:
    """The field in any spelling, and the sum of old tars that took bytes for signed, as in Go and GNU tar."""
    total = _checksum(block, field)
    high = len((block[:148] + block[156:]).translate(None, bytes(range(128))))
    if _number(field) not in (total, total - 256 * high):
        raise _Damaged("invalid header")


@lru_cache(maxsize=4096)
def _number(field: bytes) -> int:
    """A number of a header: octal digits, or in base 256 where they do not fit (GNU tar, star)."""
    if field[0] & 0x80:
        # The first bit is the mark, the second one the sign of a number in two's complement.
        bits = 8 * len(field) - 1
        number = int.from_bytes(field, "big") & ((1 << bits) - 1)
        number -= (number >> (bits - 1)) << bits
    else:
        digits = field.strip(b" \x00").partition(b"\x00")[0]
        if digits.strip(b"01234567"):
            raise _Damaged("invalid header")
        number = int(digits or b"0", 8)
    return _in_64_bits(number)


def _in_64_bits(number: int) -> int:
    if not -(2**63) <= number < 2**63:
        raise _Damaged("invalid header")
    return number


def _size(field: bytes) -> int:
    size = _number(field)
    if size < 0:
        raise _Damaged("invalid header")
    return size


@lru_cache(maxsize=1024)
def _mode_and_owner(fields: bytes) -> tuple[int, int, int]:
    """Mode, uid and gid: few files of a container differ in them."""
    return _number(fields[:8]) & 0o7777, _size(fields[8:16]), _size(fields[16:])


def _device(fields: bytes) -> str:
    major, minor = _size(fields[:8]), _size(fields[8:])
    if major >= 1 << 12 or minor >= 1 << 20:
        # Linux, include/linux/kdev_t.h
        raise _Damaged("invalid header")
    return f"{major}:{minor}"


def _records(flag: bytes, content: bytes) -> dict[bytes, bytes]:
    """What an extended header says, or GNU tar's long name in the same words."""
    if flag in b"LK":
        return {b"path" if flag == b"L" else b"linkpath": content.partition(b"\x00")[0]}
    records = {}
    position = 0
    while position < len(content):
        # "LENGTH KEY=VALUE\n"; a value may hold anything, so the length alone says where it ends.
        space = content.find(b" ", position, position + 9)
        digits = content[position : max(space, position)]
        end = position + int(digits) if digits.isdigit() else 0
        key, equals, value = content[space + 1 : end - 1].partition(b"=")
        if not (position < space < end <= len(content) and content[end - 1] == 0x0A and key and equals):
            raise _Damaged("invalid extended header")
        if key.startswith(b"GNU.sparse."):
            raise _Damaged(_SPARSE)
        if key in {b"path", b"linkpath"} and b"\x00" in value:
            raise _Damaged("invalid extended header")
        records[key] = value
        position = end
    return records


def _decimal(records: Mapping[bytes, bytes], key: bytes, otherwise: int) -> int:
    value = records.get(key)
    if not value:
        # An empty value takes the record back: what stands in the header holds.
        return otherwise
    if not _DECIMAL.fullmatch(value):
        raise _Damaged("invalid extended header")
    return _in_64_bits(int(value))


def _floor(records: Mapping[bytes, bytes], otherwise: int) -> int:
    """``mtime`` in whole seconds, rounded down, of times before 1970 as well."""
    value = records.get(b"mtime")
    if not value:
        return otherwise
    match = _SECONDS.fullmatch(value)
    if not match:
        raise _Damaged("invalid extended header")
    whole, fraction = match.groups()
    is_below = whole.startswith(b"-") and bool((fraction or b"").strip(b"0"))
    return _in_64_bits(int(whole) - is_below)


def _xattrs(records: Mapping[bytes, bytes]) -> Mapping[str, bytes]:
    """The extended attributes that an image can hold."""
    names = {key: key[len(_XATTR) :] for key in records if key.startswith(_XATTR)}
    found = {
        name.decode("utf-8", "surrogateescape"): records[key]
        for key, name in names.items()
        if name == CAPABILITY.encode() or name.startswith(b"user.")
    }
    return found or _NO_XATTRS
