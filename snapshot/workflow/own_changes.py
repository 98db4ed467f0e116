"""All that a snapshot changed, as one canonical layer: to be carried to another base, or written out."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from snapshot.changeset.capture import without_what_a_file_replaced
from snapshot.changeset.entry import Changeset, FileType, PathChange
from snapshot.changeset.fetch_plan import KnownSizes
from snapshot.changeset.layer import Layer, LayerSpool, Piece, Whiteout, check_room
from snapshot.changeset.layer_members import layer_members
from snapshot.changeset.manifest import ManifestDamaged
from snapshot.changeset.member import Member
from snapshot.changeset.names import refuse_whiteout_names
from snapshot.changeset.paths import (
    component_order,
    folders_above,
    is_engine_path,
    split_off_engine_paths,
    topmost,
)
from snapshot.changeset.reader import Request, read_pieces
from snapshot.engine.client import Engine
from snapshot.engine.types import Change, ChangeKind, Image
from snapshot.errors import InvalidInput, Refused, SnapError
from snapshot.image.record import Record, RecordDamaged
from snapshot.image.saved import SavedImage, SavedImageUnreadable, SavedLayer
from snapshot.workflow.compared.engine_image import EngineImage
from snapshot.workflow.diff_images import base_on_engine, files_that_differ, side_of
from snapshot.workflow.fold import changes_against_origin, check_foldable, root_folder_above
from snapshot.workflow.helper import files_of_image
from snapshot.workflow.image_files import files_of
from snapshot.workflow.layer_checks import layer_findings
from snapshot.workflow.layer_list import take_layer, take_members
from snapshot.workflow.methods.interface import CaptureWay
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.reader import call_costs
from snapshot.workflow.recorded_changes import as_recorded, recorded_changes

_LATER_THAN_ANY_FILE_S = 1 << 63


class OwnChanges(NamedTuple):
    """What an image changed against one that it stands on.

    Attributes
    ----------
    changeset:
        In canonical order, with the folders that something changed in (as C), as an engine lists them.
        Where the list had to be read from the layer, all that stands there is C: whether a path was added
        no layer tells.
    layer:
        All of it in one layer, to be read as long as the stack is open; ``None`` where no file changed.
    record:
        The image's; ``None`` where it has none.
    """

    changeset: Changeset
    layer: Layer | None
    record: Record | None


def own_changes(
    engine: Engine,
    image: Image,
    name: str,
    stack: ExitStack,
    *,
    origin: bool = False,
    against: Image | None = None,
    fixed_time_s: int | None = None,
    progress: Progress = SILENT,
) -> OwnChanges:
    """What ``image`` changed, read from it and held against its record.

    The recorded list says which paths; they are read from a container that is never started. Where one layer
    holds them and what was read is not that layer (the archive calls carry no ``user.*`` attributes), its own
    bytes are taken from the image as the engine saves it. Of several layers those attributes are told
    only where the engine's files can be read directly.

    Parameters
    ----------
    name:
        What the user calls the image.
    stack:
        Holds the layer.
    origin:
        Take all that snap added: against the image below all snapshots that this one stands on, in place of
        the recorded base.
    against:
        Another image: the files of both are compared then, and the record is not asked.
    fixed_time_s:
        In seconds since 1970: files that are newer get this time.

    Raises
    ------
    InvalidInput
        The image has no record, and ``against`` is not given.
    SnapError
        The record was edited, or the image does not hold what it says.
    Refused
        The image does not stand on the ``origin`` that its record names.
    """
    job = _Job(engine, image, name, stack, progress)
    record: Record | None
    if against is not None:
        record = Record.if_intact(image.config.labels)
        changes, layer = job.compared(against)
    else:
        record = recorded(image, name)
        if origin and record.first_base:
            changes, layer = job.against_origin(record)
        else:
            changes, layer = job.as_recorded(record)
    if layer and fixed_time_s is not None:
        layer = _not_later(layer, fixed_time_s, stack)
    return OwnChanges(Changeset(changes), layer, record)


def recorded(image: Image, name: str) -> Record:
    """The record of an image, which its layers hold.

    Raises :class:`~snapshot.errors.InvalidInput` where it has none, and :class:`~snapshot.errors.SnapError`
    where it was edited, or other layers are in the image.
    """
    try:
        record = Record.from_labels(image.config.labels)
    except RecordDamaged as error:
        raise SnapError(f"What '{name}' changed is not known: {error}.") from error
    if record is None:
        raise InvalidInput(
            f"'{name}' has no record of snap's, so what it changed is not known.",
            "Name an image that `snap commit` or `snap patch` made.",
        )
    for finding in layer_findings(record, image):
        if not finding.passed:
            raise _not_as_recorded(name, f"{finding.subject}: {finding.detail}")
    return record


_Found = tuple[tuple[PathChange, ...], Layer | None]


class _Job:
    """One reading of an image's changes."""

    def __init__(self, engine: Engine, image: Image, name: str, stack: ExitStack, progress: Progress) -> None:
        self.engine = engine
        self.image = image
        self.name = name
        self.stack = stack
        self.progress = progress

    def as_recorded(self, record: Record) -> _Found:
        """The recorded changes."""
        changes: tuple[PathChange, ...] | None = None
        # What is kept on this machine can be damaged, and the layer tells it again.
        with suppress(ManifestDamaged):
            changes = recorded_changes(record, self.image)
        if changes is not None:
            if not changes:
                return (), None
            _refuse_disorder(changes, self.name)
            layer = self._read_as_recorded(record, changes)
            if layer:
                return changes, layer
        added = self.image.layers[record.base.layer_count :]
        if len(added) == 1:
            found = self._from_layer(record, added[0])
            if found:
                return (changes or found[0]), found[1]
        if changes is not None:
            raise _not_as_recorded(self.name, "its files are not the recorded ones")
        base = base_on_engine(self.engine, record.base)
        if base is None:
            raise SnapError(
                f"What '{self.name}' changed is not known: the list of its files was too large for the image,"
                f" and is kept where it was made; its base {record.base.shown} is not here.",
                "Get the base, or do it where the image was made.",
            )
        return self.compared(base)

    def against_origin(self, record: Record) -> _Found:
        """All that the snapshots changed that the image stands on, and it itself."""
        check_foldable(self.image, record.origin)
        self.progress.stage(f"reading the layers of {self.name}")
        listed = changes_against_origin(self.engine, self.image, record.origin, ())
        root = None
        if any(change.path == "/" for change in listed):
            root = root_folder_above(self.engine, self.image, record.origin)
        return self._read_listed(listed, root)

    def compared(self, base: Image) -> _Found:
        """What differs from another image, by the files of both."""
        old = EngineImage(self.engine, base, side_of(base))
        new = EngineImage(self.engine, self.image, side_of(self.image, self.name))
        found = files_that_differ(old, new, progress=self.progress)
        kinds = {change.path: change.kind for change in found.changeset.changes}
        # A folder that is not in a layer gets an owner and mode of the engine's own (moby, Unpack).
        above = {folder for path in kinds for folder in folders_above(path)}
        kinds = dict.fromkeys(above, ChangeKind.CHANGED) | kinds
        return self._read_listed([Change(kind, path) for path, kind in kinds.items()], find_links=True)

    def _read_listed(
        self, listed: Iterable[Change], root: Member | None = None, *, find_links: bool = False
    ) -> _Found:
        """What stands at listed paths; with ``find_links`` also unchanged files that got a further name.

        ``root`` is the root folder, where it is known better than an engine tells it.
        """
        kinds = {change.path: change.kind for change in listed if not is_engine_path(change.path)}
        spool, pieces = self._read(kinds, 0, self.stack, find_links=find_links)
        if root:
            pieces["/"] = Piece(root.entry, root.mtime_s, root.xattrs)
        # A path that is listed and not to be read is a socket, which no layer of an engine holds.
        changes = [
            PathChange(kinds.get(path, ChangeKind.CHANGED), path, piece.entry)
            for path, piece in pieces.items()
        ]
        changes += [PathChange(kind, path) for path, kind in kinds.items() if kind is ChangeKind.DELETED]
        changes.sort(key=lambda change: component_order(change.path))
        found = tuple(without_what_a_file_replaced(changes))
        return found, _sealed(spool, found, pieces)

    def _from_layer(self, record: Record, diff_id: str) -> _Found | None:
        """The layer itself, as the engine saves it; ``None`` where it does not tell the recorded changes."""
        self.progress.stage(f"reading the layers of {self.name}")
        # Those below can be large.
        others = set(self.image.layers) - {diff_id}
        check_room(record.size_bytes)
        try:
            with self.engine.transfer.save(self.image.id) as stream:
                for layer in SavedImage(stream).layers(passing_over=others):
                    with ExitStack() as trial:
                        found = _taken(layer, diff_id, trial.enter_context(LayerSpool()))
                        if found:
                            self.stack.push(trial.pop_all())
                            as_recorded(record, found[0])
                            return found
        except ManifestDamaged as error:
            if record.diff_id:
                raise _not_as_recorded(self.name, str(error)) from error
        except SavedImageUnreadable:
            pass
        return None

    def _read_as_recorded(self, record: Record, changes: Sequence[PathChange]) -> Layer | None:
        """The layer, where what stands in the image is what was recorded."""
        with ExitStack() as trial:
            kinds = {change.path: change.kind for change in changes}
            spool, pieces = self._read(kinds, record.size_bytes, trial)
            seen = [(path, piece.entry) for path, piece in pieces.items()]
            if seen != [(change.path, change.file) for change in changes if change.file]:
                return None
            layer = _sealed(spool, changes, pieces)
            if record.diff_id and layer and layer.diff_id != record.diff_id:
                return None
            self.stack.push(trial.pop_all())
            return layer

    def _read(
        self,
        kinds: Mapping[str, ChangeKind],
        size_bytes: int,
        stack: ExitStack,
        *,
        find_links: bool = False,
    ) -> tuple[LayerSpool, dict[str, Piece]]:
        """Read what stands at the changed paths, through a container that is never started."""
        check_room(size_bytes)
        self.progress.stage(f"reading what {self.name} changed", size_bytes)
        deleted = [path for path, kind in kinds.items() if kind is ChangeKind.DELETED]
        deleted.sort(key=component_order)
        spool = stack.enter_context(LayerSpool(deleted, on_bytes=self.progress.advance))
        request = Request(
            [path for path, kind in kinds.items() if kind is not ChangeKind.DELETED],
            topmost(path for path, kind in kinds.items() if kind is ChangeKind.ADDED),
            call_costs(self.engine),
            KnownSizes(self.image.size_bytes, size_bytes),
            linked_before_s=_LATER_THAN_ANY_FILE_S if find_links else None,
        )
        with files_of_image(self.engine, self.image.id) as files:
            reading = read_pieces(files, request, spool, may_carry=lambda path: not is_engine_path(path))
        return spool, self._with_attributes(reading.pieces)

    def _with_attributes(self, pieces: Mapping[str, Piece]) -> dict[str, Piece]:
        """The same with the attributes that an engine's archives leave out, where the files can be seen."""
        found = dict(pieces)
        with suppress(Refused), files_of(self.engine, self.image, CaptureWay.DIRECT) as files:
            for path, piece in pieces.items():
                member = files.at(path)
                if member and dict(member.xattrs) != dict(piece.xattrs):
                    found[path] = replace(piece, xattrs=member.xattrs)
        return found


