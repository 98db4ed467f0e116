"""Which packages came, went, or have another version, by the files of their managers that changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from snapshot.changeset.entry import Changeset, FileType, PathChange
from snapshot.changeset.image_files import ImageFiles, paths_below
from snapshot.engine.types import ChangeKind
from snapshot.packages.apk import APK
from snapshot.packages.dpkg import DPKG
from snapshot.packages.interface import Manager, NotReadable, Package, PackageChange
from snapshot.packages.npm import NPM
from snapshot.packages.pip import PIP
from snapshot.packages.rpm import RPM

MANAGERS = (DPKG, APK, RPM, PIP, NPM)

#: What is kept of each is some hundred bytes.
_MOST_PACKAGES = 200_000
_MOST_DATABASES = 100_000
#: So many paths are looked through that went with a folder.
_MOST_GONE = 500_000
_MOST_SENTENCES = 20


class PackageChanges(NamedTuple):
    """What became of packages, by manager and name; ``unreadable`` are sentences on what was not read.

    Names, versions and sentences have a stranger's text in them.
    """

    changes: tuple[PackageChange, ...]
    unreadable: tuple[str, ...] = ()


class _Database(NamedTuple):
    manager: Manager
    path: str


class _Key(NamedTuple):
    """What a package of either side has in common with the one that it is held against."""

    manager: int
    name: str
    architecture: str
    place: str


def concerns_packages(changeset: Changeset) -> bool:
    """Whether any of these changes may be one of packages, as far as paths tell."""
    return any(_may_have_held(change) or _databases_of(change.path) for change in changeset.changes)


def changes_in_packages(old: ImageFiles, new: ImageFiles, changeset: Changeset) -> PackageChanges:
    """What a changeset means to the managers of packages: dpkg, apk, rpm, pip, npm.

    Only the databases that the changeset names are read, on both sides; of one that cannot be read on either
    side nothing is told but that. Of a package that is there in several versions, as rpm's kernels are, one
    version replaces another where one went and one came; else they are told as removed and added. That a
    regular file took the place of a folder with packages is not seen.

    Parameters
    ----------
    old, new:
        The files of the two sides that the changeset is the difference of.

    Raises :class:`~snapshot.errors.EngineError` where files are not to be had any more.
    """
    unreadable: list[str] = []
    before: list[Package] = []
    after: list[Package] = []
    for database in _databases(old, changeset, unreadable):
        try:
            of_old = _read(database, old, _MOST_PACKAGES - len(before))
            of_new = _read(database, new, _MOST_PACKAGES - len(after))
        except NotReadable as error:
            unreadable.append(str(error))
        else:
            before += of_old
            after += of_new
    return PackageChanges(tuple(_between(before, after)), _summed_up(unreadable))


def _databases(old: ImageFiles, changeset: Changeset, unreadable: list[str]) -> Sequence[_Database]:
    """The databases at the changed paths, and those that went with a folder; each once."""
    found: dict[_Database, None] = {}
    gone = _MOST_GONE
    for change in changeset.changes:
        found.update(dict.fromkeys(_databases_of(change.path)))
        if gone and _may_have_held(change):
            for path in islice(paths_below(old, change.path), gone):
                gone -= 1
                found.update(dict.fromkeys(_databases_of(path)))
    if not gone:
        unreadable.append(f"Of the paths that went with their folders, {_MOST_GONE:,} were looked through.")
    if len(found) > _MOST_DATABASES:
        unreadable.append(
            f"More than {_MOST_DATABASES:,} packages or lists of them changed; the others are left out."
        )
    return tuple(islice(found, _MOST_DATABASES))


def _databases_of(path: str) -> list[_Database]:
    return [_Database(manager, database) for manager in MANAGERS if (database := manager.database_of(path))]


def _may_have_held(change: PathChange) -> bool:
    """Whether a folder may have been there whose content has no lines of its own."""
    if change.kind is ChangeKind.CHANGED:
        return change.file is None or change.file.type not in {FileType.FILE, FileType.FOLDER}
    return change.kind is ChangeKind.DELETED


def _read(database: _Database, files: ImageFiles, most: int) -> list[Package]:
    found = list(islice(database.manager.packages_of(files, database.path), most + 1))
    if len(found) > most:
        raise NotReadable(f"'{database.path}' is left out: {_MOST_PACKAGES:,} packages are compared at most.")
    return found


def _between(old: Iterable[Package], new: Iterable[Package]) -> Iterator[PackageChange]:
    # Of each key, the name as written by version: a set that remembers.
    groups: defaultdict[_Key, tuple[dict[str, str], dict[str, str]]] = defaultdict(lambda: ({}, {}))
    for side, packages in enumerate((old, new)):
        for package in packages:
            groups[_key(package)][side][package.version] = package.name
    for key, (before, after) in sorted(groups.items()):
        gone = [version for version in before if version not in after]
        came = [version for version in after if version not in before]
        if len(gone) == len(came) == 1:
            pairs = [(gone[0], came[0])]
        else:
            pairs = [(version, "") for version in gone] + [("", version) for version in came]
        manager = MANAGERS[key.manager].name
        for version, other in pairs:
            name = after[other] if other else before[version]
            yield PackageChange(manager, name, version, other, key.architecture, key.place)


def _key(package: Package) -> _Key:
    number = next(number for number, manager in enumerate(MANAGERS) if manager.name == package.manager)
    name = MANAGERS[number].compared_name(package.name)
    return _Key(number, name, package.architecture, package.place)


def _summed_up(sentences: Sequence[str]) -> tuple[str, ...]:
    shown = tuple(dict.fromkeys(sentences))
    more = len(shown) - _MOST_SENTENCES
    return shown if more <= 0 else (*shown[:_MOST_SENTENCES], f"{more:,} more could not be read.")
