"""What long work says while it goes on; passed in, so that the library itself prints nothing."""

from __future__ import annotations

from typing import Protocol

from snapshot.engine.types import PullEvent


class Progress(Protocol):
    """Told of the work as it goes on."""

    def stage(self, text: str, total_bytes: int = 0) -> None:
        """A new stage of the work begins: ``reading what ch03 changed``; 0 where the bytes are not known."""
        ...

    def advance(self, byte_count: int) -> None:
        """So many more bytes of this stage are done."""
        ...

    def detail(self, text: str) -> None:
        """How the work is done, for who wants to know why it takes as long as it does."""
        ...

    def pull(self, event: PullEvent) -> None:
        """The engine reports on a layer of a pull."""
        ...


class Silent:
    """Says nothing."""

    def stage(self, text: str, total_bytes: int = 0) -> None:
        """Say nothing."""

    def advance(self, byte_count: int) -> None:
        """Say nothing."""

    def detail(self, text: str) -> None:
        """Say nothing."""

    def pull(self, event: PullEvent) -> None:
        """Say nothing."""


SILENT = Silent()
