"""An image's files are looked up through an engine's archives, with few calls."""

from __future__ import annotations

import tarfile
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset import archive_files
from snapshot.changeset.archive_files import ArchiveFiles
from snapshot.changeset.entry import FileType
from snapshot.changeset.fetch_plan import CallCosts
from snapshot.errors import EngineError, EngineGone, Refused

if TYPE_CHECKING:
    from tests.unit.changeset.memory_source import MemorySource, Node, folder
else:
    from memory_source import MemorySource, Node, folder

BOTH = Node(b"both names")
NODES = {
    "/etc/motd": Node(b"hello", mode=0o600, mtime_s=77),
    "/etc/link": Node(type=tarfile.SYMTYPE, target="motd"),
    "/bin/one": BOTH,
    "/bin/two": BOTH,
    "/caf\udce9/in": Node(b"latin"),
    "/latin\udcff": Node(b"l"),
    "/pipe": Node(type=tarfile.FIFOTYPE),
}
PATHS = [*NODES, "/", "/etc", "/bin", "/caf\udce9", "/none", "/none/x", "/etc/motd/x", "/etc/\udcff"]


def text(files: ArchiveFiles, path: str) -> bytes | None:
    found = files.at(path)
    return None if found is None else b"".join(found.content())


@pytest.mark.parametrize("single", [True, False])
@given(asked=st.lists(st.tuples(st.sampled_from(PATHS), st.booleans()), max_size=8))
def test_whatever_is_asked_for_first_the_answers_are_the_same(
    single: bool, asked: list[tuple[str, bool]]
) -> None:
    source = MemorySource(NODES, gives_single_paths=single)
    files = ArchiveFiles(source)
    for path, by_names in asked:
        if by_names:
            below = {other.rpartition("/")[2] for other in source.nodes if is_in(other, path)}
            assert list(files.names(path)) == sorted(below, key=lambda n: n.encode(errors="surrogateescape"))
        node = source.nodes.get(path)
        found = files.at(path)
        assert (found is None) == (node is None)
        if found and node:
            entry = found.entry
            assert (entry.path, entry.mode, entry.uid, found.link_to) == (path, node.mode, 0, "")
            assert (found.mtime_s, entry.link_target) == (node.mtime_s, node.target)
            assert entry.size_bytes == len(node.content)
            assert b"".join(found.content()) == b"".join(found.content()) == node.content


def is_in(path: str, folder: str) -> bool:
    return path != "/" and (path.rpartition("/")[0] or "/") == folder


def test_a_path_costs_a_call_for_each_folder_once() -> None:
    source = MemorySource(NODES)
    files = ArchiveFiles(source)
    for _ in range(2):
        assert files.at("/etc/motd")
        assert files.at("/etc/none") is None
        assert files.at("/etc/none/below/it") is None
        assert files.at("/etc/link/x") is None
    assert source.calls == ["/", "/etc", "/etc/motd", "/etc/none", "/etc/link"]


def test_content_is_read_when_it_is_wanted() -> None:
    source = MemorySource(NODES)
    found = ArchiveFiles(source).at("/bin/two")
    assert found
    calls = len(source.calls)
    assert [b"".join(found.content()) for _ in range(2)] == [b"both names"] * 2
    assert source.calls[calls:] == ["/bin/two"] * 2


def many(count: int, size: int = 1) -> Mapping[str, Node]:
    return {f"/d/{number:04}": Node(b"x" * size) for number in range(count)}


def test_many_paths_of_one_folder_are_read_together() -> None:
    source = MemorySource(many(500))
    files = ArchiveFiles(source)
    for number in range(1000):
        assert (files.at(f"/d/{number:04}") is not None) == (number < 500)
    assert len(source.calls) < 40
    assert text(files, "/d/0499") == b"x"


def test_a_folder_with_much_in_it_is_not_read_for_a_few_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_files, "_BYTES_PER_LOOKUP", 2000)
    source = MemorySource(many(100, size=100_000))
    files = ArchiveFiles(source)
    for number in range(99, -1, -1):
        assert files.at(f"/d/{number:04}")
        assert files.at(f"/d/none{number}") is None
    assert source.calls.count("/d") == 1 + 3
    assert len(set(source.calls)) > 150


def test_where_single_paths_are_not_true_all_is_read_once() -> None:
    source = MemorySource(NODES, gives_single_paths=False)
    files = ArchiveFiles(source)
    for path in PATHS:
        files.at(path)
        files.names(path)
    assert source.calls == ["/", "everything"]


