"""Packages of rpm: Fedora, RHEL and its like, openSUSE."""

from __future__ import annotations

import posixpath
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from snapshot.changeset.image_files import ImageFiles
from snapshot.packages.contents import content_of, short_value
from snapshot.packages.interface import Manager, NotReadable, Package
from snapshot.packages.rpm_header import ARCHITECTURE, EPOCH, NAME, RELEASE, VERSION, header_values

_FOLDERS = frozenset({"/var/lib/rpm", "/usr/lib/sysimage/rpm"})
_SQLITE = "rpmdb.sqlite"
#: What SQLite has not yet put into the database itself.
_LOG = "-wal"
#: The forms that are not read, by the name of the file.
_OTHERS = {"Packages": "a Berkeley DB", "Packages.db": "rpm's own form ndb"}
_MOST_BYTES = 256 << 20
#: A damaged or hostile database can lead SQLite round in a circle.
_STEPS_A_CHECK, _MOST_CHECKS = 100_000, 200
_MADE_BY = "SELECT sql FROM sqlite_master WHERE name = 'Packages'"
#: As rpm itself makes the table (lib/backend/sqlite.c): no view, and no column that is computed.
_TABLE = re.compile(
    rb"CREATE TABLE '?Packages'? ?\(\s*hnum INTEGER PRIMARY KEY AUTOINCREMENT,\s*blob BLOB NOT NULL\s*\)"
)


def _database_of(path: str) -> str:
    folder, name = posixpath.split(path)
    if folder not in _FOLDERS:
        return ""
    if name == _SQLITE + _LOG:
        return f"{folder}/{_SQLITE}"
    return path if name == _SQLITE or name in _OTHERS else ""


def _packages_of(files: ImageFiles, database: str) -> Iterator[Package]:
    if files.at(database) is None:
        return
    if form := _OTHERS.get(posixpath.basename(database)):
        raise NotReadable(f"rpm's list of packages '{database}' is {form}, which is not read.")
    try:
        with tempfile.TemporaryDirectory(prefix="snap-rpm-") as folder:
            copy = Path(folder, _SQLITE)
            for end in ("", _LOG):
                content = content_of(files, database + end, _MOST_BYTES)
                if content is not None:
                    with Path(f"{copy}{end}").open("wb") as file:
                        file.writelines(content)
            for header in _headers(copy, database):
                yield _package(header, database)
    except OSError as error:
        raise NotReadable(f"'{database}' cannot be copied here to be read: {error.strerror}.") from error


def _headers(copy: Path, database: str) -> Iterator[bytes]:
    try:
        import sqlite3
    except ImportError as error:
        raise NotReadable(f"'{database}' is not read: this Python has no sqlite3.") from error
    connection = sqlite3.connect(copy)
    connection.text_factory = bytes
    try:
        checks = iter(range(_MOST_CHECKS))
        connection.set_progress_handler(lambda: next(checks, None) is None, _STEPS_A_CHECK)
        connection.execute("PRAGMA trusted_schema = OFF")
        (made_by,) = connection.execute(_MADE_BY).fetchone() or (None,)
        if not isinstance(made_by, bytes) or not _TABLE.fullmatch(made_by):
            raise NotReadable(f"'{database}' is no list of packages of rpm.")
        left = _MOST_BYTES
        for (header,) in connection.execute("SELECT blob FROM Packages"):
            if not isinstance(header, bytes) or (left := left - len(header)) < 0:
                raise NotReadable(f"'{database}' is damaged.")
            yield header
    except (sqlite3.Error, UnicodeDecodeError, MemoryError) as error:
        # SQLite's own words have text of the database in them, which may be no UTF-8.
        raise NotReadable(f"'{database}' is damaged: SQLite cannot read it.") from error
    finally:
        connection.close()


def _package(header: bytes, database: str) -> Package:
    try:
        values = {tag: short_value(text, database) for tag, text in header_values(header).items()}
        version = f"{values[VERSION]}-{values[RELEASE]}"
        epoch = values.get(EPOCH, "0")
        version = version if epoch == "0" else f"{epoch}:{version}"
        return Package("rpm", values[NAME], version, values.get(ARCHITECTURE, ""))
    except NotReadable:
        raise
    except (ValueError, KeyError) as error:
        raise NotReadable(f"'{database}' has an entry of a package that is damaged.") from error


RPM = Manager("rpm", _database_of, _packages_of)
