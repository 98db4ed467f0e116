"""A client of docker-py for a chosen endpoint, and what is wrong when there is none, in plain words.

docker-py is given a finished address and nothing to guess: no ``DOCKER_HOST``, no contexts, no proxies or
CA bundles from the environment. It still reads the credentials for registries from Docker's ``config.json``
(``DOCKER_CONFIG`` or ``~/.docker``), as the CLI does.
"""

from __future__ import annotations

import http.client
import importlib.util
import re
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException
from docker.tls import TLSConfig

from snapshot.engine.endpoint import Endpoint, Tls
from snapshot.errors import EngineError, EngineUnreachable, InvalidInput, SocketPermissionDenied

_CONNECT_TIMEOUT_S = 5.0
# Any version does for a client that asks for nothing but the version; this is docker-py's oldest.
_ANY_API_VERSION = "1.24"
_API_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")
_PLAIN_TO_TLS = "Client sent an HTTP request to an HTTPS server"  # Go's net/http, so dockerd and Podman


def connect(
    endpoint: Endpoint, *, read_timeout_s: int = 3600, answer_timeout_s: float = 60.0
) -> docker.APIClient:
    """Connect to the engine at ``endpoint`` and agree on an API version with it.

    Parameters
    ----------
    endpoint:
        Where the engine is; see :func:`snapshot.engine.endpoint.choose_endpoint`.
    read_timeout_s:
        How long the engine may be silent within one call later on. docker-py's own 60 s break commits and
        loads that take minutes, while the engine goes on with them.
    answer_timeout_s:
        How long the engine may take for its first answer. A daemon started by its socket needs some seconds.
        A TCP connection has to stand within 5 s before that.

    Raises
    ------
    SocketPermissionDenied
        The engine's socket is not open to this user.
    EngineUnreachable
        Nobody listens, the TLS handshake fails, or what answers is not a container engine.
    EngineError
        The engine's API is older than docker-py speaks.
    InvalidInput
        The endpoint cannot be used: TLS files that are broken, an address that docker-py does not take, or
        ``ssh://`` without the ``ssh`` extra.
    """
    # Two clients, because docker-py asks for the version while it is being made, when the environment has
    # not been shut out yet, and because the short time to connect must not stay: the HTTP library would
    # use it for the sending of request bodies, too, and an engine may stall that while it writes to disk.
    probe = _client(endpoint, _ANY_API_VERSION, timeout_s=read_timeout_s)
    probe.timeout = (_CONNECT_TIMEOUT_S, answer_timeout_s)  # type: ignore[assignment]  # requests takes pairs
    try:
        api_version = _ask_version(probe, endpoint)
    finally:
        probe.close()
    return _client(endpoint, api_version, timeout_s=read_timeout_s)


def _client(endpoint: Endpoint, api_version: str, *, timeout_s: int) -> docker.APIClient:
    """Make a client without talking to anybody."""
    is_ssh = endpoint.url.startswith("ssh://")
    if is_ssh:
        _check_ssh(endpoint)
    try:
        client = docker.APIClient(
            base_url=endpoint.url,
            version=api_version,
            timeout=timeout_s,
            tls=_tls_config(endpoint.tls) if endpoint.tls else False,
            use_ssh_client=is_ssh,
        )
    except docker.errors.InvalidVersion as error:
        raise EngineError(
            f"The engine at {endpoint.url} speaks version {api_version} of the API, which is too old.",
            "Use a newer engine (Docker 1.12 or later).",
        ) from error
    except (docker.errors.InvalidConfigFile, AttributeError, TypeError, ValueError) as error:
        # docker-py reads the credentials here, and expects every value to be of the right type.
        raise InvalidInput(
            f"Docker's configuration (config.json in DOCKER_CONFIG or ~/.docker) is broken: {error}.",
            "Mend the file, or set DOCKER_CONFIG to another folder.",
        ) from error
    except DockerException as error:
        raise InvalidInput(
            f"The endpoint {endpoint.url} ({endpoint.reason}) cannot be used: {error}."
        ) from error
    # requests would let REQUESTS_CA_BUNDLE replace the endpoint's own CA, HTTP_PROXY catch an engine on
    # localhost, and ~/.netrc add a password.
    client.trust_env = False
    if is_ssh:
        # docker-py adds ":22" where no port is given, which beats the port that ~/.ssh/config has.
        client.get_adapter(client.base_url).ssh_host = endpoint.url.removeprefix("ssh://")  # type: ignore[attr-defined]
    return client


def _check_ssh(endpoint: Endpoint) -> None:
    address = urlsplit(endpoint.url)
    if address.path.strip("/") or "[" in address.netloc:
        raise InvalidInput(
            f"The endpoint {endpoint.url} ({endpoint.reason}) cannot be used: docker-py's ssh takes"
            " neither a path nor an IPv6 address.",
            "Put the address into ~/.ssh/config under a name, and leave out the path.",
        )
    # docker-py imports paramiko for any ssh address, even where it runs the ssh program, as here.
    if importlib.util.find_spec("paramiko") is None:
        raise InvalidInput(
            f"The endpoint {endpoint.url} ({endpoint.reason}) needs the ssh extra, which is not installed.",
            "Install it: pip install 'docker-snap[ssh]'.",
        )


