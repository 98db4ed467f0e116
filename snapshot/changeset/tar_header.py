"""Headers of a layer's tar in one canonical form: the same entry always gives the same bytes.

The form is that of POSIX.1-2017 ``pax``: a ustar header, and before it an extended one where a value does not
fit, as moby writes its layers (Go's ``tar.FormatPAX``). Extended attributes have star's ``SCHILY.xattr.``
before their names, the only spelling that engines read. There are no user and group names, and of the times
mtime alone.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from zlib import adler32

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.member import Chunk

_BLOCK_BYTES = 512
_NAME_BYTES = 100

#: What stands at the end of a tar: two blocks of zeros.
END = bytes(2 * _BLOCK_BYTES)

# The largest numbers that fit: seven octal digits, or eleven, and a NUL.
_MOST_7 = 0o7777777
_MOST_11 = 0o77777777777

_FILE = FileType.FILE
_FOLDER = FileType.FOLDER
_TYPEFLAGS = {
    FileType.FILE: b"0",
    FileType.SYMLINK: b"2",
    FileType.CHARACTER_DEVICE: b"3",
    FileType.BLOCK_DEVICE: b"4",
    FileType.FOLDER: b"5",
    FileType.FIFO: b"6",
}
_LINK = b"1"
_EXTENSION = b"x"

_NO_LINK_NAME = bytes(_NAME_BYTES)
_MAGIC_AND_NO_NAMES = b"ustar\x0000" + bytes(64)
_NO_DEVICE = b"0000000\x00" * 2
_NO_PREFIX = bytes(155 + 12)
_REST = _MAGIC_AND_NO_NAMES + _NO_DEVICE + _NO_PREFIX
# The checksum counts its own eight bytes as spaces.
_REST_SUM = sum(_REST) + 8 * 0x20


def entry_in_tar(
    entry: FileEntry, mtime_s: int, xattrs: Mapping[str, bytes], content: Callable[[], Iterable[Chunk]]
) -> Iterator[Chunk]:
    """An entry as it stands in a tar: its header, and for a file's first name the content in whole blocks."""
    yield header(entry, mtime_s, xattrs)
    if entry.type is FileType.FILE and not entry.hard_link:
        yield from content()
        yield padding(entry.size_bytes)


def header(entry: FileEntry, mtime_s: int, xattrs: Mapping[str, bytes]) -> bytes:
    """All that stands before an entry's content, in whole blocks.

    A file's ``size_bytes`` of content are to follow, then :func:`padding`. Nothing follows a further name of
    a file (``entry.hard_link``); it repeats the owner, mode and attributes, since an engine that unpacks it
    changes the owner once more, which takes ``security.capability`` away (moby ``pkg/archive``
    ``createTarFile``; the kernel drops it with each ``chown``).

    Raises :class:`ValueError` for what no tar can hold: an attribute with ``=`` in its name.

    >>> header(FileEntry("/etc/motd", FileType.FILE, 0o644, 0, 0, 3), 0, {})[:9]
    b'etc/motd\\x00'
    """
    kind = entry.type
    name = entry.path[1:].encode("utf-8", "surrogateescape")
    link_name = b""
    size = 0
    rest, rest_sum = _REST, _REST_SUM
    if entry.hard_link:
        flag = _LINK
        link_name = entry.hard_link[1:].encode("utf-8", "surrogateescape")
    elif kind is _FILE:
        flag = b"0"
        size = entry.size_bytes
    elif kind is _FOLDER:
        flag = b"5"
        name = name + b"/" if name else b"./"
    else:
        flag = _TYPEFLAGS[kind]
        if entry.link_target:
            link_name = entry.link_target.encode("utf-8", "surrogateescape")
        elif entry.device:
            rest = _MAGIC_AND_NO_NAMES + _device(entry.device) + _NO_PREFIX
            rest_sum = sum(rest) + 8 * 0x20
    uid, gid = entry.uid, entry.gid
    if (
        xattrs
        or len(name) > _NAME_BYTES
        or len(link_name) > _NAME_BYTES
        or uid > _MOST_7
        or gid > _MOST_7
        or size > _MOST_11
        or not 0 <= mtime_s <= _MOST_11
    ):
        extension = _extension(name, _records(name, link_name, uid, gid, size, mtime_s, xattrs))
        return extension + _block(
            name[:_NAME_BYTES],
            entry.mode,
            uid if uid <= _MOST_7 else 0,
            gid if gid <= _MOST_7 else 0,
            size if size <= _MOST_11 else 0,
            mtime_s if 0 <= mtime_s <= _MOST_11 else 0,
            flag,
            link_name[:_NAME_BYTES],
            rest,
            rest_sum,
        )
    return _block(name, entry.mode, uid, gid, size, mtime_s, flag, link_name, rest, rest_sum)


