"""The output of a container, as an attached connection brings it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docker.utils.socket import STDERR, frames_iter

from snapshot.engine.failures import translated


class ContainerOutput:
    """Pairs of stdout and stderr, of which one is ``None``, until the container ends or the engine goes."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __iter__(self) -> Iterator[tuple[bytes | None, bytes | None]]:
        with translated():
            for stream, piece in frames_iter(self._connection, tty=False):  # type: ignore[no-untyped-call]
                yield (None, piece) if stream == STDERR else (piece, None)

    def close(self) -> None:
        """Close the connection; the container goes on."""
        # docker-py keeps the answer with the connection; it owns the socket, and closes both.
        getattr(self._connection, "_response", self._connection).close()
