"""Names that no layer can hold."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from snapshot.errors import Refused

WHITEOUT_PREFIX = ".wh."


def refuse_whiteout_names(paths: Iterable[str]) -> None:
    """Raise :class:`~snapshot.errors.Refused` for a name that would delete another one.

    OCI image spec, layer.md, whiteouts: an entry ``.wh.NAME`` says that ``NAME`` is not to be seen.
    """
    for path in paths:
        name = posixpath.basename(path)
        if name.startswith(WHITEOUT_PREFIX):
            raise Refused(
                f"'{path}' cannot be in an image: its name means that"
                f" '{name.removeprefix(WHITEOUT_PREFIX)}' is deleted.",
                "Rename or remove it in the container, or leave it out with --exclude.",
            )
