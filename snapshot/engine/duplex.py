"""Connections that never wait: plain sockets (a program's pipes among them) and TLS.

Both are :class:`~snapshot.engine.process_types.Duplex`. They know nothing of HTTP.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from snapshot.engine.refusals import gone, reason_of

if TYPE_CHECKING:
    import ssl
    import subprocess

_TLS_RECORD_BYTES = 16384
_CLOSING_S = 5.0
_ENDING_S = 1.0
_BEGINNING_BYTES = 512


class SocketDuplex:
    """A plain stream socket.

    Parameters
    ----------
    sock:
        The socket; it belongs to this object from now on.
    program:
        The program at the other end of it, where it is one of ours (ssh): it is ended with the connection.

    Attributes
    ----------
    beginning:
        The first 512 bytes that were read, of a process's output where the connection was turned into that.
    """

    def __init__(self, sock: socket.socket, program: subprocess.Popen[bytes] | None = None) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._program = program
        self._kept = b""
        self._has_sent = False
        self.beginning = b""

    def fileno(self) -> int:
        """The socket's descriptor, to be waited for."""
        return self._sock.fileno()

    @property
    def has_buffered(self) -> bool:
        """Whether :meth:`read` has something even while the descriptor is not readable."""
        return bool(self._kept)

    def push_back(self, data: bytes) -> None:
        """Let ``data``, which was read already, be read again first."""
        self._kept = data + self._kept
        self.beginning = b""

    def read(self, size: int = 65536) -> bytes | None:
        """What has come; ``None`` where nothing has yet, ``b""`` at the end.

        Raises :class:`~snapshot.errors.EngineGone` where the connection broke.
        """
        piece = self._kept_piece(size) if self._kept else self._receive(size)
        if piece and len(self.beginning) < _BEGINNING_BYTES:
            self.beginning += piece[: _BEGINNING_BYTES - len(self.beginning)]
        return piece

    def write(self, data: bytes | memoryview) -> int:
        """Send as much as goes without waiting, and return how many bytes that were (0: not now).

        Where not all went, go on with the very bytes that were left over.
        Raises :class:`BrokenPipeError` where the other side takes no more.
        """
        return self._send(data)

    def half_close(self) -> None:
        """Say that no more comes from here; what comes from there can still be read."""
        with suppress(OSError):  # where the other side is gone, reading tells
            self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()
        if self._program:
            self._program.terminate()
            self._program.wait()

    def _kept_piece(self, size: int) -> bytes:
        piece, self._kept = self._kept[:size], self._kept[size:]
        return piece

    def _receive(self, size: int) -> bytes | None:
        try:
            piece = self._sock.recv(size)
        except (BlockingIOError, InterruptedError):
            return None
        except ConnectionResetError as error:
            # That is also how a connection ends of which the engine did not read all: a process that is over
            # needs no more input. All output came before it.
            if not self._has_sent:
                raise gone(reason_of(error)) from error
            piece = b""
        except OSError as error:
            raise gone(reason_of(error)) from error
        if not piece and self._program and (status := _status_of(self._program)):
            # Else a line that was cut would look like a process whose output has ended.
            raise gone(f"the program to it ended with {status}") from ConnectionResetError()
        return piece

    def _send(self, data: bytes | memoryview) -> int:
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise BrokenPipeError(error.errno, error.strerror) from error
        self._has_sent = True
        return sent


def _status_of(program: subprocess.Popen[bytes]) -> int:
    """What a program ended with that has closed its output; 0 where it goes on nevertheless."""
    import subprocess

    try:
        return program.wait(_ENDING_S)
    except subprocess.TimeoutExpired:
        return 0


class TlsDuplex(SocketDuplex):
    """TLS over a socket.

    Python's own ``SSLSocket`` cannot end one direction alone; here the records go through memory, so that a
    ``close_notify`` can be sent between any two of them (RFC 8446, 6.1), and Go's engines go on sending.

    Parameters
    ----------
    sock:
        The connected socket.
    context, server_name:
        What the handshake needs. It takes place with the first reads and writes; see :meth:`greet`.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, server_name: str) -> None:
        # It takes long to load, and most engines are reached without it.
        import ssl

        super().__init__(sock)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._not_now = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
        self._at_end = (ssl.SSLZeroReturnError, ssl.SSLEOFError)
        self._failure = ssl.SSLError
        self._records = b""  # encrypted, on their way
        self._within_records = 0  # bytes of the writer's that these hold
        self._is_at_end = False

    def greet(self) -> bool:
        """Go on with the handshake; whether it is done. Raises :class:`OSError` (``ssl.SSLError``)."""
        while True:
            try:
                self._tls.do_handshake()
                return self._flush()
            except self._not_now:
                self._flush()
                if not self._take_in():
                    return False
            except self._failure:
                with suppress(OSError):  # the alert that tells the other side what was wrong
                    self._flush()
                raise

    @property
    def wants_to_send(self) -> bool:
        """Whether something encrypted has not left yet."""
        return bool(self._records or self._outgoing.pending)

    @property
    def has_buffered(self) -> bool:
        """Whether :meth:`read` has something even while the descriptor is not readable."""
        return bool(self._kept) or self._is_at_end

    def write(self, data: bytes | memoryview) -> int:
        """Send as much as goes without waiting; as :meth:`SocketDuplex.write`.

        Bytes count as sent when the records that hold them have left, so that none waits here for a
        call that never comes.
        """
        if not self._within_records and len(data):
            try:
                self._within_records = self._tls.write(data[:_TLS_RECORD_BYTES])
            except self._not_now:
                return 0
            except self._failure as error:
                raise BrokenPipeError(0, str(error)) from error
        if not self._flush():
            return 0
        sent, self._within_records = self._within_records, 0
        return sent

    def half_close(self) -> None:
        """Say that no more comes from here; what comes from there can still be read."""
        with suppress(self._failure):  # always: the other side's own close_notify is not here yet
            self._tls.unwrap()
        self._sock.settimeout(_CLOSING_S)
        with suppress(OSError):
            self._flush()
        with suppress(OSError):  # closed meanwhile
            self._sock.setblocking(False)

    def _receive(self, size: int) -> bytes | None:
        if self._is_at_end:
            return b""
        if not self._take_in():
            return None
        # All that is here: the library refuses to send a close_notify while it holds content, and nobody
        # could wait for it with the descriptor.
        pieces = []
        while piece := self._decrypted():
            pieces.append(piece)
        self._is_at_end = piece is not None
        self._kept = b"".join(pieces)
        return self._kept_piece(size) if pieces or self._is_at_end else None

    def _decrypted(self) -> bytes | None:
        try:
            return self._tls.read(_TLS_RECORD_BYTES)
        except self._not_now:
            return None
        except self._at_end:
            return b""
        except self._failure as error:
            raise gone(str(error)) from error

    def _take_in(self) -> bool:
        """Fetch records; whether anything came, be it the end."""
        records = super()._receive(_TLS_RECORD_BYTES)
        if records is None:
            return False
        if records:
            self._incoming.write(records)
        else:
            self._incoming.write_eof()
        return True

    def _flush(self) -> bool:
        """Send the records that wait; whether all have left."""
        self._records += self._outgoing.read()
        while self._records:
            sent = self._send(self._records)
            if not sent:
                return False
            self._records = self._records[sent:]
        return True
