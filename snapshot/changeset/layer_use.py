"""What the layers of an image hold, what of it is hidden by higher ones, and where the bytes are."""

from __future__ import annotations

import heapq
import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from snapshot.changeset.entry import FileType
from snapshot.changeset.layer_contents import LayerContents
from snapshot.changeset.paths import by_bytes, component_order, folders_above

_FILE, _FOLDER = FileType.FILE, FileType.FOLDER


class SizedPath(NamedTuple):
    """A file of a layer with its bytes; where it has several names, the first one that it is known by."""

    path: str
    size_bytes: int


class HiddenPath(NamedTuple):
    """A file of a layer that nobody sees any more: its bytes are wasted.

    Attributes
    ----------
    by_layer:
        Number of the lowest layer that hides it, 0 for the base's first.
    stored_again:
        Whether that layer has a file of the same name, which may differ in its mode or owner alone; else it
        is deleted there.
    """

    path: str
    size_bytes: int
    by_layer: int
    stored_again: bool


class LayerUse(NamedTuple):
    """What one layer holds, and how much of it is of any use.

    Attributes
    ----------
    files, folders, symlinks, others:
        Numbers of entries; several names of one file count each, ``others`` are devices and fifos.
    hard_links:
        How many of ``files`` are further names of others.
    deleted, emptied:
        Numbers of whiteouts, and of opaque ones (OCI image spec, layer.md).
    size_bytes:
        Of its files; one with several names counts once.
    stored_again_bytes, deleted_bytes:
        Bytes of it that a higher layer stores again, and that one deletes: nobody sees them.
    largest:
        Its largest files, largest first.
    hidden:
        The largest ones that are hidden, largest first.
    hidden_files:
        How many are hidden in all.
    """

    files: int
    folders: int
    symlinks: int
    others: int
    hard_links: int
    deleted: int
    emptied: int
    size_bytes: int
    stored_again_bytes: int = 0
    deleted_bytes: int = 0
    largest: tuple[SizedPath, ...] = ()
    hidden: tuple[HiddenPath, ...] = ()
    hidden_files: int = 0

    @property
    def hidden_bytes(self) -> int:
        """All bytes of it that nobody sees."""
        return self.stored_again_bytes + self.deleted_bytes


class SizedFolder(NamedTuple):
    """A folder of an image with the files in it; each byte of the image is in exactly one of these.

    ``size_bytes`` and ``files`` (names of files) are of what stands in the folder itself, and of those
    folders below it that are not listed by themselves.
    """

    path: str
    size_bytes: int
    files: int


class ImageUse(NamedTuple):
    """How an image uses its layers, lowest first, and the folders of what it shows, in canonical order.

    The bytes of all layers without the hidden ones are the bytes of all folders.
    """

    layers: tuple[LayerUse, ...]
    folders: tuple[SizedFolder, ...]


def use_of_layers(
    layers: Sequence[LayerContents], *, most_paths: int = 20, most_depth: int = 4, most_folders: int = 400
) -> ImageUse:
    """What each layer adds to an image, and what of that is wasted.

    A file is hidden where a higher layer has anything else of its name, deletes it or a folder above it,
    empties such a folder, or has no folder there. The bytes of a file with several names are wasted when none
    of the names is seen.

    Parameters
    ----------
    layers:
        All of them, the base's first.
    most_paths:
        How many files are named, of a layer's largest and of its largest hidden ones.
    most_depth, most_folders:
        How deep the listed folders are, and how many: what is in others counts for the folder above.
    """
    covers = _Covers()
    folders: dict[str, list[int]] = {}
    uses: list[LayerUse] = []
    for number in reversed(range(len(layers))):
        files = list(_files(layers[number]))
        hidden: list[HiddenPath] = []
        for file in files:
            how = [covers.over(path) for path in file.names]
            seen = [path for path, cover in zip(file.names, how, strict=True) if cover is None]
            if seen:
                for position, path in enumerate(seen):
                    place = folders.setdefault(_cut(posixpath.dirname(path), most_depth), [0, 0])
                    place[0] += 0 if position else file.size_bytes
                    place[1] += 1
            else:
                # The last of its names to go takes the bytes along.
                last = max(cover for cover in how if cover)
                hidden.append(HiddenPath(file.names[0], file.size_bytes, last.by_layer, last.stored_again))
        uses.append(_use(layers[number], files, hidden, most_paths))
        covers.add(layers[number], number)
    return ImageUse(tuple(reversed(uses)), _listed(folders, most_folders))


