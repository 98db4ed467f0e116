"""A client of docker-py for a chosen endpoint, and what is wrong when there is none, in plain words.

docker-py is given a finished address and nothing to guess: no ``DOCKER_HOST``, no contexts, no proxies or
CA bundles from the environment. It still reads the credentials for registries from Docker's ``config.json``
(``DOCKER_CONFIG`` or ``~/.docker``), as the CLI does.
"""

from __future__ import annotations

import importlib.util
from urllib.parse import urlsplit

import docker
import urllib3
from docker.errors import DockerException
from docker.tls import TLSConfig

from snapshot.engine.dial import refuse_protected_key
from snapshot.engine.endpoint import Endpoint, Tls
from snapshot.engine.greeting import greeted
from snapshot.engine.wire import Wire
from snapshot.errors import EngineError, InvalidInput


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
    if endpoint.url.startswith("ssh://"):
        _check_ssh(endpoint)
    wire = Wire(endpoint)
    try:
        api_version = greeted(wire, timeout_s=answer_timeout_s)
    finally:
        wire.close()
    return client_of(endpoint, api_version, read_timeout_s=read_timeout_s)


def client_of(endpoint: Endpoint, api_version: str, *, read_timeout_s: int = 3600) -> docker.APIClient:
    """A client for an engine whose version of the API is known; it is not talked to yet.

    Raises what :func:`connect` does, but for what only an answer tells.
    """
    is_ssh = endpoint.url.startswith("ssh://")
    if is_ssh:
        _check_ssh(endpoint)
    try:
        client = docker.APIClient(
            base_url=endpoint.url,
            version=api_version,
            timeout=read_timeout_s,
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
