from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import pytest

from snapshot.changeset.capture import ApiReader, Captured, LeftOut, NameUnknown, capture, capture_layer
from snapshot.changeset.entry import Changeset
from snapshot.changeset.exclusion import Exclusion
from snapshot.changeset.fetch_plan import CallCosts, KnownSizes
from snapshot.changeset.layer import LayerSpool
from snapshot.changeset.reader import Reading, Sink
from snapshot.engine.types import Change, PathStat
from snapshot.errors import EngineError, EngineUnreachable, Refused

if TYPE_CHECKING:
    from tests.unit.changeset.memory_source import (
        SOCKET,
        MemorySource,
        Node,
        added,
        changed,
        deleted,
        folder,
    )
else:
    from memory_source import SOCKET, MemorySource, Node, added, changed, deleted, folder

# Calls for which a folder is read as soon as it is known that all in it is wanted.
COSTS = CallCosts(call_s=1.0, file_s=0.0, bytes_per_s=1e6)
LATIN = "/d/\udce9"
LARGE = KnownSizes(base_bytes=10**12)


class Recording(ApiReader):
    """Notes which trees were said to be new."""

    trees: Sequence[Collection[str]] = ()

    def read(
        self, paths: Collection[str], added: Collection[str], sink: Sink, may_carry: Callable[[str], bool], /
    ) -> Reading:
        object.__setattr__(self, "trees", [*self.trees, list(added)])
        return super().read(paths, added, sink, may_carry)


def layer_of(
    source: MemorySource,
    *,
    mounts: Collection[str] = (),
    exclude: Sequence[str] = (),
    since: int | None = None,
) -> tuple[Captured, list[str]]:
    """What was captured, and the names in the layer's tar."""
    reader = ApiReader(source, COSTS, LARGE, since)
    spools: list[LayerSpool] = []

    def spool(gone: list[str]) -> LayerSpool:
        spools.append(LayerSpool(gone))
        return spools[0]

    exclusion = Exclusion.of(exclude=tuple(exclude))
    captured = capture_layer(reader, source.listed, mounts, spool, exclusion=exclusion)
    with spools[0]:
        if captured.layer is None:
            return captured, []
        tar = io.BytesIO(b"".join(captured.layer.chunks()))
    with tarfile.open(fileobj=tar, errors="surrogateescape") as archive:
        return captured, archive.getnames()


def lines(changeset: Changeset) -> list[str]:
    """The changes as ``docker diff`` prints them, with the reason after what is skipped."""
    return [f"{item.kind.value} {item.path} {item.skipped}".rstrip() for item in changeset.changes]


def taken(source: MemorySource, mounts: Collection[str] = (), *, hash_content: bool = True) -> Changeset:
    return capture(ApiReader(source, COSTS, LARGE), mounts, hash_content=hash_content)


def test_changes_come_in_canonical_order_with_what_stands_there() -> None:
    source = MemorySource(
        {"/d/a": Node(b"a"), "/d.e": Node(b"bc")}, added("/d.e", "/d/a") + deleted("/d/b") + changed("/d")
    )
    changeset = taken(source)
    assert lines(changeset) == ["C /d", "A /d/a", "D /d/b", "A /d.e"]
    assert changeset.size_bytes == 3
    assert all(change.file.sha256 for change in changeset.changes if change.file and change.file.size_bytes)


def test_without_hashes_sizes_are_known_all_the_same() -> None:
    changeset = taken(MemorySource({"/a": Node(b"abc")}, added("/a")), hash_content=False)
    assert [(item.file.sha256, item.file.size_bytes) for item in changeset.changes if item.file] == [("", 3)]


