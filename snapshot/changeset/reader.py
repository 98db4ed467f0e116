"""Reading what stands at given paths of a container, with as few archive calls as a plan says."""

from __future__ import annotations

import hashlib
import posixpath
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.fetch_plan import (
    CallCosts,
    FetchPlan,
    KnownSizes,
    ReadEverything,
    ReadFolder,
    ReadPath,
    Step,
    plan_fetch,
)
from snapshot.changeset.layer import Piece
from snapshot.changeset.member import Member
from snapshot.changeset.paths import as_the_engine_lists, component_order, folders_above
from snapshot.changeset.source import FileSource
from snapshot.changeset.tar_reader import read_members
from snapshot.errors import EngineError, EngineUnreachable, PathNotFound

#: What is taken where nobody has looked: a call of Docker 28 on a disk of today.
TYPICAL_COSTS = CallCosts(call_s=0.006, file_s=0.0002, bytes_per_s=450e6)


class Sink(Protocol):
    """Where members go as they come."""

    @property
    def reads_content(self) -> bool:
        """Whether the files are read to their end: then links between calls are worth a look."""
        ...

    def add(self, member: Member) -> Piece:
        """Take a member, reading its content or not."""
        ...

    def add_link(self, piece: Piece) -> Piece:
        """Take a further name of a file that was added before."""
        ...


class Headers:
    """A sink that reads no content."""

    reads_content = False

    def add(self, member: Member) -> Piece:
        """Take a member's header."""
        return Piece(member.entry, member.mtime_s, member.xattrs)

    def add_link(self, piece: Piece) -> Piece:
        """Take it as it is."""
        return piece


class Hashes(Headers):
    """A sink that reads content for its sha256."""

    reads_content = True

    def add(self, member: Member) -> Piece:
        """Take a member, its content hashed."""
        piece = super().add(member)
        if member.entry.type is not FileType.FILE:
            return piece
        digest = hashlib.sha256()
        for chunk in member.content():
            digest.update(chunk)
        return replace(piece, entry=replace(piece.entry, sha256=digest.hexdigest()))


@dataclass
class Request:
    """What is to be read.

    Attributes
    ----------
    paths:
        As the engine lists them. A name with U+FFFD stands for every name that the engine would list so.
    added:
        Those of which all below is new.
    costs, sizes:
        What the plan is made from.
    linked_before_s:
        Where given, a file that is older may be a further name of one that nobody changed, so both are looked
        for. In seconds since 1970.
    """

    paths: Collection[str]
    added: Collection[str] = ()
    costs: CallCosts = TYPICAL_COSTS
    sizes: KnownSizes = field(default_factory=KnownSizes)
    linked_before_s: int | None = None


@dataclass
class Reading:
    """What was read: pieces by path, in canonical order.

    ``carried`` is what nobody asked for: files of the base that share their content with a new name, and the
    folders that they stand in.
    """

    pieces: dict[str, Piece]
    carried: tuple[str, ...]
    plans: tuple[FetchPlan, ...]

    def by_listed(self, paths: Collection[str]) -> dict[str, list[FileEntry]]:
        """The entries by the name that the engine lists, usually one each."""
        wanted = set(paths)
        found: defaultdict[str, list[FileEntry]] = defaultdict(list)
        for path, piece in self.pieces.items():
            found[path if path in wanted else as_the_engine_lists(path)].append(piece.entry)
        return found


def read_pieces(
    source: FileSource,
    request: Request,
    sink: Sink,
    *,
    may_carry: Callable[[str], bool] = lambda _: True,
) -> Reading:
    """Read what stands at the paths of ``request``; one where nothing stands is left out.

    ``may_carry`` says whether a file that nobody asked for may come along as a further name.
    """
    reader = _Reader(source, request, sink)
    plan = reader.planned(request.paths, request.added)
    plans = [plan]
    refused = reader.carry_out(plan)
    if refused:
        # A link that leads round in a circle, or a path with a file on its way: it comes with its folder.
        plans.append(plan_fetch(refused, (), request.costs, request.sizes, not_addressable=refused))
        reader.carry_out(plans[-1])
    carried: tuple[str, ...] = ()
    if sink.reads_content:
        plans += reader.find_links_between_calls()
        carried = reader.carried(may_carry)
        # An engine gives a folder that is not in the layer an owner and mode of its own (moby, Unpack).
        if folders := reader.folders_above(carried):
            plans.append(reader.planned(folders))
            reader.carry_out(plans[-1])
            carried = (*carried, *(folder for folder in folders if folder in reader.pieces))
    return Reading(reader.resolved(carried), carried, tuple(plans))


