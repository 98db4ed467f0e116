"""A new container made as an old one was: what an engine says of that, turned into what it takes for this."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import quote

from snapshot.engine.types import Config, ContainerSpec, is_anonymous_volume
from snapshot.engine.wire import Wire, of_container

#: What a user can ask of a network; the rest of an inspect answer is what came of it.
_ASKED_OF_A_NETWORK = ("IPAMConfig", "Links", "DriverOpts", "GwPriority")
# Podman adds these to the variables of every container.
_ENV_OF_PODMAN = frozenset({"TERM=xterm", "container=podman", "HOME=/root"})


class Creation(NamedTuple):
    """What a new container is to be.

    ``body`` is for ``POST /containers/create``, ``platform`` (empty: the engine's) its parameter. Once it
    is made, it is to be connected to the ``networks``: each by ID or name, with its endpoint's settings.
    """

    body: dict[str, Any]
    platform: str
    networks: tuple[tuple[str, dict[str, Any]], ...] = ()


def creation_of(spec: ContainerSpec) -> Creation:
    """What makes a container as it is asked for."""
    host: dict[str, Any] = {"NetworkMode": spec.network or "default"}
    if spec.binds:
        host["Binds"] = list(spec.binds)
    if spec.size:
        # Engines before API 1.42 do not mind it.
        host["ConsoleSize"] = [spec.size.rows, spec.size.columns]
    body: dict[str, Any] = {
        "Image": spec.image,
        "Cmd": list(spec.command) or None,
        "Entrypoint": list(spec.entrypoint) or None,
        "Env": list(spec.env),
        "WorkingDir": spec.working_dir,
        "User": spec.user,
        "Volumes": {path: {} for path in spec.volumes},
        "Labels": dict(spec.labels),
        "Tty": spec.tty,
        "OpenStdin": spec.stdin,
        "StdinOnce": spec.stdin and not spec.detach,
        "AttachStdin": spec.stdin and not spec.detach,
        "AttachStdout": not spec.detach,
        "AttachStderr": not spec.detach,
        "HostConfig": host,
    }
    return Creation({key: value for key, value in body.items() if value is not None}, spec.platform)


def creation_like(
    answer: Mapping[str, Any], base: Config, image: str, labels: Mapping[str, str], *, is_podman: bool
) -> Creation:
    """What makes a container like the one that an engine describes.

    Parameters
    ----------
    answer:
        The engine's answer to ``GET /containers/ID/json``.
    base:
        The config of that container's image: what came from there is left out, so that the new container has
        what its own image says.
    image:
        Name or ID of the image that the new container is made from.
    labels:
        Set on the new container, whatever the old one had under these keys.

    Notes
    -----
    Anonymous volumes are asked for anew. A MAC address that the user chose cannot be told from one that the
    engine chose, and is not asked for.
    """
    config = _asked_for(answer, base)
    host = dict(answer["HostConfig"])
    host.pop("ContainerIDFile", None)
    host["Links"] = [_link(text) for text in host.get("Links") or ()]
    if is_podman:
        _undo_what_podman_adds(config, host, answer, base)
    endpoints = _endpoints(answer)
    if is_podman:
        asked = endpoints
    else:
        # API < 1.44 takes one network here, the one that HostConfig names; the others are connected later.
        asked = {
            name: endpoint for name, endpoint in endpoints.items() if name == _primary(answer) and endpoint
        }
    body: dict[str, Any] = {
        **config,
        "Image": image,
        "Labels": {**config["Labels"], **labels},
        "HostConfig": host,
        "NetworkingConfig": {"EndpointsConfig": asked},
    }
    later = {} if is_podman else {name: endpoints[name] for name in endpoints if name != _primary(answer)}
    return Creation(body, _platform(answer), tuple(later.items()))


def create(wire: Wire, creation: Creation, name: str) -> str:
    """Make the container and return its ID; where it cannot be connected to all its networks none is left."""
    params = {"name": name} if name else {}
    if creation.platform:
        params["platform"] = creation.platform
    made = wire.ask(
        "POST", "/containers/create", params=params, body=creation.body, timeout_s=None, subject=name
    ).json()
    container_id = str(made["Id"])
    try:
        for network, endpoint in creation.networks:
            page = f"/networks/{quote(network, safe='')}/connect"
            body = {"Container": container_id, "EndpointConfig": endpoint}
            wire.ask("POST", page, body=body, timeout_s=None, subject=network)
    except BaseException:
        params = {"force": "1", "v": "1"}
        wire.ask("DELETE", of_container(container_id), params=params, timeout_s=None, subject=name)
        raise
    return container_id


def _asked_for(answer: Mapping[str, Any], base: Config) -> dict[str, Any]:
    """The container's ``Config`` without what its image or the engine put in."""
    config = dict(answer["Config"])
    own = Config.from_api(config)
    config["Env"] = [variable for variable in own.env if variable not in base.env]
    config["Labels"] = dict(own.labels.items() - base.labels.items())
    config["ExposedPorts"] = {port: {} for port in sorted(own.exposed_ports - base.exposed_ports)}
    config["Volumes"] = {path: {} for path in sorted(own.volumes - base.volumes)}
    config.update(_command(own, base))
    for key, mine, given in (
        ("User", own.user, base.user),
        ("WorkingDir", own.working_dir, base.working_dir),
        ("StopSignal", own.stop_signal, base.stop_signal),
        ("Healthcheck", own.healthcheck, base.healthcheck),
        ("OnBuild", own.on_build, base.on_build),
        ("Shell", own.shell, base.shell),
    ):
        if mine == given:
            config.pop(key, None)
    host = answer["HostConfig"]
    names_itself = config.get("Hostname") == answer["Id"][:12]
    if (
        names_itself
        or _mode(host, "NetworkMode").startswith("container:")
        or _mode(host, "UTSMode") == "host"
    ):
        config.pop("Hostname", None)
    return config


def _command(own: Config, base: Config) -> dict[str, Any]:
    """``Entrypoint`` and ``Cmd`` as they have to be given: an entrypoint clears the image's cmd."""
    if own.entrypoint == base.entrypoint:
        # Not given (null) where they are the image's; an empty list would say the same.
        return {"Entrypoint": None, "Cmd": None if own.cmd == base.cmd else list(own.cmd)}
    # [""] is how an image's entrypoint is cleared; the engine does not show it afterwards.
    return {"Entrypoint": list(own.entrypoint) or [""], "Cmd": list(own.cmd)}


def _link(text: str) -> str:
    """``/other:/box/alias`` as it is asked for: ``other:alias``."""
    source, colon, target = text.partition(":")
    return f"{source.removeprefix('/')}:{target.rpartition('/')[2]}" if colon else text


def _mode(host: Mapping[str, Any], key: str) -> str:
    return str(host.get(key) or "")


def _endpoints(answer: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """For each network of a container what was asked of it."""
    networks = (answer.get("NetworkSettings") or {}).get("Networks") or {}
    found = {}
    for name, endpoint in networks.items():
        asked = {key: endpoint[key] for key in _ASKED_OF_A_NETWORK if (endpoint or {}).get(key)}
        # Engines before API 1.45 put the beginning of the ID among the aliases.
        aliases = [alias for alias in (endpoint or {}).get("Aliases") or () if alias != answer["Id"][:12]]
        found[name] = {**asked, "Aliases": aliases} if aliases else asked
    return found


def _primary(answer: Mapping[str, Any]) -> str:
    """The network among those of a container that its ``NetworkMode`` means."""
    mode = _mode(answer["HostConfig"], "NetworkMode")
    networks = (answer.get("NetworkSettings") or {}).get("Networks") or {}
    by_id = [
        name for name, endpoint in networks.items() if (endpoint or {}).get("NetworkID") == mode and mode
    ]
    return by_id[0] if by_id else "bridge" if mode == "default" else mode


def _platform(answer: Mapping[str, Any]) -> str:
    """The platform that an image of several was taken for, where the engine says it (containerd store)."""
    platform = (answer.get("ImageManifestDescriptor") or {}).get("platform") or {}
    parts = [platform.get(key) or "" for key in ("os", "architecture", "variant")]
    return "/".join(filter(None, parts)) if parts[0] and parts[1] else ""


def _undo_what_podman_adds(
    config: dict[str, Any], host: dict[str, Any], answer: Mapping[str, Any], base: Config
) -> None:
    """Take out what Podman puts in itself, and say in Docker's words what it says in its own.

    Its anonymous volumes are among the binds, by name: the new container would share them with the old one.
    """
    added = {*_ENV_OF_PODMAN, f"HOSTNAME={answer['Config'].get('Hostname') or ''}"}
    config["Env"] = [variable for variable in config["Env"] if variable not in added]
    if config.get("StopSignal") == str(_number_of_signal(base.stop_signal or "SIGTERM")):
        config.pop("StopSignal")
    anonymous = {
        mount["Destination"]
        for mount in answer.get("Mounts") or ()
        if mount.get("Type") == "volume" and is_anonymous_volume(mount.get("Name") or "")
    }
    config["Volumes"] = {path: {} for path in sorted((anonymous | set(config["Volumes"])) - base.volumes)}
    host["Binds"] = [
        bind for bind in host.get("Binds") or () if not is_anonymous_volume(bind.partition(":")[0])
    ]
    host["Ulimits"] = [
        {**limit, "Name": limit["Name"].removeprefix("RLIMIT_").lower()}
        for limit in host.get("Ulimits") or ()
    ]
    # "oci" stands for the default runtime and is the name of none.
    host.pop("Runtime", None)


def _number_of_signal(name: str) -> int:
    """15 for ``SIGTERM``, ``TERM`` or ``15``; 0 for what is no signal here."""
    if name.isdigit():
        return int(name)
    with suppress(KeyError):
        return signal.Signals[name if name.startswith("SIG") else f"SIG{name}"].value
    return 0
