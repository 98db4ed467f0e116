"""A file system as a container has it: folders of layers, merged by the kernel's own overlayfs."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from snapshot.changeset.entry import FileType

# Whatever the kernel's defaults are.
PLAIN = "redirect_dir=off,metacopy=off,index=off"
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
#: Paths that random edits are made at, and what they are (:func:`edit`).
PATHS = ["a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "new", "new/a", "line\nfeed", "d/\udce9"]
WHAT = [
    "write",
    "write",
    "rewrite",
    "remove",
    "remove",
    "folder",
    "symlink",
    "fifo",
    "chmod",
    "chown",
    "touch",
]
#: A layer's worth of them.
edits = st.lists(st.tuples(st.sampled_from(WHAT), st.sampled_from(PATHS), st.sampled_from(PATHS)), max_size=8)
Edit = tuple[str, str, str]

TYPES = {
    FileType.FILE: stat.S_IFREG,
    FileType.FOLDER: stat.S_IFDIR,
    FileType.SYMLINK: stat.S_IFLNK,
    FileType.FIFO: stat.S_IFIFO,
}


@dataclass(frozen=True)
class Node:
    """What stands at a path; a folder's time says nothing."""

    type: int
    mode: int
    owner: tuple[int, int]
    mtime_ns: int
    content: bytes


@contextmanager
def mounted(folder: Path, lowers: Sequence[Path], upper: Path, options: str = PLAIN) -> Iterator[Path]:
    """The merged tree of ``lowers``, topmost first; what is changed in it goes into ``upper``."""
    merged, work = folder / "merged", folder / "work"
    for path in (merged, work, upper):
        path.mkdir(exist_ok=True)
    layers = f"lowerdir={':'.join(map(str, lowers))},upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"{layers},{options}", merged], check=True)
    try:
        yield merged
    finally:
        subprocess.run(["umount", merged], check=True)
        shutil.rmtree(work)


def tree_of(root: Path) -> dict[str, Node]:
    """Each path below ``root``."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = Path(folder, name)
            status = path.lstat()
            content = b""
            if stat.S_ISREG(status.st_mode):
                content = path.read_bytes()
            elif stat.S_ISLNK(status.st_mode):
                content = os.fsencode(path.readlink())
            is_folder = stat.S_ISDIR(status.st_mode)
            found["/" + str(path.relative_to(root))] = Node(
                stat.S_IFMT(status.st_mode),
                stat.S_IMODE(status.st_mode),
                (status.st_uid, status.st_gid),
                0 if is_folder else status.st_mtime_ns,
                content,
            )
    return found


def edit(root: Path, what: str, path: str, other: str) -> None:
    """Do one thing in a tree; what cannot be done there is left."""
    place = root / path
    try:
        if what == "write":
            place.parent.mkdir(exist_ok=True)
            # A fifo without a reader is an error then, and not a wait.
            with os.fdopen(
                os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK), "wb"
            ) as file:
                file.write(b"content")
        elif what == "rewrite" and not place.is_symlink():
            _rewrite(place)
        elif what == "remove":
            shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
        elif what == "folder":
            place.mkdir(parents=True)
        elif what == "symlink":
            place.symlink_to(other)
        elif what == "fifo":
            os.mkfifo(place)
        elif what == "chmod" and not place.is_symlink():
            place.chmod(0o4711)
        elif what == "chown":
            os.chown(place, 5, 6, follow_symlinks=False)
        elif what == "touch":
            os.utime(place, (3, 4), follow_symlinks=False)
        elif what == "rename":
            place.rename(root / other)
    except OSError:
        return


def _rewrite(place: Path) -> None:
    """Other bytes of the same size under the same time."""
    status = place.stat()
    if stat.S_ISREG(status.st_mode):
        place.write_bytes(bytes(byte ^ 1 for byte in place.read_bytes()))
        os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))


@contextmanager
def stacked(layers: Sequence[Sequence[Edit]]) -> Iterator[tuple[list[Path], dict[str, Node]]]:
    """The folders of layers in which these edits were done, the lowest first, and what is seen at the end.

    Below them stands a layer with files to edit.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lower = folder / "lower"
        (lower / "d/e").mkdir(parents=True)
        for path in ("a", "b", "d/a", "d/b", "d/e/a"):
            (lower / path).write_text(path)
        stack: list[Path] = [lower]
        seen: dict[str, Node] = {}
        for number, done in enumerate(layers):
            upper = folder / f"layer{number}"
            with mounted(folder, stack[::-1], upper) as merged:
                for step in done:
                    edit(merged, *step)
                seen = tree_of(merged)
            stack.append(upper)
        yield stack, seen
