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
from collections.abc import Iterator
from urllib.parse import urlsplit

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException
from docker.tls import TLSConfig

from snapshot.engine.dial import refuse_protected_key
from snapshot.engine.endpoint import Endpoint, Tls
from snapshot.engine.unreachable import (
    PLAIN_TO_TLS,
    NotHttp,
    diagnosis,
    not_an_engine,
    unreachable,
    wants_tls,
)
from snapshot.errors import EngineError, EngineUnreachable, InvalidInput

_CONNECT_TIMEOUT_S = 5.0
# Any version does for a client that asks for nothing but the version; this is docker-py's oldest.
_ANY_API_VERSION = "1.24"
_API_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")


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
    refuse_protected_key(tls)
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
        # Every engine tells it here, at once: Podman's longer answer takes half a second.
        told = client.get(f"{client.base_url}/_ping", timeout=client.timeout).headers.get("Api-Version", "")
        if _API_VERSION.fullmatch(told):
            return told
        answer: object = client.version(api_version=False)
    except APIError as error:
        raise _refusal(error, endpoint) from error
    # The JSON error of requests is both a ValueError and an OSError, as all its errors are: it goes first.
    except ValueError as error:
        raise not_an_engine(endpoint, "its answer is no JSON") from error
    except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError) as error:
        raise _diagnosis(error, endpoint) from error
    version = answer.get("ApiVersion") if isinstance(answer, dict) else None
    if not isinstance(version, str) or not _API_VERSION.fullmatch(version):
        raise not_an_engine(endpoint, "its answer names no API version")
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
    if PLAIN_TO_TLS in text:
        return wants_tls(endpoint)
    status = response.status_code if response is not None else 0
    words = error.explanation
    # Engines, and the proxies that guard them, say no in JSON; docker-py hands on anything else as it came.
    if status != 404 and isinstance(words, str) and words and words != text:
        return unreachable(endpoint, f"it refuses (HTTP {status}): {words.strip()}", None)
    return not_an_engine(endpoint, f"it says HTTP {status}")


def _diagnosis(error: BaseException, endpoint: Endpoint) -> EngineUnreachable:
    """What a failure below HTTP means, in docker-py's wrappings."""
    causes = list(_causes(error))
    if any(isinstance(cause, (requests.Timeout, urllib3.exceptions.TimeoutError)) for cause in causes):
        causes.append(TimeoutError())
    if any(isinstance(cause, http.client.HTTPException) for cause in causes):
        causes.append(NotHttp())
    return diagnosis(causes, endpoint)


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
