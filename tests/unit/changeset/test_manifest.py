from __future__ import annotations

import base64
import zlib
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset import manifest
from snapshot.changeset.entry import FileEntry, FileType, PathChange, Skipped
from snapshot.changeset.manifest import ManifestDamaged, decode_manifest, encode_manifest, manifest_digest
from snapshot.engine.types import ChangeKind

names = st.binary(min_size=1, max_size=12).map(lambda raw: "/" + raw.decode("utf-8", "surrogateescape"))
entries = st.builds(
    FileEntry,
    path=st.just(""),
    type=st.sampled_from(FileType),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 2**32 - 1),
    gid=st.integers(0, 2**32 - 1),
    size_bytes=st.integers(0, 2**62),
    sha256=st.sampled_from(["", "ab" * 32]),
    link_target=st.text(max_size=5),
    hard_link=st.text(max_size=5),
    device=st.sampled_from(["", "1:3"]),
)
present = st.builds(
    lambda kind, path, entry: PathChange(kind, path, replace(entry, path=path)),
    st.sampled_from([ChangeKind.ADDED, ChangeKind.CHANGED]),
    names,
    entries,
)
deleted = st.builds(PathChange, st.just(ChangeKind.DELETED), names)

FILE = FileEntry("/a", FileType.FILE, 0o644, 0, 0, 3, "ab" * 32)


@given(st.lists(present | deleted, max_size=6))
def test_what_is_encoded_comes_back(changes: list[PathChange]) -> None:
    assert decode_manifest(encode_manifest(changes)) == tuple(changes)


def test_the_digest_says_what_stands_there_and_not_whether_it_was_there_before() -> None:
    added, changed = PathChange(ChangeKind.ADDED, "/a", FILE), PathChange(ChangeKind.CHANGED, "/a", FILE)
    assert manifest_digest([added]) == manifest_digest([changed])
    assert manifest_digest([added]) != manifest_digest([PathChange(ChangeKind.DELETED, "/a")])


@pytest.mark.parametrize(
    "field",
    [{"mode": 0o600}, {"uid": 1}, {"gid": 1}, {"size_bytes": 4}, {"sha256": "cd" * 32}, {"device": "1:3"}],
    ids=str,
)
def test_every_field_counts_in_the_digest(field: dict[str, object]) -> None:
    other = replace(FILE, **field)  # type: ignore[arg-type]
    digests = {manifest_digest([PathChange(ChangeKind.ADDED, "/a", file)]) for file in (FILE, other)}
    assert len(digests) == 2


def test_what_no_image_can_hold_is_not_in_the_manifest() -> None:
    socket = PathChange(ChangeKind.ADDED, "/s", Skipped("/s", "socket"))
    assert decode_manifest(encode_manifest([socket])) == ()


@given(
    st.text(max_size=40)
    | st.binary(max_size=40).map(lambda raw: base64.b64encode(zlib.compress(raw)).decode())
)
def test_anything_else_is_damaged_or_a_manifest_and_never_another_error(text: str) -> None:
    with suppress(ManifestDamaged):
        decode_manifest(text)


@pytest.mark.parametrize(
    "line",
    [
        b'["A","relative","file",420,0,0,0,"","","",""]',
        b'["A","/a","file","420",0,0,0,"","","",""]',
        b'["A","/a","file",true,0,0,0,"","","",""]',
        b'["A","/a","socket",420,0,0,0,"","","",""]',
        b'["X","/a","file",420,0,0,0,"","","",""]',
        b'["A","/\\ud800","file",420,0,0,0,"","","",""]',
        b'["D","/\\ud800"]',
        b'["A","/a","symlink",511,0,0,0,"","\\ud800","",""]',
        b'["A","/a","file"]',
        b"{}",
        b"[" * 5000,
    ],
)
def test_a_line_of_another_form_is_damaged(line: bytes) -> None:
    with pytest.raises(ManifestDamaged):
        decode_manifest(base64.b64encode(zlib.compress(line)).decode())


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "MOST_UNPACKED_BYTES", 1000)
    bomb = base64.b64encode(zlib.compress(b"\n" * 10_000)).decode()
    with pytest.raises(ManifestDamaged, match="too large"):
        decode_manifest(bomb)
