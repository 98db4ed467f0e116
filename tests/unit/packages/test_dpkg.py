"""Packages of dpkg are those that are installed, as its own list has them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from snapshot.packages.dpkg import DPKG
from snapshot.packages.interface import NotReadable, Package

if TYPE_CHECKING:
    from tests.unit.memory_files import MemoryFiles, Thing
else:
    from memory_files import MemoryFiles, Thing

STATUS = "/var/lib/dpkg/status"
SINGLE = "/var/lib/dpkg/status.d/base-files"


def told(text: str, path: str = STATUS) -> list[Package]:
    return list(DPKG.packages_of(MemoryFiles({path: Thing(text=text)}), path))


def stanza(name: str, state: str, version: str = "1.0-1", more: str = "") -> str:
    return f"Package: {name}\nStatus: {state}\nArchitecture: amd64\nVersion: {version}\n{more}\n"


def test_what_dpkg_lists_on_this_machine_is_told() -> None:
    """With Debian's own list, and its own word on what is in it."""
    query = shutil.which("dpkg-query")
    assert query
    form = "${Package}\t${Version}\t${Architecture}\t${db:Status-Status}\n"
    lines = subprocess.run([query, "-W", "-f", form], capture_output=True, text=True, check=True).stdout
    rows = [line.split("\t") for line in lines.splitlines()]
    expected = {Package("dpkg", *row[:3]) for row in rows if row[3] == "installed"}
    found = told(Path(STATUS).read_text("utf-8", "surrogateescape"))
    assert len(expected) > 50
    assert set(found) == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("state", "is_told"),
    [
        ("install ok installed", True),
        ("hold ok installed", True),
        ("install reinstreq half-configured", True),
        ("install ok triggers-pending", True),
        ("install ok unpacked", True),
        ("install ok half-installed", False),
        ("deinstall ok config-files", False),
        ("unknown ok not-installed", False),
        ("", False),
    ],
)
def test_a_package_counts_where_its_files_are_in_their_places(state: str, is_told: bool) -> None:
    assert told(stanza("sed", state)) == ([Package("dpkg", "sed", "1.0-1", "amd64")] if is_told else [])


def test_a_description_is_no_field() -> None:
    text = stanza("sed", "install ok installed", more="Description: a\n Package: b\n .\n Version: 2\n")
    assert told(text) == [Package("dpkg", "sed", "1.0-1", "amd64")]


def test_an_image_without_dpkg_has_a_file_a_package() -> None:
    text = "Package: base-files\nArchitecture: all\nVersion: 12.4\n"
    assert told(text, SINGLE) == [Package("dpkg", "base-files", "12.4", "all")]
    assert told(text, STATUS) == [], "there a package without a status is not installed"


def test_only_its_lists_are_its_databases() -> None:
    assert DPKG.database_of(STATUS) == STATUS
    assert DPKG.database_of(SINGLE) == SINGLE
    for path in (f"{STATUS}-old", f"{SINGLE}.md5sums", f"{SINGLE}/below", "/srv/var/lib/dpkg/status", "/"):
        assert DPKG.database_of(path) == ""


def test_a_list_of_nothing_and_none_at_all_tell_no_package() -> None:
    assert told("") == told("\n\n\n") == told(":\n::\nPackage\n") == []
    assert list(DPKG.packages_of(MemoryFiles({}), STATUS)) == []
    assert list(DPKG.packages_of(MemoryFiles({f"{STATUS}/folder": Thing()}), STATUS)) == []


def test_bytes_that_are_not_utf_8_stay_what_they_are() -> None:
    assert told(stanza("caf\udce9", "install ok installed"))[0].name == "caf\udce9"


def test_a_name_of_a_million_letters_is_refused_in_words() -> None:
    with pytest.raises(NotReadable, match=r"'/var/lib/dpkg/status' has a value of more than 1,000"):
        told(stanza("n" * 1_000_000, "install ok installed"))


def test_a_long_line_of_something_else_is_passed_over() -> None:
    text = stanza("sed", "install ok installed", more=f"Depends: {'libc, ' * 100_000}\n")
    assert told(text + text.replace("sed", "awk")) == [
        Package("dpkg", "sed", "1.0-1", "amd64"),
        Package("dpkg", "awk", "1.0-1", "amd64"),
    ]


def test_a_list_that_is_too_large_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snapshot.packages.dpkg._MOST_BYTES", 1 << 20)
    with pytest.raises(NotReadable, match="has more than 1 MiB"):
        told(stanza("sed", "install ok installed") * 20_000)
