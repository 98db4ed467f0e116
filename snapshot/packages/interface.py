"""What is known of an installed package, and what a manager of packages has to tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from snapshot.changeset.image_files import ImageFiles
from snapshot.engine.types import ChangeKind


class Package(NamedTuple):
    """One installed package.

    Attributes
    ----------
    manager:
        ``dpkg``, ``apk``, ``rpm``, ``pip`` or ``npm``.
    architecture:
        As the manager has it (``amd64``); empty where it has none.
    place:
        The folder that it is installed in, for managers that install into several:
        ``/usr/lib/python3/dist-packages``, ``/srv/app/node_modules``.
    """

    manager: str
    name: str
    version: str
    architecture: str = ""
    place: str = ""


class PackageChange(NamedTuple):
    """A package that came, went, or has another version: ``old`` and ``new`` are versions, empty for none."""

    manager: str
    name: str
    old: str
    new: str
    architecture: str = ""
    place: str = ""

    @property
    def kind(self) -> ChangeKind:
        """What became of it."""
        if not self.old:
            return ChangeKind.ADDED
        return ChangeKind.CHANGED if self.new else ChangeKind.DELETED


class NotReadable(ValueError):
    """A database of packages cannot be read; the text is a sentence that says which one and why."""


class Manager(NamedTuple):
    """A manager of packages, by the files that it keeps.

    A *database* is a file or folder that tells of one package or of many.

    Attributes
    ----------
    database_of:
        The path of the database that a path is or belongs to; empty for none.
    packages_of:
        The packages that the database at a path tells of, none where nothing stands there. Raises
        :class:`NotReadable`.
    compared_name:
        What makes two names the same to the manager.
    """

    name: str
    database_of: Callable[[str], str]
    packages_of: Callable[[ImageFiles, str], Iterable[Package]]
    compared_name: Callable[[str], str] = str
