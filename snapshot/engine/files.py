"""Reading the files of a container through the engine's archive calls; nothing is executed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

import requests

from snapshot.engine.answers import PATH_STAT_HEADER, read_changes, read_path_stat
from snapshot.engine.failures import raise_for_refusal, translated
from snapshot.engine.types import Change, PathStat

if TYPE_CHECKING:
    import docker

# An engine compresses archives for whoever says that he takes that, as requests does by default.
_PLAIN = {"Accept-Encoding": "identity"}


class ContainerFiles:
    """The files of one container, running or not (a :class:`~snapshot.changeset.source.FileSource`)."""

    gives_single_paths = True

    def __init__(self, api: docker.APIClient, container_id: str) -> None:
        self._api = api
        self._url = f"{api.base_url}/v{api.api_version}/containers/{container_id}"

    def changes(self) -> list[Change]:
        """What the container added, changed and deleted, in the engine's order.

        The engine compares metadata, not content (moby ``pkg/archive`` changes).
        """
        with translated():
            response = self._api.get(f"{self._url}/changes", timeout=self._api.timeout)
            raise_for_refusal(response, "")
            return read_changes(response.json())

    def stat(self, path: str) -> PathStat:
        """What stands at ``path``; raises :class:`PathNotFound`.

        Links in the folders on the way are followed, inside the container alone; the last name is not.
        """
        with translated(path):
            response = self._api.head(
                f"{self._url}/archive", params={"path": self._encoded(path)}, timeout=self._api.timeout
            )
            # Podman does not find a link that leads nowhere, and tells all the same what it is.
            if response.status_code == 404 and PATH_STAT_HEADER in response.headers:
                return read_path_stat(response.headers[PATH_STAT_HEADER])
            # HEAD has no body, so the engine's words are not to be had.
            if response.status_code == 404:
                response = self._open(path)
                response.close()
            raise_for_refusal(response, path)
        return read_path_stat(response.headers.get(PATH_STAT_HEADER, ""))

    @contextmanager
    def archive(self, path: str) -> Iterator[IO[bytes]]:
        """A tar stream of ``path`` and all below it; its names begin with the last part of ``path``.

        Leaving the context early ends the transfer. Raises :class:`PathNotFound`.
        """
        with translated(path), self._open(path) as response:
            yield cast("IO[bytes]", _Stream(response, path))

    @contextmanager
    def export(self) -> Iterator[IO[bytes]]:
        """A tar stream of the container's whole file system, volumes left out."""
        with translated():
            response = self._api.get(
                f"{self._url}/export", headers=_PLAIN, stream=True, timeout=self._api.timeout
            )
            with response:
                raise_for_refusal(response, "")
                yield cast("IO[bytes]", _Stream(response, ""))

    def _open(self, path: str) -> requests.Response:
        response = self._api.get(
            f"{self._url}/archive",
            params={"path": self._encoded(path)},
            headers=_PLAIN,
            stream=True,
            timeout=self._api.timeout,
        )
        if response.status_code >= 400:
            with response:
                raise_for_refusal(response, path)
        return response

    def _encoded(self, path: str) -> bytes:
        """``path`` as its own bytes: names that are not UTF-8 travel as surrogate escapes here."""
        return path.encode("utf-8", "surrogateescape")


class _Stream:
    """The body of an answer; what goes wrong leaves as a SnapError, whoever reads it and wherever."""

    def __init__(self, response: requests.Response, subject: str) -> None:
        self._raw = response.raw
        self._subject = subject

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        with translated(self._subject):
            return cast("bytes", self._raw.read(None if size < 0 else size))