def whiteout_header(path: str) -> bytes:
    """The mark that ``path`` of the layers below is gone: an empty file ``.wh.NAME`` beside it.

    (OCI image spec, ``layer.md``, "Whiteouts".) Its owner, mode and time mean nothing, so they are all 0.
    """
    folder, name = posixpath.split(path)
    return header(FileEntry(posixpath.join(folder, f".wh.{name}"), _FILE, 0, 0, 0), 0, {})


def padding(size_bytes: int) -> bytes:
    """The zeros after so many bytes of content, up to a whole block."""
    return bytes(-size_bytes % _BLOCK_BYTES)


def _block(
    name: bytes,
    mode: int,
    uid: int,
    gid: int,
    size: int,
    mtime_s: int,
    flag: bytes,
    link_name: bytes,
    rest: bytes,
    rest_sum: int,
) -> bytes:
    """One ustar header; all values fit. ``rest`` is all from the magic on, ``rest_sum`` what it adds."""
    numbers = b"%07o\x00%07o\x00%07o\x00%011o\x00%011o\x00" % (mode & 0o7777, uid, gid, size, mtime_s)
    # The low half of Adler-32 is 1 + the sum of up to 256 bytes, and far faster than sum().
    total = (adler32(name) & 0xFFFF) + (adler32(numbers) & 0xFFFF) - 2 + flag[0] + rest_sum
    if link_name:
        total += (adler32(link_name) & 0xFFFF) - 1
        link_name = link_name.ljust(_NAME_BYTES, b"\x00")
    else:
        link_name = _NO_LINK_NAME
    return b"%b%b%06o\x00 %b%b%b" % (name.ljust(_NAME_BYTES, b"\x00"), numbers, total, flag, link_name, rest)


def _device(device: str) -> bytes:
    major, _, minor = device.partition(":")
    numbers = (int(major), int(minor))
    if not all(0 <= number <= _MOST_7 for number in numbers):
        # Linux has 12 and 20 bits (include/linux/kdev_t.h): these always fit.
        raise ValueError(f"no device of Linux: {device}")
    return b"%07o\x00%07o\x00" % numbers


def _extension(name: bytes, records: bytes) -> bytes:
    """An extended header; what it is called means nothing to who reads it, but is to be the same always."""
    last_part = name.rstrip(b"/").rpartition(b"/")[2]
    block = _block(
        b"PaxHeaders/" + last_part[: _NAME_BYTES - 11],
        0o644,
        0,
        0,
        len(records),
        0,
        _EXTENSION,
        b"",
        _REST,
        _REST_SUM,
    )
    return block + records + padding(len(records))


def _records(
    name: bytes,
    link_name: bytes,
    uid: int,
    gid: int,
    size: int,
    mtime_s: int,
    xattrs: Mapping[str, bytes],
) -> bytes:
    """The extended header's records, for all that does not fit into the header itself."""
    values: dict[bytes, bytes] = {}
    texts = {b"path": name, b"linkpath": link_name}
    values.update({key: text for key, text in texts.items() if len(text) > _NAME_BYTES})
    binary = b"" if all(map(_is_utf8, values.values())) else _record(b"hdrcharset", b"BINARY")
    numbers = {b"uid": (uid, _MOST_7), b"gid": (gid, _MOST_7), b"size": (size, _MOST_11)}
    numbers[b"mtime"] = (mtime_s, _MOST_11)
    values.update({key: b"%d" % number for key, (number, most) in numbers.items() if not 0 <= number <= most})
    for xattr, value in xattrs.items():
        if "=" in xattr:
            raise ValueError(f"a record's name ends at its first '=': {xattr!r}")
        values[b"SCHILY.xattr." + xattr.encode("utf-8", "surrogateescape")] = value
    return binary + b"".join(_record(key, values[key]) for key in sorted(values))


def _record(key: bytes, value: bytes) -> bytes:
    r"""A line that says its own length.

    >>> _record(b"path", b"a" * 91)[:8]
    b'101 path'
    """
    rest = len(key) + len(value) + 3  # a space, an equals sign and a newline
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
