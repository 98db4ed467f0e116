"""Checks that a user asks of an image, beyond what its record says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from snapshot.changeset.content import file_contains, path_exists, sha256_at
from snapshot.errors import CommandNotStarted, PathNotFound
from snapshot.workflow.findings import Finding, Subject


class Check(Protocol):
    """Something that an image must hold."""

    def finding(self, subject: Subject) -> Finding:
        """Look, and say what was seen."""
        ...


@dataclass(frozen=True)
class FileExists:
    """Something stands at ``path``."""

    path: str

    def finding(self, subject: Subject) -> Finding:
        """Look, and say what was seen."""
        path = subject.path(self.path)
        exists = path_exists(subject.files(), path)
        return Finding(f"file {path}", exists, "exists" if exists else "is missing")


@dataclass(frozen=True)
class FileAbsent:
    """Nothing stands at ``path``."""

    path: str

    def finding(self, subject: Subject) -> Finding:
        """Look, and say what was seen."""
        path = subject.path(self.path)
        exists = path_exists(subject.files(), path)
        return Finding(f"absent {path}", not exists, "is there" if exists else "is absent")


@dataclass(frozen=True)
class FileHash:
    """The file at ``path`` has this content (hex digest)."""

    path: str
    sha256: str

    def finding(self, subject: Subject) -> Finding:
        """Look, and say what was seen."""
        path = subject.path(self.path)
        try:
            digest = sha256_at(subject.files(), path)
        except PathNotFound as error:
            return Finding(f"sha256 {path}", False, error.what)
        same = digest == self.sha256.lower()
        return Finding(f"sha256 {path}", same, "as expected" if same else f"is {digest}")


@dataclass(frozen=True)
class FileContains:
    """``text`` stands in the file at ``path``."""

    path: str
    text: str

    def finding(self, subject: Subject) -> Finding:
        """Look, and say what was seen."""
        path = subject.path(self.path)
        try:
            found = file_contains(subject.files(), path, self.text.encode("utf-8", "surrogateescape"))
        except PathNotFound as error:
            return Finding(f"contains {path}", False, error.what)
        return Finding(f"contains {path}", found, "has the text" if found else "has not the text")


@dataclass(frozen=True)
class HasLabel:
    """The image has a label with this value."""

    key: str
    value: str

    def finding(self, subject: Subject) -> Finding:
        """Look, and say what was seen."""
        return _value_finding(f"label {self.key}", subject.image.config.labels.get(self.key), self.value)


@dataclass(frozen=True)
class HasEnv:
    """The image sets a variable to this value."""

    name: str
    value: str

    def finding(self, subject: Subject) -> Finding:
        """Look, and say what was seen; a value that is not the expected one is not shown."""
        env = dict(variable.partition("=")[::2] for variable in subject.image.config.env)
        finding = _value_finding(f"env {self.name}", env.get(self.name), self.value)
        return (
            finding if finding.passed or self.name not in env else Finding(finding.subject, False, "differs")
        )


@dataclass(frozen=True)
class RunOutputs:
    """A command ends with status 0, and its stdout holds ``expect`` where that is given."""

    argv: tuple[str, ...]
    expect: str | None = None
    timeout_s: float = 60.0

    def finding(self, subject: Subject) -> Finding:
        """Run it in a throw-away container without network, and say what was seen."""
        name = f"run {' '.join(self.argv)}"
        try:
            exit_code, output = subject.run(self.argv, self.timeout_s)
        except CommandNotStarted as error:
            return Finding(name, False, error.what)
        except TimeoutError:
            return Finding(name, False, f"did not end within {self.timeout_s:g} s")
        if exit_code:
            return Finding(name, False, f"ended with status {exit_code}")
        if self.expect is not None and self.expect.encode() not in output:
            shown = output.decode("utf-8", "replace").strip()
            return Finding(name, False, f"printed {shown[:200]!r}, not {self.expect!r}")
        return Finding(name, True, "ended with status 0" if self.expect is None else "printed the text")


def _value_finding(subject: str, found: str | None, wanted: str) -> Finding:
    if found is None:
        return Finding(subject, False, "is missing")
    return Finding(subject, found == wanted, "as expected" if found == wanted else f"is {found!r}")
