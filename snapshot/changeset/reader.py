"""Reading what stands at given paths of a container, with few archive calls."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from snapshot.changeset.entry import FileEntry
from snapshot.changeset.paths import as_the_engine_lists, component_order, topmost
from snapshot.changeset.source import FileSource
from snapshot.changeset.tar_members import Member, read_members
from snapshot.errors import EngineError, PathNotFound

#: From this many archive calls on, one export of everything is taken instead. A call costs 4 ms (Docker
#: 28) to 59 ms (20.10), an export of a Debian base about 2 s.
MOST_ARCHIVE_CALLS = 40


@dataclass
class _Found:
    """Members by path, and for each file with several names all names that were met.

    ``fetched_as`` has for each path the one whose archive call brought it; an export's are not in it.
    """

    members: dict[str, Member] = field(default_factory=dict)
    names: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    fetched_as: dict[str, str] = field(default_factory=dict)

    def add(self, member: Member, *, fetched_as: str = "") -> None:
        self.members[member.entry.path] = member
        if fetched_as:
            self.fetched_as[member.entry.path] = fetched_as
        self.note_link(member)

    def note_link(self, member: Member) -> None:
        if member.link_to:
            self.names[member.link_to] |= {member.link_to, member.entry.path}


def read_entries(
    source: FileSource, paths: Collection[str], roots: Collection[str] = (), *, hash_content: bool
) -> dict[str, list[FileEntry]]:
    """What stands at each of ``paths``; a path where nothing stands is left out.

    Parameters
    ----------
    paths:
        As the engine lists them. A name with U+FFFD stands for every name that the engine would list
        so, hence the list of entries: usually one.
    roots:
        Those of ``paths`` of which all below is wanted too: one call fetches each.
    hash_content:
        Whether files are read to their end for their sha256; else their headers do where possible, and
        the further names of a file are found only where one archive holds them.
    """
    found = _fetch(source, paths, topmost(roots), hash_content=hash_content)
    wanted = set(paths)
    by_listed: defaultdict[str, list[str]] = defaultdict(list)
    for path in found.members:
        listed = path if path in wanted else as_the_engine_lists(path)
        if listed in wanted:
            by_listed[listed].append(path)
    chosen = {path for group in by_listed.values() for path in group}
    first_names = _first_names(found, chosen)
    return {
        listed: [_resolved(found, path, first_names) for path in sorted(group, key=component_order)]
        for listed, group in by_listed.items()
    }


def _fetch(source: FileSource, paths: Collection[str], tops: list[str], *, hash_content: bool) -> _Found:
    singles = _outside(paths, set(tops))
    # 20.10 answers the archive call for a name that is not UTF-8 with an empty tar.
    odd = any(not _is_addressable(path) for path in [*tops, *singles])
    if not odd and len(tops) + len(singles) <= MOST_ARCHIVE_CALLS:
        # Refused are a link that leads round in a circle, and a path with a file on its way.
        with suppress(EngineError):
            return _fetch_each(source, tops, singles, hash_content=hash_content)
    # An export has no header for the root itself.
    found = _fetch_each(source, [], [path for path in singles if path == "/"], hash_content=hash_content)
    with source.export() as stream:
        for member in read_members(stream, "/", strip=0, hash_content=hash_content):
            found.add(member)
    return found


def _fetch_each(source: FileSource, tops: list[str], singles: list[str], *, hash_content: bool) -> _Found:
    found = _Found()
    for path in [*tops, *singles]:
        with suppress(PathNotFound), source.archive(path) as stream:
            for member in read_members(stream, path, strip=int(path != "/"), hash_content=hash_content):
                found.add(member, fetched_as=path)
                if path not in tops:
                    # A folder's own header comes first; what is below it is not asked for.
                    break
    _find_links_between_calls(source, found)
    return found


def _find_links_between_calls(source: FileSource, found: _Found) -> None:
    """Look again at files that came by different calls and look like names of one file.

    Only at those that were hashed: a quick look at the headers shall not end in an export of everything.
    """
    alike: defaultdict[tuple[object, ...], list[str]] = defaultdict(list)
    for path in found.fetched_as:
        member = found.members[path]
        if member.entry.sha256:
            alike[(replace(member.entry, path=""), member.mtime)].append(path)
    suspects = [
        path
        for group in alike.values()
        if len({found.fetched_as[path] for path in group}) > 1
        for path in group
    ]
    if not suspects:
        return
    folder = posixpath.commonpath(suspects)
    with source.export() if folder == "/" else source.archive(folder) as stream:
        for member in read_members(stream, folder, strip=int(folder != "/"), hash_content=False):
            found.note_link(member)


def _first_names(found: _Found, chosen: set[str]) -> dict[str, str]:
    """For each further name of a file: the first of its names among the chosen paths."""
    first_names = {}
    for names in found.names.values():
        ordered = sorted(names & chosen, key=component_order)
        first_names.update(dict.fromkeys(ordered[1:], ordered[0]) if ordered else {})
    return first_names


def _resolved(found: _Found, path: str, first_names: dict[str, str]) -> FileEntry:
    member = found.members[path]
    # A link's own header has neither size nor content: those stand with the name that came first.
    original = found.members.get(member.link_to, member).entry
    return replace(original, path=path, hard_link=first_names.get(path, ""))


def _outside(paths: Iterable[str], tops: set[str]) -> list[str]:
    def is_covered(path: str) -> bool:
        while path not in tops and path != "/":
            path = posixpath.dirname(path)
        return path in tops

    return [path for path in paths if not is_covered(path)]


def _is_addressable(path: str) -> bool:
    return "\ufffd" not in path and as_the_engine_lists(path) == path
