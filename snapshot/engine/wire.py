"""Requests to an engine over a connection of this project's own: HTTP/1.1, as far as engines speak it.

docker-py and the library below it take a fifth of a second to load, and lose output that comes together
with the head of an answer. Here nothing that came is ever lost.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import quote

from snapshot.engine.dial import dial
from snapshot.engine.duplex import SocketDuplex
from snapshot.engine.endpoint import Endpoint
from snapshot.engine.exchange import Exchange, is_idle
from snapshot.engine.refusals import gone, message_of, reason_of, refusal
from snapshot.engine.unreachable import (
    PLAIN_TO_TLS,
    NotHttp,
    diagnosis,
    not_an_engine,
    unreachable,
    wants_tls,
)
from snapshot.errors import EngineGone, EngineUnreachable, SnapError

_UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
# Engines answer with the second where they were not asked to upgrade, or a proxy did not pass that on.
_HIJACKED = (101, 200)
_SIZED = {"content-length", "transfer-encoding"}
_READING = ("GET", "HEAD")


class Answer(NamedTuple):
    """What an engine answered; the names of ``headers`` are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; raises :class:`~snapshot.errors.EngineGone` where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise gone("its answer is no JSON") from error


class EngineSilent(EngineGone):
    """The engine did not answer in time; it may be at work still."""


