"""What the changeset needs of a container: its changes, and tar streams of its files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import IO, Protocol

from snapshot.engine.types import Change, PathStat


class FileSource(Protocol):
    """The files of one container; the engine's archive calls in the shape of an interface.

    Where ``gives_single_paths`` is not so, an archive has true names and content, and other owners; only an
    export is true altogether.
    """

    @property
    def gives_single_paths(self) -> bool:
        """Whether :meth:`archive` gives all that a layer needs."""
        ...

    def changes(self) -> Sequence[Change]:
        """What was added, changed and deleted against the container's image, in any order."""
        ...

    def stat(self, path: str) -> PathStat:
        """What stands at ``path``; raises :class:`~snapshot.errors.PathNotFound`."""
        ...

    def archive(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """A tar stream of ``path`` and all below it; its names begin with the last part of ``path``.

        Raises :class:`~snapshot.errors.PathNotFound`.
        """
        ...

    def export(self) -> AbstractContextManager[IO[bytes]]:
        """A tar stream of the whole file system, its names relative to the root."""
        ...
