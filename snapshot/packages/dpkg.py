"""Packages of dpkg: Debian, Ubuntu, and images that are put together from their packages."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from snapshot.changeset.image_files import ImageFiles
from snapshot.packages.contents import content_of, stanzas
from snapshot.packages.interface import Manager, Package

_STATUS = "/var/lib/dpkg/status"
#: A file a package: what images without dpkg itself have in place of the one list.
_STATUS_FOLDER = "/var/lib/dpkg/status.d"
_SUMS = ".md5sums"
_MOST_BYTES = 64 << 20
_FIELDS = frozenset({b"Package", b"Status", b"Version", b"Architecture"})
#: The states in which a package's files are in their places (dpkg(1)).
_INSTALLED = frozenset({"installed", "triggers-pending", "triggers-awaited", "half-configured", "unpacked"})


def _database_of(path: str) -> str:
    if path == _STATUS:
        return path
    is_single = posixpath.dirname(path) == _STATUS_FOLDER and not path.endswith(_SUMS)
    return path if is_single else ""


def _packages_of(files: ImageFiles, database: str) -> Iterator[Package]:
    content = content_of(files, database, _MOST_BYTES)
    for stanza in stanzas(content or (), database, _FIELDS):
        name, version = stanza.get(b"Package"), stanza.get(b"Version")
        if name and version and _is_installed(stanza.get(b"Status"), database):
            yield Package("dpkg", name, version, stanza.get(b"Architecture", ""))


def _is_installed(status: str | None, database: str) -> bool:
    if status is None:
        # Packages that were unpacked without dpkg have no status.
        return database != _STATUS
    return status.rpartition(" ")[2] in _INSTALLED


DPKG = Manager("dpkg", _database_of, _packages_of)
