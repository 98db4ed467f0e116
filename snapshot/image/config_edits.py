"""What a commit is to change in the config of its base image."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from snapshot.engine.types import Config
from snapshot.image import edits
from snapshot.image.instructions import apply_instructions


@dataclass(frozen=True)
class ConfigEdits:
    """Changes to a config; what is left empty stays as the base image has it.

    Attributes
    ----------
    instructions:
        Dockerfile instructions (``CMD ["node","app.js"]``, ``ENV A=1``): what ``docker commit --change``
        takes. They are applied first, in order.
    cmd, entrypoint:
        A sequence of arguments, or text as an instruction takes it: a JSON list, else a line for the shell.
        A new entrypoint clears the base's command.
    exposed_ports:
        ``80``, ``80/tcp``, ``8000-8010/udp``.
    healthcheck:
        Text as ``HEALTHCHECK`` takes it: ``--interval=5s CMD curl -f localhost`` or ``NONE``.
    on_build:
        Instructions to be run when another image is built from this one.
    unset_env, unset_labels:
        Names of variables and labels that are to go, before others are set.

    Example
    -------
    >>> ConfigEdits(env={"A": "2"}, cmd=["app"]).applied_to(Config(env=("A=1",))).env
    ('A=2',)
    """

    instructions: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    cmd: str | Sequence[str] | None = None
    entrypoint: str | Sequence[str] | None = None
    working_dir: str | None = None
    user: str | None = None
    exposed_ports: Sequence[str] = ()
    volumes: Sequence[str] = ()
    stop_signal: str | None = None
    healthcheck: str | None = None
    on_build: Sequence[str] = ()
    unset_env: Sequence[str] = ()
    unset_labels: Sequence[str] = ()

    def applied_to(self, config: Config) -> Config:
        """The config with these changes; raises :class:`~snapshot.errors.InvalidInput`."""
        instructions = list(self.instructions)
        if self.entrypoint is not None:
            instructions.append(f"ENTRYPOINT {_argument(self.entrypoint)}")
        if self.cmd is not None:
            instructions.append(f"CMD {_argument(self.cmd)}")
        if self.healthcheck is not None:
            # Options stand before the CMD there: the text is that of the instruction, whole.
            instructions.append(f"HEALTHCHECK {self.healthcheck}")
        config = apply_instructions(config, instructions)
        config = edits.without_env(config, self.unset_env)
        config = edits.without_labels(config, self.unset_labels)
        for name, value in self.env.items():
            config = edits.with_env(config, name, value)
        if self.labels:
            config = edits.with_labels(config, self.labels)
        if self.working_dir is not None:
            config = edits.with_working_dir(config, self.working_dir)
        if self.user is not None:
            config = edits.with_user(config, self.user)
        if self.stop_signal is not None:
            config = edits.with_stop_signal(config, self.stop_signal)
        config = edits.with_exposed_ports(config, self.exposed_ports)
        config = edits.with_volumes(config, self.volumes)
        return edits.with_on_build(config, self.on_build)


def _argument(command: str | Sequence[str]) -> str:
    return command if isinstance(command, str) else json.dumps(list(command))
