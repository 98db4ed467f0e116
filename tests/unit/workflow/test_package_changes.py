"""The files of a comparison's sides are opened for their packages only where these are concerned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapshot.packages.interface import PackageChange
from snapshot.workflow.package_changes import PackageChanges, package_changes

if TYPE_CHECKING:
    from tests.unit.memory_files import MemoryFiles, Thing
    from tests.unit.memory_sides import MemorySide, changes_of, compared
else:
    from memory_files import MemoryFiles, Thing
    from memory_sides import MemorySide, changes_of, compared

STATUS = "/var/lib/dpkg/status"
MOTD = "/etc/motd"


def status(version: str) -> Thing:
    text = f"Package: sed\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n"
    return Thing(text=text)


OLD = {STATUS: status("4.8-1"), MOTD: Thing()}
NEW = {STATUS: status("4.9-1"), MOTD: Thing()}


def sides() -> tuple[MemorySide[MemoryFiles], MemorySide[MemoryFiles]]:
    return MemorySide(MemoryFiles(OLD)), MemorySide(MemoryFiles(NEW))


def test_both_sides_are_read_and_closed_again() -> None:
    old, new = sides()
    found = package_changes(compared(old, new, changes_of(OLD, NEW)))
    assert found == PackageChanges((PackageChange("dpkg", "sed", "4.8-1", "4.9-1", "amd64"),))
    assert old.opened == old.closed == new.opened == new.closed == 1


def test_where_no_package_is_concerned_nothing_is_opened() -> None:
    old, new = sides()
    for side in (old, None):
        assert package_changes(compared(side, new, changes_of(OLD, NEW, [MOTD]))) == PackageChanges(())
    assert old.opened == new.opened == 0


def test_where_the_old_files_are_not_to_be_had_nothing_is_told_but_that() -> None:
    found = package_changes(compared(None, sides()[1], changes_of(OLD, NEW)))
    said = "Which packages 'old:1' had is not known: its files are not to be had."
    assert found == PackageChanges((), (said,))
