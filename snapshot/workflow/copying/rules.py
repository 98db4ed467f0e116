"""Docker's rules for what ``cp`` makes of a source and a destination; nothing here looks at any file.

They are those of ``docker cp`` (moby ``pkg/archive/copy.go``, ``PrepareArchiveCopy``; docker/cli
``container/cp.go``):

=====================  ==============================  ===================================
destination            source is a file                source is a folder
=====================  ==============================  ===================================
a folder               comes into it under its name    comes into it under its name; with
                                                       ``/.`` at its end only what is in it
a file                 takes its place                 refused
nothing there          is made under that name         is made under that name
nothing, ends in `/`   refused                         is made under that name
=====================  ==============================  ===================================

The folder that something is made in has to be there.
"""

from __future__ import annotations

import posixpath
from typing import NamedTuple

from snapshot.errors import InvalidInput, PathNotFound

#: In place of a local path: a tar on stdin or stdout.
STREAM = "-"


class Place(NamedTuple):
    """One side of a copy as it was written; ``container`` is empty for a local path."""

    container: str
    path: str


class Source(NamedTuple):
    """What is copied.

    ``name`` is the last part of its path, empty where only what is in the folder is meant (``/.`` at the end,
    or the root). ``shown`` is what messages call it.
    """

    name: str
    is_folder: bool
    shown: str


class Destination(NamedTuple):
    """Where it is copied to.

    ``path`` is absolute, with links followed; ``written`` is what the user wrote, whose end counts; ``shown``
    is what messages call it.
    """

    path: str
    exists: bool
    is_folder: bool
    written: str
    shown: str


class Target(NamedTuple):
    """What a copy comes to.

    The source goes into ``folder``, which has to be there, as ``name``; where that is empty, what is in the
    source goes there, and the folder stays what it is.
    """

    folder: str
    name: str


def parse_place(text: str) -> Place:
    """``CONTAINER:PATH``, or a local path: one that begins with ``/`` or ``.``, or has no colon.

    Raises :class:`~snapshot.errors.InvalidInput` where it is empty, or names no path in the container.

    >>> parse_place("box:/etc")
    Place(container='box', path='/etc')
    >>> parse_place("./a:b")
    Place(container='', path='./a:b')
    """
    container, colon, path = text.partition(":")
    if not colon or text.startswith(("/", ".")):
        if not text:
            raise InvalidInput("A source or destination is empty.", "Write `.` for this folder.")
        return Place("", text)
    if not container:
        raise InvalidInput(
            f"'{text}' names no container before the colon.",
            f"Write CONTAINER:PATH, or './{text}' for a local file of that name.",
        )
    if not path:
        raise InvalidInput(
            f"'{text}' names no path in the container.",
            f"Write '{text}/' for its root folder, or './{text}' for a local file of that name.",
        )
    return Place(container, path)


def parse_places(source: str, destination: str) -> tuple[Place, Place]:
    """Both sides of a copy, one of them in a container.

    Raises :class:`~snapshot.errors.InvalidInput` where neither or both are.
    """
    places = parse_place(source), parse_place(destination)
    if all(place.container for place in places):
        raise InvalidInput(
            f"Both '{source}' and '{destination}' are in containers; snap copies from or to this machine.",
            f"Use a pipe: snap cp {source} - | snap cp - {places[1].container}:FOLDER",
        )
    if not any(place.container for place in places):
        raise InvalidInput(
            f"Neither '{source}' nor '{destination}' is in a container.",
            "Write one of them as CONTAINER:PATH.",
        )
    return places


def means_content(written: str) -> bool:
    """Whether the path ends in ``/.``: what is in the folder is meant, not the folder.

    >>> means_content("a/."), means_content("."), means_content("a.")
    (True, True, False)
    """
    return written.rpartition("/")[2] == "."


def must_be_folder(written: str) -> bool:
    """Whether the path is written as a folder's: it ends in ``/`` or ``/.``."""
    return written.endswith("/") or means_content(written)


def container_path(written: str) -> str:
    """The absolute path in a container without its ending; a relative one counts from the root.

    >>> container_path("etc//app/../conf/.")
    '/etc/conf'
    """
    # POSIX lets two leading slashes mean something else, so normpath keeps them.
    return "/" + posixpath.normpath("/" + written).lstrip("/")


def source_name(absolute_path: str, written: str) -> str:
    """The name that a source brings along (see :class:`Source`).

    >>> source_name("/srv/app", "app/"), source_name("/srv/app", "app/."), source_name("/", "/")
    ('app', '', '')
    """
    return "" if means_content(written) else posixpath.basename(absolute_path)


def target_of(source: Source, destination: Destination) -> Target:
    """Where a source ends up.

    Raises :class:`~snapshot.errors.InvalidInput` where a folder would take the place of a file, and
    :class:`~snapshot.errors.PathNotFound` where a folder is named that is not there.
    """
    if destination.exists and destination.is_folder:
        return Target(destination.path, source.name)
    if destination.exists and source.is_folder:
        raise InvalidInput(
            f"'{source.shown}' is a folder, and '{destination.shown}' is not.",
            "Name a folder, or a path where nothing stands.",
        )
    if destination.exists and must_be_folder(destination.written):
        raise InvalidInput(f"'{destination.shown}' is not a folder.", "Leave the slash at its end out.")
    if not destination.exists and _needs_folder_there(source, destination.written):
        raise PathNotFound(
            f"There is no folder '{destination.shown}'.",
            "Make it first, or leave the slash at its end out to copy to a file of that name.",
        )
    folder, name = posixpath.split(destination.path)
    return Target(folder, name)


def _needs_folder_there(source: Source, written: str) -> bool:
    return means_content(written) or (must_be_folder(written) and not source.is_folder)
