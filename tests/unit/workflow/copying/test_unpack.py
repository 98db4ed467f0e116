"""What a hostile or broken archive cannot do to the folder that it is unpacked in."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from snapshot.changeset.tar_reader import read_members
from snapshot.errors import EngineGone, Refused, SnapError
from snapshot.workflow.copying.unpack import Unpacker

Member = tuple[tarfile.TarInfo, bytes]


def file(name: str, content: bytes = b"evil", mode: int = 0o644, **more: int) -> Member:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(content), mode, 1_500_000_000
    for key, value in more.items():
        setattr(info, key, value)
    return info, content


def other(name: str, kind: bytes, target: str = "", mode: int = 0o755) -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.mtime = kind, target, mode, 1_500_000_000
    return info, b""


def folder(name: str, mode: int = 0o755) -> Member:
    return other(name, tarfile.DIRTYPE, mode=mode)


def symlink(name: str, target: str) -> Member:
    return other(name, tarfile.SYMTYPE, target)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_text("mine")
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.fixture(autouse=True)
def nothing_outside(here: Path, tmp_path: Path) -> Iterator[None]:
    yield
    assert [path.name for path in tmp_path.iterdir()] in (["outside", "here"], ["here", "outside"])
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["precious"]
    assert (tmp_path / "outside" / "precious").read_text() == "mine"
    assert list(here.rglob(".snap-*")) == []


def unpack(
    here: Path, *members: Member, name: str = "x", keep_owner: bool = False, cut: int | None = None
) -> Unpacker:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    descriptor = os.open(here, os.O_RDONLY)
    try:
        with Unpacker(descriptor, "here", keep_owner=keep_owner, advance=lambda _: None) as unpacker:
            raw = io.BytesIO(stream.getvalue()[:cut])
            unpacker.unpack(read_members(raw, "/srv/x", strip=1), "/srv/x", name)
    finally:
        os.close(descriptor)
    return unpacker


def test_what_is_in_the_archive_is_written_with_mode_and_time(here: Path) -> None:
    done = unpack(
        here, folder("x", 0o500), file("x/a", b"text", 0o640), symlink("x/l", "/etc"), folder("x/sub")
    )
    assert (here / "x" / "a").read_bytes() == b"text"
    found = (here / "x" / "a").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_mtime) == (0o640, 1_500_000_000)
    found = (here / "x").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_mtime) == (0o500, 1_500_000_000)
    assert str((here / "x" / "l").readlink()) == "/etc"
    assert (done.files, done.size_bytes) == (1, 4)


def test_without_a_name_the_folder_itself_stays_what_it_is(here: Path) -> None:
    here.chmod(0o750)
    unpack(here, folder("x", 0o777), file("x/a"), name="")
    assert stat.S_IMODE(here.stat().st_mode) == 0o750
    assert (here / "a").exists()


def test_an_absolute_name_stays_inside(here: Path, tmp_path: Path) -> None:
    unpack(here, folder("x"), file(f"{tmp_path}/outside/precious"))
    assert not (here / "outside").exists()


@pytest.mark.parametrize("name", ["../outside/precious", "x/../../outside/precious", "x/.."])
def test_a_name_that_leads_upwards_is_refused(here: Path, name: str) -> None:
    with pytest.raises(EngineGone, match="leads upwards"):
        unpack(here, folder("x"), file(name))


@pytest.mark.parametrize("target", ["../../outside", "{tmp}/outside", "."])
def test_nothing_is_written_through_a_link_of_the_archive(here: Path, tmp_path: Path, target: str) -> None:
    target = target.format(tmp=tmp_path)
    with pytest.raises(Refused, match="here/x/l/precious"):
        unpack(here, folder("x"), symlink("x/l", target), file("x/l/precious"))


def test_a_file_takes_the_place_of_a_link_and_is_not_written_through_it(here: Path, tmp_path: Path) -> None:
    unpack(here, folder("x"), symlink("x/l", f"{tmp_path}/outside/precious"), file("x/l"))
    assert (here / "x" / "l").read_bytes() == b"evil"
    assert not (here / "x" / "l").is_symlink()


def test_a_link_that_stands_there_is_not_taken_for_a_folder(here: Path) -> None:
    (here / "x").symlink_to("../outside")
    with pytest.raises(Refused, match="'here/x' is no folder here"):
        unpack(here, folder("x"), file("x/precious"))


@pytest.mark.parametrize("target", ["outside/precious", "../outside/precious", "/outside/precious", ""])
def test_a_hard_link_cannot_lead_out(here: Path, target: str) -> None:
    with pytest.raises(SnapError):
        unpack(here, folder("x"), other("x/h", tarfile.LNKTYPE, target))
    assert not (here / "x" / "h").exists()


def test_a_hard_link_to_a_link_is_a_link_and_is_not_followed(here: Path, tmp_path: Path) -> None:
    link = symlink("x/l", f"{tmp_path}/outside/precious")
    unpack(here, folder("x"), link, other("x/h", tarfile.LNKTYPE, "x/l"), file("x/h"))
    assert not (here / "x" / "h").is_symlink()


def test_a_second_file_of_a_name_leaves_the_first_ones_further_name_alone(here: Path) -> None:
    unpack(here, folder("x"), file("x/a", b"1"), other("x/h", tarfile.LNKTYPE, "x/a"), file("x/a", b"2"))
    assert ((here / "x" / "h").read_bytes(), (here / "x" / "a").read_bytes()) == (b"1", b"2")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE])
def test_devices_are_not_made(here: Path, kind: bytes) -> None:
    done = unpack(here, folder("x"), other("x/d", kind), file("x/a"))
    assert done.skipped == ["/srv/x/d"]
    assert [path.name for path in (here / "x").iterdir()] == ["a"]


def test_set_id_bits_are_for_owners_that_are_kept(here: Path) -> None:
    unpack(here, file("x", mode=0o6755))
    assert stat.S_IMODE((here / "x").stat().st_mode) == 0o755
    unpack(here, file("x", mode=0o6755, uid=os.getuid(), gid=os.getgid()), keep_owner=True)
    assert stat.S_IMODE((here / "x").stat().st_mode) == 0o6755


def test_a_folder_is_not_replaced_by_a_file(here: Path) -> None:
    (here / "x").mkdir()
    with pytest.raises(Refused, match="'here/x' is a folder here"):
        unpack(here, file("x"))


def test_an_archive_that_breaks_off_leaves_the_old_file(here: Path) -> None:
    (here / "x").write_text("old")
    with pytest.raises(EngineGone):
        unpack(here, file("x", bytes(100_000)), cut=50_000)
    assert (here / "x").read_text() == "old"


def test_a_file_where_a_folder_is_meant_is_refused(here: Path) -> None:
    with pytest.raises(Refused, match="outside of what is copied"):
        unpack(here, file("x"), name="")


@pytest.mark.parametrize(
    "made",
    [
        lambda: file("x/" + "n" * 300),
        lambda: file("x/a", uid=2**40),
        lambda: file("x/a", gid=-1 + 2**33),
        lambda: symlink("x/a", "t" * 5000),
    ],
)
def test_what_no_file_system_takes_is_named(here: Path, made: Callable[[], Member]) -> None:
    with pytest.raises(SnapError, match=r"'here/x/\w+' cannot be written"):
        unpack(here, folder("x"), made(), keep_owner=True)
