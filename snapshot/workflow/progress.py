"""What long work says while it goes on; passed in, so that the library itself prints nothing."""

from __future__ import annotations

from typing import Protocol

from snapshot.engine.types import PullEvent


class Progress(Protocol):
    """Told of the work as it goes on."""

    def stage(self, text: str) -> None:
        """A new stage of the work begins: ``reading 12 changed paths``."""
        ...

    def pull(self, event: PullEvent) -> None:
        """The engine reports on a layer of a pull."""
        ...


class Silent:
    """Says nothing."""

    def stage(self, text: str) -> None:
        """Say nothing."""

    def pull(self, event: PullEvent) -> None:
        """Say nothing."""


SILENT = Silent()
