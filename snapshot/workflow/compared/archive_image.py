"""An image in a file or folder as a side of a comparison."""

from __future__ import annotations

import gzip
import weakref
import zlib
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, cast

from snapshot.changeset.entry import FileType
from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.laid_layers import LaidLayers
from snapshot.changeset.layer import LayerSpool, Piece, check_room
from snapshot.changeset.layer_contents import LayerContents
from snapshot.changeset.member import Chunk, Member
from snapshot.changeset.reader import Hashes, Headers, Sink
from snapshot.changeset.tar_layer import LayerRefused, contents_of_members
from snapshot.changeset.tar_reader import read_members
from snapshot.changeset.trees import Tree
from snapshot.engine.types import Config, Image, Mount
from snapshot.errors import InvalidInput, SnapError
from snapshot.image.saved import SavedImageUnreadable, SavedLayer
from snapshot.workflow.compared.blobs import Blobs, FolderBlobs, Unreadable, open_blobs
from snapshot.workflow.compared.image_documents import FoundImage, image_of_docker_archive, image_of_layout
from snapshot.workflow.difference import Side, SideKind
from snapshot.workflow.progress import Progress

#: So many entries one layer of an archive may have, and all together.
MOST_ENTRIES = 500_000
MOST_ENTRIES_IN_ALL = 4_000_000

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


class ArchiveImage:
    """An image of an archive (a :class:`~snapshot.workflow.compared.interface.ComparedImage`).

    Each layer that is read is held against its digest. What was read of a layer is kept, names and digests of
    its files; contents are not.

    Parameters
    ----------
    name:
        ``oci:PATH[:TAG]``, an OCI image layout in a folder or a tar; or ``docker-archive:FILE[:NAME]``, what
        ``docker save`` wrote, compressed with gzip or not. Paths have no colon. An archive with one image
        needs no tag or name.

    Raises
    ------
    InvalidInput
        There is no such file, or no such image in it.
    SnapError
        It is damaged, or none that can be read here.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        with self._translated():
            self._blobs, found = _opened(name)
        weakref.finalize(self, self._blobs.close)
        self.image: Image = found.image
        self.side = Side(SideKind.ARCHIVE, self.image.id, name)
        self._layer_files = found.layer_files
        # By digest: a layer may be there more than once.
        self._known: dict[str, LayerContents] = {}
        self._hashed: set[str] = set()

    @property
    def layers(self) -> tuple[str, ...]:
        """The diff IDs of its layers, as its config names them."""
        return self.image.layers

    @property
    def config(self) -> Config:
        """How it runs."""
        return self.image.config

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """None: an image has no mounts."""
        return ()

    @contextmanager
    def files(self) -> Iterator[ImageFiles]:
        """Its files, path by path. Layers are read when they are needed for the first time."""
        with ExitStack() as stack:
            yield _Files(self, stack)

    def tree(self, progress: Progress) -> Tree:
        """All that stands in it: what its layers make together."""
        return LaidLayers(None, self.above(0, progress)).tree()

    def above(self, count: int, progress: Progress) -> tuple[LayerContents, ...]:
        """What the layers on the first ``count`` hold."""
        progress.stage(f"reading the layers of {self.name}")
        return tuple(self.contents(number, Hashes()) for number in range(count, len(self.layers)))

    def contents(self, number: int, sink: Sink) -> LayerContents:
        """What one layer holds; hashed, where ``sink`` reads content."""
        diff_id = self.layers[number]
        known = self._known.get(diff_id)
        if known is None or (sink.reads_content and diff_id not in self._hashed):
            others = sum(len(kept.entries) for other, kept in self._known.items() if other != diff_id)
            most = min(MOST_ENTRIES, MOST_ENTRIES_IN_ALL - others)
            with self._layer(number) as layer:
                members = read_members(cast("IO[bytes]", layer), "/", strip=0, broken=self._broken)
                known = contents_of_members(members, sink, most)._replace(diff_id=layer.diff_id())
            if known.diff_id != diff_id:
                raise self._broken(f"its layer {number + 1} is another one than its config says")
            self._known[diff_id] = known
            if sink.reads_content:
                self._hashed.add(diff_id)
        return known

    def spooled(self, number: int, stack: ExitStack) -> tuple[LayerSpool, dict[str, Piece]]:
        """The contents of the files in one layer, in the spool folder until ``stack`` ends."""
        entries = self.contents(number, Headers()).entries
        check_room(sum(entry.size_bytes for entry in entries if not entry.hard_link))
        spool = stack.enter_context(LayerSpool())
        pieces: dict[str, Piece] = {}
        with self._layer(number) as layer:
            for member in read_members(cast("IO[bytes]", layer), "/", strip=0, broken=self._broken):
                if member.entry.type is FileType.FILE and not member.link_to:
                    pieces[member.entry.path] = spool.add(replace(member, xattrs={}))
                elif member.link_to in pieces:
                    pieces[member.entry.path] = pieces[member.link_to]
        return spool, pieces

    @contextmanager
    def _layer(self, number: int) -> Iterator[SavedLayer]:
        """One layer, unpacked as it is read."""
        name = self._layer_files[number]
        with self._translated(), self._blobs.opened(name) as file:
            head = file.read(4)
            file.seek(0)
            if head == _ZSTD:
                raise Unreadable("a layer is compressed with zstd, which cannot be read here")
            unpacked = cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if head[:2] == _GZIP else file
            yield SavedLayer(name, unpacked)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what is wrong with the archive into words about it."""
        try:
            yield
        except (Unreadable, SavedImageUnreadable, LayerRefused, OSError, EOFError, zlib.error) as error:
            raise self._broken(str(error)) from error

    def _broken(self, reason: str) -> SnapError:
        return SnapError(f"'{self.name}' cannot be read: {reason}.", "Write the archive again.")


