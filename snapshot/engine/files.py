"""Reading the files of a container through the engine's archive calls; nothing is executed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from snapshot.engine.answers import PATH_STAT_HEADER, read_changes, read_path_stat
from snapshot.engine.refusals import refusal
from snapshot.engine.types import Change, PathStat
from snapshot.engine.wire import Wire, of_container


class ContainerFiles:
    """The files of one container, running or not (a :class:`~snapshot.changeset.source.FileSource`)."""

    gives_single_paths = True

    def __init__(self, wire: Wire, container_id: str) -> None:
        self._wire = wire
        self._page = of_container(container_id)

    def changes(self) -> list[Change]:
        """What the container added, changed and deleted, in the engine's order.

        The engine compares metadata, not content (moby ``pkg/archive`` changes).
        """
        # The engine walks the whole container for it.
        return read_changes(self._wire.ask("GET", f"{self._page}/changes", timeout_s=None).json())

    def stat(self, path: str) -> PathStat:
        """What stands at ``path``; raises :class:`PathNotFound`.

        Links in the folders on the way are followed, inside the container alone; the last name is not.
        """
        answer = self._wire.ask("HEAD", f"{self._page}/archive", params={"path": self._written(path)})
        # Podman does not find a link that leads nowhere, and tells all the same what it is.
        if PATH_STAT_HEADER not in answer.headers:
            # HEAD has no body, so the engine's words are to be had by another call.
            with self.archive(path):
                raise refusal(answer.status, f"HTTP {answer.status}", path)
        return read_path_stat(answer.headers[PATH_STAT_HEADER])

    @contextmanager
    def archive(self, path: str) -> Iterator[IO[bytes]]:
        """A tar stream of ``path`` and all below it; its names begin with the last part of ``path``.

        Leaving the context early ends the transfer. Raises :class:`PathNotFound`.
        """
        params = {"path": self._written(path)}
        with self._wire.download("GET", f"{self._page}/archive", params=params, subject=path) as stream:
            yield cast("IO[bytes]", stream)

    @contextmanager
    def export(self) -> Iterator[IO[bytes]]:
        """A tar stream of the container's whole file system, volumes left out."""
        with self._wire.download("GET", f"{self._page}/export") as stream:
            yield cast("IO[bytes]", stream)

    def _written(self, path: str) -> str:
        """The path as the engine takes it."""
        return path
