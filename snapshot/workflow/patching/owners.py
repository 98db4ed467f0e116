"""Owners by name or number, with the names of the image's own users and groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from snapshot.changeset.entry import FileType
from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.links import resolve
from snapshot.errors import InvalidInput

#: The largest number of a user or group: the next one means "leave it" to the kernel (chown(2)).
MOST_ID = 2**32 - 2

_USERS = "/etc/passwd"
_GROUPS = "/etc/group"
_MOST_BYTES = 4 << 20


class Owner(NamedTuple):
    """User and group as numbers; ``None`` for one that is to stay what it is."""

    uid: int | None
    gid: int | None


def copy_owner(files: ImageFiles, text: str) -> tuple[int, int]:
    """The owner of what is copied: ``USER[:GROUP]`` or ``:GROUP``, as ``COPY --chown`` of BuildKit takes it.

    A user by name without a group has the group that ``/etc/passwd`` says, one by number the group of the
    same number; without a user it is root. (Docker's builder without BuildKit looks for a group of the
    user's name instead. Unknown names are root to BuildKit; here they are an error, as to the other one.)

    Raises :class:`~snapshot.errors.InvalidInput` for a name that the image does not know.
    """
    user, group = _parted(text)
    if user and group is None:
        if not _is_number(user):
            return _user(files, user)
        return _number(user), _number(user)
    uid = _user(files, user)[0] if user else 0
    return uid, _group(files, group or "0")


def changed_owner(files: ImageFiles, text: str) -> Owner:
    """The new owner as chown(1) takes it: without a group the group stays, without a user the user.

    Raises :class:`~snapshot.errors.InvalidInput` for a name that the image does not know.
    """
    user, group = _parted(text)
    return Owner(_user(files, user)[0] if user else None, None if group is None else _group(files, group))


def _parted(text: str) -> tuple[str, str | None]:
    user, colon, group = text.partition(":")
    if not (user or group) or (colon and not group) or ":" in group:
        raise InvalidInput(f"'{text}' is not an owner.", "Write USER, USER:GROUP or :GROUP.")
    return user, group if colon else None


def _user(files: ImageFiles, user: str) -> tuple[int, int]:
    """The numbers of a user and of its own group."""
    if _is_number(user):
        return _number(user), 0
    for fields in _lines(files, _USERS):
        if len(fields) >= 4 and fields[0] == user and _is_id(fields[2]) and _is_id(fields[3]):
            return int(fields[2]), int(fields[3])
    raise InvalidInput(f"The image has no user '{user}' in '{_USERS}'.", "Give the user's number.")


def _group(files: ImageFiles, group: str) -> int:
    if _is_number(group):
        return _number(group)
    for fields in _lines(files, _GROUPS):
        if len(fields) >= 3 and fields[0] == group and _is_id(fields[2]):
            return int(fields[2])
    raise InvalidInput(f"The image has no group '{group}' in '{_GROUPS}'.", "Give the group's number.")


def _lines(files: ImageFiles, path: str) -> Iterator[list[str]]:
    """The fields of each line of a file like ``/etc/passwd``; none where there is no such file."""
    member = files.at(resolve(files, path))
    if member is None or member.entry.type is not FileType.FILE:
        return
    if member.entry.size_bytes > _MOST_BYTES:
        raise InvalidInput(
            f"The image's '{path}' has more than {_MOST_BYTES:,} bytes: names are not looked up in it.",
            "Give numbers.",
        )
    content = b"".join(bytes(chunk) for chunk in member.content())
    for line in content.decode("utf-8", "surrogateescape").split("\n"):
        yield line.split(":")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_id(text: str) -> bool:
    return _is_number(text) and len(text) <= 10 and int(text) <= MOST_ID


def _number(text: str) -> int:
    if not _is_id(text):
        raise InvalidInput(f"'{text}' is too large for a user or group.", f"The largest is {MOST_ID}.")
    return int(text)