def _tls_config(tls: Tls) -> TLSConfig:
    if tls.key is not None:
        try:
            encrypted = b"ENCRYPTED" in tls.key.read_bytes()
        except OSError as error:
            raise InvalidInput(f"The TLS key {tls.key} cannot be read: {error.strerror}.") from error
        if encrypted:  # OpenSSL would stop and ask for it on the terminal; Docker's CLI refuses as well
            raise InvalidInput(
                f"The TLS key {tls.key} is protected by a passphrase.",
                "Use a key without one, as Docker's CLI does.",
            )
    if not tls.verify:
        # The user has switched verification off; a warning at every single call tells nothing new.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return TLSConfig(
        client_cert=(str(tls.cert), str(tls.key)) if tls.cert and tls.key else None,
        ca_cert=str(tls.ca) if tls.ca else None,
        verify=tls.verify,
    )


# --- the first answer ---


def _ask_version(client: docker.APIClient, endpoint: Endpoint) -> str:
    """The engine's API version, such as ``1.41``; every way not to get it is translated."""
    try:
        _check_socket(endpoint)
        answer: object = client.version(api_version=False)
    except APIError as error:
        raise _refusal(error, endpoint) from error
    # The JSON error of requests is both a ValueError and an OSError, as all its errors are: it goes first.
    except ValueError as error:
        raise _not_an_engine(endpoint, "its answer is no JSON") from error
    except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError) as error:
        raise _diagnosis(error, endpoint) from error
    version = answer.get("ApiVersion") if isinstance(answer, dict) else None
    if not isinstance(version, str) or not _API_VERSION.fullmatch(version):
        raise _not_an_engine(endpoint, "its answer names no API version")
    return version


def _check_socket(endpoint: Endpoint) -> None:
    """Knock at a Unix socket; raises the plain ``OSError`` where nobody opens."""
    if endpoint.url.startswith("unix://"):
        # docker-py (7.2) would leave its own socket open after an attempt that failed.
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.settimeout(_CONNECT_TIMEOUT_S)
            knocking.connect(endpoint.url.removeprefix("unix://"))


def _refusal(error: APIError, endpoint: Endpoint) -> EngineUnreachable:
    """What an HTTP error in answer to the plainest question of all means."""
    response = error.response
    text = response.text if response is not None else ""
    if _PLAIN_TO_TLS in text:
        return _unreachable(
            endpoint,
            "it speaks TLS, and was asked in plain text",
            "Set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, or use a context that has the certificates.",
        )
    status = response.status_code if response is not None else 0
    words = error.explanation
    # Engines, and the proxies that guard them, say no in JSON; docker-py hands on anything else as it came.
    if status != 404 and isinstance(words, str) and words and words != text:
        return _unreachable(endpoint, f"it refuses (HTTP {status}): {words.strip()}", None)
    return _not_an_engine(endpoint, f"it says HTTP {status}")


def _not_an_engine(endpoint: Endpoint, why: str) -> EngineUnreachable:
    return EngineUnreachable(
        f"What answers at {endpoint.url} ({endpoint.reason}) is not a container engine: {why}.",
        "Check the address, or name another engine with --host or --context.",
    )


def _unreachable(endpoint: Endpoint, why: str, hint: str | None) -> EngineUnreachable:
    return EngineUnreachable(f"No engine can be reached at {endpoint.url} ({endpoint.reason}): {why}.", hint)


_START = "Start the engine, or name another one with --host or --context."
_CERTIFICATES = "Check the certificates of the engine, and ca.pem, cert.pem and key.pem on this side."


def _diagnosis(error: BaseException, endpoint: Endpoint) -> EngineUnreachable:
    """What a failure below HTTP means, told by the cause in it that says most."""
    causes = list(_causes(error))

    def first(*kinds: type[BaseException]) -> BaseException | None:
        return next((cause for cause in causes if isinstance(cause, kinds)), None)

    is_unix, is_ssh = endpoint.url.startswith("unix://"), endpoint.url.startswith("ssh://")
    if (tls := first(ssl.SSLError)) is not None:
        return _unreachable(endpoint, _tls_failure(tls), _CERTIFICATES)
    if is_unix and first(PermissionError):
        return SocketPermissionDenied(
            f"This user may not open {endpoint.url} ({endpoint.reason}).",
            "Join the group that owns the socket (`sudo usermod -aG docker $USER`, then log in again),"
            " use sudo, or use a rootless engine.",
        )
    if first(FileNotFoundError):
        why = "the ssh program is not installed" if is_ssh else "there is no such file"
        return _unreachable(endpoint, why, _START if is_unix else None)
    if first(ConnectionRefusedError):
        return _unreachable(endpoint, "nobody listens there", _START)
    if first(socket.gaierror):
        return _unreachable(endpoint, "the host name is not known", "Check the address.")
    if first(TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError):
        return _unreachable(
            endpoint, "no answer came in time", "Check the address, and that the engine is well."
        )
    if is_ssh and first(http.client.RemoteDisconnected, BrokenPipeError):
        return _unreachable(
            endpoint, "ssh gave no connection to Docker there", "Try `ssh HOST docker version`."
        )
    if first(ConnectionResetError, BrokenPipeError):  # also RemoteDisconnected: closed without a word
        return _unreachable(
            endpoint, "the other side hung up", "Check that it is an engine, and whether it wants TLS."
        )
    if first(http.client.HTTPException):
        return _not_an_engine(endpoint, "it does not speak HTTP")
    return _unreachable(endpoint, str(causes[0]), _START)


def _tls_failure(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted ({error.verify_message})"
    # OpenSSL 3 has either name for "that was no TLS record", depending on what came instead.
    if getattr(error, "reason", None) in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return "it does not speak TLS"
    return f"TLS failed ({getattr(error, 'reason', None) or error})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that it wraps; requests and urllib3 wrap in arguments and ``reason`` as well."""
    waiting, seen = [error], set()
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [*current.args, getattr(current, "reason", None), current.__cause__, current.__context__]