def _plan_export(paths: Collection[str]) -> FetchPlan:
    """The calls that bring ``paths`` where an export alone is true: it lacks the root itself."""
    root: tuple[Step, ...] = (ReadPath("/"),) if "/" in paths else ()
    rest: tuple[Step, ...] = (ReadEverything(),) if set(paths) - {"/"} else ()
    return FetchPlan(root + rest, 0.0)


class _Reader:
    """The state of one reading.

    Attributes
    ----------
    fetched_by:
        For each path the step that brought it.
    names:
        For each name of a file with several, all that were met.
    originals:
        For a further name whose first name is not wanted: that first name, and the step that told it.
    """

    def __init__(self, source: FileSource, request: Request, sink: Sink) -> None:
        self.source = source
        self.request = request
        self.sink = sink
        self.wanted: set[str] = set()
        self.pieces: dict[str, Piece] = {}
        self.fetched_by: dict[str, Step] = {}
        self.names: dict[str, set[str]] = {}
        self.originals: dict[str, tuple[str, Step]] = {}

    def planned(self, paths: Collection[str], added: Collection[str] = ()) -> FetchPlan:
        """The calls that bring ``paths``, which are wanted from now on."""
        self.wanted.update(paths)
        if not self.source.gives_single_paths:
            return _plan_export(paths)
        return plan_fetch(paths, added, self.request.costs, self.request.sizes)

    def carry_out(self, plan: FetchPlan) -> list[str]:
        """Make the plan's calls; returns the paths that the engine refused to hand out by themselves."""
        refused = []
        for step in plan.steps:
            try:
                for member in _members(self.source, step):
                    self._take(member, step)
            except PathNotFound:
                continue
            except EngineUnreachable:
                raise
            except EngineError:
                if not isinstance(step, ReadPath):
                    raise
                refused.append(step.path)
        self._take_originals()
        return refused

    def _take(self, member: Member, step: Step) -> None:
        path = member.entry.path
        if member.link_to:
            # Also of a name that nobody asked for: it may have to be carried along.
            self._note_link(path, member.link_to)
        if not self._is_wanted(path) or path in self.pieces:
            return
        if not member.link_to:
            self.pieces[path] = self.sink.add(member)
        else:
            original = self.pieces.get(member.link_to)
            if original is None:
                self.originals[path] = (member.link_to, step)
                return
            first = original.entry.hard_link or member.link_to
            self.pieces[path] = self.sink.add_link(original.as_link(path, first))
        self.fetched_by[path] = step

    def _take_originals(self) -> None:
        """Read the files whose first name is not wanted: their content stood there."""
        missing: defaultdict[tuple[str, Step], list[str]] = defaultdict(list)
        for path, origin in self.originals.items():
            if path not in self.pieces:
                missing[origin].append(path)
        again: defaultdict[Step, dict[str, list[str]]] = defaultdict(dict)
        for (first, step), paths in missing.items():
            # Asked for alone, each name brings the content; one that is not UTF-8 cannot be asked for.
            plain = [name for name in (*paths, first) if as_the_engine_lists(name) == name]
            if not plain or not self.source.gives_single_paths:
                again[step][first] = paths
                continue
            alone = ReadPath(plain[0])
            with suppress(PathNotFound):
                for member in _members(self.source, alone):
                    self._take_as(paths, member, alone)
        for step, firsts in again.items():
            for member in _members(self.source, step):
                self._take_as(firsts.get(member.entry.path, ()), member, step)

    def _take_as(self, paths: Sequence[str], member: Member, step: Step) -> None:
        """Take a file by names that it has, whichever it came by."""
        for path in paths:
            if path == paths[0]:
                piece = self.sink.add(replace(member, entry=replace(member.entry, path=path)))
            else:
                piece = self.sink.add_link(self.pieces[paths[0]].as_link(path, paths[0]))
            self.pieces[path] = piece
            self.fetched_by[path] = step

    def _is_wanted(self, path: str) -> bool:
        return path in self.wanted or as_the_engine_lists(path) in self.wanted

    def _note_link(self, path: str, original: str) -> None:
        # Different calls may tell the same file by different names.
        group = self.names.setdefault(original, {original})
        other = self.names.setdefault(path, {path})
        if group is not other:
            small, large = sorted((group, other), key=len)
            large |= small
            self.names.update(dict.fromkeys(small, large))

    def _groups(self) -> list[set[str]]:
        """The names of each file that has several."""
        return list({id(group): group for group in self.names.values()}.values())

    def find_links_between_calls(self) -> list[FetchPlan]:
        """Look again at files that came by different calls and look like names of one file.

        And at those that are older than the container: they may be names of a file that nobody changed.
        """
        suspects = self._alike()
        everywhere = self._older_than_the_container()
        if not suspects and not everywhere:
            return []
        folder = "/" if everywhere else posixpath.commonpath(suspects)
        step: Step = ReadEverything() if folder == "/" else ReadFolder(folder)
        for member in _members(self.source, step):
            if member.link_to:
                self._note_link(member.entry.path, member.link_to)
        return [FetchPlan((step,), 0.0)]

    def _alike(self) -> list[str]:
        alike: defaultdict[tuple[object, ...], list[str]] = defaultdict(list)
        for path, step in self.fetched_by.items():
            piece = self.pieces[path]
            entry = piece.entry
            if entry.type is FileType.FILE and not isinstance(step, ReadEverything):
                key = (entry.sha256, piece.mtime_s, entry.mode, entry.uid, entry.gid, entry.size_bytes)
                alike[key].append(path)
        return [
            path
            for group in alike.values()
            if len(group) > 1 and len({self.fetched_by[path] for path in group}) > 1
            for path in group
        ]

    def _older_than_the_container(self) -> bool:
        before_s = self.request.linked_before_s
        return before_s is not None and any(
            self.pieces[path].mtime_s < before_s and self.pieces[path].entry.type is FileType.FILE
            for path, step in self.fetched_by.items()
            if not isinstance(step, ReadEverything)
        )

    def carried(self, may_carry: Callable[[str], bool]) -> tuple[str, ...]:
        """Names of the base that belong to a file that was read."""
        if self.request.linked_before_s is None:
            return ()
        names = {name for group in self._groups() if group & self.pieces.keys() for name in group}
        return tuple(sorted(name for name in names - self.pieces.keys() if may_carry(name)))

    def folders_above(self, carried: Sequence[str]) -> tuple[str, ...]:
        """The folders that carried names stand in and nobody asked for."""
        above = {folder for name in carried for folder in folders_above(name)}
        return tuple(sorted(above - self.pieces.keys()))

    def resolved(self, carried: Sequence[str]) -> dict[str, Piece]:
        """All pieces in canonical order; of several names of one file the first has the content."""
        for group in self._groups():
            known = [self.pieces[name] for name in group if name in self.pieces]
            for name in group.intersection(carried) if known else ():
                self.pieces[name] = known[0].as_link(name, "")
            names = sorted(group & self.pieces.keys(), key=component_order)
            self._name_first(names)
        return {path: self.pieces[path] for path in sorted(self.pieces, key=component_order)}

    def _name_first(self, names: list[str]) -> None:
        if not names:
            return
        with_content = next(
            (self.pieces[name] for name in names if not self.pieces[name].entry.hard_link),
            self.pieces[names[0]],
        )
        for name in names:
            first = "" if name == names[0] else names[0]
            if self.pieces[name].entry.hard_link != first:
                self.pieces[name] = with_content.as_link(name, first)


def _members(source: FileSource, step: Step) -> Iterator[Member]:
    if isinstance(step, ReadEverything):
        with source.export() as stream:
            yield from read_members(stream, "/", strip=0)
        return
    with source.archive(step.path) as stream:
        for member in read_members(stream, step.path, strip=int(step.path != "/")):
            yield member
            if isinstance(step, ReadPath):
                # A folder's own header comes first; what is below it is not asked for.
                return


def read_everything(source: FileSource) -> dict[str, FileEntry]:
    """All that stands in a container, files hashed, by path. The root itself is not among it."""
    sink = Hashes()
    pieces: dict[str, Piece] = {}
    for member in _members(source, ReadEverything()):
        original = pieces.get(member.link_to)
        path = member.entry.path
        pieces[path] = original.as_link(path, member.link_to) if original else sink.add(member)
    return {path: piece.entry for path, piece in pieces.items()}
