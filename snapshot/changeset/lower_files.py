"""Reading an image's files from the folders of its layers, on the machine of an engine with overlay2."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from snapshot.changeset.entry import FILE_TYPES
from snapshot.changeset.member import Member
from snapshot.changeset.overlay import (
    Found,
    LowerFolder,
    Lowers,
    NotReadableDirectly,
    open_file,
    open_place,
    pieces_of,
    require_rights,
)
from snapshot.changeset.upper_folder import member_of_place
from snapshot.errors import EngineError

__all__ = ["LowerFiles", "NotReadableDirectly", "taken_away"]

# What fuse-overlayfs puts where the kernel has marks of its own.
_FOREIGN_PREFIX = ".wh."
_FOREIGN_OPAQUE = ".wh..wh..opq"
# Beside a layer's folder where that has no names of files (containers/storage, overlay/composefs.go).
_COMPOSEFS = "composefs-data"
_LONGEST_NAME_BYTES = 255


class LowerFiles:
    """The files of an image (an :class:`~snapshot.changeset.image_files.ImageFiles`); to be closed.

    Its methods raise :class:`NotReadableDirectly` where overlayfs keeps something elsewhere, and
    :class:`~snapshot.errors.EngineError` where the engine took a layer away meanwhile.

    Parameters
    ----------
    folders:
        Those of the layers, topmost first.
    """

    def __init__(self, folders: Sequence[str]) -> None:
        self.folders = tuple(folders)
        self._lowers = Lowers(self.folders)
        # The layers that are merged at a folder; none for what is no folder.
        self._layers: dict[str, tuple[int, ...]] = {"/": self._lowers.all_layers}
        self._last: tuple[str, LowerFolder] | None = None

    @classmethod
    def open(cls, folders: Sequence[str]) -> LowerFiles:
        """Look whether the folders can be read, topmost first.

        Raises :class:`NotReadableDirectly`; also where one is not root's, which may mean that owners are
        shifted by a user namespace.
        """
        if (sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()) != ("utf-8", "surrogateescape"):
            raise NotReadableDirectly("file names are not taken for UTF-8 here")
        require_rights()
        for folder in folders:
            try:
                owner = Path(folder).lstat()
            except OSError as error:
                raise NotReadableDirectly(f"'{folder}' cannot be read here: {error.strerror}") from error
            if not folder.startswith("/") or not stat.S_ISDIR(owner.st_mode):
                raise NotReadableDirectly(f"'{folder}' is no folder of a layer")
            if (owner.st_uid, owner.st_gid) != (0, 0):
                raise NotReadableDirectly("owners may be other ones there than in the image")
            if Path(folder).with_name(_COMPOSEFS).exists():
                raise NotReadableDirectly(f"'{folder}' has files by their digests")
        return cls(folders)

    def __enter__(self) -> LowerFiles:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open; twice is no mistake."""
        if self._last:
            self._last[1].close()
            self._last = None

    def at(self, path: str) -> Member | None:
        """What stands at ``path``; a socket counts as nothing, since no image holds one."""
        with _translated(path):
            found = self._found(path)
            return self._member(path, found) if found else None

    def names(self, folder: str) -> Sequence[str]:
        """The names of what stands in a folder, sorted."""
        with _translated(folder):
            layers = self._layers_at(folder)
            if not layers:
                return ()
            opened = self._opened(folder, layers)
            found = {name for name in opened.names() if self._shown(opened, name)}
            return sorted(found, key=os.fsencode)

    def _found(self, path: str) -> Found | None:
        if path == "/":
            return self._root()
        above, name = posixpath.split(path)
        layers = self._layers_at(above)
        if not layers or len(os.fsencode(name)) > _LONGEST_NAME_BYTES:
            return None
        return self._shown(self._opened(above, layers), name)

    def _root(self) -> Found | None:
        opened = self._opened("/", self._lowers.all_layers)
        return LowerFolder(opened.folders[:1]).find(".")

    def _layers_at(self, folder: str) -> tuple[int, ...]:
        missing = []
        while (layers := self._layers.get(folder)) is None:
            missing.append(folder)
            folder = posixpath.dirname(folder)
        for path in reversed(missing):
            if layers:
                found = self._found(path)
                layers = found.layers if found else ()
            self._layers[path] = layers
        return layers

    def _opened(self, folder: str, layers: tuple[int, ...]) -> LowerFolder:
        """A folder in its layers, good until the next call."""
        if not self._last or self._last[0] != folder:
            opened = self._lowers.folder(folder, layers)
            self.close()
            for layer, descriptor in opened.folders:
                if _stands(_FOREIGN_OPAQUE, descriptor):
                    opened.close()
                    raise NotReadableDirectly(f"layer {layer} has marks of fuse-overlayfs")
            self._last = folder, opened
        return self._last[1]

    def _shown(self, folder: LowerFolder, name: str) -> Found | None:
        if name.startswith(_FOREIGN_PREFIX):
            raise NotReadableDirectly(f"'{name}' has the name of a mark")
        mark = _FOREIGN_PREFIX + name
        if len(os.fsencode(mark)) <= _LONGEST_NAME_BYTES:
            for _, descriptor in folder.folders:
                if _stands(mark, descriptor):
                    raise NotReadableDirectly(f"'{mark}' has the name of a mark")
        found = folder.find(name)
        return None if found and stat.S_IFMT(found.place.stat.st_mode) not in FILE_TYPES else found

    def _member(self, path: str, found: Found) -> Member:
        name, folder, status, names = found.place
        place = open_place(name, folder)
        try:
            content = None
            if stat.S_ISREG(status.st_mode) and status.st_size:
                layer = next(number for number, opened in self._open_layers() if opened == folder)
                content = _Content(self._lowers.roots[layer], path, status)
            return member_of_place(path, place, status, names, path, content)
        finally:
            os.close(place)

    def _open_layers(self) -> Sequence[tuple[int, int]]:
        return self._last[1].folders if self._last else ()


class _Content:
    """A file's bytes, whenever they are wanted."""

    __slots__ = ("_path", "_root", "_status")

    def __init__(self, root: str, path: str, status: os.stat_result) -> None:
        self._root = root
        self._path = path
        self._status = status

    def __call__(self) -> Iterator[bytes]:
        """The bytes in pieces of 1 MiB."""
        try:
            yield from pieces_of(self._opened(), self._status.st_size, partial(taken_away, self._path))
        except FileNotFoundError as error:
            raise taken_away(self._path) from error
        except OSError as error:
            raise EngineError(f"'{self._path}' could not be read: {error.strerror}.") from error

    def _opened(self) -> int:
        above, name = posixpath.split(self._path)
        with Lowers((self._root,)).folder(above, (0,)) as folder:
            place = open_place(name, folder.folders[0][1])
        try:
            found = os.fstat(place)
            if (found.st_ino, found.st_size) != (self._status.st_ino, self._status.st_size):
                raise taken_away(self._path)
            return open_file(place)
        finally:
            os.close(place)


def _stands(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _translated(path: str) -> Iterator[None]:
    """Turn failures into the reason why it cannot be done here, or what became of the layer."""
    try:
        yield
    except FileNotFoundError as error:
        raise taken_away(path) from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise NotReadableDirectly(f"'{path}' is too long") from error
        raise NotReadableDirectly(f"reading '{path}' failed: {error.strerror}") from error


def taken_away(path: str) -> EngineError:
    """What is said where a layer's folder goes while it is read."""
    return EngineError(
        f"'{path}' cannot be read any more: the engine took its layer away meanwhile.",
        "See whether the image is still there with `snap ls`, then try again.",
    )
