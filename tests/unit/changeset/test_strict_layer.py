from __future__ import annotations

import hashlib
import io
import tarfile
import tracemalloc
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset import strict_layer
from snapshot.changeset.entry import FileEntry, FileType, PathChange
from snapshot.changeset.layer import Layer, LayerSpool, Piece, Whiteout
from snapshot.changeset.member import CAPABILITY, Member
from snapshot.changeset.paths import component_order
from snapshot.changeset.strict_layer import LayerRefused, strict_changes
from snapshot.changeset.tar_header import END, header, padding, whiteout_header
from snapshot.engine.types import ChangeKind


def layer(tar: bytes) -> Layer:
    digest = f"sha256:{hashlib.sha256(tar).hexdigest()}"
    return Layer(io.BytesIO(), len(tar), digest, lambda: iter([tar]))


def refusal(tar: bytes) -> str:
    with pytest.raises(LayerRefused) as caught:
        list(strict_changes(layer(tar)))
    return caught.value.what


def file(path: str, content: bytes = b"", **xattrs: bytes) -> bytes:
    entry = FileEntry(path, FileType.FILE, 0o644, 0, 0, len(content))
    names = {name.replace("__", "."): value for name, value in xattrs.items()}
    return header(entry, 1, names) + content + padding(len(content))


def other(path: str, kind: FileType = FileType.FOLDER, **fields: str) -> bytes:
    return header(FileEntry(path, kind, 0o755, 0, 0, **fields), 1, {})  # type: ignore[arg-type]


