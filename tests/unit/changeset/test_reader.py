"""Whatever calls a plan makes, what is read is the same."""

from __future__ import annotations

import hashlib
import tarfile
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.fetch_plan import CallCosts, KnownSizes
from snapshot.changeset.layer import LayerSpool, Piece
from snapshot.changeset.member import Member
from snapshot.changeset.paths import as_the_engine_lists, component_order, folders_above
from snapshot.changeset.reader import Hashes, Headers, Reading, Request, read_everything, read_pieces
from snapshot.errors import EngineError, EngineUnreachable

if TYPE_CHECKING:
    from tests.unit.changeset.memory_source import SOCKET, MemorySource, Node, folder
else:
    from memory_source import SOCKET, MemorySource, Node, folder

SINGLE = CallCosts(call_s=0.0, file_s=1.0, bytes_per_s=1.0)
EVERYTHING = CallCosts(call_s=1e9, file_s=0.0, bytes_per_s=1e12)
EVEN = CallCosts(call_s=0.01, file_s=0.001, bytes_per_s=1e8)
# Of no weight, so that folders are read as well.
SMALL = KnownSizes(base_bytes=100)

TYPES = {
    tarfile.REGTYPE: FileType.FILE,
    tarfile.DIRTYPE: FileType.FOLDER,
    tarfile.SYMTYPE: FileType.SYMLINK,
    tarfile.FIFOTYPE: FileType.FIFO,
}


@dataclass
class Counting(Hashes):
    """Notes what was read."""

    added: Counter[str] = field(default_factory=Counter)

    def add(self, member: Member) -> Piece:
        self.added[member.entry.path] += 1
        return super().add(member)


def read(source: MemorySource, paths: list[str], costs: CallCosts = EVEN, **request: int) -> Reading:
    return read_pieces(source, Request(paths, (), costs, SMALL, **request), Hashes())


def shown(reading: Reading) -> dict[str, str]:
    """For each path the first name of its file, or nothing for the first."""
    return {path: piece.entry.hard_link for path, piece in reading.pieces.items()}


def entry_of(path: str, node: Node) -> FileEntry:
    is_file = node.type == tarfile.REGTYPE
    sha256 = hashlib.sha256(node.content).hexdigest() if is_file else ""
    size = len(node.content) if is_file else 0
    return FileEntry(path, TYPES[node.type], node.mode, 0, 0, size, sha256, node.target)


def names_of(source: MemorySource, node: Node) -> list[str]:
    return [path for path, other in source.nodes.items() if other is node]


def expected(source: MemorySource, paths: set[str]) -> dict[str, FileEntry]:
    """What stands at ``paths``: of the names of one file the first one has the content."""
    first: dict[int, str] = {}
    found = {}
    for path in sorted(paths & source.nodes.keys(), key=component_order):
        node = source.nodes[path]
        original = first.setdefault(id(node), path)
        found[path] = replace(entry_of(path, node), hard_link="" if original == path else original)
    return found


# A leaf is one of four files, so that most have several names, or a link that the engine will not follow.
NAMES = ["a", "b", "b.c", "d", "\udce9"]
leaves = st.integers(0, 4)
trees: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(NAMES),
    leaves | st.dictionaries(st.sampled_from(NAMES), leaves | st.just({}), max_size=4),
    min_size=1,
    max_size=5,
)


def source_of(tree: dict[str, Any], files: list[Node]) -> MemorySource:
    nodes: dict[str, Node] = {}
    refused = set()

    def put(above: str, below: dict[str, Any]) -> None:
        for name, item in below.items():
            path = f"{above}/{name}"
            if isinstance(item, dict):
                nodes[path] = folder()
                put(path, item)
            elif item == len(files):
                nodes[path] = Node(type=tarfile.SYMTYPE, target="loop")
                refused.add(path)
            elif isinstance(item, int) and can_be_told(files[item], path):
                nodes[path] = files[item]

    def can_be_told(node: Node, path: str) -> bool:
        """No engine hands out a file by itself of which no name is UTF-8."""
        return path.isascii() or all(name.isascii() for name in nodes if nodes[name] is node)

    put("", tree)
    return MemorySource(nodes, refused=frozenset(refused))


sources = trees.map(
    # Two have the same content, and nothing but their names tells that they are two.
    lambda tree: source_of(tree, [Node(content) for content in (b"", b"same", b"same", b"x" * 2000)])
)
exports = sources.map(lambda source: replace(source, gives_single_paths=False, refused=frozenset()))
costs = st.sampled_from([SINGLE, EVERYTHING, EVEN, CallCosts(0.01, 0.0, 1e8), CallCosts(0.01, 0.1, 1e4)])


