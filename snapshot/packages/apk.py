"""Packages of apk: Alpine, Wolfi."""

from __future__ import annotations

from collections.abc import Iterator

from snapshot.changeset.image_files import ImageFiles
from snapshot.packages.contents import content_of, stanzas
from snapshot.packages.interface import Manager, NotReadable, Package

_FOLDERS = ("/lib/apk/db", "/usr/lib/apk/db")
_INSTALLED = frozenset(f"{folder}/installed" for folder in _FOLDERS)
#: What ``apk convdb`` of apk 3 makes of the list.
_CONVERTED = frozenset(f"{folder}/installed.adb" for folder in _FOLDERS)
_MOST_BYTES = 64 << 20
#: Name, version, architecture (https://wiki.alpinelinux.org/wiki/Apk_spec).
_FIELDS = frozenset({b"P", b"V", b"A"})


def _database_of(path: str) -> str:
    return path if path in _INSTALLED or path in _CONVERTED else ""


def _packages_of(files: ImageFiles, database: str) -> Iterator[Package]:
    content = content_of(files, database, _MOST_BYTES)
    if content is not None and database in _CONVERTED:
        raise NotReadable(f"apk's list of packages '{database}' is in the form of apk 3, which is not read.")
    for stanza in stanzas(content or (), database, _FIELDS):
        name, version = stanza.get(b"P"), stanza.get(b"V")
        if name and version:
            yield Package("apk", name, version, stanza.get(b"A", ""))


APK = Manager("apk", _database_of, _packages_of)
