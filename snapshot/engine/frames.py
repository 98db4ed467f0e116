"""The frames in which an engine sends the output of a process without a terminal.

Each has a head of 8 bytes: the stream (0 or 1 stdout, 2 stderr), three zero bytes, and the length of what
follows, big-endian (Docker's API, ``POST /containers/{id}/attach``).
"""

from __future__ import annotations

_HEAD_BYTES = 8


class FrameReader:
    """Takes frames apart as they come, however they were cut on the way."""

    def __init__(self) -> None:
        self._head = b""
        self._stream = 0
        self._left = 0

    @property
    def incomplete(self) -> bool:
        """Whether what has come so far ends within a frame."""
        return bool(self._head) or self._left > 0

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """What ``data`` goes on with: pairs of a stream's number and bytes of it, in order.

        A frame's bytes are given as they come, not held back until all of it is here.
        """
        pieces: list[tuple[int, bytes]] = []
        at = 0
        while at < len(data):
            if not self._left:
                taken = data[at : at + _HEAD_BYTES - len(self._head)]
                self._head += taken
                at += len(taken)
                if len(self._head) == _HEAD_BYTES:
                    self._stream = self._head[0]
                    self._left = int.from_bytes(self._head[4:], "big")
                    self._head = b""
                continue
            piece = data[at : at + self._left]
            self._left -= len(piece)
            at += len(piece)
            pieces.append((self._stream, piece))
        return pieces
