"""Reading the files of a container on Podman, whose answers differ from Docker's in what matters most.

Seen in Podman 4.3 (its ``libpod/container_copy_common.go``, ``libpod/diff.go`` and containers/storage's
``pkg/archive/changes.go``):

- The archive of a path has the container's user for every owner, and follows a symlink that is asked for.
- The list of changes has whatever was copied up, lacks a folder of which the owner alone changed, has a
  folder that was emptied and filled again as deleted, and fails where a folder took the place of a file.

An export is true. So the changes are found by holding one of the container against one of its image, and a
reader is told that files are to be had together alone.
"""

from __future__ import annotations

import hashlib
import io
import secrets
import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from snapshot.engine.files import ContainerFiles
from snapshot.engine.processes import as_podman_takes_it
from snapshot.engine.types import Change, ChangeKind, ContainerSpec, PathStat
from snapshot.errors import EngineError, EngineGone, EngineUnreachable, PathNotFound

if TYPE_CHECKING:
    from snapshot.engine.client import Engine
    from snapshot.engine.wire import Wire

#: What Podman puts in a started container (``initInodes`` of its ``libpod/diff.go``).
_ITS_OWN = frozenset(
    {
        "/etc/hostname",
        "/etc/hosts",
        "/etc/mtab",
        "/etc/resolv.conf",
        "/run/.containerenv",
        "/run/notify",
        "/run/podman-init",
        "/run/secrets",
    }
)
_PIECE_BYTES = 1 << 20
#: As snapshot.image.record has it: a container with this label is nobody's.
_HELPER_LABEL = "io.github.docker-snap.helper"

#: Opens the files of the image that the container was started from.
OpenBase = Callable[[], "AbstractContextManager[ContainerFiles]"]


class _Seen(NamedTuple):
    """What an export says of one path, as far as it counts as a change."""

    is_folder: bool
    fields: tuple[object, ...]


class PodmanFiles(ContainerFiles):
    """The files of one container on Podman (a :class:`~snapshot.changeset.source.FileSource`)."""

    gives_single_paths = False

    def __init__(self, wire: Wire, container_id: str, open_base: OpenBase) -> None:
        super().__init__(wire, container_id)
        self._open_base = open_base

    def changes(self) -> list[Change]:
        """What the container added, changed and deleted, by metadata and content; nothing of Podman's own."""
        with self._open_base() as base, base.export() as stream:
            before = _tree(stream)
        with self.export() as stream:
            after = _tree(stream)
        changes = _compared(before, after)
        listed = {change.path for change in changes}
        # A socket is in no export.
        sockets = [
            change
            for change in self._listed_by_podman()
            if change.kind is ChangeKind.ADDED and change.path not in after and self._is_socket(change.path)
        ]
        for change in sockets:
            changes += [above for above in _folders_above(change.path, before) if above.path not in listed]
            listed |= {above.path for above in changes}
        return changes + sockets

    def stat(self, path: str) -> PathStat:
        """What stands at ``path``, as :meth:`ContainerFiles.stat` has it."""
        if "*" in path:
            # Podman says of all of them that there are none.
            raise EngineError(f"Podman cannot be asked for '{path}': it takes no path with a '*'.")
        return super().stat(path)

    @contextmanager
    def archive(self, path: str) -> Iterator[IO[bytes]]:
        """A tar stream of ``path`` and all below it, all of it owned by the container's user.

        Of the root mode and time are true. Names and content are true everywhere.
        """
        with super().archive(path) as stream:
            if path == "/":
                # Its own header is missing there.
                stream = cast("IO[bytes]", _Joined(_header_of_root(self.stat(path)), stream))
            yield stream

    def _written(self, path: str) -> str:
        return as_podman_takes_it(path)

    def _listed_by_podman(self) -> list[Change]:
        try:
            return super().changes()
        except EngineUnreachable:
            raise
        except EngineError:
            return []

    def _is_socket(self, path: str) -> bool:
        with suppress(PathNotFound):
            return "*" not in path and self.stat(path).is_socket
        return False


@contextmanager
def files_of_base(engine: Engine, wire: Wire, container_id: str) -> Iterator[ContainerFiles]:
    """The files of a container's image, through a container that is made and never started."""
    spec = ContainerSpec(
        image=engine.container(container_id).image_id,
        name=f"snap-base-{secrets.token_hex(8)}",
        command=("/never-started",),
        working_dir="/",
        network="none",
        labels={_HELPER_LABEL: "changes"},
    )
    made = engine.create(spec)
    try:
        yield ContainerFiles(wire, made)
    finally:
        engine.remove(made)


def _tree(stream: IO[bytes]) -> dict[str, _Seen]:
    """All that an export holds, by path."""
    tree: dict[str, _Seen] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:
            for info in tar:
                path = _absolute(info.name)
                tree[path] = tree[_absolute(info.linkname)] if info.islnk() else _seen(tar, info)
    except (tarfile.TarError, KeyError) as error:
        raise EngineGone(
            f"The engine's export broke off or is damaged ({error}).",
            "See whether the engine still runs with `snap engine`, then try again.",
        ) from error
    return tree


def _seen(tar: tarfile.TarFile, info: tarfile.TarInfo) -> _Seen:
    xattrs = tuple(sorted((k, v) for k, v in info.pax_headers.items() if k.startswith("SCHILY.xattr.")))
    of_all = (info.type, info.mode & 0o7777, info.uid, info.gid, xattrs)
    if info.isdir():
        return _Seen(True, of_all)
    digest = hashlib.sha256()
    if content := tar.extractfile(info) if info.isreg() else None:
        while piece := content.read(_PIECE_BYTES):
            digest.update(piece)
    device = (info.devmajor, info.devminor) if info.ischr() or info.isblk() else ()
    return _Seen(False, (*of_all, int(info.mtime), info.size, info.linkname, device, digest.digest()))


def _compared(before: Mapping[str, _Seen], after: Mapping[str, _Seen]) -> list[Change]:
    """The changes from one tree to another, with the folders that they stand in."""
    found: dict[str, ChangeKind] = {}
    for path, seen in after.items():
        if path in _ITS_OWN and _parent(path) in before:
            # It would make the folder look as if that had changed on its account alone.
            continue
        if path not in before:
            found[path] = ChangeKind.ADDED
        elif seen != before[path]:
            found[path] = ChangeKind.CHANGED
    for path in before.keys() - after.keys():
        above = _parent(path)
        # A deleted folder is one change, and so is one that became something else.
        if above == "/" or (above in after and after[above].is_folder):
            found[path] = ChangeKind.DELETED
    for path in list(found):
        for change in _folders_above(path, before):
            found.setdefault(change.path, change.kind)
    return [Change(kind, path) for path, kind in found.items()]


def _folders_above(path: str, before: Collection[str]) -> Iterator[Change]:
    while (path := _parent(path)) != "/":
        yield Change(ChangeKind.CHANGED if path in before else ChangeKind.ADDED, path)


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _absolute(name: str) -> str:
    return "/" + name.removeprefix("./").strip("/")


def _header_of_root(stat: PathStat) -> bytes:
    info = tarfile.TarInfo("./")
    info.type, info.mode, info.mtime = tarfile.DIRTYPE, stat.unix_mode, stat.mtime_s
    return info.tobuf(tarfile.USTAR_FORMAT)


class _Joined(io.RawIOBase):
    """Some bytes, and then a stream."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if not self._head:
            return self._rest.read(size)
        piece = self._head if size < 0 else self._head[:size]
        self._head = self._head[len(piece) :]
        return piece
