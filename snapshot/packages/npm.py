"""Packages of Node.js, whoever installed them: npm, yarn, pnpm."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.links import resolve
from snapshot.errors import InvalidInput
from snapshot.packages.contents import content_of, short_value
from snapshot.packages.interface import Manager, NotReadable, Package

_MOST_BYTES = 1 << 20
#: A package's folder, or the file in it that says which it is. Folders that begin with a dot are npm's own.
_PACKAGE = re.compile(
    r"(?P<folder>(?P<place>.*/node_modules)/(?P<name>(?:@[^/]+/)?[^/.@][^/]*))(?:/package\.json)?", re.DOTALL
)


def _database_of(path: str) -> str:
    if "/node_modules/" not in path:
        return ""
    found = _PACKAGE.fullmatch(path)
    return found["folder"] if found else ""


def _packages_of(files: ImageFiles, database: str) -> Iterator[Package]:
    found = _PACKAGE.fullmatch(database)
    try:
        # `npm link`, and a folder that was installed as it is, leave a link.
        path = f"{resolve(files, database)}/package.json"
    except InvalidInput:
        return
    content = content_of(files, path, _MOST_BYTES)
    if found is None or content is None:
        return
    yield Package("npm", found["name"], _version(b"".join(map(bytes, content)), path), place=found["place"])


def _version(document: bytes, path: str) -> str:
    try:
        told = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise NotReadable(f"'{path}' is no JSON.") from error
    version = told.get("version") if isinstance(told, dict) else None
    if not isinstance(version, str) or not version:
        raise NotReadable(f"'{path}' names no version.")
    return short_value(version, path)


NPM = Manager("npm", _database_of, _packages_of)
