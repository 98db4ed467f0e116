"""Which engine to talk to, and why that one.

docker-py's own search goes to the local socket without a word when a context is unknown or its files
are broken, so the choice is made here, by the rules of Docker's CLI (v29: ``cli/command/cli.go``,
``cli/context``, ``opts/hosts.go``), and handed to docker-py as a finished address. Where this module
differs from the CLI, the function that differs says so.

Nothing here opens a connection or imports ``docker``: it is environment, files and grammar.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from snapshot.errors import EngineUnreachable, InvalidInput

_DEFAULT_CONTEXT = "default"
_DEFAULT_SOCKET = "/var/run/docker.sock"
_PLAIN_PORT = 2375
_TLS_PORT = 2376
_MEND = "Mend the file, or name an engine with --host."

_NAME = r"(?:\[[0-9A-Za-z:.%_-]+\]|[^:/?#@\[\]\s]+)"
# Not compiled here: whatever talks to an engine loads this module.
_TCP = rf"(?P<host>{_NAME})?(?::(?P<port>[0-9]*))?(?P<path>/[^?#\s]*)?"
_SSH = rf"(?:[^:/?#@\s]+@)?{_NAME}(?::(?P<port>[0-9]+))?(?:/[^?#\s]*)?"


class Tls(NamedTuple):
    """The TLS files of a TCP endpoint; ``cert`` and ``key`` are both given or both ``None``.

    Without ``ca`` the public authorities count; with ``verify`` false nothing is checked.
    """

    ca: Path | None
    cert: Path | None
    key: Path | None
    verify: bool


class Endpoint(NamedTuple):
    """An engine's address (``unix:///path``, ``tcp://host:port[/path]`` or ``ssh://[user@]host[:port][/path]``).

    ``reason`` says for people where the address comes from: ``--host``, ``DOCKER_HOST``,
    ``current context lab of /home/me/.docker/config.json``, ``default socket``, …
    """

    url: str
    reason: str
    tls: Tls | None


class _Surroundings(NamedTuple):
    """What the choice depends on besides the options: environment, Docker's folder, file system."""

    environ: Mapping[str, str]
    config_folder: Path
    home: Path
    root: Path


def choose_endpoint(
    *,
    host: str | None = None,
    context: str | None = None,
    environ: Mapping[str, str] | None = None,
    home: Path | None = None,
    root: Path = Path("/"),
) -> Endpoint:
    """Choose the engine to talk to; the first of these that is given counts.

    1. ``context`` (``--context``); 2. ``host`` (``--host``); 3. ``DOCKER_HOST``; 4. ``DOCKER_CONTEXT``;
    5. ``currentContext`` of ``config.json`` in ``DOCKER_CONFIG`` or ``~/.docker``; 6. the first socket that
    is there: Docker's, rootless Docker's, Podman's. The context named ``default`` stands for 3, then 6.

    Parameters
    ----------
    host:
        An address as ``docker --host`` takes it; blank means the default sockets, as in the CLI.
    context:
        The name of a context of Docker's CLI; an empty name counts as none.
    environ, home, root:
        What to look at instead of this process's environment, the home folder and ``/`` (the folder under
        which the system's own sockets are looked for).

    Raises
    ------
    InvalidInput
        Both options are given, an address cannot be meant, or a context or configuration file that was
        asked for is unknown or unreadable. The CLI (v29) only warns of a broken ``config.json`` and goes to
        the default socket; here that is an error, because it may be another engine than the one meant.
    EngineUnreachable
        Nothing is given, and none of the sockets exists.
    """
    env = os.environ if environ is None else environ
    home = home or _home(env)
    config_folder = Path(env["DOCKER_CONFIG"]) if env.get("DOCKER_CONFIG") else home / ".docker"
    around = _Surroundings(env, config_folder, home, root)
    if context and host is not None:
        raise InvalidInput(
            "Both --host and --context were given, and each names an engine.", "Give only one of the two."
        )
    if context:
        return _from_context(context, f"--context {context}", around)
    if host is not None:
        return _from_host(host, "--host", around)
    if env.get("DOCKER_HOST"):
        return _from_host(env["DOCKER_HOST"], "DOCKER_HOST", around)
    if env.get("DOCKER_CONTEXT"):
        return _from_context(env["DOCKER_CONTEXT"], f"DOCKER_CONTEXT={env['DOCKER_CONTEXT']}", around)
    config_file = config_folder / "config.json"
    current = _current_context(config_file)
    if current and current != _DEFAULT_CONTEXT:
        return _from_context(current, f"current context {current} of {config_file}", around)
    return _implicit(around)


