"""Reading the content of one file of a container."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from snapshot.changeset.entry import FileType
from snapshot.changeset.member import Chunk, sha256_of
from snapshot.changeset.source import FileSource
from snapshot.changeset.tar_reader import read_members
from snapshot.errors import EngineError, PathNotFound


def path_exists(source: FileSource, path: str) -> bool:
    """Whether anything stands at ``path``: a symlink counts, wherever it points."""
    try:
        source.stat(path)
    except PathNotFound:
        return False
    except EngineError:
        # Refused are a link that leads round in a circle, and a path with a file on its way.
        return _is_listed(source, path)
    return True


def _is_listed(source: FileSource, path: str) -> bool:
    """Whether the folder that ``path`` is in has it among what it holds."""
    folder, _, name = path.rpartition("/")
    folder = folder or "/"
    if not path_exists(source, folder):
        return False
    stat = source.stat(folder)
    if stat.is_symlink:
        folder = stat.link_target
    strip = int(folder != "/")
    with source.archive(folder) as stream:
        members = read_members(stream, folder, strip=strip)
        return any(member.entry.path == f"{folder.rstrip('/')}/{name}" for member in members)


@contextmanager
def open_file(source: FileSource, path: str) -> Iterator[Iterable[Chunk]]:
    """The content of a regular file in pieces; a symlink is followed inside the container.

    Raises :class:`~snapshot.errors.PathNotFound` where there is none, or something else than a file.
    """
    try:
        stat = source.stat(path)
        if stat.is_symlink:
            path = stat.link_target
            stat = source.stat(path)
    except PathNotFound:
        raise
    except EngineError as error:
        raise PathNotFound(
            f"'{path}' leads to no file: a file stands on its way, or links go round in a circle."
        ) from error
    if not stat.is_regular:
        raise PathNotFound(f"'{path}' is not a regular file.")
    with source.archive(path) as stream:
        member = next(read_members(stream, path, strip=1), None)
        if member is None or member.link_to or member.entry.type is not FileType.FILE:
            raise PathNotFound(f"'{path}' cannot be read.")
        yield member.content()


def sha256_at(source: FileSource, path: str) -> str:
    """Hex sha256 of a regular file's content; raises :class:`~snapshot.errors.PathNotFound`."""
    with open_file(source, path) as content:
        return sha256_of(content)


def file_contains(source: FileSource, path: str, text: bytes) -> bool:
    """Whether ``text`` stands somewhere in a regular file; raises :class:`~snapshot.errors.PathNotFound`."""
    if not text:
        return True
    tail = b""
    with open_file(source, path) as content:
        for chunk in content:
            # A match may lie across the edge of two chunks.
            window = tail + bytes(chunk)
            if text in window:
                return True
            tail = window[len(window) - len(text) + 1 :] if len(text) > 1 else b""
    return False
