"""Taking the changeset of a container, and the layer that holds it."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from snapshot.changeset.entry import Changeset, FileEntry, FileType, PathChange, Skipped
from snapshot.changeset.exclusion import Excluded, Exclusion
from snapshot.changeset.fetch_plan import CallCosts, KnownSizes
from snapshot.changeset.layer import Layer, LayerSpool, Piece, Whiteout
from snapshot.changeset.names import refuse_whiteout_names
from snapshot.changeset.paths import component_order, is_at_or_below, split_off_engine_paths, topmost
from snapshot.changeset.reader import (
    TYPICAL_COSTS,
    Hashes,
    Headers,
    Reading,
    Request,
    Sink,
    read_pieces,
)
from snapshot.changeset.source import FileSource
from snapshot.changeset.upper_folder import UpperFolder
from snapshot.engine.types import Change, ChangeKind
from snapshot.errors import EngineError, EngineUnreachable, Refused


class NameUnknown(Refused):
    """A deleted path's bytes are not known, so no layer can be written that deletes it."""


class ChangeReader(Protocol):
    """A way to a container's changes: over the engine's API, or directly."""

    @property
    def name(self) -> str:
        """``api`` or ``direct``."""
        ...

    def changes(self) -> Sequence[Change]:
        """What was added, changed and deleted, in any order."""
        ...

    def read(
        self, paths: Collection[str], added: Collection[str], sink: Sink, may_carry: Callable[[str], bool], /
    ) -> Reading:
        """Read what stands at ``paths``; all below those in ``added`` is new."""
        ...

    def why_absent(self, path: str) -> str:
        """Why a listed path was not to be read: ``socket``, ``gone`` or ``unreadable``."""
        ...


@dataclass(frozen=True)
class ApiReader:
    """Over the engine's archive calls, from anywhere."""

    source: FileSource
    costs: CallCosts = TYPICAL_COSTS
    sizes: KnownSizes = field(default_factory=KnownSizes)
    linked_before_s: int | None = None
    name = "api"

    def changes(self) -> Sequence[Change]:
        """The engine's own list."""
        return self.source.changes()

    def read(
        self, paths: Collection[str], added: Collection[str], sink: Sink, may_carry: Callable[[str], bool], /
    ) -> Reading:
        """As :func:`~snapshot.changeset.reader.read_pieces` does."""
        request = Request(paths, added, self.costs, self.sizes, self.linked_before_s)
        return read_pieces(self.source, request, sink, may_carry=may_carry)

    def why_absent(self, path: str) -> str:
        """A path that is listed, but in no archive: sockets cannot be in a tar (moby skips them)."""
        try:
            return "socket" if self.source.stat(path).is_socket else "unreadable"
        except EngineUnreachable:
            raise
        except EngineError:
            # Refused is a path with a file on its way.
            return "gone"


@dataclass(frozen=True)
class DirectReader:
    """From the container's upper folder of overlay2, where that is on this machine."""

    upper: UpperFolder
    name = "direct"

    def changes(self) -> Sequence[Change]:
        """As the engine would list them, and what it cannot see."""
        return self.upper.changes()

    def read(
        self,
        paths: Collection[str],
        _added: Collection[str],
        sink: Sink,
        _may_carry: Callable[[str], bool],
        /,
    ) -> Reading:
        """Read the files themselves; names of one file are known by their inode."""
        pieces: dict[str, Piece] = {}
        for member in self.upper.members(paths):
            path = member.entry.path
            if not member.link_to:
                pieces[path] = sink.add(member)
            elif original := pieces.get(member.link_to):
                pieces[path] = sink.add_link(original.as_link(path, member.link_to))
        return Reading(pieces, (), ())

    def why_absent(self, path: str) -> str:
        """What stands there is a socket, or went since it was listed."""
        return "socket" if self.upper.is_socket(path) else "gone"


@dataclass(frozen=True)
class LeftOut:
    """A changed path that a rule kept out of the image."""

    path: str
    rule: str
    size_bytes: int


@dataclass(frozen=True)
class Captured:
    """A container's changes, and the layer that holds them.

    ``layer`` is ``None`` where no file changed. It can be read as long as the spool is open.
    """

    changeset: Changeset
    layer: Layer | None
    left_out: tuple[LeftOut, ...]
    reading: Reading


def capture(
    reader: ChangeReader,
    mount_points: Collection[str] = (),
    *,
    listed: Sequence[Change] | None = None,
    hash_content: bool,
    with_engine_paths: bool = False,
) -> Changeset:
    """Everything that a container changed against its image, with what stands there now.

    Parameters
    ----------
    reader:
        The way to the container's files. For a true picture it should not run while it is read.
    mount_points:
        Where volumes and bind mounts are: their data is not the container's.
    listed:
        The changes, where these are not the reader's own.
    hash_content:
        Whether files are read for their sha256.
    with_engine_paths:
        Whether what the engine itself put there counts as changes too.
    """
    if listed is None:
        listed = reader.changes()
    kept, engine_paths = split_off_engine_paths(listed, mount_points)
    if with_engine_paths:
        kept, engine_paths = sorted(listed, key=lambda change: component_order(change.path)), []
    sink = Hashes() if hash_content else Headers()
    reading = _read(reader, kept, mount_points, sink, lambda _: False)
    return _changeset(reader, kept, engine_paths, reading)