@given(sources | exports, st.data(), costs)
def test_whatever_calls_cost_the_pieces_are_the_same(
    source: MemorySource, data: st.DataObject, costs: CallCosts
) -> None:
    wanted = data.draw(st.sets(st.sampled_from(sorted(source.nodes))))
    listed = {as_the_engine_lists(path) for path in wanted} | {"/gone", "/a/gone"}
    added = data.draw(st.sets(st.sampled_from(sorted(listed))))
    reading = read_pieces(source, Request(listed, added, costs, SMALL), Hashes())
    meant = {path for path in source.nodes if as_the_engine_lists(path) in listed}
    assert {path: piece.entry for path, piece in reading.pieces.items()} == expected(source, meant)
    assert list(reading.pieces) == sorted(reading.pieces, key=component_order)
    assert reading.carried == ()


@given(sources | exports, st.data(), costs)
def test_names_of_the_base_are_carried_whatever_calls_cost(
    source: MemorySource, data: st.DataObject, costs: CallCosts
) -> None:
    wanted = data.draw(st.sets(st.sampled_from(sorted(source.nodes))))
    request = Request({as_the_engine_lists(path) for path in wanted}, (), costs, SMALL, linked_before_s=2000)
    reading = read_pieces(source, request, Hashes(), may_carry=lambda path: path != "/a")
    meant = {path for path in source.nodes if as_the_engine_lists(path) in request.paths}
    files = [source.nodes[path] for path in meant if source.nodes[path].type == tarfile.REGTYPE]
    further = {name for node in files for name in names_of(source, node)} - meant - {"/a"}
    above = {folder for path in further for folder in folders_above(path)} - meant
    assert reading.carried == (*sorted(further), *sorted(above))
    found = {path: piece.entry for path, piece in reading.pieces.items()}
    assert found == expected(source, meant | further | above)


@given(sources, costs)
def test_whatever_calls_cost_the_layer_is_the_same(source: MemorySource, costs: CallCosts) -> None:
    wanted = {as_the_engine_lists(path) for path in source.nodes}
    digests = set()
    for chosen in (costs, SINGLE):
        with LayerSpool() as spool:
            reading = read_pieces(source, Request(wanted, (), chosen, SMALL), spool)
            digests.add(spool.seal(list(reading.pieces.values())).diff_id)
    assert len(digests) == 1


@given(sources)
def test_everything_is_all_but_the_root(source: MemorySource) -> None:
    found = read_everything(source)
    assert found == expected(source, source.nodes.keys() - {"/"})


def test_several_names_that_the_engine_lists_as_one_are_all_read() -> None:
    names = ["\udce9", "\udcea", "\ufffd"]
    source = MemorySource({f"/d/{name}": Node(name.encode("utf-8", "surrogateescape")) for name in names})
    reading = read(source, ["/d/\ufffd"])
    entries = reading.by_listed(["/d/\ufffd"])["/d/\ufffd"]
    assert {entry.path for entry in entries} == {f"/d/{name}" for name in names}


def test_content_is_read_once() -> None:
    file = Node(b"content")
    source = MemorySource({"/d/a": file, "/d/b": file, "/d/e/c": file, "/d/other": Node(b"content")})
    sink = Counting()
    paths = list(source.nodes)
    reading = read_pieces(source, Request(paths, ["/d"], EVERYTHING, SMALL), sink)
    assert sink.added == Counter(["/", "/d", "/d/a", "/d/e", "/d/other"])
    assert shown(reading)["/d/e/c"] == "/d/a"
    assert source.calls == ["/", "everything"]


def test_of_a_folder_that_is_wanted_by_itself_nothing_else_is_read() -> None:
    source = MemorySource({"/d/a": Node(b"large")})
    sink = Counting()
    read_pieces(source, Request(["/d"]), sink)
    assert sink.added == Counter(["/d"])


def test_files_that_look_like_names_of_one_are_looked_at_again() -> None:
    file = Node(b"same")
    source = MemorySource({"/d/a": file, "/d/b": file, "/d/c": Node(b"same"), "/e": Node(b"else")})
    reading = read(source, ["/d/a", "/d/b", "/d/c", "/e"], SINGLE)
    assert source.calls == ["/d/a", "/d/b", "/d/c", "/e", "/d"]
    assert shown(reading) == {"/d/a": "", "/d/b": "/d/a", "/d/c": "", "/e": ""}
    assert [str(plan) for plan in reading.plans][1:] == ["1 ReadFolder; about 0.00 s"]


def test_files_that_differ_in_anything_are_not_looked_at_again() -> None:
    source = MemorySource(
        {"/a": Node(b"1"), "/b": Node(b"2"), "/c": Node(b"1", mtime_s=2), "/d": Node(b"1", mode=0o600)}
    )
    read(source, ["/a", "/b", "/c", "/d"], SINGLE)
    assert source.calls == ["/a", "/b", "/c", "/d"]


