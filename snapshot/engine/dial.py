"""Opens connections to an endpoint: a unix socket, TCP, TLS, or the ssh program."""

from __future__ import annotations

import select
import signal
import socket
import time
from typing import TYPE_CHECKING

from snapshot.engine.duplex import SocketDuplex, TlsDuplex
from snapshot.engine.endpoint import Endpoint, Tls
from snapshot.errors import InvalidInput

if TYPE_CHECKING:
    import ssl

CONNECT_TIMEOUT_S = 5.0


def dial(endpoint: Endpoint) -> SocketDuplex:
    """Connect to an endpoint.

    TCP, and TLS after it, have to stand within 5 s each. ssh is given 30 s for its connection, and
    says what is wrong with it on stderr; it is not waited for here.

    Raises
    ------
    OSError
        Nobody answers there, or TLS fails (``ssl.SSLError``).
    InvalidInput
        The TLS files cannot be used.
    """
    scheme, _, rest = endpoint.url.partition("://")
    if scheme == "unix":
        sock = socket.socket(socket.AF_UNIX)
        return SocketDuplex(_connected(sock, rest))
    if scheme == "ssh":
        return _through_ssh(rest)
    host, port = _host_and_port(rest.partition("/")[0])
    context = _tls_context(endpoint.tls) if endpoint.tls else None
    sock = socket.create_connection((host, port or 0), timeout=CONNECT_TIMEOUT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context is None:
        return SocketDuplex(sock)
    return _greeted(TlsDuplex(sock, context, host))


def _host_and_port(address: str) -> tuple[str, int | None]:
    """Host and port of ``host:port``, where the host may be an IPv6 address in brackets."""
    if address.startswith("["):
        host, _, rest = address[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = address.partition(":")
    return host, int(port) if port else None


def refuse_protected_key(tls: Tls) -> None:
    """Raise :class:`InvalidInput` for a key that cannot be used without asking somebody."""
    if tls.key is None:
        return
    try:
        encrypted = b"ENCRYPTED" in tls.key.read_bytes()
    except OSError as error:
        raise InvalidInput(f"The TLS key {tls.key} cannot be read: {error.strerror}.") from error
    if encrypted:  # OpenSSL would stop and ask for it on the terminal; Docker's CLI refuses as well
        raise InvalidInput(
            f"The TLS key {tls.key} is protected by a passphrase.",
            "Use a key without one, as Docker's CLI does.",
        )


def _connected(sock: socket.socket, path: str) -> socket.socket:
    try:
        sock.settimeout(CONNECT_TIMEOUT_S)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


def _tls_context(tls: Tls) -> ssl.SSLContext:
    import ssl

    refuse_protected_key(tls)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if tls.verify and tls.ca:
            context.load_verify_locations(tls.ca)
        elif tls.verify:
            context.load_default_certs()
        if tls.cert and tls.key:
            context.load_cert_chain(tls.cert, tls.key)
    except (OSError, ValueError) as error:
        files = ", ".join(str(path) for path in (tls.ca, tls.cert, tls.key) if path)
        raise InvalidInput(
            f"The TLS files cannot be used ({files}): {error}.", "Check that they are whole and readable."
        ) from error
    return context


def _greeted(duplex: TlsDuplex) -> TlsDuplex:
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    try:
        while not duplex.greet():
            waiting = select.poll()
            waiting.register(duplex, select.POLLIN | (select.POLLOUT if duplex.wants_to_send else 0))
            if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError
    except BaseException:
        duplex.close()
        raise
    return duplex


def _through_ssh(address: str) -> SocketDuplex:
    """The ssh program, with ``docker system dial-stdio`` at its other end, as Docker's CLI does it."""
    # Here alone: it takes long to load, and few engines are reached so.
    import shlex
    import subprocess

    where, slash, path = address.partition("/")
    user, _, where = where.rpartition("@")
    host, port = _host_and_port(where)
    command = ["ssh", "-o", "ConnectTimeout=30", "-T"]
    command += ["-l", user] if user else []
    command += ["-p", str(port)] if port else []
    # An engine's other socket there, which the remote shell is not to read anything into.
    command += ["--", host, "docker"]
    command += [shlex.quote(f"--host=unix:///{path}")] if slash and path else []
    command += ["system", "dial-stdio"]
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            program = subprocess.Popen(
                command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                # Ctrl-C is for the process in the container, or for snap.
                preexec_fn=_ignore_interrupts,
            )
        except BaseException:
            ours.close()
            raise
    return SocketDuplex(ours, program)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
