"""The instructions of a Dockerfile that make one config of another."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from snapshot.engine.types import Config, Healthcheck
from snapshot.errors import InvalidInput
from snapshot.image.config_parts import healthcheck_options, labels_but, variables
from snapshot.image.instructions import apply_instruction
from snapshot.image.record import OCI_BASE_DIGEST, OCI_BASE_NAME, OCI_CREATED

#: A builder takes no longer line (BuildKit's parser, which Docker 20.10 shares: bufio.MaxScanTokenSize).
MOST_LINE_BYTES = 65_535 - 1

_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,-]+")
_DEFAULT_SHELL = ("/bin/sh", "-c")
# What engines take where a check does not say (moby ``container/health.go``).
_DEFAULT_CHECK = {"interval_ns": 30 * 10**9, "timeout_ns": 30 * 10**9, "retries": 3}
_OF_THE_RECORD = frozenset({OCI_CREATED, OCI_BASE_NAME, OCI_BASE_DIGEST})


class ConfigText(NamedTuple):
    """Instructions, each as the lines that it takes, and what they cannot say, a sentence each."""

    instructions: tuple[str, ...]
    notes: tuple[str, ...]


def config_instructions(base: Config, wanted: Config, *, user: str | None = None) -> ConfigText:
    r"""The instructions that a build on an image with config ``base`` needs to give one with ``wanted``.

    Each is read again as a builder reads it: one that would not give exactly the value is left out, and named
    in a note. A builder can take nothing away from an inherited config, so variables and labels that are to
    go become empty, which is noted too. The labels of a record are no wish of anybody's, so they are left
    out.

    Parameters
    ----------
    user:
        The user that is in force at that point of the Dockerfile, where it is not the base's.

    >>> config_instructions(Config(), Config(env=("A=1 $x",))).instructions
    ('ENV A="1 \\$x"',)
    """
    writer = _Writer(replace(base, user=base.user if user is None else user), wanted)
    writer.pairs("ENV", "variable", variables(base), variables(wanted))
    writer.pairs("LABEL", "label", labels_but(base, _OF_THE_RECORD), labels_but(wanted, _OF_THE_RECORD))
    writer.sets()
    writer.folder_and_user()
    writer.stop_signal()
    writer.healthcheck()
    writer.commands()
    for trigger in wanted.on_build:
        writer.write("ONBUILD", f"ONBUILD {trigger}", "trigger", Config(on_build=(trigger,)))
    return ConfigText(tuple(writer.instructions), tuple(writer.notes))


def word(text: str) -> str:
    r"""A value as one word, which no builder expands: plain, or in double quotes.

    >>> word("/srv/app"), word('say "$HI"')
    ('/srv/app', '"say \\"\\$HI\\""')
    """
    if _PLAIN.fullmatch(text):
        return text
    return f'"{_escaped(text)}"'


def exec_form(words: Sequence[str]) -> str:
    """A JSON list of strings, as readable as can be."""
    return json.dumps(list(words), ensure_ascii=not all(text.isprintable() for text in words))


class _Writer:
    def __init__(self, base: Config, wanted: Config) -> None:
        self.base = base
        self.wanted = wanted
        self.instructions: list[str] = []
        self.notes: list[str] = []

    def write(
        self, name: str, text: str, what: str, expected: Config, *, start: Config | None = None
    ) -> None:
        """Take an instruction that gives ``expected`` where ``start`` (an empty config) was before."""
        if _gives(text, start or Config(), expected):
            self.instructions.append(text)
        else:
            self.notes.append(f"{name} cannot hold the {what} of the image, so it is left out")

    def pairs(self, name: str, noun: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Variables or labels; those that are to go become empty."""
        gone = [key for key in before if key not in after]
        self.notes += [
            f"a Dockerfile cannot take away the {noun} {key} of the base: it stays, empty" for key in gone
        ]
        wanted = {key: "" for key in gone if before[key]} | {
            key: value for key, value in after.items() if before.get(key) != value
        }
        written = []
        for key, value in wanted.items():
            pair = f"{word(key)}={word(value)}"
            expected = Config(env=(f"{key}={value}",)) if name == "ENV" else Config(labels={key: value})
            if key and _gives(f"{name} {pair}", Config(), expected):
                written.append(pair)
            else:
                self.notes.append(f"{name} cannot hold the value of the {noun} {key:.200}, so it is left out")
        if written:
            self.instructions.append(f"{name} " + " \\\n    ".join(written))

    def sets(self) -> None:
        """Ports and volumes, of which none can be taken away."""
        for noun, gone in (
            ("port", self.base.exposed_ports - self.wanted.exposed_ports),
            ("volume", self.base.volumes - self.wanted.volumes),
        ):
            self.notes += [
                f"a Dockerfile cannot take away the {noun} {name} of the base: it stays"
                for name in sorted(gone)
            ]
        for port in sorted(self.wanted.exposed_ports - self.base.exposed_ports):
            self.write("EXPOSE", f"EXPOSE {port}", "port", Config(exposed_ports=frozenset({port})))
        for path in sorted(self.wanted.volumes - self.base.volumes):
            # The words of the list are expanded as those of other instructions are.
            text = f"VOLUME {exec_form([word(path)])}"
            self.write("VOLUME", text, "path", Config(volumes=frozenset({path})))

    def folder_and_user(self) -> None:
        """WORKDIR and USER; an empty one is the root folder and the root user."""
        folder = self.wanted.working_dir or "/"
        if folder != (self.base.working_dir or "/"):
            self.write("WORKDIR", f"WORKDIR {word(folder)}", "folder", Config(working_dir=folder))
        user = self.wanted.user
        if user != self.base.user:
            text = f"USER {word(user)}" if user else 'USER ""'
            self.write("USER", text, "user", Config(user=user), start=Config(user="-"))

    def stop_signal(self) -> None:
        """STOPSIGNAL; where there is none, the signal that engines take by default."""
        signal = self.wanted.stop_signal
        if signal != self.base.stop_signal:
            signal = signal or "SIGTERM"
            self.write("STOPSIGNAL", f"STOPSIGNAL {word(signal)}", "signal", Config(stop_signal=signal))

    def healthcheck(self) -> None:
        """HEALTHCHECK; one that is to go is switched off."""
        before, check = self.base.healthcheck, self.wanted.healthcheck
        if check == before:
            return
        if check is None or check.test == ("NONE",):
            self.instructions.append("HEALTHCHECK NONE")
            return
        filled = _with_defaults(check, before)
        text = " ".join(["HEALTHCHECK", *healthcheck_options(filled), *_test(filled)])
        self.write("HEALTHCHECK", text, "check", Config(healthcheck=filled))
        if filled.start_interval_ns:
            self.notes.append("the start interval of the health check needs Docker 25 or newer to build")

    def commands(self) -> None:
        """SHELL, ENTRYPOINT and CMD; a new entrypoint clears the command of the base."""
        shell = self.wanted.shell or _DEFAULT_SHELL
        if shell != (self.base.shell or _DEFAULT_SHELL):
            self._list("SHELL", shell)
        is_new = self.wanted.entrypoint != self.base.entrypoint
        if is_new:
            self._list("ENTRYPOINT", self.wanted.entrypoint)
        if self.wanted.cmd != self.base.cmd or (is_new and self.wanted.cmd):
            self._list("CMD", self.wanted.cmd)

    def _list(self, name: str, words: Sequence[str]) -> None:
        text = f"{name} {exec_form(words)}"
        if _fits(text):
            self.instructions.append(text)
        else:
            self.notes.append(f"{name} of the image is no text, or too long for a line: it is left out")


