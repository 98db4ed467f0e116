"""What differs inside of changed files, by files in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from snapshot.changeset.entry import FileEntry, FileType, PathChange, Skipped
from snapshot.changeset.file_diff import FileDiff
from snapshot.changeset.member import Chunk, Member
from snapshot.engine.types import ChangeKind
from snapshot.workflow.content_diff import Bounds, file_diffs

if TYPE_CHECKING:
    from tests.unit.memory_files import FOLDER, MemoryFiles, Thing, Tree, symlink
    from tests.unit.memory_sides import MemorySide, changes_of, compared
else:
    from memory_files import FOLDER, MemoryFiles, Thing, Tree, symlink
    from memory_sides import MemorySide, changes_of, compared

ADDED, CHANGED = ChangeKind.ADDED, ChangeKind.CHANGED
FIFO = Thing(FileType.FIFO)


class ReadFiles(MemoryFiles):
    """Files in memory that note which of them are read, and how many pieces of each."""

    def __init__(self, things: Tree, piece_bytes: int = 1 << 16) -> None:
        super().__init__(things)
        self.read: dict[str, int] = {}
        self.piece_bytes = piece_bytes

    def at(self, path: str) -> Member | None:
        found = super().at(path)
        return replace(found, content=lambda: self._pieces(path, found.content)) if found else None

    def _pieces(self, path: str, content: Callable[[], Iterable[Chunk]]) -> Iterator[Chunk]:
        whole = b"".join(content())
        for start in range(0, len(whole), self.piece_bytes):
            self.read[path] = self.read.get(path, 0) + 1
            yield memoryview(whole)[start : start + self.piece_bytes]


class Pair:
    """Two sides, and a change for each path that is given, by default all that are on either."""

    def __init__(self, old: Tree, new: Tree, paths: Sequence[str] = ()) -> None:
        self.old, self.new = MemorySide(ReadFiles(old)), MemorySide(ReadFiles(new))
        self.changes = changes_of(old, new, paths)

    def told(self, bounds: Bounds | None = None, *, old: bool = True, context: int = 3) -> list[FileDiff]:
        comparison = compared(self.old if old else None, self.new, self.changes)
        return list(file_diffs(comparison, context=context, bounds=bounds))

    def with_digests(self) -> Pair:
        """The changes with the digests of what is new, as where all files were read."""
        self.changes = tuple(
            replace(change, entry=replace(change.file, sha256=digest(self.new.memory.things[change.path])))
            if change.file
            else change
            for change in self.changes
        )
        return self


def digest(thing: Thing) -> str:
    return hashlib.sha256(thing.text.encode()).hexdigest()


def shown(diff: FileDiff) -> list[str]:
    return [line.mark + line.text for hunk in diff.hunks for line in hunk.lines]


def test_each_change_is_told_in_its_order_with_both_sides() -> None:
    old = {"/b": Thing(text="1\n2\n"), "/c": Thing(text="gone\n"), "/d": symlink("x")}
    new = {"/a": Thing(text="new\n"), "/b": Thing(text="1\n3\n", mode=0o600), "/d": symlink("y")}
    pair = Pair(old, new)
    added, changed, deleted, link = pair.told()
    assert [diff.change for diff in (added, changed, deleted, link)] == list(pair.changes)
    assert (added.old, shown(added)) == (None, ["+new"])
    assert shown(changed) == [" 1", "-2", "+3"]
    assert changed.old
    assert (changed.old.sha256, changed.old.mode) == (digest(old["/b"]), 0o644)
    assert changed.new
    assert (changed.new.sha256, changed.new.mode) == (digest(new["/b"]), 0o600)
    assert (deleted.new, shown(deleted)) == (None, ["-gone"])
    assert shown(link) == ["-x", "+y"]
    assert (changed.lines_added, changed.lines_removed, changed.not_told) == (1, 1, "")


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (Thing(text="a\n"), symlink("a"), ["-a", "+a"]),
        (symlink("b"), Thing(text="a\n"), ["-b", "+a"]),
        (Thing(text="a\n"), FOLDER, ["-a"]),
        (FOLDER, Thing(text="a\n"), ["+a"]),
        (FIFO, symlink("a"), ["+a"]),
        (FOLDER, FIFO, []),
    ],
)
def test_what_became_of_another_type_loses_all_its_text(old: Thing, new: Thing, lines: list[str]) -> None:
    (diff,) = Pair({"/x": old}, {"/x": new}).told()
    assert shown(diff) == lines
    assert (diff.lines_removed, diff.lines_added) == tuple(
        sum(line[0] == mark for line in lines) for mark in "-+"
    )
    (cut,) = Pair({"/x": old}, {"/x": new}).told(Bounds(most_lines_a_file=1))
    assert shown(cut) == lines[:1]
    assert cut.lines_cut == len(lines[1:])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (Thing(text="same\n"), Thing(text="same\n", uid=7)),
        (Thing(text="same\0"), Thing(text="same\0", mode=0o600)),
        (Thing(text="same\n" * 9), Thing(text="same\n" * 9, mtime_s=9)),
        (Thing(), Thing(mode=0o755)),
        (FOLDER, FOLDER._replace(mode=0o700)),
        (symlink("x"), symlink("x")._replace(uid=1)),
    ],
)
def test_the_same_content_is_no_difference_whatever_it_is(old: Thing, new: Thing) -> None:
    (diff,) = Pair({"/x": old}, {"/x": new}).told(Bounds(most_bytes_a_file=20))
    assert (diff.hunks, diff.not_told) == ((), "")
    assert diff.old
    assert diff.new


@pytest.mark.parametrize(
    ("content", "is_binary"),
    [("x" * 7999 + "\0", True), ("x" * 8000 + "\0", False), ("\0", True), ("\udcff\udcfe\n", False)],
)
def test_binary_is_what_git_takes_for_it(content: str, is_binary: bool) -> None:
    for piece_bytes in (1, 3000, 1 << 16):
        pair = Pair({"/x": Thing(text="was\n")}, {"/x": Thing(text=content)})
        pair.new.memory.piece_bytes = piece_bytes
        (diff,) = pair.told()
        assert diff.not_told == ("binary" if is_binary else "")
        assert bool(diff.hunks) is not is_binary
        assert diff.new
        assert diff.new.sha256 == hashlib.sha256(content.encode("utf-8", "surrogateescape")).hexdigest()


def test_a_file_that_is_too_long_is_hashed_and_not_shown() -> None:
    pair = Pair({"/x": Thing(text="a\n")}, {"/x": Thing(text="a\n" * 600)})
    pair.new.memory.piece_bytes = 100
    (diff,) = pair.told(Bounds(most_bytes_a_file=1000))
    assert (diff.hunks, diff.not_told) == ((), "too long")
    assert diff.old
    assert diff.new
    assert (diff.old.sha256, diff.new.sha256) == (digest(Thing(text="a\n")), digest(Thing(text="a\n" * 600)))
    assert pair.new.memory.read == {"/x": 12}


def test_what_was_hashed_before_is_read_no_farther_than_to_see_that_it_is_binary_or_too_long() -> None:
    files = {"/binary": Thing(text="\0" * 6000), "/long": Thing(text="a\n" * 3000)}
    pair = Pair({}, files).with_digests()
    pair.new.memory.piece_bytes = 1000
    told = pair.told(Bounds(most_bytes_a_file=1500))
    assert [diff.not_told for diff in told] == ["binary", "too long"]
    assert [diff.new.sha256 for diff in told if diff.new] == [digest(thing) for thing in files.values()]
    assert pair.new.memory.read == {"/binary": 1, "/long": 2}


def test_files_with_the_same_known_digest_are_not_read() -> None:
    pair = Pair({}, {"/x": Thing(text="same\n")}).with_digests()
    entry = pair.changes[0].file
    assert entry is not None
    known: FileEntry = entry

    class Known(ReadFiles):
        def at(self, path: str) -> Member | None:
            found = super().at(path)
            return replace(found, entry=known) if found else None

    pair.changes = (PathChange(CHANGED, "/x", replace(known, mode=0o600)),)
    pair.old.memory = Known({"/x": Thing(text="same\n")})
    (diff,) = pair.told()
    assert (diff.hunks, diff.not_told) == ((), "")
    assert pair.old.memory.read == pair.new.memory.read == {}


def test_only_a_side_that_is_needed_is_opened() -> None:
    added = Pair({}, {"/a": Thing(text="1\n"), "/b": symlink("a")})
    added.told()
    assert (added.old.opened, added.new.opened) == (0, 1)
    deleted = Pair({"/a": Thing(text="1\n")}, {})
    deleted.told()
    assert (deleted.old.opened, deleted.new.opened) == (1, 0)
    nothing = Pair({}, {})
    assert nothing.told() == []
    assert (nothing.old.opened, nothing.new.opened) == (0, 0)


def test_each_is_read_when_it_is_asked_for() -> None:
    pair = Pair({}, {"/a": Thing(text="1\n"), "/b": Thing(text="2\n")})
    told = file_diffs(compared(pair.old, pair.new, pair.changes))
    next(told)
    assert pair.new.memory.read == {"/a": 1}


def test_a_deleted_folder_is_one_and_nothing_below_it_is_read() -> None:
    pair = Pair({"/d": FOLDER, "/d/x": Thing(text="1\n")}, {}, ["/d"])
    (diff,) = pair.told()
    assert diff.old
    assert (diff.old.type, diff.hunks, diff.not_told) == (FileType.FOLDER, (), "")
    assert pair.old.memory.read == {}


def test_without_the_old_side_only_what_is_new_is_told() -> None:
    old = {"/changed": Thing(text="1\n"), "/deleted": FOLDER, "/folder": FOLDER}
    new = {"/added": Thing(text="1\n"), "/changed": Thing(text="2\n"), "/folder": FOLDER._replace(mode=0o700)}
    told = Pair(old, new).told(old=False)
    assert {diff.change.path: (diff.not_told, diff.old, shown(diff)) for diff in told} == {
        "/added": ("", None, ["+1"]),
        "/changed": ("not here", None, []),
        "/deleted": ("not here", None, []),
        "/folder": ("", None, []),
    }


def test_what_went_meanwhile_is_not_here() -> None:
    pair = Pair({"/x": Thing(text="1\n")}, {"/x": Thing(text="2\n")})
    del pair.new.memory.things["/x"]
    (diff,) = pair.told()
    assert (diff.hunks, diff.not_told) == ((), "not here")


def test_a_socket_has_no_text() -> None:
    pair = Pair({}, {})
    pair.changes = (PathChange(ADDED, "/s", Skipped("/s", "a socket")),)
    assert pair.told() == [FileDiff(pair.changes[0], None, None)]


def test_lines_of_a_file_are_cut_and_counted() -> None:
    (diff,) = Pair({}, {"/x": Thing(text="a\n" * 50)}).told(Bounds(most_lines_a_file=20))
    assert (len(shown(diff)), diff.lines_cut, diff.lines_added) == (20, 30, 50)


SEVERAL = {f"/{name}": Thing(text="a\nb\nc\n") for name in "abcd"}


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        (Bounds(most_lines=7), [3, 3, 1, "too many"]),
        (Bounds(most_lines=6), [3, 3, "too many", "too many"]),
        (Bounds(most_bytes=8), [3, 3, "too many", "too many"]),
        (Bounds(most_files=1), [3, "too many", "too many", "too many"]),
        (Bounds(most_files=0), ["too many"] * 4),
        (Bounds(), [3, 3, 3, 3]),
    ],
)
def test_bounds_over_all_files_hold(bounds: Bounds, told: list[int | str]) -> None:
    assert [diff.not_told or len(shown(diff)) for diff in Pair({}, SEVERAL).told(bounds)] == told


def test_what_is_over_the_bounds_is_not_read_and_has_its_entries_all_the_same() -> None:
    pair = Pair(SEVERAL, {path: Thing(text="d\n", mode=0o600) for path in SEVERAL})
    told = pair.told(Bounds(most_files=1))
    assert pair.old.memory.read == pair.new.memory.read == {"/a": 1}
    sides: list[tuple[FileEntry | None, FileEntry | None]] = [(diff.old, diff.new) for diff in told]
    assert [(old.size_bytes, new.mode) for old, new in sides if old and new] == [(6, 0o600)] * 4


def test_so_many_lines_around_a_change_are_told_as_asked_for() -> None:
    text = "".join(f"{number}\n" for number in range(20))
    pair = Pair({"/x": Thing(text=text)}, {"/x": Thing(text=text.replace("\n9\n", "\nnine\n"))})
    (diff,) = pair.told(context=1)
    assert shown(diff) == [" 8", "-9", "+nine", " 10"]


class Told(ReadFiles):
    """Files that note what they are told will be wanted of them."""

    expected: tuple[list[str], list[str]] = ([], [])

    def expect(self, looked_up: Iterable[str], read: Iterable[str]) -> None:
        self.expected = sorted(looked_up), sorted(read)


@pytest.mark.parametrize(
    ("most_files", "old", "new"),
    [(None, ["/b", "/d"], ["/a", "/b"]), (1, [], ["/a"]), (0, [], [])],
)
def test_each_side_is_told_what_will_be_wanted_of_it(
    most_files: int | None, old: list[str], new: list[str]
) -> None:
    text, other = Thing(text="1\n"), Thing(text="2\n")
    pair = Pair({"/b": text, "/d": text, "/f": FOLDER}, {"/a": text, "/b": other, "/f": FOLDER})
    pair.old.memory, pair.new.memory = Told(pair.old.memory.things), Told(pair.new.memory.things)
    told = pair.told(Bounds(most_files=most_files))
    assert len(told) == 4
    assert isinstance(pair.old.memory, Told)
    assert pair.old.memory.expected == (["/b", "/d", "/f"], old)
    assert isinstance(pair.new.memory, Told)
    assert pair.new.memory.expected == (new, new)
