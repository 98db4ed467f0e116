"""What a layer's tar holds: files, whiteouts, and which names belong to one file."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from itertools import permutations

import pytest

from snapshot.changeset.layer_contents import LayerContents
from snapshot.changeset.member import sha256_of
from snapshot.changeset.reader import Hashes, Headers, Sink
from snapshot.changeset.tar_layer import MOST_ENTRIES, LayerRefused, contents_of_members
from snapshot.changeset.tar_reader import read_members

Named = tuple[str, "str | bytes", str]  #: name, content or type, target


def read(named: Iterable[Named], sink: Sink | None = None, most: int = MOST_ENTRIES) -> LayerContents:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content, target in named:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.type, info.linkname = content, target
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content.encode()))
    out.seek(0)
    return contents_of_members(read_members(out, "/", strip=0), sink or Hashes(), most)


def file(name: str, text: str = "x") -> Named:
    return name, text, ""


def folder(name: str) -> Named:
    return name, tarfile.DIRTYPE, ""


def link(name: str, target: str) -> Named:
    return name, tarfile.LNKTYPE, target


def paths(found: LayerContents) -> list[str]:
    return [entry.path for entry in found.entries]


def test_entries_are_in_canonical_order_and_hashed_where_that_is_wanted() -> None:
    named = [file("b.c", "1"), folder("b"), file("b/d", "22"), folder("./")]
    found = read(named)
    assert paths(found) == ["/b", "/b/d", "/b.c"]
    assert [entry.sha256 for entry in found.entries] == ["", sha256_of([b"22"]), sha256_of([b"1"])]
    assert [entry.sha256 for entry in read(named, Headers()).entries] == ["", "", ""]
    assert found.diff_id == ""


def test_whiteouts_are_told_apart_from_files_and_from_other_marks() -> None:
    found = read(
        [
            folder("d"),
            file("d/.wh..wh..opq"),
            file("d/.wh.gone"),
            file(".wh.a"),
            folder(".wh..wh.plnk"),
            file(".wh..wh.aufs"),
            file("d/kept"),
        ]
    )
    assert found.deleted == ("/a", "/d/gone")
    assert found.emptied == ("/d",)
    assert paths(found) == ["/d", "/d/kept"]


def test_the_root_folder_is_never_opaque() -> None:
    found = read([file(".wh..wh..opq"), file("a")])
    assert (found.emptied, paths(found)) == ((), ["/a"])


def test_a_whiteout_of_nothing_is_refused() -> None:
    with pytest.raises(LayerRefused, match="names nothing"):
        read([file("d/.wh.")])


@pytest.mark.parametrize("order", list(permutations(["b", "c", "a"])))
def test_of_the_names_of_one_file_the_first_in_order_has_no_link(order: tuple[str, ...]) -> None:
    first, *others = order
    found = read([file(first, "text"), *(link(name, first) for name in others)])
    assert [(entry.path, entry.hard_link) for entry in found.entries] == [
        ("/a", ""),
        ("/b", "/a"),
        ("/c", "/a"),
    ]
    assert {(entry.size_bytes, entry.sha256) for entry in found.entries} == {(4, sha256_of([b"text"]))}


def test_a_name_that_was_given_to_another_file_meanwhile_is_that_one() -> None:
    found = read([file("a", "old"), link("b", "a"), file("a", "new"), link("c", "a")])
    assert [(entry.path, entry.hard_link, entry.sha256) for entry in found.entries] == [
        ("/a", "", sha256_of([b"new"])),
        ("/b", "", sha256_of([b"old"])),
        ("/c", "/a", sha256_of([b"new"])),
    ]


def test_a_name_of_a_file_further_down_says_which() -> None:
    (entry,) = read([link("b", "a")]).entries
    assert (entry.hard_link, entry.sha256, entry.size_bytes) == ("/a", "", 0)


@pytest.mark.parametrize(
    "named",
    [
        [link("a", "a")],
        [link("a", "b"), link("b", "a")],
        [link("b", "a"), file("a")],
    ],
)
def test_a_link_that_comes_before_its_file_is_refused(named: list[Named]) -> None:
    with pytest.raises(LayerRefused, match="comes before"):
        read(named)


def test_nothing_stands_below_what_is_no_folder() -> None:
    assert paths(read([folder("a"), file("a/b"), file("a"), file("a/c")])) == ["/a"]
    assert paths(read([("s", tarfile.SYMTYPE, "/etc"), file("s/passwd")])) == ["/s"]


def test_capabilities_and_attributes_are_told_by_path() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("a")
        info.pax_headers = {"SCHILY.xattr.user.note": "1", "SCHILY.xattr.security.selinux": "s"}
        tar.addfile(info)
    out.seek(0)
    found = contents_of_members(read_members(out, "/", strip=0), Headers())
    assert found.xattrs == {"/a": {"user.note": b"1"}}


def test_too_many_entries_or_names_too_long_are_refused() -> None:
    with pytest.raises(LayerRefused, match="more than 2 entries"):
        read([file("a"), file("b"), file("c")], most=2)
    with pytest.raises(LayerRefused, match="longer names"):
        read([file("d/" * 1000)], most=20)
    # Folders count that have no entry of their own.
    with pytest.raises(LayerRefused, match="longer names"):
        read([file(f"{number}/" + "d/" * 1500 + "f") for number in range(30)], most=100_000)
    assert len(read([file("d/" * 50 + str(number)) for number in range(300)], most=300).entries) == 300
    with pytest.raises(LayerRefused, match="5,001 characters"):
        read([file("a" * 5000)])