def test_the_engine_s_own_paths_are_no_changes_unless_they_are_asked_for() -> None:
    source = MemorySource(
        {"/etc/hosts": Node(), "/etc/a": Node(), "/data/x": Node()},
        changed("/etc") + added("/etc/hosts", "/etc/a", "/data"),
    )
    changeset = taken(source, ["/data"])
    assert lines(changeset) == ["C /etc", "A /etc/a"]
    assert changeset.engine_paths == ("/data", "/etc/hosts")
    everything = capture(ApiReader(source), ["/data"], hash_content=True, with_engine_paths=True)
    assert lines(everything) == ["A /data", "C /etc", "A /etc/a", "A /etc/hosts"]
    assert everything.engine_paths == ()


def test_a_new_folder_is_read_as_a_whole_and_not_with_a_volume_in_it() -> None:
    nodes = {"/new/a": Node(b"a"), "/new/b": Node(b"b"), "/new/volume/large": Node()}
    source = MemorySource(nodes, added("/new", "/new/a", "/new/b", "/new/volume"))
    taken(source)
    assert source.calls == ["/new"]
    source.calls.clear()
    taken(source, ["/new/volume"])
    assert source.calls == ["/new", "/new/a", "/new/b"]


def test_of_new_folders_in_new_ones_the_topmost_are_whole_and_changed_ones_are_not() -> None:
    source = MemorySource(
        {"/new/d/a": Node(), "/old/b": Node()},
        added("/new", "/new/d", "/new/d/a", "/old/b") + changed("/old"),
    )
    reader = Recording(source)
    capture(reader, hash_content=True)
    assert reader.trees == [["/new", "/old/b"]]


def test_what_stood_below_a_folder_that_is_a_file_now_is_no_change() -> None:
    source = MemorySource(
        {"/d": Node(b"now a file"), "/e": Node(type=tarfile.SYMTYPE, target="d"), "/d.f": Node()},
        changed("/d", "/d/x", "/e") + deleted("/d/y", "/d/x/z", "/e/w") + added("/d.f"),
    )
    captured, names = layer_of(source)
    assert lines(captured.changeset) == ["C /d", "A /d.f", "C /e"]
    assert names == ["d", "d.f", "e"]


def test_sockets_are_skipped_by_name_and_so_is_what_has_gone() -> None:
    source = MemorySource({"/s": Node(type=SOCKET), "/a": Node()}, added("/s", "/gone", "/a"))
    captured, names = layer_of(source)
    assert lines(captured.changeset) == ["A /a", "A /gone gone", "A /s socket"]
    assert names == ["a"]


def test_what_is_there_and_cannot_be_read_is_said_to_be_so() -> None:
    class Empty(MemorySource):
        def stat(self, _: str) -> PathStat:
            return PathStat(0, 0o644, "")

    assert lines(taken(Empty({}, added("/a")))) == ["A /a unreadable"]


def test_an_engine_that_goes_away_is_no_missing_file() -> None:
    class Gone(MemorySource):
        error: EngineError | EngineUnreachable = EngineUnreachable("gone")

        def stat(self, _: str) -> PathStat:
            raise self.error

    with pytest.raises(EngineUnreachable):
        taken(Gone({}, added("/a")))
    Gone.error = EngineError("a file is on the way")
    assert lines(taken(Gone({}, added("/a")))) == ["A /a gone"]


def test_a_layer_holds_the_changes_and_whiteouts() -> None:
    source = MemorySource(
        {"/d/a": Node(b"a"), "/d/link": Node(type=tarfile.SYMTYPE, target="a")},
        changed("/d") + added("/d/a", "/d/link") + deleted("/d/b", "/z"),
    )
    captured, names = layer_of(source)
    assert names == ["d", "d/a", "d/.wh.b", "d/link", ".wh.z"]
    assert lines(captured.changeset) == ["C /d", "A /d/a", "D /d/b", "A /d/link", "D /z"]


def test_no_change_is_no_layer() -> None:
    for listed in ([], added("/etc/hosts")):
        captured, _ = layer_of(MemorySource({"/etc/hosts": Node()}, listed))
        assert captured.layer is None
    captured, _ = layer_of(MemorySource({"/s": Node(type=SOCKET)}, added("/s")))
    assert captured.layer is None


