"""What an engine says about its images, containers and itself, as typed values.

These types are the vocabulary of the layers above; nothing here imports ``docker``.
Field names follow the OCI image spec and Docker's API (v1.41).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from snapshot.engine.process_types import TerminalSize


class ChangeKind(enum.Enum):
    """What happened to a path, with the letter that ``docker diff`` prints for it."""

    ADDED = "A"
    CHANGED = "C"
    DELETED = "D"


class Change(NamedTuple):
    """One path that a container added, changed or deleted, as the engine lists it."""

    kind: ChangeKind
    path: str


class PathStat(NamedTuple):
    """What the engine says of one path without sending its content.

    ``go_mode`` are the bits of Go's ``fs.FileMode``, not those of Unix. ``link_target`` is the
    absolute path in the container that a symlink ends at, all links followed. ``mtime_s`` is in whole seconds
    since 1970.
    """

    size_bytes: int
    go_mode: int
    link_target: str
    mtime_s: int = 0

    @property
    def is_folder(self) -> bool:
        """Whether the path is a folder (Go's ``fs.ModeDir``, bit 31)."""
        return bool(self.go_mode & 1 << 31)

    @property
    def is_device(self) -> bool:
        """Whether the path is a device (Go's ``fs.ModeDevice``, bit 26)."""
        return bool(self.go_mode & 1 << 26)

    @property
    def is_symlink(self) -> bool:
        """Whether the path is a symlink (Go's ``fs.ModeSymlink``, bit 27)."""
        return bool(self.go_mode & 1 << 27)

    @property
    def is_socket(self) -> bool:
        """Whether the path is a Unix socket (Go's ``fs.ModeSocket``, bit 24)."""
        return bool(self.go_mode & 1 << 24)

    @property
    def is_regular(self) -> bool:
        """Whether the path is a regular file: no bit of Go's ``fs.ModeType`` is set."""
        return not self.go_mode & (1 << 31 | 1 << 27 | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19)

    @property
    def unix_mode(self) -> int:
        """Permission bits with setuid, setgid and sticky as Unix has them (Go's are bits 23, 22 and 20)."""
        special = [(23, 0o4000), (22, 0o2000), (20, 0o1000)]
        return self.go_mode & 0o777 | sum(bit for go_bit, bit in special if self.go_mode & 1 << go_bit)


class PullEvent(NamedTuple):
    """One line of the engine's progress on a pull; sizes in bytes, ``None`` where not said."""

    layer: str
    status: str
    current: int | None
    total: int | None


@dataclass(frozen=True)
class ContainerSpec:
    """What a new container is to be; empty values leave the image's own in force.

    ``binds`` are Docker's ``SOURCE:DESTINATION[:OPTIONS]``, ``volumes`` destinations of anonymous ones.
    An ``entrypoint`` of ``("",)`` clears the image's. ``tty`` gives it a terminal, ``stdin`` an input that
    ends with the connection that brings it, or stays open where nobody is attached at first (``detach``).
    ``size`` is what its terminal has from the start (Docker from 23.0 on).
    """

    image: str
    name: str
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    binds: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    network: str = ""
    platform: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    tty: bool = False
    stdin: bool = False
    detach: bool = False
    size: TerminalSize | None = None


@dataclass(frozen=True)
class Healthcheck:
    """``HEALTHCHECK`` of a config; times in nanoseconds, 0 where the engine's default holds.

    ``test`` is ``("NONE",)``, ``("CMD", arg, …)`` or ``("CMD-SHELL", line)``.
    """

    test: tuple[str, ...]
    interval_ns: int = 0
    timeout_ns: int = 0
    start_period_ns: int = 0
    start_interval_ns: int = 0
    retries: int = 0


@dataclass(frozen=True)
class Config:
    """The execution parameters of an image or container (OCI image spec, ``config``).

    ``env`` keeps its order, as ``KEY=VALUE``. ``exposed_ports`` are ``PORT/PROTOCOL``. ``shell`` is
    empty where the engine's default (``/bin/sh -c``) holds.
    """

    env: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    exposed_ports: frozenset[str] = frozenset()
    volumes: frozenset[str] = frozenset()
    stop_signal: str = ""
    healthcheck: Healthcheck | None = None
    on_build: tuple[str, ...] = ()
    shell: tuple[str, ...] = ()

    @classmethod
    def from_api(cls, answer: Mapping[str, Any] | None) -> Config:
        """Read the ``Config`` object of an inspect answer (``None`` is an empty config)."""
        value = answer or {}
        health = value.get("Healthcheck")
        return cls(
            env=tuple(value.get("Env") or ()),
            cmd=tuple(value.get("Cmd") or ()),
            entrypoint=tuple(value.get("Entrypoint") or ()),
            working_dir=value.get("WorkingDir") or "",
            user=value.get("User") or "",
            labels=dict(value.get("Labels") or {}),
            exposed_ports=frozenset(value.get("ExposedPorts") or ()),
            volumes=frozenset(value.get("Volumes") or ()),
            stop_signal=value.get("StopSignal") or "",
            healthcheck=_healthcheck_from_api(health) if health else None,
            on_build=tuple(value.get("OnBuild") or ()),
            shell=tuple(value.get("Shell") or ()),
        )

    def to_api(self) -> dict[str, Any]:
        """The same config as the ``Config`` object that the API takes."""
        return {
            "Env": list(self.env),
            "Cmd": list(self.cmd),
            "Entrypoint": list(self.entrypoint),
            "WorkingDir": self.working_dir,
            "User": self.user,
            "Labels": dict(self.labels),
            "ExposedPorts": {port: {} for port in sorted(self.exposed_ports)},
            "Volumes": {path: {} for path in sorted(self.volumes)},
            "StopSignal": self.stop_signal,
            "Healthcheck": _healthcheck_to_api(self.healthcheck) if self.healthcheck else None,
            "OnBuild": list(self.on_build),
            "Shell": list(self.shell),
        }


def _healthcheck_from_api(answer: Mapping[str, Any]) -> Healthcheck:
    return Healthcheck(
        test=tuple(answer.get("Test") or ()),
        interval_ns=answer.get("Interval") or 0,
        timeout_ns=answer.get("Timeout") or 0,
        start_period_ns=answer.get("StartPeriod") or 0,
        start_interval_ns=answer.get("StartInterval") or 0,
        retries=answer.get("Retries") or 0,
    )


def _healthcheck_to_api(check: Healthcheck) -> dict[str, Any]:
    return {
        "Test": list(check.test),
        "Interval": check.interval_ns,
        "Timeout": check.timeout_ns,
        "StartPeriod": check.start_period_ns,
        "StartInterval": check.start_interval_ns,
        "Retries": check.retries,
    }


@dataclass(frozen=True)
class Image:
    """An image in an engine's store.

    ``layers`` are the diff IDs of its layers, base first (OCI image spec, ``rootfs.diff_ids``).
    ``descriptor`` names the manifest or index that the containerd store keeps; classic stores have none.
    ``upper_folder`` and ``lower_folders`` (topmost first) are where an overlay driver keeps its topmost layer
    and the others on the engine's machine, empty where the engine does not say.
    """

    id: str
    tags: tuple[str, ...]
    repo_digests: tuple[str, ...]
    created: str
    author: str
    comment: str
    architecture: str
    os: str
    variant: str
    size_bytes: int
    layers: tuple[str, ...]
    config: Config
    os_version: str = ""
    descriptor: Descriptor | None = None
    upper_folder: str = ""
    lower_folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class HistoryEntry:
    """One step of an image's history (OCI image spec, config.md, ``history``).

    ``created`` is RFC 3339, empty where unknown. ``size_bytes`` is what the engine says of its layer.
    """

    created: str
    created_by: str
    comment: str = ""
    author: str = ""
    empty_layer: bool = False
    size_bytes: int = 0


@dataclass(frozen=True)
class Descriptor:
    """What names a blob in a manifest (OCI image spec, descriptor.md)."""

    media_type: str
    digest: str
    size_bytes: int


class Mount(NamedTuple):
    """A volume or bind mount of a container: its data can never be part of an image."""

    kind: str
    source: str
    destination: str

    @property
    def is_anonymous(self) -> bool:
        """Whether it is a volume that nobody gave a name: it goes with its container."""
        return self.kind == "volume" and is_anonymous_volume(self.source)


def is_anonymous_volume(name: str) -> bool:
    """Whether an engine made up the name of a volume: 64 hex digits (Docker, Podman)."""
    return len(name) == 64 and set(name) <= set("0123456789abcdef")


@dataclass(frozen=True)
class Container:
    """A container, running or not.

    ``image_id`` is the image it was started from, ``image_name`` what the user called that image
    then. ``state`` is Docker's word: created, running, paused, restarting, removing, exited, dead.
    ``upper_folder`` and ``lower_folders`` (topmost first) are where an overlay driver keeps its files on the
    engine's machine, empty where the engine does not say. ``tty`` and ``stdin`` say whether its first process
    has a terminal and an open input.
    """

    id: str
    name: str
    image_id: str
    image_name: str
    state: str
    exit_code: int
    created: str
    config: Config
    mounts: tuple[Mount, ...]
    upper_folder: str = ""
    lower_folders: tuple[str, ...] = ()
    tty: bool = False
    stdin: bool = False

    @property
    def is_up(self) -> bool:
        """Whether its processes are there: running, paused, or being restarted."""
        return self.state in {"running", "paused", "restarting"}


class EngineVersion(NamedTuple):
    """What an engine is: ``Docker`` or ``Podman``, its version, and the API that it speaks."""

    name: str
    version: str
    api_version: str
    os: str
    architecture: str

    @property
    def major(self) -> int:
        """The first number of the version."""
        first = self.version.partition(".")[0]
        return int(first) if first.isdigit() else 0


class EngineInfo(NamedTuple):
    """What an engine is and what it runs on.

    ``image_store`` is ``classic`` (graph drivers) or ``containerd``.
    """

    name: str
    version: str
    api_version: str
    storage_driver: str
    image_store: str
    os: str
    architecture: str
    has_default_network: bool
    can_pause: bool
