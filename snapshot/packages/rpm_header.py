"""What the header of an installed rpm package says (rpm, docs/manual/format_header.md)."""

from __future__ import annotations

import struct
from collections.abc import Mapping

#: Number of index entries, bytes of data.
_COUNTS = struct.Struct(">II")
#: Tag, type, offset in the data, count of values.
_ENTRY = struct.Struct(">IIII")
_INT32 = struct.Struct(">I")
#: Types of values.
_INT32_TYPE, _STRING_TYPE = 4, 6
#: rpm itself takes no more (lib/header.c).
_MOST_ENTRIES = 0xFFFF
_LONGEST_BYTES = 4096

NAME, VERSION, RELEASE, EPOCH, ARCHITECTURE = 1000, 1001, 1002, 1003, 1022
_WANTED = frozenset({NAME, VERSION, RELEASE, EPOCH, ARCHITECTURE})


def header_values(header: bytes) -> Mapping[int, str]:
    """The values of name, version, release, epoch and architecture, by their tags, as text.

    Raises :class:`ValueError` for bytes that are no header.
    """
    try:
        count, _ = _COUNTS.unpack_from(header)
        if count > _MOST_ENTRIES:
            raise ValueError(f"{count:,} entries")
        data = _COUNTS.size + count * _ENTRY.size
        index = memoryview(header)[_COUNTS.size : data]
        values: dict[int, str] = {}
        for tag, kind, offset, _ in _ENTRY.iter_unpack(index):
            if tag not in _WANTED or tag in values:
                continue
            if kind == _STRING_TYPE:
                start = data + offset
                end = header.index(b"\0", start, start + _LONGEST_BYTES)
                values[tag] = header[start:end].decode("utf-8", "surrogateescape")
            elif kind == _INT32_TYPE:
                values[tag] = str(_INT32.unpack_from(header, data + offset)[0])
    except struct.error as error:
        raise ValueError(str(error)) from error
    return values
