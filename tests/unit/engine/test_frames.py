"""Frames of output, however they were cut on the way."""

from __future__ import annotations

import pytest

from snapshot.engine.frames import FrameReader


def frame(stream: int, data: bytes) -> bytes:
    return bytes((stream, 0, 0, 0)) + len(data).to_bytes(4, "big") + data


def gathered(pieces: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Pieces of one stream that follow each other, as one."""
    joined: list[tuple[int, bytes]] = []
    for stream, data in pieces:
        if joined and joined[-1][0] == stream:
            joined[-1] = (stream, joined[-1][1] + data)
        else:
            joined.append((stream, data))
    return joined


@pytest.mark.parametrize("step", [1, 2, 7, 8, 9, 64, 5000])
def test_frames_cut_anywhere_give_the_same(step: int) -> None:
    whole = frame(1, b"out") + frame(2, b"err" * 500) + frame(0, b"also out") + frame(1, b"\0\xff")
    reader = FrameReader()
    pieces = [pair for at in range(0, len(whole), step) for pair in reader.feed(whole[at : at + step])]
    assert gathered(pieces) == [(1, b"out"), (2, b"err" * 500), (0, b"also out"), (1, b"\0\xff")]
    assert not reader.incomplete


def test_an_empty_frame_is_passed_over() -> None:
    assert FrameReader().feed(frame(1, b"") + frame(2, b"x")) == [(2, b"x")]


def test_what_has_come_of_a_frame_is_not_held_back() -> None:
    reader = FrameReader()
    assert reader.feed(frame(2, b"half and half")[:12]) == [(2, b"half")]
    assert reader.incomplete


def test_a_head_that_broke_off_is_incomplete() -> None:
    reader = FrameReader()
    assert reader.feed(frame(1, b"x")[:5]) == []
    assert reader.incomplete


def test_nothing_is_complete() -> None:
    reader = FrameReader()
    assert reader.feed(b"") == []
    assert not reader.incomplete


def test_a_frame_may_be_longer_than_two_gigabytes_says() -> None:
    reader = FrameReader()
    assert reader.feed(b"\x01\0\0\0\xff\xff\xff\xff" + b"x") == [(1, b"x")]
    assert reader.incomplete