def _home(environ: Mapping[str, str]) -> Path:
    if environ.get("HOME"):
        return Path(environ["HOME"])
    try:
        return Path.home()
    except RuntimeError:  # a uid without a passwd entry, as containers have them
        return Path("/")


# --- addresses ---


def _from_host(text: str, reason: str, around: _Surroundings) -> Endpoint:
    """The endpoint for an address from an option or the environment, where ``DOCKER_TLS*`` apply."""
    if not text.strip():
        return _implicit(around)
    tls = _tls_from_environment(around)
    url = _parse_address(text, reason, tls=tls is not None)
    return Endpoint(url, reason, tls if url.startswith("tcp://") else None)


def _parse_address(text: str, origin: str, *, tls: bool) -> str:
    """Check an address and complete it.

    As the CLI (v29, ``opts/hosts.go``), which has no ``http://`` either, except for three things: a ``tcp``
    address without a port gets 2376 when TLS is on, where the CLI keeps 2375; ``fd://`` and ``npipe://``
    are refused; a bare absolute path is refused, where the CLI takes it for a path on localhost.
    """
    address = text.strip()
    scheme, separator, rest = address.partition("://")
    if not separator:
        scheme, rest = "tcp", address
    if not address.isprintable():
        raise InvalidInput(f"The engine address of {origin} holds control characters: {address!r}.")
    if not separator and rest.startswith("/"):
        raise InvalidInput(f"The engine address {rest!r} ({origin}) has no scheme.", f"Write unix://{rest}.")
    if scheme == "unix":
        return _unix_address(rest, origin)
    if scheme == "tcp":
        return _tcp_address(rest, origin, tls=tls)
    if scheme == "ssh":
        return _ssh_address(rest, origin)
    if scheme in ("http", "https"):
        address = "tcp://" + rest.rpartition("@")[2]
        advice = f"Write {address}, and set DOCKER_TLS_VERIFY=1 if the engine speaks TLS."
    else:
        advice = "Use unix:///path, tcp://host:port or ssh://user@host."
    raise InvalidInput(f"The engine address of {origin} has a scheme that is not known: {scheme!r}.", advice)


def _unix_address(path: str, origin: str) -> str:
    if "://" in path:
        raise InvalidInput(
            f"The engine address of {origin} has two schemes: {path!r} after unix://.", "Keep one."
        )
    # A relative path counts from the working folder, as in the CLI; docker-py would count it from "/".
    return f"unix://{Path.cwd() / path if path else _DEFAULT_SOCKET}"


def _tcp_address(rest: str, origin: str, *, tls: bool) -> str:
    match = re.fullmatch(_TCP, rest)
    if "@" in rest or match is None:
        # What stands before an "@" may be a password: it is not repeated.
        shown = "tcp://" + rest.rpartition("@")[2]
        raise InvalidInput(
            f"The engine address {shown!r} ({origin}) is not of the form tcp://host:port.",
            "Give a host name or an IP address (IPv6 in brackets) and a port, and no user name.",
        )
    port = _port(match["port"], origin) or (_TLS_PORT if tls else _PLAIN_PORT)
    return f"tcp://{match['host'] or 'localhost'}:{port}{match['path'] or ''}"


def _ssh_address(rest: str, origin: str) -> str:
    match = re.fullmatch(_SSH, rest)
    if match is None:
        shown = "ssh://" + rest.rpartition("@")[2]
        raise InvalidInput(
            f"The engine address {shown!r} ({origin}) is not of the form ssh://user@host:port.",
            "A password cannot be given there: use a key or an agent.",
        )
    _port(match["port"], origin)
    return f"ssh://{rest.rstrip('/')}"


