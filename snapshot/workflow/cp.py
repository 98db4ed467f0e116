"""Copying files into a container and out of it, running or not, as ``docker cp`` does.

Differences to ``docker cp``, all on purpose:

- Without ``keep_owner`` files belong to root in the container, with it to the numbers that they have here.
  That is what Docker documents; what it does is to keep the numbers in the first case, and to give all to the
  container's own user in the second one. So what a copy gives does not depend on who makes it.
- What cannot be read here is an error, before anything is copied; Docker leaves it out without a word.
- ``link/`` as a local source is the folder that the link leads to, as in a container; Docker sends the link.
- Out of a container, devices are left out and said; set-user-ID and set-group-ID bits and file capabilities
  are kept with ``keep_owner`` alone, which Docker knows on the way in only. A file takes the place of another
  one when it is whole. Pipes and sockets are no destination, nor are devices.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple

from snapshot.changeset.member import Member
from snapshot.changeset.paths import is_at_or_below
from snapshot.changeset.tar_header import END
from snapshot.changeset.tar_reader import read_members
from snapshot.engine.processes import Processes
from snapshot.engine.types import Container, PathStat
from snapshot.errors import EngineError, InvalidInput, PathNotFound, Refused, SnapError
from snapshot.journal.step import Copied, Step
from snapshot.workflow.copying.local_tar import LocalTar
from snapshot.workflow.copying.passed_tar import PassedTar
from snapshot.workflow.copying.rules import (
    STREAM,
    Destination,
    Source,
    container_path,
    means_content,
    must_be_folder,
    source_name,
    target_of,
)
from snapshot.workflow.copying.unpack import Unpacker
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.steps import StepKeeper

_PIECE_BYTES = 256 << 10


class CopyOptions(NamedTuple):
    """How files are copied.

    Attributes
    ----------
    keep_owner:
        Keep the numbers of user and group. Without it files belong to root in the container, and to who
        runs this here. A tar that is passed on keeps its owners in any case.
    follow_link:
        Where the source is a link, copy what it leads to, under the link's name.
    """

    keep_owner: bool = False
    follow_link: bool = False


class CopyResult(NamedTuple):
    """What was copied.

    Attributes
    ----------
    files, size_bytes:
        Number of regular files, and their bytes; a hard link counts as a file without bytes. For a tar that
        was written to a stream both are of the tar as a whole: no file, and its length.
    copied:
        The first thousand files that came into the container, with their digests; empty on the way out.
    skipped:
        What was left out: sockets on the way in, devices on the way out.
    step:
        The step in the container's journal; ``None`` on the way out, or where the journal could not be
        written.
    journal_failure:
        Why the step is not in the journal; empty where it is, or none is owed.
    """

    files: int
    size_bytes: int
    copied: tuple[Copied, ...] = ()
    skipped: tuple[str, ...] = ()
    step: Step | None = None
    journal_failure: str = ""


_DEFAULTS = CopyOptions()


def copy_in(
    processes: Processes,
    container: Container,
    source: str | BinaryIO,
    path: str,
    options: CopyOptions = _DEFAULTS,
    *,
    progress: Progress = SILENT,
) -> CopyResult:
    """Copy a local file or folder, or what is in a tar, into a container; a step in its journal.

    Parameters
    ----------
    source:
        A local path as the user wrote it, since a ``/`` or ``/.`` at its end means something
        (:mod:`~snapshot.workflow.copying.rules`); or a stream that gives a tar, plain or compressed.
    path:
        The destination in the container, as it was written; for a tar it has to be a folder.

    What goes wrong on the way leaves the files that came before, as with Docker. Of a small file nothing
    half is left, of one of more than a megabyte a part of it can be.

    Raises :class:`~snapshot.errors.PathNotFound` and :class:`~snapshot.errors.InvalidInput` before anything
    is copied where the paths do not fit, and :class:`~snapshot.errors.SnapError` for what cannot be read here
    or written there.
    """
    destination = _destination_inside(processes, container, path)
    if isinstance(source, str):
        local_path, local = _local_source(source, options)
        target = target_of(local, destination)
        folder = target.folder
        if not destination.exists:
            _expect_folder(processes, container, folder)
        files = LocalTar(local_path, target.name, folder, keep_owner=options.keep_owner)
        tar: LocalTar | PassedTar = files
        total_bytes, written = files.size_bytes(), source
    else:
        if not destination.is_folder:
            raise InvalidInput(
                f"'{destination.shown}' is not a folder, and a tar is unpacked in one.", "Name a folder."
            )
        folder = destination.path
        tar, total_bytes, written = PassedTar(source, folder), 0, STREAM
    draft = Step(0, "cp", (written, f"{container.name}:{path}"))
    with StepKeeper(processes, container, draft) as keeper:
        keeper.exit_code = 1
        progress.stage(f"copying to {container.name}", total_bytes)
        # The engine's own flag for owners gives all to the container's user: the tar says whose they are.
        processes.put_archive(
            container.id, folder, _watched(tar, progress.advance), no_overwrite_dir_non_dir=True
        )
        keeper.copied = tuple(tar.contents.copied)
        keeper.exit_code = 0
    contents = tar.contents
    return CopyResult(
        contents.files,
        contents.size_bytes,
        tuple(contents.copied),
        tuple(contents.skipped),
        keeper.step,
        keeper.failure,
    )


def copy_out(
    processes: Processes,
    container: Container,
    path: str,
    destination: str | BinaryIO,
    options: CopyOptions = _DEFAULTS,
    *,
    progress: Progress = SILENT,
) -> CopyResult:
    """Copy a file or folder of a container here, or write it to a stream as a tar.

    Parameters
    ----------
    path:
        The source in the container, as it was written: its end means something.
    destination:
        A local path as it was written, or a stream that takes the tar as the engine sends it.

    Nothing is written outside the destination, whatever the archive holds. What goes wrong on the way leaves
    the files that came before, and none in part. Raises :class:`~snapshot.errors.PathNotFound` and
    :class:`~snapshot.errors.InvalidInput` before anything is written where the paths do not fit,
    :class:`~snapshot.errors.Refused` for what would lead outside or take the place of a folder, and
    :class:`~snapshot.errors.SnapError` with the path for what cannot be written.
    """
    if options.keep_owner and processes.is_podman:
        raise InvalidInput(
            "Podman's archives do not say whose a file is, so owners cannot be kept.",
            "Leave out -a: the files are yours then.",
        )
    real_path, found = _source_inside(processes, container, path, options)
    progress.stage(f"copying from {container.name}")
    if not isinstance(destination, str):
        ending = "/." if means_content(path) and found.is_folder else ""
        with processes.open_archive(container.id, f"{real_path.rstrip('/')}{ending}" or "/") as stream:
            size_bytes = _passed_on(stream, destination, progress.advance)
        if size_bytes <= len(END):
            raise _nothing_sent(container, path)
        return CopyResult(0, size_bytes)
    source = Source(source_name(container_path(path), path), found.is_folder, f"{container.name}:{path}")
    target = target_of(source, _local_destination(destination))
    top = os.open(target.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        shown = _shown(target.folder, destination)
        with Unpacker(top, shown, keep_owner=options.keep_owner, advance=progress.advance) as unpacker:
            unpacker.unpack(_members_at(processes, container, real_path), real_path, target.name)
    finally:
        os.close(top)
    if not unpacker.files and unpacker.skipped and not source.is_folder:
        raise Refused(f"'{source.shown}' is a device: it was not copied.")
    return CopyResult(unpacker.files, unpacker.size_bytes, skipped=tuple(unpacker.skipped))


def _members_at(processes: Processes, container: Container, path: str) -> Iterator[Member]:
    """What stands at a path in the container, and below it."""
    is_empty = True
    for member in _members(processes, container, path):
        is_empty = False
        yield member
    if is_empty:
        # Docker 20.10 finds no file whose name is not UTF-8; the archive of its folder has it.
        for member in _members(processes, container, posixpath.dirname(path)):
            if is_at_or_below(member.entry.path, path):
                is_empty = False
                yield member
    if is_empty:
        raise _nothing_sent(container, path)


def _nothing_sent(container: Container, path: str) -> EngineError:
    # Podman does that for devices, Docker 20.10 for a file whose name is not UTF-8.
    return EngineError(
        f"The engine sent nothing of '{container.name}:{path}'.", "Copy the folder that it is in."
    )


def _members(processes: Processes, container: Container, path: str) -> Iterator[Member]:
    with processes.open_archive(container.id, path) as stream:
        # The root's archive has no name of its own before all others.
        yield from read_members(stream, path, strip=int(path != "/"))


def _local_source(written: str, options: CopyOptions) -> tuple[Path, Source]:
    """The path to read, and what the rules have to know of it."""
    path = posixpath.normpath(posixpath.join(Path.cwd(), written))
    try:
        follow = options.follow_link or must_be_folder(written)
        # Links on the way to `..` count, as for the kernel.
        real = Path(os.path.realpath(written, strict=True) if follow else path)
        is_folder = stat.S_ISDIR(real.lstat().st_mode)
    except FileNotFoundError as error:
        raise PathNotFound(f"There is nothing at '{written}' here.") from error
    except OSError as error:
        raise SnapError(f"'{written}' cannot be read: {error.strerror}.") from error
    if must_be_folder(written) and not is_folder:
        raise InvalidInput(f"'{written}' is not a folder.", "Leave the slash at its end out.")
    return real, Source(source_name(path, written), is_folder, written)


def _local_destination(written: str) -> Destination:
    path = Path(os.path.realpath(written))
    try:
        found = path.stat()
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise PathNotFound(
                f"There is no folder '{_shown(str(path.parent), written)}' here to copy to.", "Make it first."
            ) from None
        return Destination(str(path), False, False, written, written)
    except OSError as error:
        raise SnapError(f"'{written}' cannot be written: {error.strerror}.") from error
    is_folder = stat.S_ISDIR(found.st_mode)
    if not is_folder and not stat.S_ISREG(found.st_mode):
        raise InvalidInput(f"'{written}' is neither a folder nor a regular file.")
    return Destination(str(path), True, is_folder, written, written)


def _shown(path: str, written: str) -> str:
    """A local path in messages: from here, unless the user wrote it from the root."""
    return path if written.startswith("/") else os.path.relpath(path)


def _source_inside(
    processes: Processes, container: Container, written: str, options: CopyOptions
) -> tuple[str, PathStat]:
    path = container_path(written)
    found = processes.stat(container.id, path)
    if found and found.is_symlink and (options.follow_link or must_be_folder(written)):
        path = found.link_target or path
        found = processes.stat(container.id, path)
    if not found:
        raise PathNotFound(f"There is nothing at '{container.name}:{written}'.")
    if must_be_folder(written) and not found.is_folder:
        raise InvalidInput(
            f"'{container.name}:{written}' is not a folder.", "Leave the slash at its end out."
        )
    return path, found


def _destination_inside(processes: Processes, container: Container, written: str) -> Destination:
    path = container_path(written)
    shown = f"{container.name}:{written}"
    found = _stat_if_any(processes, container, path)
    # A link in a circle leads nowhere: it is replaced itself.
    if found and found.is_symlink and found.link_target:
        path = found.link_target
        found = _stat_if_any(processes, container, path)
    if found and found.is_device:
        raise InvalidInput(f"'{shown}' is a device.", "Name a folder or a regular file.")
    return Destination(path, found is not None, found is not None and found.is_folder, written, shown)


def _expect_folder(processes: Processes, container: Container, path: str) -> None:
    found = _stat_if_any(processes, container, path)
    # Where a link leads is for the engine to say.
    if not found or not (found.is_folder or found.is_symlink):
        raise PathNotFound(f"There is no folder '{path}' in '{container.name}'.", "Make it first.")


def _stat_if_any(processes: Processes, container: Container, path: str) -> PathStat | None:
    try:
        return processes.stat(container.id, path)
    except EngineError:
        # A file stands on the way: the engine says so when it is to unpack there.
        return None


def _watched(pieces: LocalTar | PassedTar, advance: Callable[[int], None]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        advance(len(piece))


def _passed_on(stream: IO[bytes], output: BinaryIO, advance: Callable[[int], None]) -> int:
    """Write all of a stream to another one, and return how many bytes that were."""
    total = 0
    while piece := stream.read(_PIECE_BYTES):
        output.write(piece)
        total += len(piece)
        advance(len(piece))
    output.flush()
    return total
