"""A server that says what it is told to, and an authority for its certificate."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from snapshot.engine.endpoint import Endpoint, Tls

Script = Callable[[socket.socket], None]


class ScriptedServer:
    """Serves one connection after the other, each by the next of its scripts.

    Attributes
    ----------
    heard:
        The request (head and body by its length) that each script has read with :meth:`request`.
    closed:
        Can be acquired once for each connection that was closed from here.
    """

    def __init__(self, folder: Path, *scripts: Script, tls: Path | None = None) -> None:
        self.heard: list[bytes] = []
        self.closed = threading.Semaphore(0)
        self._scripts = scripts
        self._context: ssl.SSLContext | None = None
        self._failures: list[BaseException] = []
        if tls is None:
            self._listening = socket.socket(socket.AF_UNIX)
            self._listening.bind(str(folder / "engine.sock"))
            self.endpoint = Endpoint(f"unix://{folder / 'engine.sock'}", "a test", None)
        else:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(tls / "cert.pem", tls / "key.pem")
            self._listening = socket.create_server(("127.0.0.1", 0))
            url = f"tcp://127.0.0.1:{self._listening.getsockname()[1]}"
            self.endpoint = Endpoint(url, "a test", Tls(tls / "cert.pem", None, None, verify=True))
        self._listening.listen()
        self._listening.settimeout(20)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def request(self, connection: socket.socket) -> None:
        """Read one request with a body of a said length."""
        seen = b""
        while b"\r\n\r\n" not in seen:
            seen += self._some(connection)
        head, _, body = seen.partition(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                while len(body) < int(line.partition(b":")[2]):
                    body += self._some(connection)
        self.heard.append(head + b"\r\n\r\n" + body)

    def finish(self) -> None:
        """Wait until every script has been played; fail where one did."""
        self._thread.join(20)
        self._listening.close()
        assert not self._thread.is_alive(), "a script was not played to its end"
        if self._failures:
            raise self._failures[0]

    def _some(self, connection: socket.socket) -> bytes:
        data = connection.recv(65536)
        assert data, "the client hung up"
        return data

    def _serve(self) -> None:
        for script in self._scripts:
            try:
                connection, _ = self._listening.accept()
                connection.settimeout(20)
                if self._context:
                    connection = self._context.wrap_socket(connection, server_side=True)
                with connection:
                    script(connection)
                self.closed.release()
            except BaseException as error:
                self._failures.append(error)


def make_certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that is its own authority, as ``cert.pem`` and ``key.pem``."""
    folder.mkdir(exist_ok=True)
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=a test",
            "-addext", "subjectAltName=IP:127.0.0.1",
        ],
        cwd=folder, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return folder


def answer(body: bytes = b"{}", status: bytes = b"200 OK", *headers: bytes) -> bytes:
    """An answer of JSON with its length said."""
    lines = [
        b"HTTP/1.1 " + status,
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        *headers,
    ]
    return b"\r\n".join([*lines, b"", body])
