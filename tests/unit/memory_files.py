"""An image's files in memory, and what an engine makes of a layer on top of them."""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.member import CAPABILITY, Member

_TYPES = {
    tarfile.REGTYPE: FileType.FILE,
    tarfile.DIRTYPE: FileType.FOLDER,
    tarfile.SYMTYPE: FileType.SYMLINK,
    tarfile.CHRTYPE: FileType.CHARACTER_DEVICE,
    tarfile.FIFOTYPE: FileType.FIFO,
}


class Thing(NamedTuple):
    """What stands at a path; ``text`` is a file's content or where a symlink leads.

    ``size`` is one that a file pretends to have.
    """

    type: FileType = FileType.FILE
    text: str = ""
    mode: int = 0o644
    mtime_s: int = 1000
    uid: int = 0
    gid: int = 0
    xattrs: Mapping[str, bytes] = {}
    size: int | None = None

    @property
    def owner(self) -> str:
        return f"{self.uid}:{self.gid}"

    def comparable(self) -> Thing:
        """What an engine takes for the same: of a folder the time says nothing."""
        return self._replace(mtime_s=0) if self.type is FileType.FOLDER else self


FOLDER = Thing(FileType.FOLDER, mode=0o755)
Tree = Mapping[str, Thing]


def symlink(target: str) -> Thing:
    return Thing(FileType.SYMLINK, target, mode=0o777)


def member(path: str, thing: Thing) -> Member:
    """A thing as what can be taken into a tree."""
    content = thing.text.encode("utf-8", "surrogateescape") if thing.type is FileType.FILE else b""
    entry = FileEntry(
        path,
        thing.type,
        thing.mode,
        thing.uid,
        thing.gid,
        len(content) if thing.size is None else thing.size,
        link_target=thing.text if thing.type is FileType.SYMLINK else "",
        capability=thing.xattrs.get(CAPABILITY, b"").hex(),
    )
    return Member(entry, thing.mtime_s, xattrs=thing.xattrs, content=lambda: (content,))


def thing_of(found: Member) -> Thing:
    """What a member says of a thing, its content read."""
    entry = found.entry
    content = b"".join(map(bytes, found.content())).decode("utf-8", "surrogateescape")
    text = content or entry.link_target or entry.device
    return Thing(entry.type, text, entry.mode, found.mtime_s, entry.uid, entry.gid, dict(found.xattrs))


class MemoryFiles:
    """An :class:`~snapshot.changeset.image_files.ImageFiles`; folders on the way need not be given.

    ``asked`` are the paths that were looked up.
    """

    def __init__(self, things: Tree) -> None:
        self.things = whole(things)
        self.asked: list[str] = []

    def at(self, path: str) -> Member | None:
        self.asked.append(path)
        found = self.things.get(path)
        return member(path, found) if found else None

    def names(self, folder: str) -> Collection[str]:
        return names_in(self.things, folder)


def whole(things: Tree) -> dict[str, Thing]:
    """The same with the root and all folders on the way."""
    found = {"/": FOLDER}
    for path in things:
        above = posixpath.dirname(path)
        while above != "/":
            found.setdefault(above, FOLDER)
            above = posixpath.dirname(above)
    return found | dict(things)


def names_in(things: Iterable[str], folder: str) -> list[str]:
    """Names of what stands right in a folder, sorted by their bytes."""
    found = {posixpath.basename(path) for path in things if path != "/" and posixpath.dirname(path) == folder}
    return sorted(found, key=lambda name: name.encode("utf-8", "surrogateescape"))


def without(things: Tree, path: str) -> dict[str, Thing]:
    """The same without ``path`` and all below it."""
    return {
        other: thing for other, thing in things.items() if other != path and not other.startswith(f"{path}/")
    }


def placed(things: Tree, path: str, thing: Thing) -> dict[str, Thing]:
    """The same with a thing at ``path``: a folder in the place of a folder leaves what is in that."""
    before = things.get(path)
    merges = before is not None and before.type is thing.type is FileType.FOLDER
    return {**(things if merges else without(things, path)), path: thing}


def unpacked(things: Tree, layer: bytes) -> dict[str, Thing]:
    """What an engine makes of a layer on top of these (OCI image spec, layer.md).

    A folder on the way to an entry that is not in the layer gets mode 0700 here, which no test expects.
    """
    found = dict(things)
    seen = {"/"}
    with tarfile.open(fileobj=io.BytesIO(layer), errors="surrogateescape") as archive:
        for info in archive:
            path = posixpath.normpath(f"/{info.name}")
            folder, name = posixpath.split(path)
            if folder not in seen:
                found[folder] = FOLDER._replace(mode=0o700)
            seen.add(path)
            if name.startswith(".wh."):
                assert name != ".wh..wh..opq"
                found = without(found, posixpath.join(folder, name.removeprefix(".wh.")))
                continue
            if info.islnk():
                found = placed(found, path, found["/" + info.linkname])
                continue
            content = archive.extractfile(info) if info.isreg() else None
            text = content.read().decode() if content else info.linkname
            found = placed(found, path, Thing(_TYPES[info.type], text, info.mode, int(info.mtime), info.uid))
    return found
