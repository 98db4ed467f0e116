"""Contents that are too large to stand in a recipe: files named by their sha256, in a folder beside it."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from snapshot.changeset.member import Chunk

#: A larger content is written into a file beside, where there is a folder for it.
MOST_INLINE_BYTES = 4 << 10
_PIECE_BYTES = 1 << 20


def store(folder: Path, pieces: Iterable[Chunk]) -> Path:
    """Write a content into the folder, which is made where it is missing; gives its file.

    A file with that content is replaced by the same. Where it goes wrong, nothing is left of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".", delete=False) as file:
        path = Path(file.name)
        try:
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
            file.close()
            return path.replace(folder / digest.hexdigest())
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def pieces_of(path: Path) -> Iterator[bytes]:
    """The content of a file."""
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
