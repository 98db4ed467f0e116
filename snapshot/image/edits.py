"""Edits of a config: each takes one and gives a new one; none changes what it was given.

They are what the readable options of a commit (``--env``, ``--cmd``, ...) and the instructions of
``--change`` (:mod:`snapshot.image.instructions`) both come down to. Values are taken literally here: quotes,
variables and the shell form are matters of an instruction. A value with which no container could be
started is refused.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from snapshot.engine.types import Config, Healthcheck
from snapshot.errors import InvalidInput
from snapshot.image.record import PREFIX
from snapshot.image.words import logical_lines, split_line

_PORTS = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?(?:/([A-Za-z]*))?")
_PROTOCOLS = ("tcp", "udp", "sctp")
_HIGHEST_PORT = 65535

# The names that the engine takes on Linux, whatever this machine's own signals are.
_SIGNAL = re.compile(
    "(?:SIG)?(?:ABRT|ALRM|BUS|CHLD|CLD|CONT|FPE|HUP|ILL|INT|IO|IOT|KILL|PIPE|POLL|PROF|PWR|QUIT|SEGV|STKFLT"
    "|STOP|SYS|TERM|TRAP|TSTP|TTIN|TTOU|URG|USR1|USR2|VTALRM|WINCH|XCPU|XFSZ"
    r"|RTMIN(?:\+(?:[1-9]|1[0-5]))?|RTMAX(?:-(?:[1-9]|1[0-4]))?)",
    re.IGNORECASE | re.ASCII,
)
_HIGHEST_SIGNAL = 64

_SHORTEST_NS = 10**6
_MOST_RETRIES = 2**31 - 1

# What a Dockerfile knows, save ONBUILD, FROM and MAINTAINER.
_TRIGGERS = (
    "ADD, ARG, CMD, COPY, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, RUN, SHELL, STOPSIGNAL, USER,"
    " VOLUME, WORKDIR"
)
_HERE_DOCUMENT = re.compile(r"(?:^|\s)[0-9]*<<-?\s*[\"']?\w")


def with_env(config: Config, name: str, value: str) -> Config:
    """Set one environment variable: in its place if it is there already, else at the end.

    >>> with_env(Config(env=("PATH=/bin", "A=1")), "PATH", "/usr/bin").env
    ('PATH=/usr/bin', 'A=1')
    """
    if not name or "=" in name or "\0" in name:
        raise InvalidInput(f"{name!r} cannot be the name of a variable", "Write it as KEY=VALUE.")
    if "\0" in value:
        raise InvalidInput(f"the value of {name} holds a NUL byte, which no variable can")
    entry = f"{name}={value}"
    env = list(config.env)
    for index, present in enumerate(env):
        if present.partition("=")[0] == name:
            env[index] = entry
            break
    else:
        env.append(entry)
    return replace(config, env=tuple(env))


def without_env(config: Config, names: Iterable[str]) -> Config:
    """Take variables away; one that is not there is a mistake.

    >>> without_env(Config(env=("A=1", "B=2")), ["A"]).env
    ('B=2',)
    """
    for name in names:
        kept = tuple(entry for entry in config.env if entry.partition("=")[0] != name)
        if kept == config.env:
            raise InvalidInput(f"the image has no variable {name!r} to take away")
        config = replace(config, env=kept)
    return config


def without_labels(config: Config, keys: Iterable[str]) -> Config:
    """Take labels away; one that is not there is a mistake."""
    for key in keys:
        if key not in config.labels:
            raise InvalidInput(f"the image has no label {key!r} to take away")
        config = replace(config, labels={name: value for name, value in config.labels.items() if name != key})
    return config


def with_labels(config: Config, labels: Mapping[str, str]) -> Config:
    """Add labels; one with the same key is replaced."""
    if "" in labels:
        raise InvalidInput("a label needs a key", "Write it as KEY=VALUE.")
    if own := next((key for key in labels if key.startswith(f"{PREFIX}.")), ""):
        raise InvalidInput(f"the label {own!r:.80} is one that snap writes itself", "Choose another key.")
    return replace(config, labels={**config.labels, **labels})


def with_cmd(config: Config, argv: Sequence[str]) -> Config:
    """Set the default command, or the entrypoint's default arguments; an empty ``argv`` clears it."""
    return replace(config, cmd=tuple(argv))


def with_entrypoint(config: Config, argv: Sequence[str]) -> Config:
    """Set the entrypoint and clear the CMD; an empty ``argv`` clears both.

    The inherited CMD was written for another entrypoint; the engine drops it too, unless the same list of
    changes had set it before (:func:`snapshot.image.instructions.apply_instructions` knows that). Whoever
    sets both sets the CMD last.

    >>> with_entrypoint(Config(cmd=("/bin/sh",)), ["/app"]).cmd
    ()
    """
    return replace(config, entrypoint=tuple(argv), cmd=())


def with_working_dir(config: Config, path: str) -> Config:
    """Set the working folder; a relative path starts at the present one, and the result is normalised.

    >>> with_working_dir(Config(working_dir="/srv/app"), "../data").working_dir
    '/srv/data'
    """
    if not path:
        raise InvalidInput("the working folder is empty", "Name a path, such as /srv/app.")
    joined = path if path.startswith("/") else f"/{config.working_dir}/{path}"
    # POSIX gives a path with exactly two leading slashes a meaning of its own, which normpath keeps.
    return replace(config, working_dir="/" + posixpath.normpath(joined).lstrip("/"))


def with_user(config: Config, user: str) -> Config:
    """Set the user (``name``, ``uid``, ``name:group`` or ``uid:gid``); empty is root.

    Whether the image knows the name is not checked: only the engine can tell.
    """
    return replace(config, user=user)


