"""Choosing how a container's files are read: directly where that is safe, else over the engine's API."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from snapshot.changeset.capture import ApiReader, ChangeReader, DirectReader
from snapshot.changeset.fetch_plan import CallCosts, KnownSizes
from snapshot.changeset.layer import Piece, check_room
from snapshot.changeset.reader import TYPICAL_COSTS, Headers, Request, read_pieces
from snapshot.changeset.source import FileSource
from snapshot.changeset.upper_folder import NotReadableDirectly, UpperFolder
from snapshot.engine.client import Engine
from snapshot.engine.times import whole_seconds
from snapshot.engine.types import Change, ChangeKind, Container, Image
from snapshot.errors import Refused
from snapshot.workflow.helper import files_of_image
from snapshot.workflow.methods.interface import CaptureWay

# Docker before 23 starts a process in the container's root for each call.
_COSTS_OF_OLD_DOCKER = CallCosts(call_s=0.06, file_s=0.00006, bytes_per_s=250e6)
_FIRST_QUICK_DOCKER = 23
_DEFAULT_ROOT = (0o755, 0, 0)


@dataclass(frozen=True)
class Chosen:
    """A way to a container's files, the changes that it lists with their size, and why this way, in words."""

    reader: ChangeReader
    changes: Sequence[Change]
    size_bytes: int
    reason: str


def choose_reader(
    engine: Engine, container: Container, base: Image, way: CaptureWay, stack: ExitStack
) -> Chosen:
    """List a container's changes, by the way asked for or the best; open as long as ``stack``.

    Raises :class:`~snapshot.errors.Refused` where the direct way was asked for and is not to be had.
    """
    files = engine.files(container.id)
    root = _root_of(files)
    changed_root = [Change(ChangeKind.CHANGED, "/")] if _root_differs(engine, base, root) else []
    reason = "as asked"
    if way is not CaptureWay.API:
        try:
            upper = stack.enter_context(open_upper(engine, container, root))
            changes = upper.changes()
            size_bytes = upper.size_bytes([change.path for change in changes])
            check_room(size_bytes)
            return Chosen(DirectReader(upper), [*changed_root, *changes], size_bytes, "its files are here")
        except NotReadableDirectly as error:
            if way is CaptureWay.DIRECT:
                raise Refused(
                    f"'{container.name}' cannot be read directly: {error}.",
                    "Leave out --capture direct: the engine's API reads it from anywhere.",
                ) from error
            reason = str(error)
    changed_bytes = engine.changed_bytes(container.id)
    check_room(changed_bytes)
    reader = ApiReader(
        files,
        call_costs(engine),
        KnownSizes(base.size_bytes, changed_bytes),
        linked_before_s=whole_seconds(container.created),
    )
    return Chosen(reader, [*changed_root, *reader.changes()], changed_bytes, reason)


def open_upper(engine: Engine, container: Container, root: Piece | None = None) -> UpperFolder:
    """Open the upper folder of a container, of which ``root`` is ``/`` as the engine has it.

    Raises :class:`~snapshot.changeset.upper_folder.NotReadableDirectly`.
    """
    if not engine.endpoint.url.startswith("unix://"):
        raise NotReadableDirectly("the engine may be on another machine")
    if not container.upper_folder:
        raise NotReadableDirectly("the engine does not say where the container's files are")
    root = root or _root_of(engine.files(container.id))
    upper = UpperFolder.open(container.upper_folder, container.lower_folders)
    # In a user namespace, or if this were the folder of something else, the engine would say otherwise.
    if upper.root_owner() != (root.entry.uid, root.entry.gid):
        upper.close()
        raise NotReadableDirectly("owners are other ones there than in the container")
    return upper


def _root_of(files: FileSource) -> Piece:
    return read_pieces(files, Request(["/"]), Headers()).pieces["/"]


def _root_differs(engine: Engine, base: Image, root: Piece) -> bool:
    """Whether mode or owner of ``/`` were changed: no engine lists that, and its own commit loses it."""
    seen = (root.entry.mode, root.entry.uid, root.entry.gid)
    if seen == _DEFAULT_ROOT:
        return False
    with files_of_image(engine, base.id) as files:
        return _root_of(files).entry != root.entry


def call_costs(engine: Engine) -> CallCosts:
    """What the archive calls of an engine cost."""
    # Podman is not asked: its answer takes half a second.
    old = not engine.is_podman and engine.version.major < _FIRST_QUICK_DOCKER
    return _COSTS_OF_OLD_DOCKER if old else TYPICAL_COSTS