def test_a_name_that_a_layer_would_read_as_a_deletion_is_refused_unless_it_is_deleted_or_left_out() -> None:
    nodes = {"/d/.wh.a": Node()}
    with pytest.raises(Refused, match=r"/d/\.wh\.a"):
        layer_of(MemorySource(nodes, changed("/d") + added("/d/.wh.a")))
    _, names = layer_of(MemorySource(nodes, changed("/d") + added("/d/.wh.a", "/b")), exclude=["/d/.wh.*"])
    assert names == []
    assert lines(taken(MemorySource(nodes, added("/d/.wh.a")))) == ["A /d/.wh.a"]


def test_a_deleted_name_whose_bytes_nobody_knows_is_refused() -> None:
    with pytest.raises(NameUnknown, match="caf\ufffd") as caught:
        layer_of(MemorySource({}, deleted("/caf\ufffd")))
    assert caught.value.exit_code == 4
    captured, _ = layer_of(MemorySource({}, deleted("/caf\ufffd")), exclude=["/caf*"])
    assert captured.layer is None


def test_a_name_that_is_not_utf8_is_in_the_layer_as_it_is() -> None:
    source = MemorySource(
        {LATIN: Node(b"1"), f"{LATIN}a": Node(b"2")}, changed("/d") + added("/d/\ufffd", "/d/\ufffda")
    )
    captured, names = layer_of(source)
    assert names == ["d", LATIN[1:], f"{LATIN}a"[1:]]
    assert lines(captured.changeset) == ["C /d", f"A {LATIN}", f"A {LATIN}a"]


def test_what_is_left_out_is_named_with_rule_and_size_and_each_name_of_a_file_counts() -> None:
    twice = Node(b"1234")
    source = MemorySource(
        {"/c/a": twice, "/c/b": twice, "/c/e": Node(b"12"), "/keep": Node(b"1")},
        changed("/c") + added("/c/a", "/c/b", "/c/e", "/keep") + deleted("/c/gone"),
    )
    captured, names = layer_of(source, exclude=["/c"])
    assert names == ["keep"]
    found = {item.path: item.size_bytes for item in captured.left_out}
    assert (found["/c/a"], found["/c/b"], found["/c/e"]) == (4, 4, 2)
    assert {type(item) for item in captured.left_out} == {LeftOut}
    assert {item.rule for item in captured.left_out} == {"--exclude /c"}


def test_what_is_left_out_is_measured_without_the_volumes_in_it() -> None:
    source = MemorySource(
        {"/cache/a": Node(b"1"), "/cache/volume/large": Node(b"x" * 100)},
        added("/cache", "/cache/a", "/cache/volume"),
    )
    captured, _ = layer_of(source, mounts=["/cache/volume"], exclude=["/cache"])
    assert {item.path: item.size_bytes for item in captured.left_out} == {"/cache": 0, "/cache/a": 1}
    assert source.calls == ["/cache", "/cache/a"]


def test_an_unchanged_name_of_a_file_that_got_a_further_one_is_in_the_layer() -> None:
    file = Node(b"old", mtime_s=5)
    source = MemorySource({"/usr/tool": file, "/new": file, "/usr": folder()}, added("/new"))
    captured, names = layer_of(source, since=1000)
    assert lines(captured.changeset) == ["A /new", "C /usr", "C /usr/tool"]
    assert names == ["new", "usr", "usr/tool"]
    captured, names = layer_of(source, since=1000, exclude=["/usr/**"])
    assert names == ["new"]


def test_paths_may_be_listed_in_any_order() -> None:
    nodes = {"/d/a": Node(b"a"), "/d/b/c": Node(b"c")}
    listed: list[Change] = changed("/d") + added("/d/a", "/d/b", "/d/b/c") + deleted("/e")
    layers = [layer_of(MemorySource(nodes, order))[0].layer for order in (listed, listed[::-1])]
    assert layers[0]
    assert layers[1]
    assert layers[0].diff_id == layers[1].diff_id
