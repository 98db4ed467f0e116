"""Connections that never wait: whole writes to slow readers, ends, and breaks."""

from __future__ import annotations

import hashlib
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from scripted_server import make_certificate

from snapshot.engine.duplex import SocketDuplex, TlsDuplex
from snapshot.errors import EngineGone

CONTENT = hashlib.shake_256(b"5 MB").digest(5_000_000)

#: A connection, and what plays the other side of it.
Pair = tuple[SocketDuplex, socket.socket]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["unix", "tls"])
def pair(request: pytest.FixtureRequest, certificate: Path) -> Iterator[Pair]:
    here, there = socket.socketpair()
    there.settimeout(20)
    if request.param == "unix":
        with there:
            duplex = SocketDuplex(here)
            yield duplex, there
            duplex.close()
        return
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    client = ssl.create_default_context(cafile=certificate / "cert.pem")
    other = server.wrap_socket(there, server_side=True, do_handshake_on_connect=False)
    secured = TlsDuplex(here, client, "127.0.0.1")
    with elsewhere(other.do_handshake):
        while not secured.greet():
            wait(secured, select.POLLIN)
    with other:
        yield secured, other
        secured.close()


@contextmanager
def elsewhere(work: Callable[[], object]) -> Iterator[None]:
    """Do the other side's work in a thread, and wait for it."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield
    thread.join(20)
    assert not thread.is_alive()
    assert not failures, failures


def wait(duplex: SocketDuplex, events: int) -> None:
    waiting = select.poll()
    waiting.register(duplex, events)
    assert waiting.poll(20_000)


def next_of(duplex: SocketDuplex, size: int = 65536) -> bytes:
    """What comes next, or the end."""
    while True:
        if not duplex.has_buffered:
            wait(duplex, select.POLLIN)
        if (data := duplex.read(size)) is not None:
            return data


def write_all(duplex: SocketDuplex, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        sent = duplex.write(rest)
        rest = rest[sent:]
        if not sent:
            wait(duplex, select.POLLOUT)


def test_a_slow_reader_gets_all_of_a_long_write(pair: Pair) -> None:
    duplex, other = pair
    taken = hashlib.sha256()

    def read_slowly() -> None:
        time.sleep(0.1)
        while data := other.recv(50_000):
            taken.update(data)
            time.sleep(0.001)

    with elsewhere(read_slowly):
        write_all(duplex, CONTENT)
        duplex.half_close()
    assert taken.digest() == hashlib.sha256(CONTENT).digest()


def test_a_write_does_not_wait_for_the_reader(pair: Pair) -> None:
    duplex, _ = pair
    sent = 0
    while more := duplex.write(CONTENT[sent : sent + 65536]):
        sent += more
    assert 0 < sent < len(CONTENT)


def test_output_comes_after_a_half_close(pair: Pair) -> None:
    duplex, other = pair

    def reply() -> None:
        assert other.recv(100) == b"question"
        assert other.recv(100) == b""
        other.sendall(CONTENT)
        other.shutdown(socket.SHUT_WR)

    with elsewhere(reply):
        write_all(duplex, b"question")
        duplex.half_close()
        taken = b""
        while data := next_of(duplex):
            taken += data
    assert taken == CONTENT
    assert duplex.read() == b""


def test_output_that_is_there_already_is_not_lost_by_a_half_close(pair: Pair) -> None:
    duplex, other = pair
    other.sendall(b"before")
    wait(duplex, select.POLLIN)
    duplex.half_close()
    other.sendall(b" and after")
    taken = b""
    while len(taken) < len(b"before and after"):
        taken += next_of(duplex, 3)
    assert taken == b"before and after"


def test_nothing_to_read_is_not_the_end(pair: Pair) -> None:
    duplex, _ = pair
    assert duplex.read() is None
    assert not duplex.has_buffered


def test_what_is_pushed_back_is_read_first(pair: Pair) -> None:
    duplex, other = pair
    other.sendall(b"second")
    duplex.push_back(b"first ")
    assert duplex.has_buffered
    assert [duplex.read(4), duplex.read(4)] == [b"firs", b"t "]
    assert next_of(duplex) == b"second"
    assert duplex.beginning == b"first second"


def test_whoever_waits_for_the_descriptor_misses_nothing(pair: Pair) -> None:
    duplex, other = pair
    for _ in range(20):
        other.sendall(b"x" * 100)
    taken = 0
    while taken < 2000:
        taken += len(next_of(duplex, 99))
    assert taken == 2000
    assert not duplex.has_buffered


def test_a_side_that_has_gone_takes_no_more(pair: Pair) -> None:
    duplex, other = pair
    other.close()
    with pytest.raises(BrokenPipeError):
        write_all(duplex, CONTENT)
    assert next_of(duplex) == b""


def test_input_that_was_left_unread_is_no_broken_connection(pair: Pair) -> None:
    duplex, other = pair
    write_all(duplex, b"nobody reads this")
    other.send(b"output")
    other.close()
    assert next_of(duplex) == b"output"
    assert next_of(duplex) == b""


def test_a_connection_that_breaks_before_anything_was_sent_is_an_engine_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        duplex = SocketDuplex(socket.create_connection(listening.getsockname()))
        other, _ = listening.accept()
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        other.close()
        with pytest.raises(EngineGone, match="ECONNRESET"):
            next_of(duplex)
        duplex.close()


def test_a_side_that_speaks_no_tls_fails_the_handshake(certificate: Path) -> None:
    here, there = socket.socketpair()
    with there:
        duplex = TlsDuplex(here, ssl.create_default_context(cafile=certificate / "cert.pem"), "127.0.0.1")
        assert not duplex.greet()
        assert duplex.wants_to_send is False
        there.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        wait(duplex, select.POLLIN)
        with pytest.raises(ssl.SSLError):
            duplex.greet()
        duplex.close()
