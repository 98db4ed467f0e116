"""Files that appear whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO


def write_whole(path: Path, chunks: Iterator[bytes], on_bytes: Callable[[int], None]) -> None:
    """Write a file that takes the name ``path`` when it is whole; ``on_bytes`` is told how many there are."""
    if path.exists() and not path.is_file():
        # A device or a pipe is written to, and not replaced: nobody wants a file in the place of /dev/null.
        with path.open("wb") as file:
            _copy(chunks, file, on_bytes)
        return
    path = path.resolve()  # where a link leads to
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            _copy(chunks, file, on_bytes)
            os.fchmod(file.fileno(), 0o666 & ~umask())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _copy(chunks: Iterator[bytes], file: IO[bytes], on_bytes: Callable[[int], None]) -> None:
    for chunk in chunks:
        file.write(chunk)
        on_bytes(len(chunk))


def umask() -> int:
    """The mode bits that this process gives to no new file."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
