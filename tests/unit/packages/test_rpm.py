"""Packages of rpm are read from its database in SQLite; the databases here are made by rpm itself."""

from __future__ import annotations

import re
import sqlite3
import struct
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.packages.interface import NotReadable, Package
from snapshot.packages.rpm import RPM
from snapshot.packages.rpm_header import NAME, header_values

if TYPE_CHECKING:
    from tests.unit.memory_files import MemoryFiles, Thing
else:
    from memory_files import MemoryFiles, Thing

DATABASE = "/var/lib/rpm/rpmdb.sqlite"
PACKAGES = {
    "bash": ("5.2.15", "3.fc39", None, "x86_64"),
    "bind-libs": ("9.18.21", "1.fc39", 32, "x86_64"),
    "tzdata": ("2024a", "1", 0, "noarch"),
}


def rpm_command(root: Path, *arguments: str) -> str:
    command = ["rpm", "--root", str(root), "--dbpath", "/var/lib/rpm", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with packages that rpm installed, and one that it removed again."""
    folder = tmp_path_factory.mktemp("rpm")
    for name, (version, release, epoch, architecture) in {
        **PACKAGES,
        "gone": ("1", "1", None, "noarch"),
    }.items():
        lines = [f"Name: {name}", f"Version: {version}", f"Release: {release}", "Summary: x", "License: MIT"]
        lines += [f"Epoch: {epoch}"] if epoch is not None else []
        spec = folder / f"{name}.spec"
        spec.write_text("\n".join([*lines, "%description", "x", "%files", ""]))
        command = [
            "rpmbuild",
            "-bb",
            "--target",
            architecture,
            "--define",
            f"_topdir {folder}/build",
            str(spec),
        ]
        subprocess.run(command, capture_output=True, check=True)
    tree = folder / "root"
    tree.mkdir()
    built = [str(path) for path in (folder / "build/RPMS").glob("*/*.rpm")]
    rpm_command(tree, "-i", "--nodeps", "--ignorearch", "--force-debian", *built)
    rpm_command(tree, "-e", "--force-debian", "gone")
    return tree


def database_of(root: Path) -> bytes:
    return Path(f"{root}{DATABASE}").read_bytes()


def told(files: dict[str, bytes], database: str = DATABASE) -> list[Package]:
    things = {path: Thing(text=content.decode("utf-8", "surrogateescape")) for path, content in files.items()}
    return list(RPM.packages_of(MemoryFiles(things), database))


def test_what_rpm_lists_is_told(root: Path) -> None:
    form = "%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\t%{ARCH}\\n"
    rows = [line.split("\t") for line in rpm_command(root, "-qa", "--qf", form).splitlines()]
    assert {row[0] for row in rows} == set(PACKAGES)
    # An epoch of 0 is the same as none to rpm.
    expected = {Package("rpm", row[0], row[1].removeprefix("0:"), row[2]) for row in rows}
    assert set(told({DATABASE: database_of(root)})) == expected
    assert Package("rpm", "bind-libs", "32:9.18.21-1.fc39", "x86_64") in expected


def test_what_sqlite_has_in_its_log_alone_is_told(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "rpmdb.sqlite"
    copy.write_bytes(database_of(root))
    connection = sqlite3.connect(copy)
    try:
        connection.execute("DELETE FROM Packages WHERE hnum = (SELECT min(hnum) FROM Packages)")
        connection.commit()
        log = Path(f"{copy}-wal").read_bytes()
        files = {DATABASE: copy.read_bytes(), f"{DATABASE}-wal": log}
    finally:
        connection.close()
    assert len(told(files)) == len(PACKAGES) - 1
    assert len(told({DATABASE: files[DATABASE]})) == len(PACKAGES)


def test_its_databases_are_where_rpm_has_them() -> None:
    for folder in ("/var/lib/rpm", "/usr/lib/sysimage/rpm"):
        assert RPM.database_of(f"{folder}/rpmdb.sqlite") == f"{folder}/rpmdb.sqlite"
        assert RPM.database_of(f"{folder}/rpmdb.sqlite-wal") == f"{folder}/rpmdb.sqlite"
        assert RPM.database_of(f"{folder}/Packages") == f"{folder}/Packages"
        assert RPM.database_of(f"{folder}/Name") == ""
    assert RPM.database_of("/srv/rpm/rpmdb.sqlite") == ""
    assert RPM.database_of("/var/lib/rpm") == ""


@pytest.mark.parametrize(
    ("name", "form"), [("Packages", "a Berkeley DB"), ("Packages.db", "rpm's own form ndb")]
)
def test_other_forms_are_named_as_not_read(name: str, form: str) -> None:
    with pytest.raises(NotReadable, match=f"rpm's list of packages '/var/lib/rpm/{name}' is {form}"):
        told({f"/var/lib/rpm/{name}": b"x"}, f"/var/lib/rpm/{name}")
    assert told({}, f"/var/lib/rpm/{name}") == []


def as_database(tmp_path: Path, make: Callable[[sqlite3.Connection], object]) -> bytes:
    path = tmp_path / "made.sqlite"
    connection = sqlite3.connect(path)
    make(connection)
    connection.commit()
    connection.close()
    return path.read_bytes()


TABLE = "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE Other (x)",
        "CREATE VIEW Packages AS "
        "WITH RECURSIVE n(blob) AS (VALUES (1) UNION ALL SELECT 1 FROM n) SELECT * FROM n",
        "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, x, blob AS (zeroblob(1000000000)))",
    ],
)
def test_a_database_that_rpm_did_not_make_is_not_asked_anything(tmp_path: Path, statement: str) -> None:
    made = as_database(tmp_path, lambda connection: connection.execute(statement))
    with pytest.raises(NotReadable, match=r"rpmdb.sqlite' is no list of packages of rpm"):
        told({DATABASE: made})


@pytest.mark.parametrize("header", [b"", b"\0" * 8, b"\xff" * 200, "text", 7])
def test_a_header_that_is_none_is_said(tmp_path: Path, header: object) -> None:
    def make(connection: sqlite3.Connection) -> None:
        connection.execute(TABLE)
        connection.execute("INSERT INTO Packages (blob) VALUES (?)", [header])

    with pytest.raises(NotReadable, match=re.escape(DATABASE)):
        told({DATABASE: as_database(tmp_path, make)})


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"x" * 5000])
def test_a_file_that_is_no_database_is_said(content: bytes) -> None:
    with pytest.raises(NotReadable, match=re.escape(DATABASE)):
        told({DATABASE: content})


def test_a_damaged_database_is_told_as_far_as_sqlite_reads_it_or_said(root: Path) -> None:
    whole = database_of(root)
    for at in range(0, len(whole), 997):
        damaged = whole[:at] + b"\xff\xfe\x00\x10" + whole[at + 4 :]
        with suppress(NotReadable):
            told({DATABASE: damaged})


def test_a_database_that_is_too_large_is_refused_in_words(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snapshot.packages.rpm._MOST_BYTES", 100_000)
    with pytest.raises(NotReadable, match="and is not read any further"):
        told({DATABASE: database_of(root)})


def test_nothing_is_left_in_the_folder_for_temporary_files(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    told({DATABASE: database_of(root)})
    with pytest.raises(NotReadable):
        told({DATABASE: b"x" * 5000})
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_no_room_for_a_copy_that_is_said(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(NotReadable, match=r"rpmdb.sqlite' cannot be copied here to be read: No such file"):
        told({DATABASE: database_of(root)})


@given(st.binary(max_size=200))
def test_any_bytes_are_a_header_or_refused(content: bytes) -> None:
    with suppress(ValueError):
        header_values(content)


def test_a_header_cannot_make_one_text_be_read_again_and_again() -> None:
    entry = struct.pack(">IIII", NAME, 6, 0, 1)
    header = struct.pack(">II", 60_000, 0) + entry * 60_000 + b"x" * (1 << 20)
    with pytest.raises(ValueError, match="not found"):
        header_values(header)