def test_where_no_content_is_read_nothing_is_looked_at_again() -> None:
    source = MemorySource({"/a": Node(b"1"), "/b": Node(b"1")})
    reading = read_pieces(source, Request(["/a", "/b"], (), SINGLE, SMALL, linked_before_s=2000), Headers())
    assert source.calls == ["/a", "/b"]
    assert [piece.entry.sha256 for piece in reading.pieces.values()] == ["", ""]
    assert [piece.entry.size_bytes for piece in reading.pieces.values()] == [1, 1]


def test_what_is_newer_than_the_container_is_not_looked_at_again() -> None:
    source = MemorySource({"/a": Node(b"1", mtime_s=3000)})
    assert read(source, ["/a"], SINGLE, linked_before_s=2000).carried == ()
    assert source.calls == ["/a"]


def test_a_further_name_of_an_old_file_carries_the_first_along_with_its_folders() -> None:
    file = Node(b"1")
    source = MemorySource({"/usr/old": file, "/new": file, "/usr/other": Node(b"1")})
    reading = read(source, ["/new"], SINGLE, linked_before_s=2000)
    assert reading.carried == ("/usr/old", "/usr")
    assert shown(reading) == {"/new": "", "/usr": "", "/usr/old": "/new"}


@pytest.mark.parametrize("name", ["\udce9", "z"])
def test_a_name_whose_file_began_with_an_unwanted_one_has_its_content(name: str) -> None:
    file = Node(b"content")
    source = MemorySource({"/a": file, f"/d/{name}": file, f"/e/{name}": file})
    listed = [as_the_engine_lists(f"/d/{name}"), as_the_engine_lists(f"/e/{name}")]
    reading = read(source, listed, EVERYTHING)
    assert source.calls[0] == "everything"
    sha256 = hashlib.sha256(b"content").hexdigest()
    assert [piece.entry.sha256 for piece in reading.pieces.values()] == [sha256, sha256]
    assert shown(reading) == {f"/d/{name}": "", f"/e/{name}": f"/d/{name}"}


def test_many_names_of_files_that_are_not_wanted_take_one_more_export() -> None:
    files = {f"/base/{number}": Node(b"%d" % number) for number in range(100)}
    links = {f"/copy/{number}": node for number, node in enumerate(files.values())}
    source = MemorySource(files | links, gives_single_paths=False)
    assert read(source, list(links)).pieces.keys() == links.keys()
    assert source.calls == ["everything", "everything"]


def test_names_of_one_file_are_put_together_whichever_calls_tell_them() -> None:
    file, loop = Node(b"same"), Node(type=tarfile.SYMTYPE, target="loop")
    nodes = {f"/{name}/{other}": file for name in "ab" for other in "ab"}
    loops = {"/a/loop": loop, "/b/loop": Node(type=tarfile.SYMTYPE, target="loop")}
    reading = read(MemorySource(nodes | loops, refused=frozenset(loops)), [*nodes, *loops], SINGLE)
    assert [piece.entry.hard_link for path, piece in reading.pieces.items() if path in nodes] == [
        "", "/a/a", "/a/a", "/a/a"
    ]  # fmt: skip


def test_what_the_engine_does_not_hand_out_comes_with_its_folder() -> None:
    loop = Node(type=tarfile.SYMTYPE, target="loop")
    source = MemorySource({"/d/loop": loop, "/d/a": Node()}, refused=frozenset({"/d/loop"}))
    reading = read(source, ["/d/loop", "/d/a"], SINGLE)
    assert source.calls[:3] == ["/d/a", "/d/loop", "/d"]
    assert reading.pieces["/d/loop"].entry.link_target == "loop"
    assert len(reading.plans) == 2


def test_a_folder_that_is_refused_is_an_error() -> None:
    source = MemorySource({"/d/a": Node()}, refused=frozenset({"/d"}))
    with pytest.raises(EngineError, match="/d"):
        read_pieces(source, Request(["/d", "/d/a"], ["/d"], CallCosts(1.0, 0.0, 1e8), SMALL), Hashes())


def test_an_engine_that_is_gone_is_an_error_for_any_call() -> None:
    class Gone(MemorySource):
        def archive(self, path: str) -> None:  # type: ignore[override]
            raise EngineUnreachable(path)

    with pytest.raises(EngineUnreachable):
        read(Gone({"/a": Node()}), ["/a"], SINGLE)


def test_sockets_and_what_has_gone_are_left_out() -> None:
    source = MemorySource({"/d/s": Node(type=SOCKET), "/d/a": Node()})
    for costs in (EVERYTHING, CallCosts(1.0, 0.0, 1e8)):
        assert set(read(source, ["/d/s", "/d/a", "/d/gone", "/no/folder"], costs).pieces) == {"/d/a"}
