"""A proxy between snap and an engine that can stop at a chosen request: trouble at a known moment."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass
class _Link:
    """One connection, and what is to become of the engine's answer: how many bytes of it pass."""

    client: socket.socket
    engine: socket.socket
    bytes_left: int | None = None

    def close(self) -> None:
        for end in (self.client, self.engine):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Proxy:
    """Hands on what snap and the engine say to each other, up to the first request that holds ``sign``.

    Parameters
    ----------
    folder:
        Where its socket is made.
    sign:
        Part of the head of the request where it stops, such as ``b"/commit?"``.
    beforehand:
        Called when the request has come, before it is passed on.
    request_passes:
        Whether the engine gets that request.
    answer_bytes:
        How much of the answer snap gets; after that the connection is cut, if ``cut``, or silent.

    Attributes
    ----------
    stopped:
        Set when the request has come.
    answered_bytes:
        How much of its answer has been handed on.
    """

    def __init__(
        self,
        host: str,
        folder: Path,
        sign: bytes,
        *,
        beforehand: Callable[[], object] = lambda: None,
        request_passes: bool = True,
        answer_bytes: int = 0,
        cut: bool = False,
    ) -> None:
        self.stopped = threading.Event()
        self.answered_bytes = 0
        self.url = f"unix://{folder}/proxy.sock"
        self._host, self._sign = host, sign
        self._beforehand = beforehand
        self._request_passes, self._answer_bytes, self._cut = request_passes, answer_bytes, cut
        # What asks once more finds no engine either.
        self._is_gone = cut and not answer_bytes
        self._links: list[_Link] = []
        self._threads: list[threading.Thread] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(f"{folder}/proxy.sock")
        self._server.listen()

    def __enter__(self) -> Proxy:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for link in self._links:
            link.close()
        for thread in self._threads:
            thread.join()
        for link in self._links:
            link.client.close()
            link.engine.close()
        self._server.close()

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                link = _Link(client, _connected(self._host))
                self._links.append(link)
                self._start(self._requests, link)
                self._start(self._answers, link)

    def _requests(self, link: _Link) -> None:
        with _closed_at_an_error(link):
            while data := link.client.recv(65536):
                if self._sign in data and (self._is_gone or not self.stopped.is_set()):
                    link.bytes_left = self._answer_bytes
                    self.stopped.set()
                    self._beforehand()
                    if self._is_gone:
                        link.close()
                    if not self._request_passes:
                        continue
                link.engine.sendall(data)
            link.engine.shutdown(socket.SHUT_WR)

    def _answers(self, link: _Link) -> None:
        with _closed_at_an_error(link):
            while data := link.engine.recv(65536):
                if link.bytes_left is not None:
                    data = data[: link.bytes_left]
                    link.bytes_left -= len(data)
                    self.answered_bytes += len(data)
                link.client.sendall(data)
                if link.bytes_left == 0 and self._cut:
                    break
            link.close()


@contextmanager
def _closed_at_an_error(link: _Link) -> Iterator[None]:
    """Who hangs up before the answer's end is gone for the other side too, or that would wait for ever."""
    try:
        yield
    except OSError:
        link.close()


def _connected(host: str) -> socket.socket:
    address = urlsplit(host)
    if address.scheme == "unix":
        engine = socket.socket(socket.AF_UNIX)
        engine.connect(address.path)
        return engine
    return socket.create_connection((address.hostname or "", address.port or 0))