def _escaped(text: str) -> str:
    return re.sub(r'(["\\$])', r"\\\1", text)


def _fits(text: str) -> bool:
    """Whether a text is characters that UTF-8 has, and no line of it is too long for a builder."""
    try:
        content = text.encode()
    except UnicodeEncodeError:
        return False
    return all(len(line) <= MOST_LINE_BYTES for line in content.split(b"\n"))


def _gives(text: str, start: Config, expected: Config) -> bool:
    """Whether a builder reads the line so: as one instruction, of which that comes."""
    if not _fits(text) or "\n" in text or "\r" in text or "\0" in text:
        return False
    try:
        return apply_instruction(start, text) == expected
    except InvalidInput:
        return False


def _with_defaults(check: Healthcheck, before: Healthcheck | None) -> Healthcheck:
    """A check that says what engines would take by default, where the base's says something else.

    The classic builder fills what an instruction leaves open from the check of the base (moby
    ``builder/dockerfile``, which commits a container).
    """
    if before is None:
        return check
    return replace(
        check,
        interval_ns=check.interval_ns or (_DEFAULT_CHECK["interval_ns"] if before.interval_ns else 0),
        timeout_ns=check.timeout_ns or (_DEFAULT_CHECK["timeout_ns"] if before.timeout_ns else 0),
        retries=check.retries or (_DEFAULT_CHECK["retries"] if before.retries else 0),
    )


def _test(check: Healthcheck) -> list[str]:
    kind, *arguments = check.test or ("",)
    return ["CMD", exec_form(arguments) if kind == "CMD" else " ".join(arguments)]
