"""Connecting to what may be listening: real sockets, TCP and TLS servers on the loopback, made here.

The servers give canned answers, since this is about transport: what an engine says is tested on engines.
"""

from __future__ import annotations

import base64
import http.server
import json
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from snapshot.engine import dial
from snapshot.engine.connection import connect
from snapshot.engine.endpoint import Endpoint, Tls
from snapshot.errors import EngineError, EngineUnreachable, InvalidInput, SocketPermissionDenied

VERSION = json.dumps({"Version": "1.2.3", "ApiVersion": "1.41", "MinAPIVersion": "1.12"}).encode()


@dataclass(frozen=True)
class Answer:
    """What a server says to every request, after ``delay_s``."""

    body: bytes = VERSION
    status: int = 200
    kind: str = "application/json"
    delay_s: float = 0


class _Tcp(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that goes away in the middle is what some tests are about."""


class _Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing, as above."""


@contextmanager
def running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
        assert not thread.is_alive()


def handler(answer: Answer, heard: list[http.server.BaseHTTPRequestHandler]) -> type:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            heard.append(self)
            time.sleep(answer.delay_s)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing on stderr."""

    return Handler


class Servers:
    """Makes servers and remembers what they were asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heard: list[http.server.BaseHTTPRequestHandler] = []
        self.undo: list[Callable[[], object]] = []

    def unix(self, answer: Answer = Answer()) -> Endpoint:
        path = self.folder / "engine.sock"
        self._start(_Unix(str(path), handler(answer, self.heard)))
        return Endpoint(f"unix://{path}", "a test", None)

    def tcp(self, answer: Answer = Answer(), tls: Tls | None = None) -> Endpoint:
        server = _Tcp(("127.0.0.1", 0), handler(answer, self.heard))
        self._start(server)
        return Endpoint(f"tcp://127.0.0.1:{server.server_address[1]}", "a test", tls)

    def tls(self, context: ssl.SSLContext, tls: Tls | None) -> Endpoint:
        server = _Tcp(("127.0.0.1", 0), handler(Answer(), self.heard))
        # The handshake happens in the thread of the request, so that a silent client blocks nobody.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self._start(server)
        return Endpoint(f"tcp://127.0.0.1:{server.server_address[1]}", "a test", tls)

    def raw(self, reply: bytes, *, listen: bool = True) -> Endpoint:
        """Take whatever comes, say ``reply`` and hang up; with an empty one, hang up at once."""

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.request.settimeout(10)
                self.request.recv(65536)
                self.request.sendall(reply)

        server = _Tcp(("127.0.0.1", 0), Handler)
        port = server.server_address[1]
        if listen:
            self._start(server)
        else:
            server.server_close()
        return Endpoint(f"tcp://127.0.0.1:{port}", "a test", None)

    def _start(self, server: socketserver.BaseServer) -> None:
        context = running(server)
        context.__enter__()
        self.undo.append(lambda: context.__exit__(None, None, None))


@pytest.fixture
def servers() -> Iterator[Servers]:
    with tempfile.TemporaryDirectory() as folder:  # short, as the paths of sockets must be
        made = Servers(Path(folder))
        try:
            yield made
        finally:
            for undo in made.undo:
                undo()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No file and no variable of whoever runs the tests has a say."""
    for name in ("DOCKER_CONFIG", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


# --- an engine answers ---


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_a_client_speaks_the_version_of_the_engine(servers: Servers, kind: str) -> None:
    endpoint = servers.unix() if kind == "unix" else servers.tcp()
    with connect(endpoint) as client:
        assert client.api_version == "1.41"
        assert client.timeout == 3600
        assert client.version()["Version"] == "1.2.3"
    assert servers.heard[-1].path == "/v1.41/version"


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_the_short_time_to_connect_does_not_cut_an_answer_short(
    servers: Servers, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial, "CONNECT_TIMEOUT_S", 0.2)
    slow = Answer(delay_s=0.5)
    endpoint = servers.unix(slow) if kind == "unix" else servers.tcp(slow)
    with connect(endpoint, read_timeout_s=30) as client:
        assert client.version()["Version"] == "1.2.3"


def test_nothing_in_the_environment_changes_the_endpoint(
    servers: Servers, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = servers.raw(b"", listen=False).url
    monkeypatch.setenv("DOCKER_HOST", closed)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, closed.replace("tcp", "http"))
    (own_home / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    with connect(servers.tcp()) as client:
        client.version()
    assert len(servers.heard) == 3
    assert all("Authorization" not in request.headers for request in servers.heard)


@pytest.mark.parametrize("place", ["home", "DOCKER_CONFIG"])
def test_credentials_for_registries_are_still_read(
    servers: Servers, own_home: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    folder = own_home / (".docker" if place == "home" else "elsewhere")
    folder.mkdir()
    if place != "home":
        monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    entry = {"auth": base64.b64encode(b"me:secret").decode()}
    (folder / "config.json").write_text(json.dumps({"auths": {"r.example": entry}}))
    with connect(servers.unix()) as client:
        client.pull("r.example/image:1")
    sent = json.loads(base64.urlsafe_b64decode(servers.heard[-1].headers["X-Registry-Auth"]))
    assert (sent["username"], sent["password"]) == ("me", "secret")


@pytest.mark.parametrize("text", ["[1]", '{"proxies": null}', '{"auths": {"r": "x"}}', '{"auths": ["x"]}'])
def test_a_configuration_that_docker_py_stumbles_over_is_named(
    servers: Servers, own_home: Path, text: str
) -> None:
    (own_home / ".docker").mkdir()
    (own_home / ".docker/config.json").write_text(text)
    with pytest.raises(InvalidInput, match=r"config\.json.* is broken"):
        connect(servers.unix())


# --- nobody answers ---


def test_a_socket_that_is_not_there_is_said(tmp_path: Path) -> None:
    endpoint = Endpoint(f"unix://{tmp_path}/gone.sock", "DOCKER_HOST", None)
    with pytest.raises(EngineUnreachable, match=r"gone\.sock \(DOCKER_HOST\): there is no such") as caught:
        connect(endpoint)
    assert caught.value.hint
    assert caught.value.exit_code == 5


def test_a_socket_without_a_listener_is_said(servers: Servers) -> None:
    path = servers.folder / "dead.sock"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
    with pytest.raises(EngineUnreachable, match="nobody listens there"):
        connect(Endpoint(f"unix://{path}", "a test", None))


def test_a_socket_path_that_is_too_long_is_said(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachable, match="too long"):
        connect(Endpoint(f"unix://{tmp_path}/{'x' * 120}", "a test", None))


def test_a_closed_port_is_said(servers: Servers) -> None:
    with pytest.raises(EngineUnreachable, match="nobody listens there"):
        connect(servers.raw(b"", listen=False))


def test_a_host_name_that_is_not_known_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # no question leaves the machine
    with pytest.raises(EngineUnreachable, match="host name is not known"):
        connect(Endpoint("tcp://engine.invalid:2375", "a test", None))


def test_a_socket_that_is_not_open_to_this_user_is_told_apart(servers: Servers) -> None:
    servers.folder.chmod(0o755)
    endpoint = servers.unix()
    Path(endpoint.url.removeprefix("unix://")).chmod(0)
    with unprivileged(), pytest.raises(SocketPermissionDenied, match="may not open unix://") as caught:
        connect(endpoint)
    assert "group" in (caught.value.hint or "")
    assert caught.value.exit_code == 5
    assert servers.heard == []


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may open anything: be nobody for a while. Anyone else is refused as they are."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_an_engine_that_takes_the_call_and_never_answers_is_given_up(servers: Servers) -> None:
    begin = time.monotonic()
    with pytest.raises(EngineUnreachable, match="no answer came in time"):
        connect(servers.unix(Answer(delay_s=2)), answer_timeout_s=0.2)
    assert time.monotonic() - begin < 2


def test_a_tcp_connection_that_never_stands_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial, "CONNECT_TIMEOUT_S", 0.2)
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())  # fills the queue: Linux leaves the next one unanswered
        begin = time.monotonic()
        with pytest.raises(EngineUnreachable, match="no answer came in time"):
            connect(Endpoint(f"tcp://127.0.0.1:{full.getsockname()[1]}", "a test", None))
    assert time.monotonic() - begin < 10


# --- somebody else answers ---


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"<html>not here</html>", 404, "text/html"),
        Answer(b'{"message": "page not found"}', 404),
        Answer(b"<html>hello</html>", 200, "text/html"),
        Answer(b"", 200),
        Answer(b"[]", 200),
        Answer(b"{}", 200),
        Answer(b'{"ApiVersion": 1.41}', 200),
        Answer(b'{"ApiVersion": "../../x"}', 200),
        Answer(b"<html>broken</html>", 500, "text/html"),
    ],
)
def test_a_web_server_is_not_taken_for_an_engine(servers: Servers, answer: Answer) -> None:
    with pytest.raises(EngineUnreachable, match="is not a container engine"):
        connect(servers.tcp(answer))


def test_garbage_is_not_taken_for_an_engine(servers: Servers) -> None:
    with pytest.raises(EngineUnreachable, match="is not a container engine: it does not speak HTTP"):
        connect(servers.raw(b"SSH-2.0-OpenSSH_9.2p1\r\n"))


def test_a_peer_that_hangs_up_is_said(servers: Servers) -> None:
    with pytest.raises(EngineUnreachable, match="the other side hung up"):
        connect(servers.raw(b""))


def test_a_guard_before_the_engine_is_quoted(servers: Servers) -> None:
    refusal = Answer(b'{"message": "authorization denied by plugin"}', 403)
    with pytest.raises(EngineUnreachable, match=r"refuses \(HTTP 403\): authorization denied by plugin"):
        connect(servers.tcp(refusal))


def test_an_engine_that_is_too_old_is_told_apart(servers: Servers) -> None:
    with pytest.raises(EngineError, match=r"version 1\.10 of the API"):
        connect(servers.unix(Answer(b'{"ApiVersion": "1.10"}')))


# --- TLS ---


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


def make_authority(folder: Path) -> None:
    """A CA and, signed by it, ``cert.pem`` and ``key.pem`` for 127.0.0.1 (server and client alike)."""
    folder.mkdir()
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(
        folder, "req", "-x509", *key, "-keyout", "ca-key.pem", "-out", "ca.pem", "-days", "2",
        "-subj", "/CN=a test's CA", "-addext", "keyUsage=critical,keyCertSign",
    )  # fmt: skip
    openssl(folder, "req", *key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=a test")
    (folder / "extensions").write_text(
        "subjectAltName=IP:127.0.0.1\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    openssl(
        folder, "x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca-key.pem",
        "-set_serial", "1", "-days", "2", "-extfile", "extensions", "-out", "cert.pem",
    )  # fmt: skip


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls") / "own"
    make_authority(folder)
    return folder


@pytest.fixture(scope="module")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls") / "other"
    make_authority(folder)
    return folder


def server_side(authority: Path, *, wants_client_certificate: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "cert.pem", authority / "key.pem")
    if wants_client_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority / "ca.pem")
    return context


def test_a_ca_alone_is_enough_to_verify_an_engine(servers: Servers, authority: Path) -> None:
    tls = Tls(authority / "ca.pem", None, None, verify=True)
    with connect(servers.tls(server_side(authority), tls)) as client:
        assert client.base_url.startswith("https://127.0.0.1:")
        assert client.version()["Version"] == "1.2.3"


def test_a_ca_bundle_of_the_environment_does_not_replace_the_ca(
    servers: Servers, authority: Path, other_authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other_authority / "ca.pem"))
    context = server_side(authority)
    with connect(servers.tls(context, Tls(authority / "ca.pem", None, None, verify=True))) as client:
        client.version()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority / "ca.pem"))
    with pytest.raises(EngineUnreachable, match="not to be trusted"):
        connect(servers.tls(context, Tls(other_authority / "ca.pem", None, None, verify=True)))


@pytest.mark.parametrize("other", [True, False])
def test_an_engine_of_another_ca_is_refused(
    servers: Servers, authority: Path, other_authority: Path, other: bool
) -> None:
    ca = other_authority / "ca.pem" if other else None  # without one, the public authorities count
    with pytest.raises(EngineUnreachable, match="certificate is not to be trusted") as caught:
        connect(servers.tls(server_side(authority), Tls(ca, None, None, verify=True)))
    assert "ca.pem" in (caught.value.hint or "")
    assert servers.heard == []


def test_a_certificate_for_another_name_is_refused(servers: Servers, authority: Path) -> None:
    endpoint = servers.tls(server_side(authority), Tls(authority / "ca.pem", None, None, verify=True))
    by_name = Endpoint(endpoint.url.replace("127.0.0.1", "localhost"), "a test", endpoint.tls)
    with pytest.raises(EngineUnreachable, match=r"not to be trusted .*localhost"):
        connect(by_name)


def test_without_verification_any_certificate_does_and_nothing_is_warned(
    servers: Servers, authority: Path
) -> None:
    tls = Tls(None, None, None, verify=False)
    with connect(servers.tls(server_side(authority), tls)) as client:  # a warning would be an error here
        assert client.version()["Version"] == "1.2.3"


def test_a_client_certificate_is_shown_to_an_engine_that_wants_one(servers: Servers, authority: Path) -> None:
    context = server_side(authority, wants_client_certificate=True)
    full = Tls(authority / "ca.pem", authority / "cert.pem", authority / "key.pem", verify=True)
    with connect(servers.tls(context, full)) as client:
        assert client.version()["Version"] == "1.2.3"
    with pytest.raises(EngineUnreachable, match=r"TLS|hung up"):
        connect(servers.tls(context, Tls(authority / "ca.pem", None, None, verify=True)))


def test_plain_text_to_a_tls_port_is_said(servers: Servers) -> None:
    refusal = Answer(b"Client sent an HTTP request to an HTTPS server.\n", 400, "text/plain")  # Go's words
    with pytest.raises(EngineUnreachable, match="it speaks TLS, and was asked in plain text") as caught:
        connect(servers.tcp(refusal))
    assert "DOCKER_TLS_VERIFY" in (caught.value.hint or "")


def test_tls_to_a_plain_port_is_said(servers: Servers, authority: Path) -> None:
    with pytest.raises(EngineUnreachable, match="it does not speak TLS"):
        connect(servers.tcp(tls=Tls(authority / "ca.pem", None, None, verify=True)))


def test_a_ca_file_that_holds_no_certificate_is_said(servers: Servers, authority: Path) -> None:
    (servers.folder / "ca.pem").write_text("nothing")
    tls = Tls(servers.folder / "ca.pem", None, None, verify=True)
    with pytest.raises(InvalidInput, match="The TLS files cannot be used"):
        connect(servers.tls(server_side(authority), tls))


def test_a_key_with_a_passphrase_is_refused_and_nothing_waits_for_it(
    servers: Servers, authority: Path
) -> None:
    key = servers.folder / "key.pem"
    shutil.copy(authority / "key.pem", servers.folder / "open.pem")
    openssl(servers.folder, "pkey", "-in", "open.pem", "-aes256", "-passout", "pass:x", "-out", key.name)
    tls = Tls(authority / "ca.pem", authority / "cert.pem", key, verify=True)
    with pytest.raises(InvalidInput, match="passphrase"):
        connect(servers.tls(server_side(authority), tls))


def test_tls_files_that_went_away_are_said(servers: Servers, authority: Path) -> None:
    gone = servers.folder / "gone.pem"
    for tls in (
        Tls(gone, None, None, True),
        Tls(None, gone, authority / "key.pem", True),
        Tls(None, gone, gone, True),
    ):
        with pytest.raises(InvalidInput):
            connect(Endpoint("tcp://127.0.0.1:1", "a test", tls))


# --- ssh ---


def test_ssh_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paramiko", None)  # as if it were not installed
    with pytest.raises(InvalidInput, match="needs the ssh extra") as caught:
        connect(Endpoint("ssh://box", "a test", None))
    assert "docker-snap[ssh]" in (caught.value.hint or "")


@pytest.mark.parametrize("url", ["ssh://box/run/docker.sock", "ssh://[::1]:22"])
def test_ssh_addresses_that_docker_py_cannot_reach_are_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="neither a path nor an IPv6 address"):
        connect(Endpoint(url, "a test", None))


FAKE_SSH = """#!{python}
import pathlib, sys
pathlib.Path({log!r}).open("a").write(" ".join(sys.argv[1:]) + chr(10))
if {works}:
    while sys.stdin.buffer.readline().strip():
        pass
    body = {body!r}
    head = b"HTTP/1.1 200 OK\\r\\nApi-Version: 1.41\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body)
    sys.stdout.buffer.write(head + body)
    sys.stdout.buffer.flush()
    sys.stdin.buffer.read()
else:
    sys.exit(255)
"""

ASK_OVER_SSH = """
import sys
from snapshot.engine.connection import connect
from snapshot.engine.endpoint import Endpoint
from snapshot.errors import EngineUnreachable
try:
    print(connect(Endpoint(sys.argv[1], "a test", None)).api_version)
except EngineUnreachable as error:
    print(error.what)
"""


def ask_over_ssh(folder: Path, url: str) -> str:
    """Connect in a process that finds ``ssh`` in ``folder`` only, and a paramiko, which is not used then."""
    (folder / "paramiko.py").write_text("")
    path = os.pathsep.join([str(folder), *(entry for entry in sys.path if entry)])
    done = subprocess.run(
        [sys.executable, "-c", ASK_OVER_SSH, url],
        env={"PATH": str(folder), "PYTHONPATH": path, "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.stdout.strip()


def make_ssh(folder: Path, *, works: bool) -> Path:
    log, program = folder / "log", folder / "ssh"
    program.write_text(FAKE_SSH.format(python=sys.executable, log=str(log), works=works, body=VERSION))
    program.chmod(0o755)
    return log


@pytest.mark.parametrize(
    ("url", "arguments"),
    [
        ("ssh://me@box:2222", "-l me -p 2222 -- box docker system dial-stdio"),
        ("ssh://box", "-- box docker system dial-stdio"),  # the port is left to ~/.ssh/config
    ],
)
def test_ssh_runs_the_ssh_program_with_the_port_that_was_given(
    tmp_path: Path, url: str, arguments: str
) -> None:
    log = make_ssh(tmp_path, works=True)
    assert ask_over_ssh(tmp_path, url) == "1.41"
    assert log.read_text().splitlines() == [f"-o ConnectTimeout=30 -T {arguments}"]


def test_an_ssh_that_fails_is_said(tmp_path: Path) -> None:
    make_ssh(tmp_path, works=False)
    assert "ssh gave no connection" in ask_over_ssh(tmp_path, "ssh://box")


def test_a_machine_without_ssh_is_said(tmp_path: Path) -> None:
    assert "the ssh program is not installed" in ask_over_ssh(tmp_path, "ssh://box")
    assert shutil.which("ssh", path=str(tmp_path)) is None
