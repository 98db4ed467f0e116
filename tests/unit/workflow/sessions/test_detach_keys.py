from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.errors import InvalidInput
from snapshot.workflow.sessions.detach_keys import KeyWatch, key_bytes

KEYS = b"ppq"


@pytest.mark.parametrize(
    ("keys", "sent"),
    [
        ("", b"\x10\x11"),
        ("ctrl-p,ctrl-q", b"\x10\x11"),
        ("ctrl-a,d", b"\x01d"),
        ("x", b"x"),
        ("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", b"\x00\x1b\x1c\x1d\x1e\x1f"),
        ("ctrl-z,DEL", b"\x1a\x7f"),
    ],
)
def test_keys_are_written_as_docker_has_them(keys: str, sent: bytes) -> None:
    assert key_bytes(keys) == sent


@pytest.mark.parametrize(
    "keys", ["ctrl-", "ctrl-ab", "ctrl-1", "ctrl-A", "alt-a", ",", "a,,b", "\u00fc", "ctrl-\u00fc"]
)
def test_what_is_no_key_is_said(keys: str) -> None:
    with pytest.raises(InvalidInput, match="no keys to detach"):
        key_bytes(keys)


@given(st.lists(st.binary(max_size=6) | st.text(alphabet="pqx", max_size=6).map(str.encode)))
def test_what_is_typed_is_passed_on_up_to_the_keys_however_it_comes(pieces: list[bytes]) -> None:
    watch, sent = KeyWatch(KEYS), b""
    for piece in pieces:
        if not watch.seen:
            sent += watch.feed(piece)
    before, found, _ = b"".join(pieces).partition(KEYS)
    assert (sent + watch.rest(), watch.seen) == (before, bool(found))