def capture_layer(
    reader: ChangeReader,
    listed: Sequence[Change],
    mount_points: Collection[str],
    spool: Callable[[list[str]], LayerSpool],
    *,
    exclusion: Exclusion,
) -> Captured:
    """Take a container's changes into a layer.

    Parameters
    ----------
    listed:
        The changes: the reader's own, or those against an image further down.
    spool:
        Makes the spool when the deleted paths are known, which are given to it.
    exclusion:
        What is to be left out.

    Raises :class:`~snapshot.errors.Refused` for a name that no layer can hold, and :class:`NameUnknown`.
    """
    changes, engine_paths = split_off_engine_paths(listed, mount_points)
    kept, excluded = exclusion.part(changes)
    deleted = [change.path for change in kept if change.kind is ChangeKind.DELETED]
    refuse_whiteout_names(change.path for change in kept if change.kind is not ChangeKind.DELETED)
    _refuse_unknown_names(deleted)
    draft = spool(deleted)
    hidden = {change.path for change in engine_paths}

    def may_carry(path: str) -> bool:
        return path not in hidden and bool(exclusion.part([Change(ChangeKind.CHANGED, path)])[0])

    reading = _read(reader, kept, mount_points, draft, may_carry)
    changeset = _changeset(reader, kept, engine_paths, reading)
    contents = _in_the_layer(changeset, reading)
    layer = draft.seal(contents) if contents else None
    return Captured(changeset, layer, _left_out(reader, excluded, mount_points), reading)


def _read(
    reader: ChangeReader,
    changes: Sequence[Change],
    mount_points: Collection[str],
    sink: Sink,
    may_carry: Callable[[str], bool],
) -> Reading:
    present = [change.path for change in changes if change.kind is not ChangeKind.DELETED]
    return reader.read(present, _whole_trees(changes, mount_points), sink, may_carry)


def _whole_trees(changes: Sequence[Change], mount_points: Collection[str]) -> list[str]:
    """Added paths of which all below is new as well, so that one archive holds little that is unwanted."""
    added = topmost(change.path for change in changes if change.kind is ChangeKind.ADDED)
    return _without_mounts(added, mount_points)


def _without_mounts(paths: Sequence[str], mount_points: Collection[str]) -> list[str]:
    """Those without a mount point inside: the archive call would bring the volume's data along."""
    return [path for path in paths if not any(is_at_or_below(point, path) for point in mount_points)]


def _changeset(
    reader: ChangeReader, kept: Sequence[Change], engine_paths: Sequence[Change], reading: Reading
) -> Changeset:
    entries = reading.by_listed([change.path for change in kept])
    changes = {
        path: PathChange(ChangeKind.CHANGED, path, reading.pieces[path].entry) for path in reading.carried
    }
    for change in kept:
        for item in _with_entries(reader, change, entries.get(change.path, [])):
            changes[item.path] = item
    ordered = sorted(changes.values(), key=lambda change: component_order(change.path))
    return Changeset(
        changes=tuple(without_what_a_file_replaced(ordered)),
        engine_paths=tuple(change.path for change in engine_paths),
    )


def _with_entries(reader: ChangeReader, change: Change, entries: Sequence[FileEntry]) -> list[PathChange]:
    if change.kind is ChangeKind.DELETED:
        return [PathChange(change.kind, change.path)]
    if entries:
        return [PathChange(change.kind, entry.path, entry) for entry in entries]
    return [PathChange(change.kind, change.path, Skipped(change.path, reader.why_absent(change.path)))]


def without_what_a_file_replaced(ordered: Sequence[PathChange]) -> Iterator[PathChange]:
    """Leave out what stood below what is a folder no more: the engine lists it, and it says nothing."""
    no_folders: set[str] = set()
    for change in ordered:
        if change.file is None and posixpath.dirname(change.path) in no_folders:
            no_folders.add(change.path)
            continue
        if change.file and change.file.type is not FileType.FOLDER:
            no_folders.add(change.path)
        yield change


def _in_the_layer(changeset: Changeset, reading: Reading) -> list[Piece | Whiteout]:
    return [
        Whiteout(change.path) if change.kind is ChangeKind.DELETED else reading.pieces[change.path]
        for change in changeset.changes
        if change.file or change.kind is ChangeKind.DELETED
    ]


def _refuse_unknown_names(deleted: Sequence[str]) -> None:
    for path in deleted:
        if "\ufffd" in path:
            raise NameUnknown(
                f"'{path}' was deleted and its name is not UTF-8: the engine's list does not tell the bytes.",
                "Read the files directly (--capture direct), or leave it to the engine (--method engine).",
            )


def _left_out(
    reader: ChangeReader, excluded: Sequence[Excluded], mount_points: Collection[str]
) -> tuple[LeftOut, ...]:
    present = [item.change.path for item in excluded if item.change.kind is not ChangeKind.DELETED]
    whole = _without_mounts(topmost(present), mount_points)
    reading = reader.read(present, whole, Headers(), lambda _: False)
    entries = reading.by_listed(present)
    return tuple(
        LeftOut(
            item.change.path,
            str(item.rule),
            # Each name counts: which of them a call tells to be a further one is chance.
            sum(entry.size_bytes for entry in entries.get(item.change.path, [])),
        )
        for item in excluded
    )
