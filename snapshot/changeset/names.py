"""Names and marks that mean something else in a layer: that a name is deleted."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from snapshot.errors import Refused

WHITEOUT_PREFIX = ".wh."

#: What overlay takes for its own mark that a name is deleted, and for its own attributes (kernel,
#: ``Documentation/filesystems/overlayfs.rst``).
OVERLAY_WHITEOUT = "0:0"
OVERLAY_ATTRIBUTES = "user.overlay."


def is_whiteout(path: str) -> bool:
    """Whether the name of an entry in a layer says that another one is not to be seen."""
    return posixpath.basename(path).startswith(WHITEOUT_PREFIX)


def deleted_by(whiteout: str) -> str:
    """The path that a whiteout says is not to be seen.

    >>> deleted_by("/etc/.wh.motd")
    '/etc/motd'
    """
    folder, name = posixpath.split(whiteout)
    return posixpath.join(folder, name.removeprefix(WHITEOUT_PREFIX))


def refuse_whiteout_names(paths: Iterable[str]) -> None:
    """Raise :class:`~snapshot.errors.Refused` for a name that would delete another one.

    OCI image spec, layer.md, whiteouts: an entry ``.wh.NAME`` says that ``NAME`` is not to be seen.
    """
    for path in paths:
        if is_whiteout(path):
            raise Refused(
                f"'{path}' cannot be in an image: its name means that"
                f" '{posixpath.basename(deleted_by(path))}' is deleted.",
                "Rename or remove it in the container, or leave it out with --exclude.",
            )
