from __future__ import annotations

import base64

import pytest

from snapshot.packing import TooLarge, packed, unpacked

BOMB = packed(b"\0" * 100_000)


def test_what_was_packed_comes_back() -> None:
    content = bytes(range(256))
    text = packed(content)
    assert text.isascii()
    assert unpacked(text, len(content)) == content


def test_no_more_is_unpacked_than_is_allowed() -> None:
    with pytest.raises(TooLarge, match="more than 99,999 bytes"):
        unpacked(BOMB, 99_999)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%",
        "é",
        base64.b64encode(b"no zlib").decode(),
        packed(b"x")[:-4],
    ],
)
def test_what_is_damaged_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (whatever it says)
        unpacked(text, 1000)
