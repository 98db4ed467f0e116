"""Packages of Python are found where Python would find them, whoever installed them."""

from __future__ import annotations

import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshot.packages.interface import NotReadable, Package
from snapshot.packages.pip import PIP

if TYPE_CHECKING:
    from tests.unit.memory_files import MemoryFiles, Thing, symlink
else:
    from memory_files import MemoryFiles, Thing, symlink

SITE = "/usr/lib/python3/dist-packages"
HEAD = "Metadata-Version: 2.1\nName: Flask\nVersion: 3.0.0\nSummary: x\n\nName: other\nVersion: 9\n"


def told(database: str, things: dict[str, Thing]) -> list[Package]:
    return list(PIP.packages_of(MemoryFiles(things), database))


def test_what_python_finds_here_is_told() -> None:
    """With the environment that runs the tests, and Python's own word on what is in it."""
    places = [Path(folder) for folder in sys.path if Path(folder).name in {"site-packages", "dist-packages"}]
    expected = {
        Package("pip", found.metadata["Name"], found.version, place=str(place))
        for place in places
        for found in distributions(path=[str(place)])
    }
    things = {
        str(path): Thing(text=path.read_text("utf-8", "surrogateescape"))
        for place in places
        for path in [*place.glob("*.dist-info/METADATA"), *place.glob("*.egg-info/PKG-INFO")]
    }
    databases = {PIP.database_of(path) for path in things}
    assert len(expected) > 10
    assert {package for database in databases for package in told(database, things)} == expected


@pytest.mark.parametrize(
    ("path", "database"),
    [
        (f"{SITE}/flask-3.0.0.dist-info", f"{SITE}/flask-3.0.0.dist-info"),
        (f"{SITE}/flask-3.0.0.dist-info/METADATA", f"{SITE}/flask-3.0.0.dist-info"),
        (f"{SITE}/flask-3.0.0.dist-info/licenses/MIT", f"{SITE}/flask-3.0.0.dist-info"),
        (f"{SITE}/old.egg-info", f"{SITE}/old.egg-info"),
        (f"{SITE}/old.egg-info/PKG-INFO", f"{SITE}/old.egg-info"),
        ("/app/flask-3.0.0.dist-info/RECORD", "/app/flask-3.0.0.dist-info"),
        ("/src/flask/flask.egg-info/PKG-INFO", ""),
        (f"{SITE}/setuptools/_vendor/zipp-3.0.dist-info/METADATA", ""),
        ("/app/setuptools/_vendor/zipp-3.0.dist-info/METADATA", ""),
        (f"{SITE}/flask/app.py", ""),
        (f"{SITE}/x-info/METADATA", ""),
    ],
)
def test_a_database_is_what_stands_beside_a_package(path: str, database: str) -> None:
    assert PIP.database_of(path) == database


def test_the_description_is_not_looked_at() -> None:
    database = f"{SITE}/flask-3.0.0.dist-info"
    expected = [Package("pip", "Flask", "3.0.0", place=SITE)]
    assert told(database, {f"{database}/METADATA": Thing(text=HEAD)}) == expected
    windows = HEAD.replace("\n", "\r\n")
    assert told(database, {f"{database}/METADATA": Thing(text=windows)}) == expected
    long = HEAD + "x" * (3 << 20)
    assert told(database, {f"{database}/METADATA": Thing(text=long)}) == expected


def test_a_package_of_setuptools_is_a_folder_or_a_file() -> None:
    database = f"{SITE}/old-1.egg-info"
    expected = [Package("pip", "Flask", "3.0.0", place=SITE)]
    assert told(database, {database: Thing(text=HEAD)}) == expected
    assert told(database, {f"{database}/PKG-INFO": Thing(text=HEAD)}) == expected


def test_a_link_to_the_metadata_is_followed_in_the_image() -> None:
    database = f"{SITE}/flask-3.0.0.dist-info"
    things = {f"{database}/METADATA": symlink("/cache/M"), "/cache/M": Thing(text=HEAD)}
    assert [package.name for package in told(database, things)] == ["Flask"]
    assert told(database, {f"{database}/METADATA": symlink("METADATA")}) == []
    assert told(database, {f"{database}/METADATA": symlink("/etc/passwd")}) == []


def test_a_rest_without_metadata_is_no_package() -> None:
    database = f"{SITE}/flask-3.0.0.dist-info"
    assert told(database, {f"{database}/RECORD": Thing()}) == []
    assert told(database, {f"{database}/METADATA/folder": Thing()}) == []


@pytest.mark.parametrize(
    "text", ["", "\n", "Name: x\n", "Version: 1\n\nName: x", "\0\xff", "Name:\nVersion:\n"]
)
def test_metadata_that_names_no_package_is_said(text: str) -> None:
    database = f"{SITE}/flask-3.0.0.dist-info"
    with pytest.raises(NotReadable, match="METADATA' does not say which package"):
        told(database, {f"{database}/METADATA": Thing(text=text)})


def test_metadata_without_an_end_is_not_read_to_it() -> None:
    database = f"{SITE}/flask-3.0.0.dist-info"
    with pytest.raises(NotReadable, match="more than 1 MiB"):
        told(database, {f"{database}/METADATA": Thing(text="Name: x\n" + "X-More: x\n" * 200_000)})


def test_names_are_the_same_by_the_rule_of_python() -> None:
    assert PIP.compared_name("Flask.SQL_Alchemy") == PIP.compared_name("flask-sql--alchemy")