def with_exposed_ports(config: Config, ports: Iterable[str]) -> Config:
    """Add ports: ``80``, ``80/tcp``, ``53/udp``, ``9000/sctp`` or a range ``8000-8010/udp``.

    Raises
    ------
    InvalidInput
        A port is none from 1 to 65535, the range runs backwards, or it names a host's port (``8080:80``): the
        engine takes that and silently keeps the container's port alone.

    >>> sorted(with_exposed_ports(Config(), ["80", "8000-8001/udp"]).exposed_ports)
    ['80/tcp', '8000/udp', '8001/udp']
    """
    added = frozenset(port for text in ports for port in _ports(text))
    return replace(config, exposed_ports=config.exposed_ports | added)


def _ports(text: str) -> Iterator[str]:
    hint = "Write it as 80, 80/tcp or 8000-8010/udp (tcp, udp or sctp; 1 to 65535)."
    if ":" in text:
        raise InvalidInput(
            f"{text!r} names a port of the host, which an image cannot hold",
            "Name the container's port alone; the host's is chosen when a container is started (-p).",
        )
    match = _PORTS.fullmatch(text)
    if not match:
        raise InvalidInput(f"{text!r} is not a port", hint)
    first, last = int(match[1]), int(match[2] or match[1])
    protocol = (match[3] or "tcp").lower()
    if not 1 <= first <= last <= _HIGHEST_PORT or protocol not in _PROTOCOLS:
        raise InvalidInput(f"{text!r} is not a port", hint)
    for port in range(first, last + 1):
        yield f"{port}/{protocol}"


def with_volumes(config: Config, paths: Iterable[str]) -> Config:
    """Add volumes: absolute paths in the container, kept as written, and not the root."""
    added = frozenset(paths)
    for path in sorted(added):
        if not path.startswith("/"):
            raise InvalidInput(f"the volume {path!r} is not an absolute path", "Start it with a slash.")
        if not posixpath.normpath(path).strip("/"):
            raise InvalidInput("the root of the container cannot be a volume", "Name a folder below it.")
    return replace(config, volumes=config.volumes | added)


def with_stop_signal(config: Config, stop_signal: str) -> Config:
    """Set the signal that asks the container to stop; kept as written.

    ``stop_signal`` is a name with or without ``SIG``, in any case (``SIGTERM``, ``quit``, ``SIGRTMIN+3``), or
    a number from 1 to 64. The engine takes any number but 0 here, and then fails to stop the container.
    """
    if re.fullmatch("[0-9]{1,3}", stop_signal):
        known = 1 <= int(stop_signal) <= _HIGHEST_SIGNAL
    else:
        known = _SIGNAL.fullmatch(stop_signal) is not None
    if not known:
        raise InvalidInput(f"{stop_signal!r} is not a signal", "Write it as SIGTERM, SIGRTMIN+3 or 15.")
    return replace(config, stop_signal=stop_signal)


def with_healthcheck(config: Config, check: Healthcheck) -> Config:
    """Set the health check, in place of the whole of an inherited one.

    ``Healthcheck(("NONE",))`` switches an inherited check off. Times that are not given are the engine's
    defaults, as in a build; the engine's own commit fills them from the container's check.

    Raises
    ------
    InvalidInput
        No command, a time below 1 ms that is not 0, or a negative number of retries.
    """
    kind, arguments = check.test[:1], check.test[1:]
    if kind not in (("NONE",), ("CMD",), ("CMD-SHELL",)) or bool(arguments) == (kind == ("NONE",)):
        raise InvalidInput(
            "a health check needs a command, or NONE alone", "Write it as CMD COMMAND or NONE."
        )
    times = {
        "interval": check.interval_ns,
        "timeout": check.timeout_ns,
        "start period": check.start_period_ns,
        "start interval": check.start_interval_ns,
    }
    for name, time_ns in times.items():
        if time_ns != 0 and time_ns < _SHORTEST_NS:
            raise InvalidInput(f"the {name} of a health check is shorter than 1ms", "Give 1ms or more, or 0.")
    if not 0 <= check.retries <= _MOST_RETRIES:
        raise InvalidInput(f"a health check cannot have {check.retries} retries", "Give 1 or more, or 0.")
    return replace(config, healthcheck=check)


def with_on_build(config: Config, triggers: Iterable[str]) -> Config:
    """Add instructions that a later build ``FROM`` this image runs first (``ONBUILD``).

    Each trigger is one Dockerfile instruction, kept as written once its continued lines are joined. It is
    neither run nor expanded now, so its arguments are not looked at.

    >>> with_on_build(Config(), ["RUN make"]).on_build
    ('RUN make',)
    """
    return replace(config, on_build=(*config.on_build, *(_trigger(text) for text in triggers)))


def _trigger(text: str) -> str:
    lines = logical_lines(text)
    if len(lines) != 1:
        raise InvalidInput("a trigger is exactly one instruction", "Write it as ONBUILD RUN make.")
    line = split_line(lines[0])
    name = line.name.upper()
    if name not in _TRIGGERS.split(", "):
        raise InvalidInput(f"{line.name!r} cannot be a trigger", f"A trigger is one of {_TRIGGERS}.")
    if not line.rest:
        raise InvalidInput(f"the trigger {name} has no arguments", "Write it as ONBUILD RUN make.")
    if name in ("ADD", "COPY", "RUN") and _HERE_DOCUMENT.search(line.rest):
        raise InvalidInput(
            f"the trigger {name} has a here-document, which an image cannot hold here",
            "Put its lines into a file of the image, and name that.",
        )
    return lines[0]
