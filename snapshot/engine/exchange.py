"""A request and its answer (HTTP/1.1, RFC 9112) over a connection that itself never waits."""

from __future__ import annotations

import re
import select
import time
from collections.abc import Iterator, Mapping

from snapshot.engine.duplex import SocketDuplex
from snapshot.engine.unreachable import NotHttp
from snapshot.errors import EngineGone

_PIECE_BYTES = 1 << 16
# Of one line, and of a whole head: an engine's have a few hundred.
_MOST_HEAD_BYTES = 1 << 20
_MOST_INTERIM_ANSWERS = 100
# Of a body that is kept as a whole: a list of a million changes has a tenth of it.
_MOST_BODY_BYTES = 1 << 30
_LENGTH = re.compile(rb"[0-9a-fA-F]{1,16}")
# Python sees a signal that came right before a wait only when that has ended.
_LONGEST_WAIT_S = 0.5


class Exchange:
    """A request and its answer.

    Every method may raise :class:`TimeoutError` at the deadline, :class:`ConnectionResetError` where the
    other side closed in the middle, :class:`~snapshot.errors.EngineGone` where the connection broke, and
    :class:`NotHttp`.

    Parameters
    ----------
    duplex:
        The connection.
    deadline:
        When the exchange has to be over, by :func:`time.monotonic`.

    Attributes
    ----------
    has_begun:
        Whether anything of the answer has come.
    is_spent:
        Whether the answer ends with the connection, which then carries no other.
    """

    def __init__(self, duplex: SocketDuplex, deadline: float | None) -> None:
        self.duplex = duplex
        self.has_begun = False
        self.is_spent = False
        self._deadline = deadline
        self._buffer = b""

    def send(self, data: bytes) -> bool:
        """Send ``data``; ``False`` where the answer came before all was sent, or no more is taken.

        An engine that has refused already may leave the rest of a request unread.
        """
        rest = memoryview(data)
        while rest:
            try:
                sent = self.duplex.write(rest)
            except BrokenPipeError:
                return False
            rest = rest[sent:]
            # The socket may also be readable for TLS's own sake.
            if not sent and self._is_readable_instead() and self._fetch() is not None:
                return False
        return True

    def head(self) -> tuple[int, dict[str, str]]:
        """The status, and the headers by their names in small letters; interim answers are passed over."""
        for _ in range(_MOST_INTERIM_ANSWERS):
            words = self._line().split(b" ", 2)
            if not words[0].startswith(b"HTTP/1.") or len(words) < 2 or not words[1].isdigit():
                raise NotHttp
            status, headers, size = int(words[1]), {}, 0
            while line := self._line():
                size += len(line)
                name, colon, value = line.decode("latin-1").partition(":")
                if not colon or size > _MOST_HEAD_BYTES:
                    raise NotHttp
                headers[name.strip().lower()] = value.strip()
            if status >= 200 or status == 101:
                return status, headers
        raise NotHttp

    def pieces(self, method: str, status: int, headers: Mapping[str, str]) -> Iterator[bytes]:
        """The body that follows a head, as it comes."""
        if method == "HEAD" or status in {204, 304}:
            return
        if "chunked" in headers.get("transfer-encoding", "").lower():
            while length := self._number(self._line().partition(b";")[0], 16):
                yield from self._exactly(length)
                self._line()
            while self._line():
                pass  # trailers
        elif "content-length" in headers:
            yield from self._exactly(self._number(headers["content-length"].encode("latin-1"), 10))
        else:
            self.is_spent = True
            while piece := self._some(_PIECE_BYTES):
                yield piece

    def body(self, method: str, status: int, headers: Mapping[str, str]) -> bytes:
        """The whole body that follows a head."""
        found, size = [], 0
        for piece in self.pieces(method, status, headers):
            found.append(piece)
            size += len(piece)
            if size > _MOST_BODY_BYTES:
                raise NotHttp
        return b"".join(found)

    def leftover(self) -> bytes:
        """What has come and was not read; it is given once."""
        data, self._buffer = self._buffer, b""
        return data

    def _number(self, digits: bytes, base: int) -> int:
        digits = digits.strip()
        # Python's own takes signs and underlines, too.
        if not _LENGTH.fullmatch(digits):
            raise NotHttp
        try:
            return int(digits, base)
        except ValueError as error:
            raise NotHttp from error

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > _MOST_HEAD_BYTES:
                raise NotHttp
            if not self._more():
                raise ConnectionResetError("the connection was closed")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.removesuffix(b"\r")

    def _exactly(self, count: int) -> Iterator[bytes]:
        while count > 0:
            piece = self._some(min(count, _PIECE_BYTES))
            if not piece:
                raise ConnectionResetError("the answer broke off")
            count -= len(piece)
            yield piece

    def _some(self, most: int) -> bytes:
        """Up to ``most`` bytes; none at the end alone."""
        if not self._buffer:
            self._more()
        piece, self._buffer = self._buffer[:most], self._buffer[most:]
        return piece

    def _more(self) -> bool:
        """Wait for bytes; ``False`` at the end."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            # Also where something comes all the time.
            raise TimeoutError
        while (found := self._fetch()) is None:
            self._wait(select.POLLIN)
        return found

    def _fetch(self) -> bool | None:
        """Take what has come into the buffer; ``False`` at the end, ``None`` where nothing has."""
        data = self.duplex.read(_PIECE_BYTES)
        if data is None:
            return None
        self._buffer += data
        self.has_begun = self.has_begun or bool(data)
        return bool(data)

    def _is_readable_instead(self) -> bool:
        """Wait until more can be sent, or something comes; whether it is the latter."""
        return bool(self._wait(select.POLLIN | select.POLLOUT) & ~select.POLLOUT)

    def _wait(self, events: int) -> int:
        waiting = select.poll()
        waiting.register(self.duplex, events)
        while True:
            left_s = _LONGEST_WAIT_S
            if self._deadline is not None:
                left_s = min(left_s, max(0.0, self._deadline - time.monotonic()))
            if happened := waiting.poll(left_s * 1000):
                return happened[0][1]
            if left_s < _LONGEST_WAIT_S:
                raise TimeoutError


def is_idle(duplex: SocketDuplex) -> bool:
    """Whether a connection that waits for its next request can have one: it is open, and nothing came."""
    try:
        return duplex.read(1) is None
    except EngineGone:
        return False