class Wire:
    """Connections to one engine, made when they are needed.

    One is kept for the next question. Threads may ask at the same time: each takes a connection of its own.
    Every call raises a :class:`~snapshot.errors.SnapError`: for status 400 and above the one that
    :func:`~snapshot.engine.refusals.refusal` gives, :class:`~snapshot.errors.EngineUnreachable` where nobody
    has answered yet, and :class:`~snapshot.errors.EngineGone` where the connection breaks later.

    Parameters
    ----------
    endpoint:
        The engine's.
    is_known:
        Whether it has answered already, over a connection of somebody else's.
    """

    def __init__(self, endpoint: Endpoint, *, is_known: bool = False) -> None:
        self.endpoint = endpoint
        self._is_known = is_known
        # A list, since a thread takes from it and leaves nothing to another one in a single step.
        self._idle: list[SocketDuplex] = []
        self._headers: Mapping[str, str] | None = None  # of the last answer

    @property
    def is_podman(self) -> bool:
        """Whether it is Podman, which names its own API in every answer; asks where nothing was asked yet."""
        if self._headers is None:
            self.ask("GET", "/_ping")
        return "libpod-api-version" in (self._headers or ())

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        timeout_s: float | None = 60.0,
        subject: str = "",
        refusals_too: bool = False,
    ) -> Answer:
        """Send one request and read the whole answer.

        Parameters
        ----------
        path:
            Without the version of the API: engines take their newest then. Quoted as URLs are.
        params:
            The query; values may hold surrogate escapes for bytes that are not UTF-8.
        body:
            What is sent as JSON; ``None`` sends nothing.
        timeout_s:
            How long the whole may take; :class:`EngineSilent` is raised after that.
        subject:
            The name that the user gave for the thing the call is about, for messages.
        refusals_too:
            Give an answer that refuses back like any other.

        The answer to ``HEAD`` is given back whatever its status: there are no words to make an error of.
        """
        request = self._request(method, path, params, body)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        kept = self._taken()
        if kept is not None and is_idle(kept):
            exchange = Exchange(kept, deadline)
            try:
                return self._exchange(exchange, method, request, subject, refusals_too)
            except EngineGone as error:
                # Closed just now, perhaps before the engine saw the request: one that does something is not
                # to be sent twice.
                if exchange.has_begun or isinstance(error, EngineSilent) or method not in _READING:
                    raise
        elif kept is not None:
            kept.close()
        return self._exchange(self._opened(deadline), method, request, subject, refusals_too)

    @contextmanager
    def asked(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, subject: str = ""
    ) -> Iterator[Callable[[], Answer]]:
        """Send a request whose answer comes later; gives what waits for it and returns it, once."""
        exchange = self._opened(None)
        try:
            with self._closing_on_failure(exchange):
                exchange.send(self._request(method, path, params, None))

            def answer() -> Answer:
                with self._closing_on_failure(exchange):
                    return self._answer(exchange, method, subject)

            yield answer
        finally:
            exchange.duplex.close()

    def hijack(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        subject: str = "",
    ) -> SocketDuplex:
        """Send a request that turns the connection into a process's output and input.

        What came along with the head of the answer is the first that is read. Nothing here ever times out.
        """
        exchange = self._opened(None)
        with self._closing_on_failure(exchange):
            exchange.send(self._request(method, path, params, body, _UPGRADE))
            status, headers = exchange.head()
            if status >= 400:
                self._raise_refusal(Answer(status, headers, exchange.body(method, status, headers)), subject)
            if status not in _HIJACKED or not _SIZED.isdisjoint(headers):
                # Taken for output, this would be some proxy's words, or the output cut into its chunks.
                raise unreachable(
                    self.endpoint,
                    f"what is between here and the engine passes no terminals on (HTTP {status})",
                    "Let that proxy pass `Upgrade: tcp` on, or use an address without it.",
                )
            self._headers = headers
        exchange.duplex.push_back(exchange.leftover())
        return exchange.duplex

    def upload(
        self,
        method: str,
        path: str,
        chunks: Iterable[bytes],
        *,
        params: Mapping[str, str] | None = None,
        subject: str = "",
    ) -> Answer:
        """Send a tar archive as it is made; where the answer comes early, the rest is not sent."""
        exchange = self._opened(None)
        headers = {"Content-Type": "application/x-tar", "Transfer-Encoding": "chunked"}
        is_sent = True
        try:
            for piece in _chunked(self._request(method, path, params, None, headers), chunks):
                with self._closing_on_failure(exchange):
                    is_sent = exchange.send(piece)
                if not is_sent:
                    break
        except BaseException:  # also what making the archive may raise
            exchange.duplex.close()
            raise
        with self._closing_on_failure(exchange):
            answer = self._answer(exchange, method, subject)
        if is_sent:
            self._keep(exchange, answer.headers)
        else:
            exchange.duplex.close()
        return answer

    @contextmanager
    def download(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, subject: str = ""
    ) -> Iterator[Download]:
        """The body of an answer as a stream. Leaving the context early ends the transfer."""
        exchange = self._opened(None)
        with self._closing_on_failure(exchange):
            exchange.send(self._request(method, path, params, None))
            status, headers = exchange.head()
            if status >= 400:
                self._raise_refusal(Answer(status, headers, exchange.body(method, status, headers)), subject)
            self._headers = headers
        try:
            yield Download(self._guarded(exchange, exchange.pieces(method, status, headers)))
        finally:
            exchange.duplex.close()

    def close(self) -> None:
        """Close the connection that is kept; those of processes are theirs who asked for them."""
        while (kept := self._taken()) is not None:
            kept.close()

    # One exchange

    def _taken(self) -> SocketDuplex | None:
        """The connection that is kept, which is the caller's then."""
        try:
            return self._idle.pop()
        except IndexError:
            return None

    @property
    def _has_answered(self) -> bool:
        return self._is_known or self._headers is not None

    def _guarded(self, exchange: Exchange, pieces: Iterator[bytes]) -> Iterator[bytes]:
        with self._closing_on_failure(exchange):
            yield from pieces

    def _opened(self, deadline: float | None) -> Exchange:
        try:
            return Exchange(dial(self.endpoint), deadline)
        except SnapError:
            raise
        except OSError as error:
            if self._has_answered:
                raise gone(reason_of(error)) from error
            raise diagnosis([error], self.endpoint) from error

    def _exchange(
        self, exchange: Exchange, method: str, request: bytes, subject: str, refusals_too: bool
    ) -> Answer:
        with self._closing_on_failure(exchange):
            exchange.send(request)
            answer = self._answer(exchange, method, subject, refusals_too)
        self._keep(exchange, answer.headers)
        return answer

    def _answer(self, exchange: Exchange, method: str, subject: str, refusals_too: bool = False) -> Answer:
        status, headers = exchange.head()
        answer = Answer(status, headers, exchange.body(method, status, headers))
        if status >= 400 and method != "HEAD" and not refusals_too:
            self._raise_refusal(answer, subject)
        self._headers = headers
        return answer

    def _keep(self, exchange: Exchange, headers: Mapping[str, str]) -> None:
        closes = "close" in headers.get("connection", "").lower()
        if closes or exchange.is_spent or exchange.leftover() or self._idle:
            exchange.duplex.close()
        else:
            self._idle.append(exchange.duplex)

    @contextmanager
    def _closing_on_failure(self, exchange: Exchange) -> Iterator[None]:
        """Close the connection where the call fails or is interrupted, and say what that means."""
        try:
            yield
        except BaseException as error:
            exchange.duplex.close()
            is_told = isinstance(error, SnapError) and not isinstance(error, EngineGone)
            if is_told or not isinstance(error, (OSError, NotHttp, EngineGone)):
                raise
            failure = self._failure(error)
            if failure is error:
                raise
            raise failure from error

    def _failure(self, error: BaseException) -> EngineUnreachable:
        if isinstance(error, TimeoutError):
            return EngineSilent(
                f"The engine at {self.endpoint.url} did not answer in time.",
                "See whether it is well with `snap engine`, then try again.",
            )
        if not self._has_answered:
            cause = error.__cause__ if isinstance(error, EngineGone) else None
            return diagnosis([cause or error], self.endpoint)
        if isinstance(error, EngineGone):
            return error
        return gone("it does not speak HTTP" if isinstance(error, NotHttp) else reason_of(error))

    def _raise_refusal(self, answer: Answer, subject: str) -> None:
        words = message_of(answer.body, f"HTTP {answer.status}")
        if not self._has_answered:
            if PLAIN_TO_TLS in words:
                raise wants_tls(self.endpoint)
            if answer.status == 404 and "html" in answer.headers.get("content-type", ""):
                raise not_an_engine(self.endpoint, "it says HTTP 404")
        self._headers = answer.headers
        raise refusal(answer.status, words, subject)

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: object,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        address = self.endpoint.url.partition("://")[2]
        before = "/" + address.partition("/")[2].strip("/") if self.endpoint.url.startswith("tcp://") else ""
        query = "&".join(f"{key}={_quoted(value)}" for key, value in (params or {}).items())
        lines = {
            "Host": address.partition("/")[0] if before else "docker",
            "User-Agent": "docker-snap",
            **(headers or {}),
        }
        content = b"" if body is None else json.dumps(body).encode()
        if body is not None:
            lines["Content-Type"] = "application/json"
        if method not in {"GET", "HEAD"} and "Transfer-Encoding" not in lines:
            lines["Content-Length"] = str(len(content))
        first = f"{method} {before.rstrip('/')}{path}{'?' if query else ''}{query} HTTP/1.1"
        head = "\r\n".join([first, *(f"{name}: {value}" for name, value in lines.items()), "", ""])
        return head.encode("ascii") + content