def test_a_path_that_is_not_handed_out_alone_is_found_in_its_folder() -> None:
    nodes = {"/d/loop": Node(type=tarfile.SYMTYPE, target="loop"), "/d/file": Node(b"1")}
    source = MemorySource(nodes, refused=frozenset({"/d/loop"}))
    files = ArchiveFiles(source)
    found = files.at("/d/loop")
    assert found
    assert (found.entry.type, found.entry.link_target) == (FileType.SYMLINK, "loop")
    assert source.calls == ["/", "/d", "/d/loop", "/d"]


def test_an_engine_that_goes_is_no_missing_path() -> None:
    source = MemorySource(NODES)
    files = ArchiveFiles(source)
    files.at("/etc")

    def gone(_: str) -> NoReturn:
        raise EngineGone("it went")

    source.archive = gone  # type: ignore[assignment]
    with pytest.raises(EngineGone):
        files.at("/etc/motd")


def test_a_root_that_is_refused_is_an_error() -> None:
    source = MemorySource(NODES, refused=frozenset({"/"}))
    with pytest.raises(EngineError, match="too many links"):
        ArchiveFiles(source).at("/etc/motd")


def test_what_is_kept_of_an_image_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_files, "_MOST_MEMBERS", 50)
    source = MemorySource({"/few": folder(), **many(60)})
    with pytest.raises(Refused, match="more than 50 files"):
        ArchiveFiles(source).names("/d")


@pytest.mark.parametrize("single", [True, False])
@given(
    looked_up=st.sets(st.sampled_from(PATHS)),
    read=st.sets(st.sampled_from(PATHS)),
    asked=st.lists(st.sampled_from(PATHS), max_size=12),
    most_kept=st.integers(0, 30),
    call_s=st.sampled_from([0.006, 1.0, 1000.0]),
)
def test_what_was_expected_changes_no_answer(
    single: bool, looked_up: set[str], read: set[str], asked: list[str], most_kept: int, call_s: float
) -> None:
    source = MemorySource(NODES, gives_single_paths=single)
    files = ArchiveFiles(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive_files, "TYPICAL_COSTS", CallCosts(call_s, 0.0002, 450e6))
        patch.setattr(archive_files, "_MOST_KEPT_BYTES", most_kept)
        files.expect(looked_up, read)
        for path in asked:
            node = source.nodes.get(path)
            assert text(files, path) == (node.content if node else None)


def test_expected_files_of_a_folder_come_with_one_archive_of_it() -> None:
    source = MemorySource({**many(500, size=9), "/e/alone": Node(b"alone"), "/d/nobody's": Node(b"x")})
    files = ArchiveFiles(source)
    files.expect([], [*many(500), "/e/alone"])
    for path in many(500):
        assert text(files, path) == b"x" * 9
    assert text(files, "/e/alone") == b"alone"
    assert source.calls == ["/", "/d", "/d", "/e", "/e/alone", "/e/alone"]


def test_a_few_expected_files_are_asked_for_one_by_one() -> None:
    source = MemorySource(many(500))
    files = ArchiveFiles(source)
    files.expect([], ["/d/0001", "/d/0002"])
    assert [text(files, f"/d/000{number}") for number in (1, 2)] == [b"x", b"x"]
    assert source.calls == ["/", "/d", *["/d/0001"] * 2, *["/d/0002"] * 2]


def test_of_much_that_is_expected_so_much_is_kept_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_files, "_MOST_KEPT_BYTES", 1000)
    monkeypatch.setattr(archive_files, "_MOST_KEPT_BYTES_A_FILE", 20)
    source = MemorySource({**many(600, size=10), "/d/0200": Node(b"y" * 21)})
    files = ArchiveFiles(source)
    files.expect([], list(many(600)))
    for path in many(600):
        content = text(files, path)
        assert content == (b"y" * 21 if path == "/d/0200" else b"x" * 10)
    # The folder itself, the file that is too long, and 5,990 bytes by a thousand.
    assert Counter(source.calls) == {"/": 1, "/d": 1 + 6, "/d/0200": 1}


def test_what_came_with_others_can_be_read_again() -> None:
    source = MemorySource(many(500))
    files = ArchiveFiles(source)
    files.expect([], list(many(500)))
    assert [text(files, "/d/0007") for _ in range(3)] == [b"x"] * 3
