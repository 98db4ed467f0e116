"""What an engine's own commit makes of a config: it merges, and never leaves anything out.

Read from moby's ``daemon/commit.go`` (20.10 to 28): where the config that is asked for has no value, the
container's is taken; env, labels, ports and volumes of the container are added to those asked for.
"""

from __future__ import annotations

from dataclasses import replace

from snapshot.engine.types import Config, Healthcheck
from snapshot.image.record import config_digests

_NO_HEALTHCHECK = Healthcheck(test=("NONE",))


def without_gaps(wanted: Config, container: Config) -> Config:
    """``wanted`` with a neutral value wherever an empty one would let the container's in.

    ``/``, user 0, SIGTERM and no healthcheck are what an engine takes for empty values anyway. An empty
    command has no such stand-in, unless an entrypoint is set.
    """
    return replace(
        wanted,
        working_dir=wanted.working_dir or ("/" if container.working_dir else ""),
        user=wanted.user or ("0" if container.user else ""),
        stop_signal=wanted.stop_signal or ("SIGTERM" if container.stop_signal else ""),
        healthcheck=wanted.healthcheck or (_NO_HEALTHCHECK if container.healthcheck else None),
    )


def merged_by_engine(wanted: Config, container: Config) -> Config:
    """The config that the image will have when a container is committed with ``wanted``."""
    names = {variable.partition("=")[0] for variable in wanted.env}
    extra_env = tuple(v for v in container.env if v.partition("=")[0] not in names)
    no_command = not wanted.entrypoint and not wanted.cmd
    return replace(
        wanted,
        env=wanted.env + extra_env,
        labels={**container.labels, **wanted.labels},
        # An entrypoint sent as an empty list, and not left out, stays empty.
        cmd=container.cmd if no_command else wanted.cmd,
        working_dir=wanted.working_dir or container.working_dir,
        user=wanted.user or container.user,
        stop_signal=wanted.stop_signal or container.stop_signal,
        healthcheck=_merged_healthcheck(wanted.healthcheck, container.healthcheck),
        exposed_ports=wanted.exposed_ports | container.exposed_ports,
        volumes=wanted.volumes | container.volumes,
    )


def _merged_healthcheck(wanted: Healthcheck | None, container: Healthcheck | None) -> Healthcheck | None:
    if wanted is None or container is None:
        return wanted or container
    return Healthcheck(
        test=wanted.test or container.test,
        interval_ns=wanted.interval_ns or container.interval_ns,
        timeout_ns=wanted.timeout_ns or container.timeout_ns,
        start_period_ns=wanted.start_period_ns or container.start_period_ns,
        start_interval_ns=wanted.start_interval_ns or container.start_interval_ns,
        retries=wanted.retries or container.retries,
    )


def kept_by_engine(wanted: Config, merged: Config) -> tuple[str, ...]:
    """Names of the parts of ``merged`` that nobody asked for: ``env WHO``, ``volume /data``, ``cmd``."""
    asked_for = config_digests(wanted)
    return tuple(name for name, digest in config_digests(merged).items() if asked_for.get(name) != digest)