def odd(name: str, content: bytes = b"", pax: dict[str, str] | None = None, **fields: object) -> bytes:
    """An entry as tarfile writes it, which need not be canonical."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.pax_headers = pax or {}
    for key, value in fields.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.PAX_FORMAT) + content + padding(len(content))


names = st.sampled_from(["a", "a.b", "b c", "caf\udce9", "n" * 120])
paths = st.lists(names, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))


@given(files=st.dictionaries(paths, st.binary(max_size=700), max_size=6), gone=st.sets(paths, max_size=3))
def test_what_snap_writes_is_taken(files: dict[str, bytes], gone: set[str]) -> None:
    leaves = {path for path in files if not any(other.startswith(f"{path}/") for other in {*files, *gone})}
    deleted = sorted(
        (path for path in gone - files.keys() if not any(f.startswith(f"{path}/") for f in {*files, *gone})),
        key=component_order,
    )
    with LayerSpool(deleted) as spool:
        pieces: list[Piece | Whiteout] = []
        for path in sorted({*leaves, *deleted}, key=component_order):
            if path in leaves:
                entry = FileEntry(path, FileType.FILE, 0o600, 1, 2, len(files[path]))
                pieces.append(spool.add(Member(entry, 1, content=partial(filter, None, [files[path]]))))
            else:
                pieces.append(Whiteout(path))
        sealed = spool.seal(pieces)
        expected = [
            PathChange(ChangeKind.DELETED, piece.path)
            if isinstance(piece, Whiteout)
            else PathChange(ChangeKind.CHANGED, piece.entry.path, piece.entry)
            for piece in pieces
        ]
        assert list(strict_changes(sealed)) == expected


def test_links_attributes_and_devices_of_snaps_are_taken() -> None:
    capability = {CAPABILITY: b"\x01\x00", "user.note": b"1"}
    first = FileEntry("/a", FileType.FILE, 0o755, 0, 0, 1)
    second = FileEntry("/b", FileType.FILE, 0o755, 0, 0, hard_link="/a")
    tar = header(first, 1, capability) + b"x" + padding(1) + header(second, 1, capability)
    tar += other("/c", FileType.CHARACTER_DEVICE, device="1:3") + other("/d", FileType.FIFO)
    held = [change.file for change in strict_changes(layer(tar + END)) if change.file]
    sha256 = hashlib.sha256(b"x").hexdigest()
    assert [(entry.sha256, entry.capability, entry.hard_link) for entry in held[:2]] == [
        (sha256, "0100", ""),
        (sha256, "0100", "/a"),
    ]
    assert [(entry.type, entry.device) for entry in held[2:]] == [
        (FileType.CHARACTER_DEVICE, "1:3"),
        (FileType.FIFO, ""),
    ]


ODD = {
    "absolute": odd("/etc/motd", b"x"),
    "in this folder": odd("./etc", type=tarfile.DIRTYPE),
    "another header": odd("a", uname="root"),
    "time with a fraction": odd("a", mtime=1.5),
    "an attribute that no layer has": odd("a", pax={"SCHILY.xattr.trusted.overlay.opaque": "y"}),
    "a comment": odd("a", pax={"comment": "x"}),
    "a mark with content": odd(".wh.a", b"x"),
    "a mark that is a link": odd(".wh.a", type=tarfile.SYMTYPE, linkname="/etc"),
    "a global header": tarfile.TarInfo.create_pax_global_header({"mtime": "5"}) + file("/a"),
}


@pytest.mark.parametrize("entry", ODD.values(), ids=ODD)
def test_what_is_not_canonical_is_refused(entry: bytes) -> None:
    assert refusal(entry + END) == "it is not in the form that snap writes"


@pytest.mark.parametrize(
    ("tar", "word"),
    [
        (odd("../etc/motd") + END, "leads upwards"),
        (odd("a/../../b") + END, "leads upwards"),
        (file("/a") + file("/a") + END, "'/a' in it is there twice"),
        (file("/b") + file("/a") + END, "'/a' in it is there twice, or out of order"),
        (whiteout_header("/a") + file("/a") + END, "twice"),
        (other("/a", FileType.SYMLINK, link_target="/etc") + file("/a/b") + END, "below '/a'"),
        (file("/a") + other("/a/b") + file("/a/b/c") + END, "below '/a'"),
        (whiteout_header("/a") + file("/a/b") + END, "below '/a'"),
        (other("/a") + file("/a/.wh..wh..opq") + END, "a mark that snap does not write"),
        (file("/.wh..wh.plnk") + END, "a mark that snap does not write"),
        (file("/.wh.") + END, "a mark that snap does not write"),
        (file("/.wh..") + END, "a mark that snap does not write"),
        (file("/.wh...") + END, "a mark that snap does not write"),
        (other("/.wh.", FileType.SYMLINK, link_target="x") + END, "a mark that snap does not write"),
        (other("/proc") + END, "the engine's own"),
        (other("/dev") + other("/dev/sda", FileType.BLOCK_DEVICE, device="8:0") + END, "the engine's own"),
        (other("/etc") + file("/etc/hosts") + END, "the engine's own"),
        (other("/x", FileType.CHARACTER_DEVICE, device="0:0") + END, "takes for a deleted name"),
        (file("/x", user__overlay__opaque=b"y") + END, "takes for its own"),
        (other("/b", FileType.FILE, hard_link="/a") + END, "not before it"),
        (other("/a", FileType.FILE, hard_link="/b") + file("/b") + END, "not before it"),
        (other("/a") + other("/b", FileType.FILE, hard_link="/a") + END, "not before it"),
        (other("/b", FileType.FILE, hard_link="/etc/shadow") + END, "not before it"),
        (file("/a", b"x")[:-600], "damaged"),
        (file("/a", b"x" * 600)[:-600], "damaged"),
        (b"no tar" * 200, "damaged"),
        (b"", "damaged"),
        (file("/a") + END + file("/b") + END, "not in the form"),
        (file("/a") + END + b"more", "not in the form"),
        (file("/a"), "not in the form"),
        (odd("a", type=b"V") + END, "not in the form"),
        (odd("a", pax={"GNU.sparse.major": "1"}) + END, "sparse"),
        (odd("a", pax={"size": "999999999999999999"}) + END, "damaged"),
    ],
)  # fmt: skip
def test_what_means_harm_is_refused_by_name(tar: bytes, word: str) -> None:
    assert word in refusal(tar)


def test_entries_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_layer, "MOST_ENTRIES", 50)
    tar = b"".join(file(f"/{number:03}") for number in range(51)) + END
    assert refusal(tar) == "it has more than 50 entries"


def test_many_entries_take_no_memory_to_speak_of() -> None:
    def chunks() -> Iterator[bytes]:
        for number in range(2_500):
            yield file(f"/{number:06}")
        yield END

    digest = hashlib.sha256(b"".join(chunks())).hexdigest()
    tall = Layer(io.BytesIO(), 0, f"sha256:{digest}", chunks)
    tracemalloc.start()
    try:
        assert sum(1 for _ in strict_changes(tall)) == 2_500
        assert tracemalloc.get_traced_memory()[1] < 512 << 10
    finally:
        tracemalloc.stop()
