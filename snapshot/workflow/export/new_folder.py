"""A new folder that is filled whole, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snapshot.errors import InvalidInput
from snapshot.workflow.whole_file import umask


def check_new(path: Path) -> None:
    """Raise :class:`~snapshot.errors.InvalidInput` where ``path`` is neither missing nor an empty folder."""
    hint = "Name a folder that is new or empty."
    if path.is_dir():
        if any(path.iterdir()):
            raise InvalidInput(f"The folder '{path}' is not empty.", hint)
    elif os.path.lexists(path):
        raise InvalidInput(f"'{path}' is no folder.", hint)
    elif not path.absolute().parent.is_dir():
        raise InvalidInput(f"There is no folder '{path.absolute().parent}'.", "Make it first.")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to be filled, whose content is at ``path`` at the end; where the work fails, nothing is.

    An empty folder that is there stays the same one: it can be a mount point, or where the user is.
    """
    check_new(path)
    is_there = path.is_dir()
    draft = Path(tempfile.mkdtemp(dir=path if is_there else path.absolute().parent, prefix=".snap-"))
    written = [draft]
    try:
        yield draft
        if is_there:
            for child in sorted(draft.iterdir()):
                written.append(path / child.name)
                child.rename(path / child.name)
            draft.rmdir()
        else:
            draft.chmod(0o777 & ~umask())
            written.append(path)
            draft.rename(path)
    except BaseException:
        for leftover in written:
            # An interrupt may have come right after it was moved, or before it was.
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)
        raise
