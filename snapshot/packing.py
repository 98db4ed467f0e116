"""Bytes as text that a label can hold: zlib, then base64."""

from __future__ import annotations

import base64
import zlib


class TooLarge(ValueError):
    """The text stands for more bytes than it may."""


def packed(content: bytes) -> str:
    """``content`` as one line of ASCII."""
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")


def unpacked(text: str, most_bytes: int) -> bytes:
    """What :func:`packed` was given; no more is unpacked than allowed, as the text may be a stranger's bomb.

    Raises :class:`TooLarge` for more than ``most_bytes``, another :class:`ValueError` for what is damaged.
    """
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(base64.b64decode(text, validate=True), most_bytes + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(content) > most_bytes:
        raise TooLarge(f"too large: more than {most_bytes:,} bytes")
    if not unpacker.eof:
        raise ValueError("cut off")
    return content
