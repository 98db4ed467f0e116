from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from snapshot.changeset.file_diff import FileDiff
from snapshot.workflow.content_diff import Bounds
from snapshot.workflow.progress import SILENT
from snapshot.workflow.reporting import contents
from snapshot.workflow.reporting.contents import told_diffs

if TYPE_CHECKING:
    from tests.unit.memory_files import MemoryFiles, Thing
    from tests.unit.memory_sides import MemorySide, changes_of, compared
else:
    from memory_files import MemoryFiles, Thing
    from memory_sides import MemorySide, changes_of, compared


def told(old: Mapping[str, Thing], new: Mapping[str, Thing]) -> tuple[dict[str, FileDiff], list[str]]:
    """What is told of each path, and the notes."""
    sides = MemorySide(MemoryFiles(old)), MemorySide(MemoryFiles(new))
    notes: list[str] = []
    found = told_diffs(compared(*sides, changes_of(old, new)), SILENT, notes)
    assert [diff.change.path for diff in found] == sorted(diff.change.path for diff in found)
    return {diff.change.path: diff for diff in found}, notes


def lines(diff: FileDiff) -> list[str]:
    return [f"{line.mark}{line.text}" for hunk in diff.hunks for line in hunk.lines]


def test_text_that_everybody_may_read_is_told() -> None:
    found, notes = told({"/etc/motd": Thing(text="old\n")}, {"/etc/motd": Thing(text="new\n")})
    assert lines(found["/etc/motd"]) == ["-old", "+new"]
    assert notes == []


@pytest.mark.parametrize("side", ["old", "new"])
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o750])
def test_text_that_not_everybody_may_read_is_left_out(mode: int, side: str) -> None:
    open_file, closed = Thing(text="one\n"), Thing(text="two\n", mode=mode)
    old, new = (closed, open_file) if side == "old" else (open_file, closed)
    found, _ = told({"/etc/shadow": old}, {"/etc/shadow": new})
    assert lines(found["/etc/shadow"]) == []
    assert found["/etc/shadow"].not_told == "The text is left out: not every user may read this file."
    assert found["/etc/shadow"].old
    assert found["/etc/shadow"].old.mode == old.mode


def test_text_of_deleted_files_is_as_private_as_it_was() -> None:
    found, _ = told({"/key": Thing(text="two\n", mode=0o600)}, {})
    assert lines(found["/key"]) == []


def test_what_is_a_secret_by_its_name_or_form_is_left_out() -> None:
    token = "ghp_" + "a" * 36
    found, _ = told(
        {}, {"/app/api-token": Thing(text="x\n"), "/app/conf": Thing(text=f"name me\nuse {token} here\n")}
    )
    assert lines(found["/app/api-token"]) == []
    assert "by its name" in found["/app/api-token"].not_told
    assert lines(found["/app/conf"]) == ["+name me", "+use … here"]


def test_of_too_many_files_those_that_were_changed_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "BOUNDS", Bounds(most_files=2))
    monkeypatch.setattr(contents, "MOST_PATHS", 4)
    new = {f"/file{number}": Thing(text=f"{number}\n") for number in range(9)}
    found, notes = told({"/file7": Thing(text="old\n"), "/file8": Thing(text="old\n")}, new)
    assert list(found) == ["/file7", "/file8"]
    assert notes == ["What is inside of 7 changed files is not told: there is no room for all."]