class _File(NamedTuple):
    names: tuple[str, ...]
    size_bytes: int


class _Cover(NamedTuple):
    """What hides a path: the lowest layer that does."""

    by_layer: int
    stored_again: bool = False


class _Covers:
    """What the layers from some number on hide of those below, which are asked for from above."""

    def __init__(self) -> None:
        self._at: dict[str, _Cover] = {}
        self._below: dict[str, int] = {}

    def add(self, layer: LayerContents, number: int) -> None:
        """Take the next lower layer."""
        for path in layer.deleted:
            self._at[path] = _Cover(number)
            self._below[path] = number
        for path in layer.emptied:
            self._below[path] = number
        for entry in layer.entries:
            # What is deleted and stored again in one layer is stored again.
            self._at[entry.path] = _Cover(number, entry.type is _FILE)
            if entry.type is not _FOLDER:
                self._below[entry.path] = number

    def over(self, path: str) -> _Cover | None:
        """What hides a file at ``path``."""
        found = self._at.get(path)
        for folder in (*folders_above(path), "/"):
            number = self._below.get(folder)
            if number is not None and (found is None or number < found.by_layer):
                found = _Cover(number)
        return found


def _files(layer: LayerContents) -> Iterator[_File]:
    """The regular files, each with all its names in this layer."""
    names: dict[str, list[str]] = {}
    sizes: dict[str, int] = {}
    for entry in layer.entries:
        if entry.type is _FILE:
            first = entry.hard_link or entry.path
            names.setdefault(first, []).append(entry.path)
            sizes[first] = max(sizes.get(first, 0), entry.size_bytes)
    for first, paths in names.items():
        yield _File(tuple(paths), sizes[first])


def _use(
    layer: LayerContents, files: Sequence[_File], hidden: Sequence[HiddenPath], most_paths: int
) -> LayerUse:
    types = Counter(entry.type for entry in layer.entries)
    largest = heapq.nsmallest(most_paths, files, key=lambda file: (-file.size_bytes, by_bytes(file.names[0])))
    return LayerUse(
        files=types[_FILE],
        folders=types[_FOLDER],
        symlinks=types[FileType.SYMLINK],
        others=len(layer.entries) - types[_FILE] - types[_FOLDER] - types[FileType.SYMLINK],
        hard_links=types[_FILE] - len(files),
        deleted=len(layer.deleted),
        emptied=len(layer.emptied),
        size_bytes=sum(file.size_bytes for file in files),
        stored_again_bytes=sum(path.size_bytes for path in hidden if path.stored_again),
        deleted_bytes=sum(path.size_bytes for path in hidden if not path.stored_again),
        largest=tuple(SizedPath(file.names[0], file.size_bytes) for file in largest),
        hidden=tuple(
            heapq.nsmallest(most_paths, hidden, key=lambda path: (-path.size_bytes, by_bytes(path.path)))
        ),
        hidden_files=len(hidden),
    )


def _cut(folder: str, most_depth: int) -> str:
    """The folder, or the one above it that is not too deep."""
    parts = folder.strip("/").split("/", most_depth)
    return "/" + "/".join(parts[:most_depth])


def _listed(folders: Mapping[str, Sequence[int]], most: int) -> tuple[SizedFolder, ...]:
    """The folders; while there are too many, the smallest without others below goes into the one above."""
    sums = {path: list(values) for path, values in folders.items()}
    below: Counter[str] = Counter()
    for path in folders:
        while path != "/":
            path = posixpath.dirname(path)
            below[path] += 1
            if path in sums:
                break
            sums[path] = [0, 0]
    count = len(folders)
    leaves = [(sums[path][0], path) for path in folders if not below[path] and path != "/"]
    heapq.heapify(leaves)
    while count > most and leaves:
        _, path = heapq.heappop(leaves)
        above = posixpath.dirname(path)
        size_bytes, files = sums.pop(path)
        count -= bool(sums[above][1])
        sums[above] = [sums[above][0] + size_bytes, sums[above][1] + files]
        below[above] -= 1
        if not below[above] and above != "/":
            heapq.heappush(leaves, (sums[above][0], above))
    kept = sorted((path for path, values in sums.items() if values[1]), key=component_order)
    return tuple(SizedFolder(path, *sums[path]) for path in kept)
