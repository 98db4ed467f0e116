"""The contents of copies, found in images by path and sha256."""

from __future__ import annotations

import gzip
import hashlib
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.member import Chunk, Member, sha256_of
from snapshot.changeset.paths import component_order, folders_above, is_at_or_below
from snapshot.changeset.tar_header import END, entry_in_tar
from snapshot.errors import InvalidInput
from snapshot.journal.step import Copied
from snapshot.recipe.contents import MOST_INLINE_BYTES, store
from snapshot.recipe.instructions import Copy, FileContent, TarFile
from snapshot.workflow.copying.rules import container_path

#: Of all contents together, where they are to stand in the recipe itself.
MOST_BYTES_WITHOUT_FOLDER = 1 << 20


class Asked(NamedTuple):
    """A copy as its step tells of it.

    Attributes
    ----------
    source:
        What the source was called.
    destination:
        As it was written.
    target:
        The same, absolute.
    owner, mode:
        As they were given, empty where they were not.
    """

    source: str
    destination: str
    target: str
    owner: str = ""
    mode: str = ""


class ContentGone(Exception):
    """What was copied is in none of the images any more; the message names a file of it."""


class Keeper:
    """Takes contents of images into a recipe, or the folder beside it.

    Parameters
    ----------
    folder:
        Where larger contents go; ``None`` for nowhere.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._is_new = folder is not None and not folder.exists()
        self._stored: list[Path] = []
        self._taken_bytes = 0

    def take_back(self) -> None:
        """Remove what was written into the folder, and the folder where it was made for that."""
        with suppress(OSError):
            for path in self._stored:
                path.unlink(missing_ok=True)
            if self._is_new and self._folder:
                self._folder.rmdir()

    def copies(
        self,
        asked: Asked,
        copied: Sequence[Copied],
        places: Sequence[ImageFiles],
        more: Sequence[str],
        further_names: Mapping[str, str] | None = None,
    ) -> list[Copy]:
        """Copies that bring the same files to the same places.

        Parameters
        ----------
        copied:
            The files, by what they became.
        places:
            The files of the images in which they may still be, to be looked at in that order.
        more:
            Further paths that may have come with them: folders, links, pipes and devices.
        further_names:
            For each further name of a file its first name.

        Raises
        ------
        ContentGone
        InvalidInput
            There is more of it than a recipe without a folder takes.
        """
        found = [(item, self._find(item, places)) for item in copied]
        top = _top(asked, copied)
        files = {item.path for item in copied}
        beside = [path for path in more if path not in files and path != top and is_at_or_below(path, top)]
        is_flat = len(copied) == 1 or all(posixpath.dirname(path) == top for path in files)
        names = {path: first for path, first in (further_names or {}).items() if {path, first} <= files}
        if beside or names or not is_flat:
            return [self._as_tar(asked, top, found, beside, places, names)]
        return [self._as_file(asked, item, member, only=len(copied) == 1) for item, member in found]

    def _find(self, copied: Copied, places: Sequence[ImageFiles]) -> Member:
        # A stranger's image may tell of anything.
        is_path = copied.path.startswith("/") and container_path(copied.path) == copied.path
        for files in places if is_path else ():
            member = files.at(copied.path)
            if (
                member is not None
                and member.entry.type is FileType.FILE
                and member.entry.size_bytes == copied.size_bytes
                and sha256_of(member.content()) == copied.sha256
            ):
                return member
        raise ContentGone(f"what it brought to {copied.path} is in no image here any more")

    def _as_file(self, asked: Asked, copied: Copied, member: Member, *, only: bool) -> Copy:
        entry = member.entry
        folder, name = posixpath.split(copied.path)
        destination = copied.path
        if only and asked.target == copied.path:
            name = posixpath.basename(asked.source) or name
            destination = asked.destination
        elif only and asked.target == folder and asked.destination.endswith("/"):
            destination = asked.destination
        if name in {"", ".", ".."}:
            name = posixpath.basename(copied.path)
        content = self._kept(member.content(), entry.size_bytes)
        source = FileContent(name, content, entry.mode, member.mtime_s, copied.sha256)
        return Copy(source, destination, asked.owner or _owner(entry), asked.mode)

    def _as_tar(
        self,
        asked: Asked,
        top: str,
        found: Sequence[tuple[Copied, Member]],
        more: Sequence[str],
        places: Sequence[ImageFiles],
        further_names: Mapping[str, str],
    ) -> Copy:
        members = {item.path: member for item, member in found}
        folders = {folder for path in members for folder in folders_above(path)}
        for path in (*folders, *more):
            standing = next((member for files in places if (member := files.at(path))), None)
            if standing and is_at_or_below(path, top) and path != top:
                members.setdefault(path, standing)
        size_bytes = sum(member.entry.size_bytes for member in members.values())
        name = f"{posixpath.basename(top) or 'root'}.tar"
        if self._folder and size_bytes > MOST_INLINE_BYTES:
            stored = self._stored_in(self._folder, _tar(top, members, further_names))
            return Copy(TarFile(str(stored), stored.name), top, asked.owner, asked.mode)
        self._count(size_bytes)
        # Most of a tar are zeros.
        content = gzip.compress(b"".join(_tar(top, members, further_names)), mtime=0)
        source = TarFile(f"{name}.gz", hashlib.sha256(content).hexdigest(), content)
        return Copy(source, top, asked.owner, asked.mode)

    def _kept(self, pieces: Iterable[Chunk], size_bytes: int) -> bytes | Path:
        if self._folder and size_bytes > MOST_INLINE_BYTES:
            return self._stored_in(self._folder, pieces)
        self._count(size_bytes)
        return b"".join(pieces)

    def _stored_in(self, folder: Path, pieces: Iterable[Chunk]) -> Path:
        path = store(folder, pieces)
        self._stored.append(path)
        return path

    def _count(self, size_bytes: int) -> None:
        self._taken_bytes += size_bytes
        if self._taken_bytes > MOST_BYTES_WITHOUT_FOLDER and not self._folder:
            raise InvalidInput(
                "The contents of the copies are more than 1 MiB, too much to stand in the recipe itself.",
                "Give --files FOLDER: they are written there, and the folder belongs beside the recipe.",
            )


def _top(asked: Asked, copied: Sequence[Copied]) -> str:
    """The folder that all of it went into: the one that was asked for, unless a link led elsewhere."""
    if all(is_at_or_below(item.path, asked.target) and item.path != asked.target for item in copied):
        return asked.target
    return posixpath.commonpath([posixpath.dirname(item.path) for item in copied])


def _owner(entry: FileEntry) -> str:
    return "" if entry.owner == "0:0" else entry.owner


def _tar(top: str, members: Mapping[str, Member], further_names: Mapping[str, str]) -> Iterator[Chunk]:
    """The members as a tar, by their paths below the folder."""
    for path in sorted(members, key=component_order):
        member = members[path]
        first = further_names.get(path, "")
        entry = replace(member.entry, path=_below(path, top), hard_link=_below(first, top) if first else "")
        yield from entry_in_tar(entry, member.mtime_s, member.xattrs, member.content)
    yield END


def _below(path: str, top: str) -> str:
    return f"/{posixpath.relpath(path, top)}"
