"""Packages of Python, whoever installed them: pip, uv, a distribution."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from snapshot.changeset.entry import FileType
from snapshot.changeset.image_files import ImageFiles
from snapshot.packages.contents import content_of, stanzas
from snapshot.packages.interface import Manager, NotReadable, Package

_DIST_INFO = ".dist-info"
_EGG_INFO = ".egg-info"
#: Folders that hold installed packages and nothing else.
_PLACES = frozenset({"site-packages", "dist-packages"})
#: Where packages keep copies of others for themselves: nobody else finds these.
_VENDORED = "_vendor"
#: Name and version stand at the very top; a description of any length may follow.
_MOST_BYTES = 1 << 20
_FIELDS = frozenset({b"Name", b"Version"})


def _database_of(path: str) -> str:
    if "-info" not in path:
        return ""
    parts = path.split("/")
    for number, part in enumerate(parts):
        if part.endswith((_DIST_INFO, _EGG_INFO)):
            above = parts[:number]
            return "/".join([*above, part]) if _is_place(above, part) else ""
    return ""


def _is_place(folders: list[str], name: str) -> bool:
    """Whether Python would find a package there that has a file or folder of that name."""
    if folders[-1] in _PLACES:
        return True
    # `pip install --target` goes anywhere; a source tree has an .egg-info of its own, and is not installed.
    return name.endswith(_DIST_INFO) and _VENDORED not in folders and not _PLACES.intersection(folders)


def _packages_of(files: ImageFiles, database: str) -> Iterator[Package]:
    path = database
    stands = files.at(database)
    if stands is not None and stands.entry.type is FileType.FOLDER:
        path += "/METADATA" if database.endswith(_DIST_INFO) else "/PKG-INFO"
    content = content_of(files, path, _MOST_BYTES)
    if content is None:
        return
    head = next(stanzas(content, path, _FIELDS), {})
    name, version = head.get(b"Name"), head.get(b"Version")
    if not name or not version:
        raise NotReadable(f"'{path}' does not say which package it is of.")
    yield Package("pip", name, version, place=posixpath.dirname(database))


def _normalised(name: str) -> str:
    """A name as those who compare names have it (packaging.python.org, "Names and normalization").

    >>> _normalised("Flask.SQLAlchemy")
    'flask-sqlalchemy'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


PIP = Manager("pip", _database_of, _packages_of, _normalised)