def _port(digits: str | None, origin: str) -> int | None:
    if not digits:
        return None
    # The length first: int() refuses numbers of thousands of digits with an error of its own.
    if len(digits) > 5 or not 0 < int(digits) < 65536:
        raise InvalidInput(
            f"The engine address of {origin} has a port that cannot be: {digits[:10]}.",
            "Ports are 1 to 65535.",
        )
    return int(digits)


# --- what nobody named: TLS from the environment, sockets ---


def _tls_from_environment(around: _Surroundings) -> Tls | None:
    """TLS for addresses that come from no context, as the CLI has it (v29, ``cli/flags/options.go``).

    ``DOCKER_TLS_VERIFY`` or ``DOCKER_TLS`` switch it on by being non-empty, whatever they say; only the first
    verifies. The files lie in ``DOCKER_CERT_PATH``, else in Docker's folder; the CA must be there to verify,
    a client certificate counts when its key is there too.
    """
    verify = bool(around.environ.get("DOCKER_TLS_VERIFY"))
    if not verify and not around.environ.get("DOCKER_TLS"):
        return None
    folder = Path(around.environ.get("DOCKER_CERT_PATH") or around.config_folder)
    tls = _tls_files(folder, verify=verify)
    if verify and tls.ca is None:
        raise InvalidInput(
            f"DOCKER_TLS_VERIFY is set, but there is no {folder / 'ca.pem'} to verify the engine against.",
            "Set DOCKER_CERT_PATH to the folder that holds ca.pem, or unset DOCKER_TLS_VERIFY.",
        )
    return tls


def _tls_files(folder: Path, *, verify: bool) -> Tls:
    """The TLS files in a folder; half a pair of client certificate and key is none, as in the CLI."""
    try:
        names = {entry.name for entry in folder.iterdir()}
    except FileNotFoundError:
        names = set()
    except OSError as error:
        raise InvalidInput(
            f"The TLS files in {folder} cannot be read: {error.strerror}.", "Make the folder readable."
        ) from error
    pair = {"cert.pem", "key.pem"} <= names
    return Tls(
        ca=folder / "ca.pem" if "ca.pem" in names else None,
        cert=folder / "cert.pem" if pair else None,
        key=folder / "key.pem" if pair else None,
        verify=verify,
    )


def _implicit(around: _Surroundings) -> Endpoint:
    """The endpoint when nobody named one: the first socket that exists.

    With TLS switched on by the environment it is ``tcp://localhost:2376``, as in the CLI.
    """
    tls = _tls_from_environment(around)
    if tls is not None:
        cause = "DOCKER_TLS_VERIFY" if tls.verify else "DOCKER_TLS"
        return Endpoint(f"tcp://localhost:{_TLS_PORT}", f"{cause} without DOCKER_HOST", tls)
    candidates = _candidate_sockets(around)
    for path, reason in candidates:
        if _is_socket(path):
            return Endpoint(f"unix://{path.absolute()}", reason, None)
    looked_for = ", ".join(str(path) for path, _ in candidates)
    raise EngineUnreachable(
        f"No container engine was found: none of these sockets exists: {looked_for}.",
        "Install and start Docker or Podman, or name an engine with --host or DOCKER_HOST.",
    )


def _candidate_sockets(around: _Surroundings) -> list[tuple[Path, str]]:
    """The sockets to look for, in order, each with the words for ``Endpoint.reason``."""
    runtime = around.environ.get("XDG_RUNTIME_DIR", "")
    if not runtime.startswith("/"):  # the XDG base directory spec: a relative path is to be ignored
        runtime = ""
    found = [(around.root / _DEFAULT_SOCKET.lstrip("/"), "default socket")]
    if runtime:
        found.append((Path(runtime, "docker.sock"), "rootless Docker's socket"))
    found.append((around.home / ".docker/run/docker.sock", "rootless Docker's socket"))
    if runtime:
        found.append((Path(runtime, "podman/podman.sock"), "rootless Podman's socket"))
    found.append((around.root / "run/podman/podman.sock", "Podman's socket"))
    return found


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:  # also: the folder is closed to this user, as /run/podman is; that engine is not for them
        return False


