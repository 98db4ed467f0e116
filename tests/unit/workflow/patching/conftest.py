"""What the tests of copies have in common."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest

from snapshot.changeset.layer import LayerSpool
from snapshot.recipe.instructions import TarFile
from snapshot.workflow.patching.sources import Gathered, gathered


@pytest.fixture
def spool() -> Iterator[LayerSpool]:
    with LayerSpool() as opened:
        yield opened


@pytest.fixture
def read(spool: LayerSpool) -> Callable[[bytes], Gathered]:
    """Reads a tar that comes on stdin."""
    return lambda content: gathered(TarFile("-"), spool, stdin=io.BytesIO(content))
