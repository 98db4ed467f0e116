"""Why nobody can be talked to at an endpoint, in plain words; nothing here imports ``docker``."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from snapshot.engine.endpoint import Endpoint
from snapshot.errors import EngineUnreachable, SocketPermissionDenied

#: What Go's net/http (so dockerd and Podman) says to a plain request on a port for TLS.
PLAIN_TO_TLS = "Client sent an HTTP request to an HTTPS server"

_START = "Start the engine, or name another one with --host or --context."
_CERTIFICATES = "Check the certificates of the engine, and ca.pem, cert.pem and key.pem on this side."


class NotHttp(Exception):
    """What came as an answer is no HTTP."""


def not_an_engine(endpoint: Endpoint, why: str) -> EngineUnreachable:
    """The exception for an answer that no container engine gives."""
    return EngineUnreachable(
        f"What answers at {endpoint.url} ({endpoint.reason}) is not a container engine: {why}.",
        "Check the address, or name another engine with --host or --context.",
    )


def unreachable(endpoint: Endpoint, why: str, hint: str | None) -> EngineUnreachable:
    """The exception for an endpoint at which no engine answers, for a reason that is known."""
    return EngineUnreachable(f"No engine can be reached at {endpoint.url} ({endpoint.reason}): {why}.", hint)


def wants_tls(endpoint: Endpoint) -> EngineUnreachable:
    """The exception for an engine that speaks TLS and was asked in plain text."""
    return unreachable(
        endpoint,
        "it speaks TLS, and was asked in plain text",
        "Set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, or use a context that has the certificates.",
    )


def diagnosis(causes: Sequence[BaseException], endpoint: Endpoint) -> EngineUnreachable:
    """What a failure below HTTP means, told by the one of its causes that says most."""

    def first(*kinds: type[BaseException]) -> BaseException | None:
        return next((cause for cause in causes if isinstance(cause, kinds)), None)

    is_unix, is_ssh = endpoint.url.startswith("unix://"), endpoint.url.startswith("ssh://")
    if endpoint.tls and (why := _tls_failure(causes)):
        return unreachable(endpoint, why, _CERTIFICATES)
    if is_unix and first(PermissionError):
        return SocketPermissionDenied(
            f"This user may not open {endpoint.url} ({endpoint.reason}).",
            "Join the group that owns the socket (`sudo usermod -aG docker $USER`, then log in again),"
            " use sudo, or use a rootless engine.",
        )
    if first(FileNotFoundError):
        why = "the ssh program is not installed" if is_ssh else "there is no such file"
        return unreachable(endpoint, why, _START if is_unix else None)
    if first(ConnectionRefusedError):
        return unreachable(endpoint, "nobody listens there", _START)
    if first(socket.gaierror):
        return unreachable(endpoint, "the host name is not known", "Check the address.")
    if first(TimeoutError):
        return unreachable(
            endpoint, "no answer came in time", "Check the address, and that the engine is well."
        )
    if is_ssh and first(ConnectionResetError, BrokenPipeError):
        return unreachable(
            endpoint, "ssh gave no connection to Docker there", "Try `ssh HOST docker version`."
        )
    if first(ConnectionResetError, BrokenPipeError):
        return unreachable(
            endpoint, "the other side hung up", "Check that it is an engine, and whether it wants TLS."
        )
    if first(NotHttp):
        return not_an_engine(endpoint, "it does not speak HTTP")
    return unreachable(endpoint, str(causes[0]), _START)


def _tls_failure(causes: Sequence[BaseException]) -> str:
    """What is wrong with TLS; empty where nothing is."""
    # Here alone: it takes longer to load than everything else of this package together.
    import ssl

    error = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if error is None:
        return ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted ({error.verify_message})"
    # OpenSSL 3 has either name for "that was no TLS record", depending on what came instead.
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return "it does not speak TLS"
    return f"TLS failed ({error.reason or error})"
