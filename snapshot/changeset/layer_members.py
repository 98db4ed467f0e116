"""What a finished layer holds, or another tar in pieces, read from its bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, cast

from snapshot.changeset.layer import Layer
from snapshot.changeset.member import Member
from snapshot.changeset.tar_reader import Broken, read_members


def layer_members(layer: Layer, *, broken: Broken | None = None) -> Iterator[Member]:
    """The members of a layer, whiteouts as the names that stand for them; from its beginning each time.

    ``broken`` is that of :func:`~snapshot.changeset.tar_reader.read_members`.
    """
    return members_in_pieces(layer.chunks(), broken=broken)


def members_in_pieces(pieces: Iterable[bytes], *, broken: Broken | None = None) -> Iterator[Member]:
    """The members of a tar that comes in pieces."""
    return read_members(cast("IO[bytes]", _Stream(pieces)), "/", strip=0, broken=broken)


class _Stream:
    """Pieces as a stream."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; none at the end."""
        if not self._rest:
            self._rest = next(self._pieces, b"")
        data, self._rest = self._rest[:size], self._rest[size:]
        return data