def _taken(layer: SavedLayer, diff_id: str, spool: LayerSpool) -> _Found | None:
    """The layer, if it is the one with that digest, without what an engine itself put there."""
    changes, pieces = take_layer(layer, spool)
    if layer.diff_id() != diff_id:
        return None
    kept, _ = split_off_engine_paths([Change(change.kind, change.path) for change in changes], ())
    wanted = {change.path for change in kept}
    changes = tuple(change for change in changes if change.path in wanted)
    return changes, _sealed(spool, changes, pieces)


def _sealed(spool: LayerSpool, changes: Iterable[PathChange], pieces: Mapping[str, Piece]) -> Layer | None:
    contents = [
        Whiteout(change.path) if change.kind is ChangeKind.DELETED else pieces[change.path]
        for change in changes
    ]
    return spool.seal(contents) if contents else None


def _not_later(layer: Layer, fixed_time_s: int, stack: ExitStack) -> Layer | None:
    """The layer with no time in it that is later."""
    spool = stack.enter_context(LayerSpool(latest_mtime_s=fixed_time_s))
    return _sealed(spool, *take_members(layer_members(layer), spool))


def _refuse_disorder(changes: Sequence[PathChange], name: str) -> None:
    """Raise where a list is none of snap's: it comes from an image, which can be anyone's."""
    keys = [component_order(change.path) for change in changes]
    plain = all(posixpath.normpath(change.path) == change.path for change in changes)
    no_folders = {
        change.path for change in changes if change.file and change.file.type is not FileType.FOLDER
    }
    in_folders = not any(above in no_folders for change in changes for above in folders_above(change.path))
    if not (plain and in_folders) or any(before >= after for before, after in pairwise(keys)):
        raise SnapError(f"What '{name}' changed is not known: the list of its files is no list of snap's.")
    refuse_whiteout_names(change.path for change in changes if change.file)


def _not_as_recorded(name: str, detail: str) -> SnapError:
    return SnapError(
        f"'{name}' does not hold what its record says ({detail}).",
        f"See `snap verify --deep {name}`.",
    )
