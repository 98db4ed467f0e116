"""Making edits of files in an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from snapshot.changeset.edited_tree import EditedTree
from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.layer import Piece
from snapshot.changeset.member import CAPABILITY, Member
from snapshot.engine.types import Config
from snapshot.errors import InvalidInput, PathNotFound, Refused
from snapshot.journal.step import Copied
from snapshot.recipe.instructions import (
    AddText,
    AppendText,
    ChangeMode,
    ChangeOwner,
    Copy,
    FileContent,
    FileEdit,
    MakeFolder,
    MakeSymlink,
    Remove,
    ReplaceText,
)
from snapshot.workflow.patching.collecting import LINK_MODE, MOST_PATH
from snapshot.workflow.patching.modes import parse_mode
from snapshot.workflow.patching.owners import changed_owner, copy_owner
from snapshot.workflow.patching.places import FOLDER_MODE, ROOT, Places
from snapshot.workflow.patching.placing import Placer
from snapshot.workflow.patching.sources import Gathered

#: Text is edited in memory: larger files are refused.
MOST_TEXT_BYTES = 64 << 20

_FILE_MODE = 0o644
_SET_UID, _SET_GID, _GROUP_X = 0o4000, 0o2000, 0o010


def apply_edit(
    tree: EditedTree, edit: FileEdit, config: Config, *, gathered: Gathered | None, now_s: int
) -> tuple[Copied, ...]:
    """Make one edit.

    Links on the way are followed inside the image, as in a container; at the end too, save where a link is
    removed or made. Folders on the way to what is made are made, with mode 0755.

    Parameters
    ----------
    config:
        Relative paths count from its working directory.
    gathered:
        What a :class:`~snapshot.recipe.instructions.Copy` copies; needed for no other edit.
    now_s:
        Time of what is made or written, in seconds since 1970.

    Returns
    -------
    The first thousand files that were copied, or the one that was given its text, with their digests.

    Raises
    ------
    PathNotFound
        Nothing stands where something is to be changed.
    InvalidInput
        Something else stands there, or a mode, owner or text does not fit.
    Refused
        The path is the engine's own or marks a deleted name, or the file is too large to be edited.
    """
    places = Places(tree, config.working_dir, now_s)
    if isinstance(edit, Copy):
        if gathered is None:
            raise ValueError("a copy needs what is to be copied")
        return _copy(places, edit, gathered)
    if isinstance(edit, AddText):
        return (_add_text(places, edit),)
    if isinstance(edit, AppendText):
        _edit_text(places, edit.path, lambda content: _appended(content, _encoded(edit.text)))
    elif isinstance(edit, ReplaceText):
        _edit_text(places, edit.path, lambda content: _replaced(content, edit))
    elif isinstance(edit, Remove):
        path = places.itself(edit.path)
        places.standing(edit.path, path)
        tree.remove(path)
    elif isinstance(edit, MakeFolder):
        _make_folder(places, edit)
    elif isinstance(edit, MakeSymlink):
        _make_symlink(places, edit)
    elif isinstance(edit, ChangeMode):
        _change_mode(places, edit)
    else:
        _change_owner(places, edit)
    return ()


def _copy(places: Places, edit: Copy, gathered: Gathered) -> tuple[Copied, ...]:
    is_new = isinstance(edit.source, FileContent) and edit.source.mtime_s is None
    placer = Placer(
        places,
        owner=copy_owner(places.tree, edit.owner) if edit.owner else None,
        mode=parse_mode(edit.mode) if edit.mode else None,
        mtime_s=places.now_s if is_new else None,
    )
    return tuple(placer.place(gathered, edit.destination))


class _File(NamedTuple):
    """A regular file of the image; ``member`` is ``None`` where none stands there yet."""

    path: str
    member: Member | None


def _add_text(places: Places, edit: AddText) -> Copied:
    path, member = _file_at(places, edit.path)
    owner = copy_owner(places.tree, edit.owner) if edit.owner else None
    if member is None:
        places.make_folders_above(path, owner or ROOT)
        member = Member(FileEntry(path, FileType.FILE, _FILE_MODE, *ROOT), places.now_s)
    entry = member.entry
    uid, gid = owner or (entry.uid, entry.gid)
    mode = parse_mode(edit.mode)(entry.mode, False) if edit.mode else entry.mode
    changed = replace(member, entry=replace(entry, mode=mode, uid=uid, gid=gid))
    return _write(places, path, changed, _encoded(edit.text))


def _edit_text(places: Places, written: str, edited: Callable[[bytes], bytes]) -> None:
    path, member = _file_at(places, written)
    if member is None:
        raise PathNotFound(f"There is no '{written}' in the image.", "Make it with --add-text.")
    if member.entry.size_bytes > MOST_TEXT_BYTES:
        raise _too_large(written)
    content = edited(b"".join(bytes(chunk) for chunk in member.content()))
    _write(places, path, member, content)


def _appended(content: bytes, text: bytes) -> bytes:
    if content and not content.endswith(b"\n"):
        content += b"\n"
    return content + text + (b"" if text.endswith(b"\n") else b"\n")


def _replaced(content: bytes, edit: ReplaceText) -> bytes:
    old, new = _encoded(edit.old), _encoded(edit.new)
    if not old:
        raise InvalidInput(f"There is no text to look for in '{edit.path}'.", "Write PATH=OLD=>NEW.")
    first = content.find(old)
    if first < 0:
        raise InvalidInput(f"'{edit.path}' does not hold '{_short(edit.old)}'.")
    if edit.all:
        count = content.count(old)
        if len(content) + count * (len(new) - len(old)) > MOST_TEXT_BYTES:
            raise _too_large(edit.path)
        return content.replace(old, new)
    # Places that overlap are two as well: nobody can know which one is meant.
    if content.find(old, first + 1) >= 0:
        raise InvalidInput(
            f"'{edit.path}' holds '{_short(edit.old)}' more than once.",
            "Write more of the text around it, or replace it everywhere with --all.",
        )
    return content[:first] + new + content[first + len(old) :]


def _file_at(places: Places, written: str) -> _File:
    path = places.leads_to(written)
    member = places.tree.at(path)
    if path == "/" or (member and member.entry.type is not FileType.FILE):
        kind = member.entry.type.value if member else FileType.FOLDER.value
        raise InvalidInput(f"'{written}' in the image is a {kind}, not a regular file.")
    if written.endswith("/"):
        raise InvalidInput(f"'{written}' is written as a folder's name.", "Leave the slash at its end out.")
    return _File(path, member)


def _write(places: Places, path: str, member: Member, content: bytes) -> Copied:
    """Give a file other content. As the kernel does it, that takes its capabilities away."""
    entry = replace(member.entry, size_bytes=len(content), sha256="", hard_link="", capability="")
    member = Member(entry, places.now_s, "", _without_capability(member), lambda: (content,))
    piece = places.tree.take(member)
    places.tree.change(path, piece)
    return Copied(path, piece.entry.sha256, len(content))


def _make_folder(places: Places, edit: MakeFolder) -> None:
    path = places.leads_to(edit.path)
    owner = copy_owner(places.tree, edit.owner) if edit.owner else ROOT
    mode = parse_mode(edit.mode)(FOLDER_MODE, True) if edit.mode else FOLDER_MODE
    is_there = path == "/" or places.tree.at(path) is not None
    places.make_folder(path, owner)
    if not is_there:
        places.tree.put(path, Piece(FileEntry(path, FileType.FOLDER, mode, *owner), places.now_s))


def _make_symlink(places: Places, edit: MakeSymlink) -> None:
    path = places.itself(edit.path)
    target = _encoded(edit.target)
    if not target or b"\0" in target or len(target) > MOST_PATH:
        raise InvalidInput(f"The link '{edit.path}' cannot lead to '{_short(edit.target)}'.")
    there = places.tree.at(path)
    if path == "/" or there:
        kind = there.entry.type.value if there else FileType.FOLDER.value
        raise InvalidInput(
            f"'{edit.path}' is there in the image already: it is a {kind}.", "Remove it first with --rm."
        )
    places.make_folders_above(path)
    entry = FileEntry(path, FileType.SYMLINK, LINK_MODE, *ROOT, link_target=edit.target)
    places.tree.put(path, Piece(entry, places.now_s))


def _change_mode(places: Places, edit: ChangeMode) -> None:
    path = places.leads_to(edit.path)
    change = parse_mode(edit.mode)
    member = places.standing(edit.path, path)
    entry = member.entry
    mode = change(entry.mode, entry.type is FileType.FOLDER)
    _put_with(places, path, member, replace(entry, mode=mode))


def _change_owner(places: Places, edit: ChangeOwner) -> None:
    """Change the owner; as the kernel does it, that takes set-ID bits and capabilities of files away."""
    path = places.leads_to(edit.path)
    owner = changed_owner(places.tree, edit.owner)
    member = places.standing(edit.path, path)
    entry = member.entry
    uid = entry.uid if owner.uid is None else owner.uid
    gid = entry.gid if owner.gid is None else owner.gid
    mode = entry.mode
    if entry.type is not FileType.FOLDER:
        # Linux, fs/open.c, chown_common: a set-group-ID bit without the group's x means something else.
        mode &= ~_SET_UID & (~_SET_GID if mode & _GROUP_X else -1)
        entry = replace(entry, capability="")
    _put_with(places, path, member, replace(entry, mode=mode, uid=uid, gid=gid))


def _put_with(places: Places, path: str, member: Member, entry: FileEntry) -> None:
    """Let what stands at a path have another mode, owner or capability; its content and time stay."""
    if entry == member.entry:
        return
    xattrs = member.xattrs if entry.capability else _without_capability(member)
    piece = Piece(entry, member.mtime_s, xattrs)
    if entry.type is FileType.FILE:
        entry = replace(entry, sha256="", hard_link="")
        piece = places.tree.take(Member(entry, member.mtime_s, "", xattrs, member.content))
    places.tree.change(path, piece)


def _without_capability(member: Member) -> dict[str, bytes]:
    return {name: value for name, value in member.xattrs.items() if name != CAPABILITY}


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"


def _too_large(written: str) -> Refused:
    return Refused(
        f"'{written}' is too large to be edited as text: the most are {MOST_TEXT_BYTES:,} bytes.",
        "Edit it here and copy it.",
    )
