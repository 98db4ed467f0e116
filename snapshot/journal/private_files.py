"""Files and folders that nobody but this user can read: commands and paths are nobody else's business."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def make_private(folder: Path) -> None:
    """Make a folder that only this user can enter, or take from others what they may do in it.

    Raises :class:`OSError` where it cannot be made, or another user put a link in its place.
    """
    for missing in reversed([parent for parent in folder.parents if not parent.exists()]):
        missing.mkdir(exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True, mode=0o700)
    if folder.is_symlink() and folder.lstat().st_uid != os.geteuid():
        # With the home of another user (sudo -E), root would do in any folder what is meant for this one.
        raise OSError(errno.EPERM, "it is a link of another user", str(folder))
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


def write_private(path: Path, content: bytes) -> None:
    """Write a file in a folder that is there; readers see it whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(draft, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
