"""Configs of containers on Podman: what it adds when one starts, and how its own commit is told one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace

from snapshot.engine.types import Config, Mount
from snapshot.errors import EngineError

_ANONYMOUS = re.compile("[0-9a-f]{64}")
_HINT = "Leave --method engine out: a sealed commit can."


def as_commit_takes_it(config: Config, hostname: str, mounts: Iterable[Mount]) -> Config:
    """A container's config as far as Podman's commit puts it into an image.

    HOSTNAME and root's HOME are added when a container starts. Healthcheck and stop signal are the base's in
    the image, whatever the container has, and anonymous volumes are told among the mounts alone.
    """
    added = {f"HOSTNAME={hostname}", "HOME=/root"}
    volumes = {
        mount.destination for mount in mounts if mount.kind == "volume" and _ANONYMOUS.fullmatch(mount.source)
    }
    return replace(
        config,
        env=tuple(variable for variable in config.env if variable not in added),
        volumes=config.volumes | volumes,
        healthcheck=None,
        stop_signal="",
    )


def instructions(config: Config, base: Config) -> list[str]:
    """What Podman's commit is to be told, so that the image has ``config`` where its base has ``base``.

    Before 5.0 it ignores the config in the body (4.3, ``CommitContainer`` and ``GetImageConfig``). What a
    container does not have (healthcheck, ONBUILD, SHELL, STOPSIGNAL) it takes from the base.

    Raises :class:`~snapshot.errors.EngineError` for what it cannot be told: a healthcheck, the name of a
    stop signal, or a value with a line break, since each line is one instruction.
    """
    if config.healthcheck != base.healthcheck:
        raise EngineError("Podman's own commit cannot set a healthcheck.", _HINT)
    if config.stop_signal not in {base.stop_signal, ""}:
        raise EngineError("Podman's own commit writes a stop signal as a number.", _HINT)
    has_triggers = config.on_build[: len(base.on_build)] == base.on_build
    lines = [f"ENV {variable}" for variable in map(_quoted, config.env)]
    lines += [f"LABEL {_quoted(f'{key}={value}')}" for key, value in config.labels.items()]
    lines += [f"EXPOSE {port}" for port in sorted(config.exposed_ports)]
    lines += [f"VOLUME {json.dumps([path])}" for path in sorted(config.volumes)]
    lines += [f"ONBUILD {trigger}" for trigger in config.on_build[has_triggers * len(base.on_build) :]]
    lines += [f"ENTRYPOINT {json.dumps(list(config.entrypoint))}", f"CMD {json.dumps(list(config.cmd))}"]
    for word, value in (
        ("WORKDIR", config.working_dir),
        ("USER", config.user),
    ):
        lines += [f"{word} {value}"] if value else []
    if any("\n" in line for line in lines):
        raise EngineError("Podman's own commit takes no value with a line break.", _HINT)
    return lines


def _quoted(pair: str) -> str:
    """``KEY="VALUE"``: one pair of quotes is taken off, and blanks at the ends only without them."""
    key, _, value = pair.partition("=")
    return f'{key}="{value}"'
