from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.layer import Layer, LayerSpool, Piece, Whiteout, check_room
from snapshot.changeset.member import Chunk, Member
from snapshot.changeset.paths import component_order
from snapshot.errors import ContainerUnusable, DiskFull


def file(path: str, content: bytes = b"", mtime_s: int = 1, **fields: Any) -> Member:
    entry = FileEntry(path, FileType.FILE, 0o644, 1, 2, len(content), **fields)
    return Member(entry, mtime_s, content=lambda: [content] if content else [])


def other(path: str, kind: FileType = FileType.FOLDER, **fields: Any) -> Member:
    return Member(FileEntry(path, kind, 0o755, 0, 0, **fields), 1)


def in_order(pieces: Sequence[Piece | Whiteout]) -> list[Piece | Whiteout]:
    def path(piece: Piece | Whiteout) -> str:
        return piece.path if isinstance(piece, Whiteout) else piece.entry.path

    return sorted(pieces, key=lambda piece: component_order(path(piece)))


def tar_of(layer: Layer) -> bytes:
    return b"".join(layer.chunks())


def layer_of(members: Sequence[Member], whiteouts: Sequence[str] = (), latest: int | None = None) -> bytes:
    """The tar of a layer whose members come in the given order."""
    with LayerSpool(whiteouts, latest_mtime_s=latest) as spool:
        pieces: list[Piece | Whiteout] = [spool.add(member) for member in members]
        return tar_of(spool.seal(in_order([*pieces, *map(Whiteout, whiteouts)])))


def listing(tar: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(tar), errors="surrogateescape") as archive:
        return archive.getnames()


raw_names = st.binary(min_size=1, max_size=3).filter(lambda raw: b"/" not in raw and b"\0" not in raw)
names = (raw_names | st.sampled_from([b"a", b"a.b", b"n" * 120])).filter(lambda raw: raw not in {b".", b".."})
paths = st.lists(names.map(lambda raw: raw.decode("utf-8", "surrogateescape")), min_size=1, max_size=3)
contents = st.dictionaries(
    paths.map(lambda parts: "/" + "/".join(parts)), st.binary(max_size=1100), max_size=6
)


@given(contents, contents, st.data())
def test_members_in_any_order_give_the_same_bytes(
    files: dict[str, bytes], gone: dict[str, bytes], data: st.DataObject
) -> None:
    members = [file(path, files[path]) for path in sorted(files, key=component_order)]
    whiteouts = sorted(gone.keys() - files.keys(), key=component_order)
    shuffled = data.draw(st.permutations(members))
    assert layer_of(shuffled, whiteouts) == layer_of(members, whiteouts)


@given(contents)
def test_the_digest_is_that_of_the_file(files: dict[str, bytes]) -> None:
    with LayerSpool() as spool:
        layer = spool.seal(in_order([spool.add(file(path, content)) for path, content in files.items()]))
        tar = tar_of(layer)
        assert layer.diff_id == f"sha256:{hashlib.sha256(tar).hexdigest()}"
        assert layer.size_bytes == len(tar)
        assert tar_of(layer) == tar


@given(contents)
def test_tarfile_reads_what_was_written(files: dict[str, bytes]) -> None:
    tar = layer_of([file(path, content) for path, content in files.items()])
    with tarfile.open(fileobj=io.BytesIO(tar), encoding="utf-8", errors="surrogateescape") as archive:
        found = {f"/{info.name}": archive.extractfile(info) for info in archive}
        assert list(found) == sorted(files, key=component_order)
        assert {path: stream.read() for path, stream in found.items() if stream} == files


def test_gnu_tar_unpacks_it(tmp_path: Path) -> None:
    content = b"x" * 3_000_000
    tar = layer_of(
        [
            file("/etc/b", content),
            other("/etc"),
            other("/etc/link", FileType.SYMLINK, link_target="b"),
            file("/etc/" + "n" * 200, b"long"),
            other("/pipe", FileType.FIFO),
        ],
        ["/etc/a", "/gone"],
    )
    command = ["tar", "--no-same-owner", "-xvf", "-", "-C", str(tmp_path)]
    done = subprocess.run(command, input=tar, capture_output=True, check=True)
    assert done.stderr == b""
    assert done.stdout.decode().split() == [
        "etc/", "etc/.wh.a", "etc/b", "etc/link", "etc/" + "n" * 200, ".wh.gone", "pipe"
    ]  # fmt: skip
    assert (tmp_path / "etc/b").read_bytes() == content
    assert (tmp_path / "etc" / ("n" * 200)).read_bytes() == b"long"
    assert (tmp_path / "etc/link").readlink() == Path("b")
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("backwards", [False, True])
def test_whiteouts_stand_where_what_they_delete_would(backwards: bool) -> None:
    members = [file("/a"), other("/b"), file("/b/x"), file("/b.c")]
    tar = layer_of(members[::-1] if backwards else members, ["/b/a", "/b/z", "/z"])
    assert listing(tar) == ["a", "b", "b/.wh.a", "b/x", "b/.wh.z", "b.c", ".wh.z"]


def test_a_layer_may_hold_whiteouts_alone() -> None:
    assert listing(layer_of([], ["/a", "/b/c"])) == [".wh.a", "b/.wh.c"]