class _Files:
    """The files of an archive (an :class:`~snapshot.changeset.image_files.ImageFiles`)."""

    def __init__(self, archive: ArchiveImage, stack: ExitStack) -> None:
        self._archive = archive
        self._stack = stack
        self._laid: LaidLayers | None = None
        self._spools: dict[int, tuple[LayerSpool, dict[str, Piece]]] = {}

    def at(self, path: str) -> Member | None:
        """What stands at ``path``."""
        member = self._layers.at(path)
        if member is None or member.entry.type is not FileType.FILE:
            return member
        return replace(
            member, entry=replace(member.entry, hard_link=""), content=partial(self._content, path)
        )

    def names(self, folder: str) -> Collection[str]:
        """The names of what stands in a folder, sorted."""
        return self._layers.names(folder)

    @property
    def _layers(self) -> LaidLayers:
        if self._laid is None:
            numbers = range(len(self._archive.layers))
            layers = [self._archive.contents(number, Headers()) for number in numbers]
            self._laid = LaidLayers(None, layers)
        return self._laid

    def _content(self, path: str) -> Iterator[Chunk]:
        place = self._layers.origin(path)
        if place is None:
            return
        number, first = place
        if number not in self._spools:
            self._spools[number] = self._archive.spooled(number, self._stack)
        spool, pieces = self._spools[number]
        yield from spool.content(pieces[first])


def _opened(archive: str) -> tuple[Blobs, FoundImage]:
    """The files of an archive, and the image in it that is meant."""
    kind, _, rest = archive.partition(":")
    path, _, name = rest.partition(":")
    if not path:
        raise InvalidInput(f"'{archive}' names no file.", "Write oci:PATH or docker-archive:FILE.")
    with ExitStack() as stack:
        blobs = stack.enter_context(closing(open_blobs(Path(path))))
        if kind == "oci":
            found = image_of_layout(blobs, name)
        elif isinstance(blobs, FolderBlobs):
            raise InvalidInput(f"'{path}' is a folder.", f"Is it a layout? Then name it oci:{path}.")
        else:
            found = image_of_docker_archive(blobs, name)
        stack.pop_all()
        return blobs, found
