"""Writing what a container's archive holds into a local folder, without leaving that folder.

The archive comes from a stranger. Every folder on the way to a name is opened in the one above it, never
through a link: neither a link in the archive nor one that stands there already leads out. A file is written
under another name and takes its place when it is whole.
"""

from __future__ import annotations

import errno
import os
import posixpath
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from snapshot.changeset.entry import FileType
from snapshot.changeset.member import CAPABILITY, Member
from snapshot.changeset.paths import is_at_or_below
from snapshot.errors import DiskFull, Refused, SnapError

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# What a program of a stranger's would run with the rights of whoever owns it.
_SET_ID_BITS = stat.S_ISUID | stat.S_ISGID

Names = tuple[str, ...]


class Unpacker:
    """Writes members of an archive below one folder.

    Attributes
    ----------
    files, size_bytes:
        Number of regular files that were written, and their bytes; a hard link counts as a file without
        bytes.
    skipped:
        Paths in the container that were not written: devices.

    Parameters
    ----------
    folder:
        A descriptor of the folder.
    shown:
        What messages call the folder.
    keep_owner:
        Keep the numbers of user and group, and with them the set-user-ID and set-group-ID bits and file
        capabilities; else all belongs to who runs this.
    advance:
        Is told of the bytes that were written.
    """

    def __init__(self, folder: int, shown: str, *, keep_owner: bool, advance: Callable[[int], None]) -> None:
        self.files = self.size_bytes = 0
        self.skipped: list[str] = []
        self._root = folder
        self._shown = shown
        self._keep_owner = keep_owner
        self._advance = advance
        # Modes of folders are set at the end: they may forbid to write, and writing changes their times.
        self._folders: list[tuple[Names, Member]] = []

    def __enter__(self) -> Unpacker:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for names, member in reversed(self._folders):
            # After a failure the rest is to be as right as it can be.
            with _failing_quietly(kind is not None), self._writing(names), self._open(names) as folder:
                self._finish(folder, member)

    def unpack(self, members: Iterable[Member], path: str, name: str) -> None:
        """Write all that stands at ``path`` in the container, as ``name`` in the folder.

        Where ``name`` is empty, what is in the folder at ``path`` comes into this one, which stays as it
        is. Raises as :meth:`write` does.
        """

        def names_of(found: str) -> Names:
            below = [part for part in found[len(path.rstrip("/")) :].split("/") if part]
            return (name, *below) if name else tuple(below)

        for member in members:
            names = names_of(member.entry.path)
            if names or member.entry.type is not FileType.FOLDER:
                is_inside = is_at_or_below(member.link_to, path)
                self.write(names, member, names_of(member.link_to) if is_inside else ())

    def write(self, names: Names, member: Member, link_to: Names = ()) -> None:
        """Write a member under the names that lead to it from the folder.

        ``link_to`` are those of the name that came before, for a hard link. Whatever stands there and is no
        folder gives way; a folder gets new content, mode and time. Raises :class:`~snapshot.errors.SnapError`
        with the path.
        """
        kind = member.entry.type
        if not names or (member.link_to and not link_to):
            raise Refused(
                f"'{member.entry.path}' was not copied: the container's archive puts it, or what it is a"
                " link to, outside of what is copied."
            )
        with self._writing(names):
            if kind in {FileType.CHARACTER_DEVICE, FileType.BLOCK_DEVICE}:
                self.skipped.append(member.entry.path)
                return
            with self._open(names[:-1], make=True) as above:
                if kind is FileType.FOLDER:
                    self._make_folder(above, names, member)
                    return
                if _is_folder(above, names[-1]):
                    raise Refused(
                        f"'{self._name_of(names)}' is a folder here,"
                        f" and '{member.entry.path}' in the container is none.",
                        "Move it away, or choose another destination.",
                    )
                with _new_name(above, names[-1]) as new:
                    self._write_new(above, new, member, link_to)

    def _write_new(self, above: int, name: str, member: Member, link_to: Names) -> None:
        kind = member.entry.type
        if member.link_to:
            with self._open(link_to[:-1]) as folder:
                os.link(link_to[-1], name, src_dir_fd=folder, dst_dir_fd=above, follow_symlinks=False)
            self.files += 1
        elif kind is FileType.SYMLINK:
            os.symlink(member.entry.link_target, name, dir_fd=above)
            if self._keep_owner:
                os.chown(name, member.entry.uid, member.entry.gid, dir_fd=above, follow_symlinks=False)
            times = (member.mtime_s, member.mtime_s)
            os.utime(name, times, dir_fd=above, follow_symlinks=False)
        elif kind is FileType.FIFO:
            os.mkfifo(name, 0o600, dir_fd=above)
            # Opened to read, a pipe that nobody writes to keeps nobody waiting.
            with _opened(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW, above) as pipe:
                self._finish(pipe, member)
        else:
            with _opened(name, _NEW_FILE_FLAGS, above) as file:
                for piece in member.content():
                    _write_all(file, piece)
                    self._advance(len(piece))
                self._finish(file, member)
            self.files += 1
            self.size_bytes += member.entry.size_bytes

    def _make_folder(self, above: int, names: Names, member: Member) -> None:
        try:
            os.mkdir(names[-1], 0o700, dir_fd=above)
        except FileExistsError:
            if not _is_folder(above, names[-1]):
                raise Refused(
                    f"'{self._name_of(names)}' is no folder here,"
                    f" and '{member.entry.path}' in the container is one.",
                    "Move it away, or choose another destination.",
                ) from None
        self._folders.append((names, member))

    def _finish(self, descriptor: int, member: Member) -> None:
        """Owner, mode, attributes and time, in that order: each may change the ones after it."""
        mode = member.entry.mode
        if self._keep_owner:
            os.fchown(descriptor, member.entry.uid, member.entry.gid)
        else:
            mode &= ~_SET_ID_BITS
        os.fchmod(descriptor, mode)
        if self._keep_owner and CAPABILITY in member.xattrs and hasattr(os, "setxattr"):
            # As Docker does, where the file system or our rights do not allow it.
            with suppress(OSError):
                os.setxattr(descriptor, CAPABILITY, member.xattrs[CAPABILITY])
        os.utime(descriptor, (member.mtime_s, member.mtime_s))

    @contextmanager
    def _open(self, names: Names, *, make: bool = False) -> Iterator[int]:
        """The folder that the names lead to; ``make`` those that are missing."""
        folder = os.dup(self._root)
        try:
            for name in names:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(name, 0o755, dir_fd=folder)
                below = os.open(name, _FOLDER_FLAGS, dir_fd=folder)
                os.close(folder)
                folder = below
            yield folder
        finally:
            os.close(folder)

    @contextmanager
    def _writing(self, names: Names) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            name = self._name_of(names)
            if error.errno in {errno.ELOOP, errno.ENOTDIR}:
                raise Refused(
                    f"'{name}' was not written: a link or a file stands where a folder should.",
                    "Move it away, or choose another destination.",
                ) from error
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise DiskFull(
                    f"'{name}' cannot be written: this machine's disk is full.", "Make room, then try again."
                ) from error
            hint = None
            if self._keep_owner and error.errno == errno.EPERM:
                hint = "Only root may give files away; leave --archive out."
            raise SnapError(f"'{name}' cannot be written: {error.strerror}.", hint) from error
        except OverflowError as error:
            raise SnapError(f"'{self._name_of(names)}' cannot be written: {error}.") from error

    def _name_of(self, names: Names) -> str:
        return posixpath.join(self._shown, *names)


@contextmanager
def _new_name(folder: int, name: str) -> Iterator[str]:
    """A name that nothing has; what stands there afterwards takes the place of ``name``, or is removed."""
    new = f".snap-{secrets.token_hex(8)}"
    try:
        yield new
        os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        # Two names of one file are both left as they are by a rename (POSIX).
        with suppress(FileNotFoundError):
            os.unlink(new, dir_fd=folder)


@contextmanager
def _opened(name: str, flags: int, folder: int) -> Iterator[int]:
    descriptor = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _failing_quietly(quiet: bool) -> Iterator[None]:
    try:
        yield
    except SnapError:
        if not quiet:
            raise


def _write_all(descriptor: int, piece: bytes | memoryview) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _is_folder(above: int, name: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
