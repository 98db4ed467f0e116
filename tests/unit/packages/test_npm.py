"""Packages of Node.js are the folders in node_modules, with the version that each says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from snapshot.packages.interface import NotReadable, Package
from snapshot.packages.npm import NPM

if TYPE_CHECKING:
    from tests.unit.memory_files import MemoryFiles, Thing, symlink
else:
    from memory_files import MemoryFiles, Thing, symlink

PLACE = "/srv/app/node_modules"


def told(database: str, things: dict[str, Thing]) -> list[Package]:
    return list(NPM.packages_of(MemoryFiles(things), database))


def said(text: str) -> list[Package]:
    return told(f"{PLACE}/left-pad", {f"{PLACE}/left-pad/package.json": Thing(text=text)})


@pytest.mark.parametrize(
    ("path", "database"),
    [
        (f"{PLACE}/left-pad", f"{PLACE}/left-pad"),
        (f"{PLACE}/left-pad/package.json", f"{PLACE}/left-pad"),
        (f"{PLACE}/@types/node/package.json", f"{PLACE}/@types/node"),
        (f"{PLACE}/a/node_modules/b/package.json", f"{PLACE}/a/node_modules/b"),
        (f"{PLACE}/bn.js", f"{PLACE}/bn.js"),
        (f"{PLACE}/@types", ""),
        (f"{PLACE}/left-pad/index.js", ""),
        (f"{PLACE}/left-pad/lib/package.json", ""),
        (f"{PLACE}/.bin/left-pad", ""),
        (f"{PLACE}/.package-lock.json", ""),
        (PLACE, ""),
        ("/srv/app/package.json", ""),
        ("/srv/my_node_modules/a/package.json", ""),
    ],
)
def test_a_database_is_the_folder_of_a_package(path: str, database: str) -> None:
    assert NPM.database_of(path) == database


def test_the_name_is_that_of_the_folder() -> None:
    """As Node.js finds a package, whatever it calls itself."""
    assert said('{"name": "../../evil", "version": "1.3.0"}') == [
        Package("npm", "left-pad", "1.3.0", place=PLACE)
    ]
    scoped = {f"{PLACE}/@types/node/package.json": Thing(text='{"version": "20.1.0"}')}
    assert told(f"{PLACE}/@types/node", scoped) == [Package("npm", "@types/node", "20.1.0", place=PLACE)]


def test_a_package_that_is_a_link_is_found_where_it_leads() -> None:
    things = {
        f"{PLACE}/left-pad": symlink("../../left-pad"),
        "/srv/left-pad/package.json": Thing(text='{"version": "2.0.0"}'),
    }
    assert told(f"{PLACE}/left-pad", things) == [Package("npm", "left-pad", "2.0.0", place=PLACE)]
    assert told(f"{PLACE}/left-pad", {f"{PLACE}/left-pad": symlink("left-pad")}) == []


def test_a_folder_without_a_package_json_is_no_package() -> None:
    assert told(f"{PLACE}/cache", {f"{PLACE}/cache/x": Thing()}) == []
    assert told(f"{PLACE}/cache", {}) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no JSON"),
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ('"\\ud800', "is no JSON"),
        ("\udcff\udcfe\udcfd", "is no JSON"),
        ("[]", "names no version"),
        ("null", "names no version"),
        ('{"name": "x"}', "names no version"),
        ('{"version": {"a": 1}}', "names no version"),
        ('{"version": ""}', "names no version"),
        ('{"version": "' + "9" * 2000 + '"}', "more than 1,000 characters"),
        ('{"version": "1", "x": "' + "x" * (2 << 20) + '"}', "more than 1 MiB"),
    ],
)
def test_what_cannot_be_read_is_said_by_name(text: str, reason: str) -> None:
    with pytest.raises(NotReadable, match=f"'{PLACE}/left-pad/package.json'.*{reason}"):
        said(text)
