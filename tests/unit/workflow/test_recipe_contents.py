"""What was copied is found by path and sha256 alone, and written where there is room for it."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Collection
from pathlib import Path

import pytest

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.member import Member
from snapshot.errors import InvalidInput
from snapshot.journal.step import Copied
from snapshot.recipe.instructions import Copy, FileContent, TarFile
from snapshot.workflow.recipe_contents import Asked, ContentGone, Keeper

_MTIME_S = 1_000_000_000


class Files:
    """An image of a few files, by path; of a folder the content is ``None``, of a link its target a text."""

    def __init__(self, files: dict[str, bytes | str | None], owner: tuple[int, int] = (0, 0)) -> None:
        self._files = files
        self._owner = owner

    def at(self, path: str) -> Member | None:
        if path not in self._files:
            return None
        content = self._files[path]
        if content is None:
            return Member(FileEntry(path, FileType.FOLDER, 0o750, *self._owner), _MTIME_S)
        if isinstance(content, str):
            return Member(FileEntry(path, FileType.SYMLINK, 0o777, 0, 0, link_target=content), _MTIME_S)
        entry = FileEntry(path, FileType.FILE, 0o640, *self._owner, len(content))
        return Member(entry, _MTIME_S, content=lambda: (content,))

    def names(self, folder: str) -> Collection[str]:
        raise AssertionError(folder)


def copied(path: str, content: bytes) -> Copied:
    return Copied(path, hashlib.sha256(content).hexdigest(), len(content))


@pytest.mark.parametrize(
    ("asked", "path", "name", "destination"),
    [
        (Asked("./app.js", "web/", "/srv/web"), "/srv/web/app.js", "app.js", "web/"),
        (Asked("a/motd.txt", "/etc/motd", "/etc/motd"), "/etc/motd", "motd.txt", "/etc/motd"),
        (Asked("app", "/web", "/web"), "/web/only", "only", "/web/only"),
        (Asked("app", "/web/", "/web"), "/web/sub/only", "only", "/web/sub/only"),
        (Asked("app.js", "/link/", "/link"), "/real/app.js", "app.js", "/real/app.js"),
        (Asked("..", "/etc/motd", "/etc/motd"), "/etc/motd", "motd", "/etc/motd"),
    ],
)
def test_a_file_comes_to_the_same_place(asked: Asked, path: str, name: str, destination: str) -> None:
    files = Files({path: b"x"}, owner=(7, 8))
    item = copied(path, b"x")
    source = FileContent(name, b"x", 0o640, _MTIME_S, item.sha256)
    assert Keeper(None).copies(asked, [item], [files], []) == [Copy(source, destination, "7:8")]


def test_owner_and_mode_that_were_asked_for_are_asked_for_again() -> None:
    asked = Asked("a", "/a", "/a", "node", "u+x")
    (copy,) = Keeper(None).copies(asked, [copied("/a", b"x")], [Files({"/a": b"x"}, owner=(7, 8))], [])
    assert (copy.owner, copy.mode) == ("node", "u+x")


def test_files_of_one_folder_are_copies_of_their_own() -> None:
    files = Files({"/web/a": b"1", "/web/b": b"2"})
    items = [copied("/web/a", b"1"), copied("/web/b", b"2")]
    copies = Keeper(None).copies(Asked("app", "/web", "/web"), items, [files], ["/web"])
    assert [copy.destination for copy in copies] == ["/web/a", "/web/b"]


def test_a_folder_with_more_than_files_is_a_tar() -> None:
    files = Files({"/web/a": b"1", "/web/sub/b": b"2", "/web/sub": None, "/web/link": "sub/b", "/web": None})
    items = [copied("/web/a", b"1"), copied("/web/sub/b", b"2")]
    (copy,) = Keeper(None).copies(Asked("app", "web", "/web"), items, [files], ["/web/link", "/other"])
    assert copy.destination == "/web"
    assert isinstance(copy.source, TarFile)
    assert hashlib.sha256(copy.source.content).hexdigest() == copy.source.sha256
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(copy.source.content))) as tar:
        told = {item.name: (item.mode, item.mtime, item.linkname) for item in tar}
        assert tar.extractfile("sub/b").read() == b"2"  # type: ignore[union-attr]
    assert told == {
        "a": (0o640, _MTIME_S, ""),
        "link": (0o777, _MTIME_S, "sub/b"),
        "sub": (0o750, _MTIME_S, ""),
        "sub/b": (0o640, _MTIME_S, ""),
    }


@pytest.mark.parametrize(
    "item",
    [
        copied("/gone", b"x"),
        copied("/other", b"x"),
        copied("/folder", b""),
        copied("other", b"other"),
        copied("/../other", b"other"),
        copied("", b""),
    ],
)
def test_what_is_not_there_as_it_was_is_gone(item: Copied) -> None:
    files = Files({"/other": b"other", "/folder": None, "other": b"other", "/../other": b"other", "": b""})
    with pytest.raises(ContentGone):
        Keeper(None).copies(Asked("a", "/a", "/a"), [item], [files], [])


def test_images_are_looked_at_in_order() -> None:
    places = [Files({"/a": b"two"}), Files({"/a": b"one"})]
    (copy,) = Keeper(None).copies(Asked("a", "/a", "/a"), [copied("/a", b"one")], places, [])
    assert isinstance(copy.source, FileContent)
    assert copy.source.content == b"one"


def test_large_contents_go_into_the_folder_and_can_be_taken_back(tmp_path: Path) -> None:
    large = b"x" * 5000
    folder = tmp_path / "r.files"
    files = Files({"/a": large, "/sub": None, "/sub/b": large, "/c": b"small"})
    keeper = Keeper(folder)
    items = [copied("/a", large), copied("/sub/b", large)]
    (single,) = keeper.copies(Asked("a", "/a", "/a"), items[:1], [files], [])
    (tar,) = keeper.copies(Asked("app", "/", "/"), items, [files], [])
    (small,) = keeper.copies(Asked("c", "/c", "/c"), [copied("/c", b"small")], [files], [])
    assert isinstance(single.source, FileContent)
    assert isinstance(tar.source, TarFile)
    assert isinstance(small.source, FileContent)
    assert single.source.content == folder / items[0].sha256
    assert tar.source.path == str(folder / tar.source.sha256)
    assert small.source.content == b"small"
    assert {path.name for path in folder.iterdir()} == {items[0].sha256, tar.source.sha256}
    keeper.take_back()
    assert not folder.exists()


def test_without_a_folder_there_is_an_end() -> None:
    large = bytes(1 << 19)
    files = Files({"/a": large})
    keeper = Keeper(None)
    asked = Asked("a", "/a", "/a")
    for _ in range(2):
        keeper.copies(asked, [copied("/a", large)], [files], [])
    with pytest.raises(InvalidInput, match="more than 1 MiB"):
        keeper.copies(asked, [copied("/a", large)], [files], [])