# --- contexts ---


def _current_context(config_file: Path) -> str:
    """``currentContext`` of Docker's ``config.json``; empty where there is no such file or key."""
    config = _read_json(config_file, "Docker's configuration") or {}
    current = config.get("currentContext") or ""
    if not isinstance(current, str):
        raise InvalidInput(
            f"Docker's configuration {config_file} holds a currentContext that is not a name.",
            "Choose a context with `docker context use`, or name an engine with --host.",
        )
    return current


def _from_context(name: str, reason: str, around: _Surroundings) -> Endpoint:
    """The endpoint that a context of the CLI names (v29, ``cli/context/store``, ``cli/context/docker``)."""
    if name == _DEFAULT_CONTEXT:
        inner = _from_host(around.environ.get("DOCKER_HOST", ""), "DOCKER_HOST", around)
        return Endpoint(inner.url, f"{reason}: {inner.reason}", inner.tls)
    contexts = around.config_folder / "contexts"
    # The folder is named by a hash, so that no name, whatever is in it, can lead to another place.
    import hashlib  # few have contexts, and loading it takes a while

    folder_name = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    meta_file = contexts / "meta" / folder_name / "meta.json"
    meta = _read_json(meta_file, f"The context {name!r}")
    if meta is None:
        raise InvalidInput(f"There is no context {name!r} ({reason}).", _known_contexts(contexts))
    endpoints = meta.get("Endpoints")
    docker = endpoints.get("docker") if isinstance(endpoints, dict) else None
    address = docker.get("Host") if isinstance(docker, dict) else None
    if not isinstance(docker, dict) or not isinstance(address, str) or not address.strip():
        raise InvalidInput(f"The context {name!r} ({reason}) names no engine.", _known_contexts(contexts))
    skip_verify = docker.get("SkipTLSVerify") is True
    tls = _context_tls(contexts / "tls" / folder_name / "docker", skip_verify=skip_verify)
    url = _parse_address(address, f"context {name!r}", tls=tls is not None)
    return Endpoint(url, reason, tls if url.startswith("tcp://") else None)


def _context_tls(folder: Path, *, skip_verify: bool) -> Tls | None:
    """TLS of a context: on when it has a TLS folder, even an empty one, or ``SkipTLSVerify``."""
    try:
        folder.stat()
    except FileNotFoundError:
        if not skip_verify:
            return None
    except OSError as error:
        # Never plain text instead, only because the files are closed to this user.
        raise InvalidInput(
            f"The TLS files in {folder} cannot be read: {error.strerror}.", "Make the folder readable."
        ) from error
    return _tls_files(folder, verify=not skip_verify)


def _known_contexts(contexts: Path) -> str:
    """One sentence that names the contexts there are, for hints."""
    names = {_DEFAULT_CONTEXT}
    for meta_file in contexts.glob("meta/*/meta.json"):
        try:
            name = (_read_json(meta_file, "A context") or {}).get("Name")
        except InvalidInput:
            continue  # a broken neighbour is no news for someone who asked for another context
        if isinstance(name, str):
            names.add(name)
    return f"Known contexts: {', '.join(n if n.isprintable() else repr(n) for n in sorted(names))}."


def _read_json(path: Path, what: str) -> dict[str, Any] | None:
    """The JSON object in a file; ``None`` where there is no such file, an error where it cannot be used."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        why = f"{what} cannot be read: {path}: {error.strerror}."
        raise InvalidInput(why, "Make the file readable.") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{what} is broken: {path} holds no valid JSON.", _MEND) from error
    if not isinstance(value, dict):
        raise InvalidInput(f"{what} is broken: {path} holds no JSON object.", _MEND)
    return value
