"""What one layer of an image holds, without what is below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from snapshot.changeset.entry import FileEntry


class LayerContents(NamedTuple):
    """What one layer holds (OCI image spec, layer.md).

    Attributes
    ----------
    diff_id:
        ``sha256:…`` of its tar.
    entries:
        What stands in it, in canonical order, without the root; ``sha256`` is there where content was read.
        Folders that are in it only as the way to something else are there too.
    deleted:
        Paths that it deletes (whiteouts), in canonical order.
    emptied:
        Folders of which nothing shows that is below this layer (opaque whiteouts), in canonical order.
    xattrs:
        Extended attributes of the paths that have any, as far as the engine shows them.
    """

    diff_id: str
    entries: tuple[FileEntry, ...]
    deleted: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    xattrs: Mapping[str, Mapping[str, bytes]] = {}
