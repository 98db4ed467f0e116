"""Requests over the own connection: what may come on a socket, and what is made of it."""

from __future__ import annotations

import json
import select
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from scripted_server import Script, ScriptedServer, answer, make_certificate

from snapshot.engine import exchange
from snapshot.engine.answers import read_container, read_image
from snapshot.engine.duplex import SocketDuplex
from snapshot.engine.endpoint import Endpoint
from snapshot.engine.wire import Answer, EngineSilent, Wire, of_container, of_image
from snapshot.errors import ContainerNotFound, EngineError, EngineGone, EngineUnreachable, ImageNotFound

Serve = Callable[..., ScriptedServer]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server for the scripts that it is given; the test ends when all have been played."""
    made: list[ScriptedServer] = []
    with tempfile.TemporaryDirectory() as folder:  # short, as the paths of sockets must be

        def start(*scripts: Script, tls: Path | None = None) -> ScriptedServer:
            made.append(ScriptedServer(Path(folder), *scripts, tls=tls))
            return made[-1]

        yield start
        for server in made:
            server.finish()


@pytest.fixture
def say(serve: Serve) -> Iterator[Callable[..., tuple[Wire, ScriptedServer]]]:
    """A wire to a server that says each of these to one request, in one connection after the other."""
    wires: list[Wire] = []

    def start(*replies: bytes, tls: Path | None = None) -> tuple[Wire, ScriptedServer]:
        def script(reply: bytes) -> Script:
            def play(connection: socket.socket) -> None:
                server.request(connection)
                connection.sendall(reply)

            return play

        server = serve(*(script(reply) for reply in replies), tls=tls)
        wires.append(Wire(server.endpoint))
        return wires[-1], server

    yield start
    for wire in wires:
        wire.close()


Say = Callable[..., tuple[Wire, ScriptedServer]]


def all_of(duplex: SocketDuplex) -> bytes:
    """Everything that comes until the end; the connection is closed then."""
    found = b""
    waiting = select.poll()
    waiting.register(duplex, select.POLLIN)
    while True:
        if not duplex.has_buffered:
            assert waiting.poll(20_000)
        data = duplex.read()
        if data == b"":
            duplex.close()
            return found
        found += data or b""


def test_a_request_has_query_and_json(say: Say) -> None:
    wire, server = say(answer(b'{"Id": "x"}'))
    given = wire.ask("POST", "/exec", params={"path": "/a b\udcff&c"}, body={"Tty": True})
    assert (given.status, given.json()) == (200, {"Id": "x"})
    head, _, body = server.heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /exec?path=%2Fa%20b%FF%26c HTTP/1.1\r\n")
    assert json.loads(body) == {"Tty": True}


def test_a_connection_is_kept_for_the_next_question(serve: Serve) -> None:
    def play(connection: socket.socket) -> None:
        for number in range(3):
            server.request(connection)
            connection.sendall(answer(b"%d" % number))

    server = serve(play)
    wire = Wire(server.endpoint)
    assert [wire.ask("GET", "/x").json() for _ in range(3)] == [0, 1, 2]
    wire.close()


def test_a_kept_connection_that_was_closed_is_opened_again(say: Say) -> None:
    wire, server = say(answer(b"1"), answer(b"2"))
    assert wire.ask("GET", "/x").json() == 1
    # A request that does something is not sent twice, so the end has to be there before.
    assert server.closed.acquire(timeout=20)
    assert wire.ask("POST", "/x", body={}).json() == 2
    assert len(server.heard) == 2


def test_a_kept_connection_that_closes_over_the_request_is_opened_once_more(serve: Serve) -> None:
    def first(connection: socket.socket) -> None:
        server.request(connection)
        connection.sendall(answer(b"1"))
        server.request(connection)

    def second(connection: socket.socket) -> None:
        server.request(connection)

    server = serve(first, second)
    wire = Wire(server.endpoint)
    assert wire.ask("GET", "/x").json() == 1
    with pytest.raises(EngineGone, match="connection was closed"):
        wire.ask("GET", "/x")
    assert len(server.heard) == 3


def test_an_answer_that_broke_off_is_not_asked_for_again(serve: Serve) -> None:
    def play(connection: socket.socket) -> None:
        server.request(connection)
        connection.sendall(answer(b"1"))
        server.request(connection)
        connection.sendall(answer(b"12345")[:-2])

    server = serve(play)
    wire = Wire(server.endpoint)
    wire.ask("GET", "/x")
    with pytest.raises(EngineGone, match="the answer broke off"):
        wire.ask("GET", "/x")


def test_an_answer_that_says_close_is_the_connections_last(say: Say) -> None:
    wire, _ = say(answer(b"1", b"200 OK", b"Connection: close"), answer(b"2"))
    assert [wire.ask("GET", "/x").json() for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(
    "body",
    [
        b"Transfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n4;name=value\r\n 2] \r\n0\r\nTrailer: x\r\n\r\n",
        b"Content-Length: 6\r\n\r\n[1, 2]",
        b"\r\n[1, 2]",
    ],
    ids=["chunked", "length", "to the end"],
)
def test_each_way_to_say_where_a_body_ends_is_understood(say: Say, body: bytes) -> None:
    wire, _ = say(b"HTTP/1.1 200 OK\r\n" + body)
    assert wire.ask("GET", "/x").json() == [1, 2]


def test_an_answer_may_come_byte_by_byte(serve: Serve) -> None:
    def play(connection: socket.socket) -> None:
        server.request(connection)
        for byte in answer(b"[1]", b"200 OK", b"X-Some: thing"):
            connection.send(bytes((byte,)))

    server = serve(play)
    wire = Wire(server.endpoint)
    given = wire.ask("GET", "/x")
    assert (given.json(), given.headers["x-some"]) == ([1], "thing")
    wire.close()


def test_an_interim_answer_is_passed_over(say: Say) -> None:
    wire, _ = say(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"1"))
    assert wire.ask("GET", "/x").json() == 1


def test_a_head_only_answer_has_no_body(say: Say) -> None:
    wire, _ = say(b"HTTP/1.1 404 Not Found\r\nContent-Length: 30\r\nX-Stat: y\r\n\r\n")
    given = wire.ask("HEAD", "/x")
    assert (given.status, given.headers["x-stat"], given.body) == (404, "y", b"")


def test_a_refusal_is_raised_with_the_engines_words(say: Say) -> None:
    wire, _ = say(
        answer(b'{"message": "No such container: x"}', b"404 Not Found"),
        answer(b'{"message": "out of luck"}', b"500 Internal Server Error"),
    )
    with pytest.raises(ContainerNotFound, match="No container is named 'mine'"):
        wire.ask("GET", "/x", subject="mine")
    with pytest.raises(EngineError, match="The engine refused: out of luck"):
        wire.ask("GET", "/x")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (b"", "hung up"),
        (b"SSH-2.0-OpenSSH\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 what\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n<h1>", "not a container engine"),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
            "it speaks TLS",
        ),
    ],
    ids=["nothing", "ssh", "no status", "no length", "web server", "TLS"],
)
def test_what_is_no_engine_is_said_at_the_first_question(say: Say, reply: bytes, words: str) -> None:
    wire, _ = say(reply)
    with pytest.raises(EngineUnreachable, match=words):
        wire.ask("GET", "/x")


def test_a_socket_that_is_not_there_is_said() -> None:
    wire = Wire(Endpoint("unix:///nonexistent/engine.sock", "a test", None))
    with pytest.raises(EngineUnreachable, match="there is no such file"):
        wire.ask("GET", "/x")


def test_an_engine_that_has_answered_elsewhere_is_one_that_went_away(say: Say) -> None:
    _, server = say(b"")
    with pytest.raises(EngineGone):
        Wire(server.endpoint, is_known=True).ask("GET", "/changes")


def test_an_engine_that_says_nothing_is_not_waited_for_longer_than_asked(serve: Serve) -> None:
    def play(connection: socket.socket) -> None:
        server.request(connection)
        assert connection.recv(1) == b""

    server = serve(play)
    began = time.monotonic()
    with pytest.raises(EngineSilent, match="did not answer in time"):
        Wire(server.endpoint).ask("GET", "/x", timeout_s=0.1)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("timeout_s", [None, 5.0])
def test_an_answer_may_take_longer_than_one_wait(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, timeout_s: float | None
) -> None:
    monkeypatch.setattr(exchange, "_LONGEST_WAIT_S", 0.02)

    def play(connection: socket.socket) -> None:
        server.request(connection)
        time.sleep(0.15)
        connection.sendall(answer(b"late"))

    server = serve(play)
    with closing(Wire(server.endpoint)) as wire:
        assert wire.ask("GET", "/x", timeout_s=timeout_s).body == b"late"


def test_a_refusal_may_be_asked_for_like_any_other_answer(say: Say) -> None:
    wire, _ = say(answer(b'{"message": "no"}', b"403 Forbidden"))
    given = wire.ask("GET", "/x", refusals_too=True)
    assert (given.status, given.json()) == (403, {"message": "no"})


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("shop:1", "/images/shop:1"),
        ("127.0.0.1:5000/a/b@sha256:0f", "/images/127.0.0.1:5000/a/b@sha256:0f"),
        ("a b?c#d\udcff", "/images/a%20b%3Fc%23d%FF"),
    ],
)
def test_an_image_has_a_page_of_its_own(name: str, page: str) -> None:
    assert of_image(name) == page


@pytest.mark.parametrize("name", ["", "..", "../json", "a/../b", "a//b", "/", "."])
def test_what_leads_to_another_page_is_no_name(name: str) -> None:
    with pytest.raises(ImageNotFound):
        of_image(name)
    with pytest.raises(ContainerNotFound):
        of_container(name)


@pytest.mark.parametrize("status", [b"101 UPGRADED", b"200 OK"])
@pytest.mark.parametrize("over_tls", [False, True], ids=["plain", "tls"])
def test_output_that_comes_with_the_head_is_not_lost(
    say: Say, certificate: Path, status: bytes, over_tls: bool
) -> None:
    reply = b"HTTP/1.1 " + status + b"\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nthe first"
    wire, server = say(reply, tls=certificate if over_tls else None)
    assert all_of(wire.hijack("POST", "/attach", body={"Detach": False})) == b"the first"
    assert b"\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n" in server.heard[0]


def test_a_refused_hijack_raises_what_the_plain_text_says(say: Say) -> None:
    wire, _ = say(
        b"HTTP/1.1 409 Conflict\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nit is paused\r\n"
    )
    with pytest.raises(EngineError, match="The engine refused: it is paused"):
        wire.hijack("POST", "/attach")


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        answer(b"Signed in."),
        b"HTTP/1.1 302 Found\r\nLocation: https://sign.in/\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
)
def test_what_a_proxy_makes_of_a_terminal_is_not_taken_for_output(say: Say, reply: bytes) -> None:
    wire, _ = say(reply)
    with pytest.raises(EngineUnreachable, match="passes no terminals on"):
        wire.hijack("POST", "/attach")


def test_an_answer_that_comes_later_is_waited_for_when_it_is_wanted(serve: Serve) -> None:
    def play(connection: socket.socket) -> None:
        server.request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n")
        assert is_wanted.wait(20)
        connection.sendall(b'{"StatusCode": 7}')

    is_wanted = threading.Event()
    server = serve(play)
    with Wire(server.endpoint).asked("POST", "/wait") as later:
        is_wanted.set()
        assert later().json() == {"StatusCode": 7}


def test_an_answer_that_nobody_waits_for_is_left(serve: Serve) -> None:
    def play(connection: socket.socket) -> None:
        server.request(connection)
        assert connection.recv(1) == b""

    server = serve(play)
    with Wire(server.endpoint).asked("POST", "/wait"):
        pass


def test_over_tls_output_comes_after_the_input_has_ended(serve: Serve, certificate: Path) -> None:
    content = b"0123456789abcdef" * 8192

    def play(connection: socket.socket) -> None:
        server.request(connection)
        connection.sendall(b"HTTP/1.1 101 UPGRADED\r\n\r\nready")
        taken = b""
        while data := connection.recv(65536):
            taken += data
        connection.sendall(b"%d bytes" % len(taken) + content)

    server = serve(play, tls=certificate)
    duplex = Wire(server.endpoint).hijack("POST", "/attach")
    written = 0
    waiting = select.poll()
    waiting.register(duplex, select.POLLOUT)
    while written < len(content):
        written += duplex.write(content[written:])
        waiting.poll(20_000)
    duplex.half_close()
    assert all_of(duplex) == b"ready%d bytes" % len(content) + content


def test_an_upload_is_sent_in_chunks(serve: Serve) -> None:
    def play(connection: socket.socket) -> None:
        seen = b""
        while not seen.endswith(b"0\r\n\r\n"):
            seen += connection.recv(65536)
        bodies.append(seen.partition(b"\r\n\r\n")[2])
        connection.sendall(answer(b""))

    bodies: list[bytes] = []
    server = serve(play)
    wire = Wire(server.endpoint)
    wire.upload("PUT", "/archive", iter([b"abc", b"", b"x" * 17]))
    assert bodies == [b"3\r\nabc\r\n11\r\n" + b"x" * 17 + b"\r\n0\r\n\r\n"]
    wire.close()


def test_an_upload_that_is_refused_early_is_not_sent_to_its_end(serve: Serve) -> None:
    def play(connection: socket.socket) -> None:
        server.request(connection)
        connection.sendall(answer(b'{"message": "no room"}', b"500 Internal Server Error"))
        time.sleep(0.2)

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 65536

    server = serve(play)
    with pytest.raises(EngineError, match="no room"):
        Wire(server.endpoint).upload("PUT", "/archive", endless())


def test_what_fails_in_making_an_upload_is_not_the_engines_fault(serve: Serve) -> None:
    def play(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    def unreadable() -> Iterator[bytes]:
        yield b"abc"
        raise PermissionError(13, "a file of the user's")

    with pytest.raises(PermissionError, match="a file of the user's"):
        Wire(serve(play).endpoint).upload("PUT", "/archive", unreadable())


def test_a_download_is_read_as_it_is_asked_for(say: Say) -> None:
    wire, _ = say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n3\r\nefg\r\n0\r\n\r\n")
    with wire.download("GET", "/archive") as body:
        assert [body.read(3), body.read(3), body.read(0), body.read(), body.read(5)] == [
            b"abc", b"def", b"", b"g", b"",
        ]  # fmt: skip


def test_a_download_that_broke_off_is_an_engine_that_went_away(say: Say) -> None:
    wire, _ = say(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabcd")
    with wire.download("GET", "/archive") as body, pytest.raises(EngineGone, match="broke off"):
        body.read()


def test_an_engine_over_ssh_is_talked_to_through_the_program(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(connection: socket.socket) -> None:
        server.request(connection)
        connection.sendall(b"HTTP/1.1 101 UPGRADED\r\n\r\nready ")
        taken = b""
        while data := connection.recv(65536):
            taken += data
        connection.sendall(taken.upper())

    server = serve(play)
    program = tmp_path / "ssh"
    program.write_text(
        f"#!{sys.executable}\n"
        "import os, pathlib, socket, sys, threading\n"
        f"pathlib.Path({str(tmp_path / 'argv')!r}).write_text(' '.join(sys.argv[1:]))\n"
        f"s = socket.socket(socket.AF_UNIX); s.connect({server.endpoint.url.removeprefix('unix://')!r})\n"
        "def forth():\n"
        "    while d := os.read(0, 4096): s.sendall(d)\n"
        "    s.shutdown(socket.SHUT_WR)\n"
        "threading.Thread(target=forth, daemon=True).start()\n"
        "while d := s.recv(4096): os.write(1, d)\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    wire = Wire(Endpoint("ssh://me@there:2222/run/other.sock", "a test", None))
    duplex = wire.hijack("POST", "/attach")
    assert duplex.write(b"shout") == 5
    duplex.half_close()
    assert all_of(duplex) == b"ready SHOUT"
    assert (tmp_path / "argv").read_text() == (
        "-o ConnectTimeout=30 -T -l me -p 2222 -- there docker --host=unix:///run/other.sock"
        " system dial-stdio"
    )


def test_an_ssh_that_gives_no_connection_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ssh").write_text("#!/bin/sh\nexit 255\n")
    (tmp_path / "ssh").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(EngineUnreachable, match="ssh gave no connection"):
        Wire(Endpoint("ssh://there", "a test", None)).ask("GET", "/x")


def test_an_ssh_that_is_cut_off_is_not_the_end_of_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ssh").write_text("#!/bin/sh\nprintf 'HTTP/1.1 101 UPGRADED\\r\\n\\r\\nhalf'\nexit 255\n")
    (tmp_path / "ssh").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    duplex = Wire(Endpoint("ssh://there", "a test", None), is_known=True).hijack("POST", "/attach")
    with pytest.raises(EngineGone, match="ended with 255"):
        all_of(duplex)
    duplex.close()


@pytest.mark.parametrize(
    "modules",
    [
        "engine.processes",
        "engine.client",
        "cli.commit, snapshot.workflow.commit",
        "cli.run, snapshot.workflow.run",
        "cli.patch, snapshot.workflow.patch",
    ],
)
def test_talking_to_an_engine_loads_nothing_slow(modules: str) -> None:
    slow = {"docker", "requests", "urllib3", "http", "email", "asyncio", "ssl"}
    slow |= {"subprocess"} if modules == "engine.processes" else set()
    program = f"import sys, snapshot.{modules}\nprint(*sorted({slow!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 200,
    ],
)
def test_a_length_that_is_none_and_endless_interim_answers_are_no_http(
    say: Callable[..., tuple[Wire, ScriptedServer]], reply: bytes
) -> None:
    wire, _ = say(answer(), reply)
    wire.ask("GET", "/_ping")
    wire.close()
    with pytest.raises(EngineGone, match="does not speak HTTP"):
        wire.ask("GET", "/_ping")


def test_a_body_that_never_ends_is_given_up(
    say: Callable[..., tuple[Wire, ScriptedServer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "_MOST_BODY_BYTES", 100)
    wire, _ = say(answer(), answer(b"x" * 101))
    wire.ask("GET", "/_ping")
    wire.close()
    with pytest.raises(EngineGone):
        wire.ask("GET", "/_ping")


def test_an_answer_that_comes_without_a_pause_has_to_end_in_time(serve: Serve) -> None:
    def endless(connection: socket.socket) -> None:
        server.request(connection)
        try:
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                connection.sendall(b"1\r\nx\r\n" * 1000)
        except OSError:
            return  # the client hung up, as it should

    server = serve(endless)
    with closing(Wire(server.endpoint, is_known=True)) as wire, pytest.raises(EngineSilent):
        wire.ask("GET", "/endless", timeout_s=0.3)


def test_json_that_is_nested_without_end_is_no_json() -> None:
    with pytest.raises(EngineGone, match="no JSON"):
        Answer(200, {}, b"[" * 200_000).json()


@pytest.mark.parametrize("answer", [None, [], {}, "x", {"Id": 1, "RepoTags": 5}, {"Id": "x", "Config": 3}])
def test_an_answer_of_another_form_is_said_to_be_so(answer: object) -> None:
    for read in (read_image, read_container):
        with pytest.raises(EngineGone, match="another form"):
            read(answer)
