"""What one layer holds, from the folder that overlayfs has of it (Linux, ``overlayfs.rst``)."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from functools import partial

from snapshot.changeset.entry import FILE_TYPES
from snapshot.changeset.layer_contents import LayerContents
from snapshot.changeset.member import Member
from snapshot.changeset.overlay import (
    NotReadableDirectly,
    attributes,
    is_whiteout,
    open_file,
    open_place,
    pieces_of,
    refuse_foreign_name,
)
from snapshot.changeset.paths import by_bytes
from snapshot.changeset.reader import Sink
from snapshot.changeset.tar_layer import LayerDraft
from snapshot.changeset.upper_folder import member_of_place
from snapshot.changeset.upper_walk import Chain
from snapshot.errors import SnapError

_CHANGED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def contents_of_folder(
    folder: str, diff_id: str, sink: Sink, changed: Callable[[str], SnapError]
) -> LayerContents:
    """All that stands in the folder of a layer, or in the upper folder of a container.

    Whether it can be read, and has the image's owners, is known already (:meth:`LowerFiles.open`).

    Parameters
    ----------
    changed:
        Makes the error for a path at which something else stands than a moment before.

    Raises :class:`NotReadableDirectly` where overlayfs keeps something elsewhere.
    """
    draft = LayerDraft(sink)
    root = opened_folder(folder)
    try:
        with Chain(root) as chain:
            _Walk(chain, draft, os.fstat(root).st_dev, changed).run()
    finally:
        os.close(root)
    return draft.contents(diff_id)


def opened_folder(folder: str) -> int:
    """A descriptor of a layer's folder; raises :class:`NotReadableDirectly`."""
    try:
        return os.open(folder, _FOLDER_FLAGS)
    except OSError as error:
        raise NotReadableDirectly(f"'{folder}' cannot be read here: {error.strerror}") from error


class _Walk:
    """One walk through a folder."""

    def __init__(
        self, chain: Chain, draft: LayerDraft, device: int, changed: Callable[[str], SnapError]
    ) -> None:
        self._chain = chain
        self._draft = draft
        self._device = device
        self._changed = changed
        self._first_names: dict[int, str] = {}

    def run(self) -> None:
        """Take all that stands there."""
        waiting = ["/"]
        while waiting:
            folder = waiting.pop()
            try:
                waiting += reversed(self._walk(folder))
            except OSError as error:
                if error.errno in _CHANGED:
                    raise self._changed(folder) from error
                raise NotReadableDirectly(f"reading '{folder}' failed: {error.strerror}") from error

    def _walk(self, folder: str) -> list[str]:
        """Take what stands in one folder; returns the folders in it."""
        descriptor = self._chain.folder(folder)
        if folder != "/" and attributes(".", descriptor, is_folder=True).opaque:
            self._draft.empty(folder)
        prefix = folder.rstrip("/") + "/"
        below = []
        for name in sorted(os.listdir(descriptor), key=by_bytes):  # noqa: PTH208
            refuse_foreign_name(name)
            path = prefix + name
            place = open_place(name, descriptor)
            try:
                found = os.fstat(place)
                if found.st_dev != self._device:
                    raise NotReadableDirectly(f"something is mounted at '{path}'")
                if is_whiteout(found):
                    self._draft.delete(path)
                elif stat.S_IFMT(found.st_mode) in FILE_TYPES:
                    self._draft.add(self._member(path, name, descriptor, place, found))
                    if stat.S_ISDIR(found.st_mode):
                        below.append(path)
            finally:
                os.close(place)
        return below

    def _member(self, path: str, name: str, folder: int, place: int, found: os.stat_result) -> Member:
        is_folder = stat.S_ISDIR(found.st_mode)
        marks = attributes(name, folder, is_folder=is_folder)
        linked = found.st_nlink > 1 and not is_folder
        first = self._first_names.setdefault(found.st_ino, path) if linked else path
        is_file = stat.S_ISREG(found.st_mode)
        content = partial(content_of_place, place, path, found.st_size, self._changed) if is_file else None
        return member_of_place(path, place, found, marks.names, first, content)


def content_of_place(
    place: int, path: str, size_bytes: int, changed: Callable[[str], SnapError]
) -> Iterator[bytes]:
    """So many bytes of the regular file that ``place`` is.

    Raises what ``changed`` makes for ``path`` where there are fewer.
    """
    yield from pieces_of(open_file(place), size_bytes, partial(changed, path))
