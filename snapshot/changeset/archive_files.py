"""Reading an image's files through an engine's archive calls, path by path."""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import IO

from snapshot.changeset.entry import FileType
from snapshot.changeset.fetch_plan import KnownSizes, ReadEverything, ReadFolder, plan_fetch
from snapshot.changeset.member import Chunk, Member, no_content
from snapshot.changeset.paths import as_the_engine_lists, by_bytes, folders_above
from snapshot.changeset.reader import TYPICAL_COSTS
from snapshot.changeset.source import FileSource
from snapshot.changeset.tar_reader import read_members
from snapshot.errors import EngineError, EngineGone, EngineUnreachable, PathNotFound, Refused

_FOLDER = FileType.FOLDER
_FILE = FileType.FILE

#: So many paths of one folder are asked for one by one before all that is in it is read together.
_SINGLE_LOOKUPS = 32
#: How many bytes of a folder may be read for each path in it that was asked for: about what a call costs.
_BYTES_PER_LOOKUP = 2 << 20
#: What is kept of each is some hundred bytes.
_MOST_MEMBERS = 4_000_000
#: What is kept of contents that came with others, until they are read.
_MOST_KEPT_BYTES = 64 << 20
_MOST_KEPT_BYTES_A_FILE = 1 << 20


class ArchiveFiles:
    """The files of a container (an :class:`~snapshot.changeset.image_files.ImageFiles`).

    What was looked up is kept, so the container is to rest. ``user.*`` attributes are in no engine's archive,
    and what an engine itself puts into each container (``/etc/hosts``) shows as if it were the image's.
    """

    def __init__(self, source: FileSource) -> None:
        self._source = source
        self._known: dict[str, Member | None] = {}
        # Of the folders that were read with all that is below them, and of those below.
        self._names: defaultdict[str, set[str]] = defaultdict(set)
        self._whole: set[str] = set()
        self._lookups: Counter[str] = Counter()
        self._expected: set[str] = set()
        self._to_read: set[str] = set()
        # Folders that are read with all that is below them when the first expected path in them is looked up.
        self._together: set[str] = set()
        self._kept: dict[str, bytes] = {}
        self._kept_of = ""
        self._is_all_kept = True

    def expect(self, looked_up: Collection[str], read: Collection[str]) -> None:
        """Be told which paths will be looked up, and the content of which of them will be read, once each.

        Where that is cheaper than a call for each, archives of folders then bring them together. What came
        before it was wanted is kept: small contents, and no more than 64 MiB of them.
        """
        plan = plan_fetch({*looked_up, *read}, (), TYPICAL_COSTS, KnownSizes())
        self._expected, self._to_read = {*looked_up, *read}, set(read)
        self._together = {step.path for step in plan.steps if isinstance(step, ReadFolder)}
        if not self._source.gives_single_paths or any(
            isinstance(step, ReadEverything) for step in plan.steps
        ):
            self._together.add("/")

    def at(self, path: str) -> Member | None:
        """What stands at ``path``."""
        waiting = [path]
        while waiting[-1] not in self._known and waiting[-1] != "/":
            waiting.append(posixpath.dirname(waiting[-1]))
        # From the top: an engine follows the links in the folders on the way.
        for asked in reversed(waiting):
            if asked not in self._known:
                self._known[asked] = self._looked_up(asked)
        found = self._known[path]
        if found is None or found.entry.type is not _FILE:
            return found
        return replace(found, content=partial(self._content, path))

    def names(self, folder: str) -> Collection[str]:
        """The names of what stands in a folder, sorted. All that is below it is read."""
        stands = self.at(folder)
        if stands is None or stands.entry.type is not _FOLDER:
            return ()
        if not self._is_whole(folder):
            self._read_below(folder)
        return sorted(self._names.get(folder, ()), key=by_bytes)

    def _looked_up(self, path: str) -> Member | None:
        if path == "/":
            return self._root()
        folder, name = posixpath.split(path)
        above = self._known[folder]
        if above is None or above.entry.type is not _FOLDER or len(by_bytes(name)) > 255:
            return None
        if not self._is_whole(folder) and (top := self._read_with(path)):
            self._read_together(top)
        if not self._is_whole(folder):
            self._lookups[folder] += 1
            count = self._lookups[folder]
            if not self._is_given_alone(path):
                self._read_below(folder)
            elif count >= _SINGLE_LOOKUPS and count & (count - 1) == 0:
                self._read_below(folder, count * _BYTES_PER_LOOKUP)
        if path in self._known or self._is_whole(folder):
            return self._known.get(path)
        try:
            return self._first_of_archive(path)
        except PathNotFound:
            return None
        except EngineUnreachable:
            raise
        except EngineError:
            # Docker 20.10 hands out no link that leads round in a circle.
            self._read_below(folder)
            return self._known.get(path)

    def _root(self) -> Member:
        root = self._first_of_archive("/")
        if self._source.gives_single_paths:
            return root
        # Its archive has the container's user for every owner.
        return replace(root, entry=replace(root.entry, uid=0, gid=0))

    def _first_of_archive(self, path: str) -> Member:
        with self._source.archive(path) as stream:
            return replace(_first_member(stream, path), content=no_content)

    def _is_given_alone(self, path: str) -> bool:
        return self._source.gives_single_paths and as_the_engine_lists(path) == path

    def _is_whole(self, folder: str) -> bool:
        if not self._whole:
            return False
        while folder not in self._whole:
            if folder == "/":
                return False
            folder = posixpath.dirname(folder)
        return True

    def _read_below(self, folder: str, most_bytes: int | None = None) -> None:
        """Note all that is in a folder, unless that is more than so many bytes."""
        top = self._archived_with(folder)
        left = most_bytes
        with self._members_below(top) as members:
            for member in members:
                self._note(member)
                if left is not None:
                    left -= member.entry.size_bytes + 512
                    if left < 0:
                        return
        self._whole.add(top)

    def _note(self, member: Member) -> None:
        path = member.entry.path
        if path == "/":
            return
        if member.link_to:
            first = self._known.get(member.link_to)
            if first is None:
                return
            member = replace(first, entry=replace(first.entry, path=path))
        self._known[path] = replace(member, content=no_content)
        folder, name = posixpath.split(path)
        self._names[folder].add(name)
        if len(self._known) > _MOST_MEMBERS:
            raise Refused(f"The image has more than {_MOST_MEMBERS:,} files.")

    def _archived_with(self, folder: str) -> str:
        """The folder that is to be read to have all that is in ``folder``."""
        if not self._source.gives_single_paths:
            return "/"
        while as_the_engine_lists(folder) != folder:
            folder = posixpath.dirname(folder)
        return folder

    @contextmanager
    def _members_below(self, top: str) -> Iterator[Iterator[Member]]:
        if self._source.gives_single_paths:
            with self._source.archive(top) as stream:
                yield read_members(stream, top, strip=int(top != "/"))
        else:
            with self._source.export() as stream:
                yield read_members(stream, "/", strip=0)

    def _read_with(self, path: str) -> str:
        """The folder that an expected path is read together with; empty for one that is read alone."""
        if path not in self._expected:
            return ""
        return next((above for above in (*folders_above(path), "/") if above in self._together), "")

    def _read_together(self, top: str) -> None:
        """Note all that is below a folder, and keep what is to be read of it, the first of it if not all."""
        self._kept.clear()
        self._kept_of = top
        room = _MOST_KEPT_BYTES
        with self._members_below(top) as members:
            for member in members:
                self._note(member)
                path, size_bytes = member.entry.path, member.entry.size_bytes
                if path not in self._to_read or size_bytes > _MOST_KEPT_BYTES_A_FILE:
                    continue
                if member.link_to in self._kept:
                    self._kept[path] = self._kept[member.link_to]
                elif member.entry.type is _FILE and not member.link_to:
                    room -= size_bytes
                    if room >= 0:
                        self._kept[path] = b"".join(member.content())
        self._is_all_kept = room >= 0
        self._whole.add(top)

    def _content_that_came(self, path: str) -> bytes | None:
        """What came together with others, and is not kept from then on."""
        top = self._read_with(path)
        if path not in self._to_read or not top:
            return None
        if top != self._kept_of or not (self._is_all_kept or self._kept):
            self._read_together(top)
        self._to_read.remove(path)
        return self._kept.pop(path, None)

    def _content(self, path: str) -> Iterator[Chunk]:
        content = self._content_that_came(path)
        if content is not None:
            yield content
            return
        if self._is_given_alone(path):
            with self._source.archive(path) as stream:
                yield from _first_member(stream, path).content()
            return
        if as_the_engine_lists(path) == path:
            # Of a file that is in its place, names and content are true there; a few names it does not find.
            with suppress(PathNotFound), self._source.archive(path) as stream:
                yield from _first_member(stream, path).content()
                return
        yield from self._content_among_all(path)

    def _content_among_all(self, path: str) -> Iterator[Chunk]:
        """A file's content from an archive of a folder above it."""
        asked = ""
        while asked != path:
            asked = path
            with self._members_below(self._archived_with(path)) as members:
                for member in members:
                    if member.entry.path == asked:
                        # The content is with the file's first name.
                        path = member.link_to or asked
                        yield from member.content()
                        break


def _first_member(stream: IO[bytes], path: str) -> Member:
    """What stands at ``path``, whose archive it is."""
    for member in read_members(stream, path, strip=int(path != "/")):
        return member
    raise EngineGone(f"The engine's archive of '{path}' is empty.")