def of_image(name: str) -> str:
    """The page of an image; raises :class:`~snapshot.errors.ImageNotFound` for what can be no name."""
    return f"/images/{_in_path(name, 'no such image')}"


def of_container(name: str) -> str:
    """The page of a container; raises :class:`~snapshot.errors.ContainerNotFound` for what can be no name."""
    return f"/containers/{_in_path(name, 'no such container').replace('/', '%2F')}"


def _in_path(name: str, otherwise: str) -> str:
    if {"", ".", ".."} & set(name.split("/")):
        # The engine would take it for another page.
        raise refusal(404, otherwise, name)
    return quote(name.encode("utf-8", "surrogateescape"), safe="/:@")


def _quoted(value: str) -> str:
    # Names that are not UTF-8 travel as surrogate escapes here.
    return quote(value.encode("utf-8", "surrogateescape"), safe="")


def _chunked(request: bytes, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A request, and a body that comes in chunks (RFC 9112, 7.1)."""
    yield request
    for chunk in chunks:
        if chunk:  # an empty one would be the end
            yield b"%x\r\n%b\r\n" % (len(chunk), chunk)
    yield b"0\r\n\r\n"


class Download:
    """The body of an answer, to be read from its beginning to its end."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._waiting = b""

    def read(self, size: int = -1) -> bytes:
        """The next ``size`` bytes (all that come where it is negative); fewer at the end alone."""
        found = [self._waiting]
        count = len(self._waiting)
        while size < 0 or count < size:
            piece = next(self._pieces, b"")
            if not piece:
                break
            found.append(piece)
            count += len(piece)
        whole = b"".join(found)
        cut = count if size < 0 else size
        self._waiting = whole[cut:]
        return whole[:cut]
