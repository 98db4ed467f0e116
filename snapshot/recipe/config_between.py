"""The edits that make one config of another."""

from __future__ import annotations

import json

from snapshot.engine.types import Config, Healthcheck
from snapshot.image.config_edits import ConfigEdits
from snapshot.image.config_parts import healthcheck_options, labels_but, variables
from snapshot.image.record import (
    OCI_AUTHORS,
    OCI_BASE_DIGEST,
    OCI_BASE_NAME,
    OCI_CREATED,
    OCI_OF_THE_BASE_ALONE,
)

_SNAPS_OWN = {OCI_AUTHORS, OCI_BASE_DIGEST, OCI_BASE_NAME, OCI_CREATED} | OCI_OF_THE_BASE_ALONE


def edits_between(before: Config, after: Config) -> ConfigEdits:
    """What has to be changed in a config for it to be another one.

    The labels that snap itself writes and takes away are no matter here, nor is what no edit can do: taking
    away a port or a volume, and changing the shell.

    >>> edits_between(Config(env=("A=1", "B=2")), Config(env=("A=3",))).unset_env
    ('B',)
    """
    old_env, new_env = variables(before), variables(after)
    old_labels, new_labels = labels_but(before, _SNAPS_OWN), labels_but(after, _SNAPS_OWN)
    # Setting an entrypoint clears the command.
    entrypoint_differs = before.entrypoint != after.entrypoint
    command_before = () if entrypoint_differs else before.cmd
    kept = len(before.on_build)
    return ConfigEdits(
        env={name: value for name, value in new_env.items() if old_env.get(name) != value},
        unset_env=tuple(name for name in old_env if name not in new_env),
        labels={name: value for name, value in new_labels.items() if old_labels.get(name) != value},
        unset_labels=tuple(name for name in old_labels if name not in new_labels),
        entrypoint=after.entrypoint if entrypoint_differs else None,
        cmd=after.cmd if command_before != after.cmd else None,
        working_dir=after.working_dir if before.working_dir != after.working_dir else None,
        user=after.user if before.user != after.user else None,
        exposed_ports=tuple(sorted(after.exposed_ports - before.exposed_ports)),
        volumes=tuple(sorted(after.volumes - before.volumes)),
        stop_signal=after.stop_signal or None if before.stop_signal != after.stop_signal else None,
        healthcheck=_in_words(after.healthcheck) if before.healthcheck != after.healthcheck else None,
        on_build=after.on_build[kept:] if after.on_build[:kept] == before.on_build else after.on_build,
    )


def _in_words(check: Healthcheck | None) -> str:
    """A health check as ``HEALTHCHECK`` takes it; the absence of one can only be ``NONE``."""
    if check is None or check.test[:1] == ("NONE",):
        return "NONE"
    command = " ".join(check.test[1:]) if check.test[:1] == ("CMD-SHELL",) else json.dumps(check.test[1:])
    return " ".join([*healthcheck_options(check), "CMD", command])