def test_of_several_names_the_first_has_the_content_whichever_came_first() -> None:
    with LayerSpool() as spool:
        late = spool.add(file("/z", b"same"))
        middle = spool.add_link(late.as_link("/m", "/z"))
        early = spool.add_link(late.as_link("/a", "/z"))
        assert (middle.entry.sha256, early.entry.size_bytes) == (late.entry.sha256, 4)
        pieces = [late.as_link("/a", ""), late.as_link("/m", "/a"), late.as_link("/z", "/a")]
        backwards = tar_of(spool.seal(pieces))
    with LayerSpool() as spool:
        first = spool.add(file("/a", b"same"))
        links = [spool.add_link(first.as_link(path, "/a")) for path in ("/m", "/z")]
        forwards = tar_of(spool.seal([first, *links]))
    assert backwards == forwards
    with tarfile.open(fileobj=io.BytesIO(backwards)) as archive:
        assert [(info.name, info.linkname) for info in archive] == [("a", ""), ("m", "a"), ("z", "a")]


def test_what_is_not_among_the_pieces_in_the_end_is_not_in_the_layer() -> None:
    with LayerSpool(["/gone"]) as spool:
        kept, _ = spool.add(file("/a", b"kept")), spool.add(file("/b", b"dropped"))
        tar = tar_of(spool.seal([kept]))
    assert listing(tar) == ["a"]
    assert b"dropped" not in tar


@pytest.mark.parametrize("backwards", [False, True])
def test_newer_files_get_the_latest_time_and_older_ones_keep_theirs(backwards: bool) -> None:
    members = [file("/new", mtime_s=2000), file("/old", mtime_s=-5)]
    with LayerSpool(latest_mtime_s=1000) as spool:
        pieces = [spool.add(member) for member in (members[::-1] if backwards else members)]
        pieces.append(spool.add_link(pieces[backwards].as_link("/newer", "/new")))
        tar = tar_of(spool.seal(in_order(pieces)))
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        assert {info.name: info.mtime for info in archive} == {"new": 1000, "newer": 1000, "old": -5}


def test_content_is_hashed_in_pieces_of_any_size_and_told() -> None:
    chunks: list[Chunk] = [b"a" * 300_000, memoryview(b"b" * 10), b"", memoryview(b"c" * 700_000)]
    content = b"".join(map(bytes, chunks))
    told: list[int] = []
    entry = FileEntry("/f", FileType.FILE, 0o644, 0, 0, len(content))
    with LayerSpool(on_bytes=told.append) as spool:
        piece = spool.add(Member(entry, 1, content=lambda: chunks))
        tar = tar_of(spool.seal([piece]))
    assert piece.entry.sha256 == hashlib.sha256(content).hexdigest()
    assert tar[512 : 512 + len(content)] == content
    assert sum(told) == len(content)


def test_a_buffer_that_is_filled_anew_is_written_as_it_was() -> None:
    buffer = bytearray(b"first!")

    def content() -> Iterator[Chunk]:
        yield memoryview(buffer)
        buffer[:] = b"second"
        yield memoryview(buffer)

    with LayerSpool() as spool:
        entry = FileEntry("/f", FileType.FILE, 0o644, 0, 0, 12)
        tar = tar_of(spool.seal([spool.add(Member(entry, 1, content=content))]))
    assert tar[512:524] == b"first!second"


def test_nothing_is_left_in_the_spool_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    layer_of([file("/b", b"x" * 600_000), file("/a", b"y")])
    with LayerSpool() as spool:
        spool.add(file("/a", b"y" * 600_000))
        assert not list(tmp_path.iterdir())


def on_full_disk(*_: object, **__: object) -> IO[bytes]:
    return Path("/dev/full").open("wb", buffering=0)


@pytest.mark.parametrize("size", [10, 1 << 20])
def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", on_full_disk)
    with LayerSpool() as spool, pytest.raises(DiskFull, match="bytes") as caught:
        spool.seal([spool.add(file("/a", b"x" * size))])
    assert tempfile.gettempdir() in caught.value.what
    assert "TMPDIR" in (caught.value.hint or "")


def test_a_layer_is_put_in_order_without_being_written_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    members = [file(path, b"x" * 600_000) for path in ("/c", "/b", "/a")]
    with LayerSpool() as spool:
        first, second, third = (spool.add(member) for member in members)
        monkeypatch.setattr(tempfile, "TemporaryFile", on_full_disk)
        layer = spool.seal([third, Whiteout("/aa"), second])
        assert first.offset < second.offset
        for _ in range(2):
            tar = tar_of(layer)
            assert listing(tar) == ["a", ".wh.aa", "b"]
            assert len(tar) == layer.size_bytes
            assert f"sha256:{hashlib.sha256(tar).hexdigest()}" == layer.diff_id
    monkeypatch.undo()
    assert tar == layer_of([members[2], members[1]], ["/aa"])


def test_what_was_added_can_be_read_before_the_layer_is_done() -> None:
    with LayerSpool() as spool:
        pieces = [spool.add(file(path, path.encode() * 300_000)) for path in ("/b", "/a")]
        for piece in (*pieces, *pieces):
            assert b"".join(spool.content(piece)) == piece.entry.path.encode() * 300_000


@pytest.mark.parametrize("content", [b"", b"12", b"1234"])
def test_a_file_that_is_not_as_long_as_was_said_is_refused(content: bytes) -> None:
    entry = FileEntry("/f", FileType.FILE, 0o644, 0, 0, 3)
    with LayerSpool() as spool, pytest.raises(ContainerUnusable, match="'/f' was changed"):
        spool.add(Member(entry, 1, content=lambda: [content]))


def test_room_is_checked_beforehand() -> None:
    check_room(1)
    with pytest.raises(DiskFull, match="1,000,000,000,000,000,000 bytes are needed"):
        check_room(10**18)


@pytest.mark.parametrize("make", [lambda: other("/d"), lambda: other("/p", FileType.FIFO)])
def test_what_is_no_file_has_no_hash(make: Callable[[], Member]) -> None:
    with LayerSpool() as spool:
        assert spool.add(make()).entry.sha256 == ""
