"""What differs between two images that were made from one base, by the lists of their changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from snapshot.changeset.entry import Changeset, FileEntry, FileType
from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.layered_tree import LayeredTree
from snapshot.changeset.member import Member, sha256_of
from snapshot.changeset.paths import folders_above
from snapshot.changeset.trees import changes_between_trees


def changes_between(old_base: ImageFiles, old: Changeset, new_base: ImageFiles, new: Changeset) -> Changeset:
    """What makes the second image of the first one, as far as either list tells of it.

    Of the bases only that is read which one list has and the other has not. As
    :func:`~snapshot.changeset.trees.changes_between_trees` has it, no times are compared, and folders count
    for themselves.

    Parameters
    ----------
    old_base, new_base:
        What the images were made from; the same where they have it in common. What neither list has is taken
        for the same.

    Raises :class:`~snapshot.errors.InvalidInput` where a list cannot be one of its base.
    """
    before, after = LayeredTree(old_base), LayeredTree(new_base)
    before.apply(old.changes)
    after.apply(new.changes)
    paths = {change.path for changeset in (old, new) for change in changeset.changes}
    paths |= {folder for path in paths for folder in folders_above(path)}
    for one, other in ((before, after), (after, before)):
        # Where a whole folder is there on one side alone, one list may name no more than its top.
        paths |= {below for path in paths if not _is_folder(other, path) for below in _below(one, path)}
    links = _links(old), _links(new)
    both = links[0].keys() & links[1].keys()
    trees: tuple[dict[str, FileEntry], dict[str, FileEntry]] = ({}, {})
    for path in paths:
        members = before.at(path), after.at(path)
        for number, member in enumerate(members):
            if member:
                entry = _with_digest(member, members[1 - number])
                # Of a file that one list has not, its other names are not known.
                trees[number][path] = replace(entry, hard_link=links[number][path] if path in both else "")
    return changes_between_trees(*trees)


def _is_folder(tree: LayeredTree, path: str) -> bool:
    member = tree.at(path)
    return member is not None and member.entry.type is FileType.FOLDER


def _below(tree: LayeredTree, folder: str) -> Iterator[str]:
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        below = [f"{path.rstrip('/')}/{name}" for name in tree.names(path)]
        yield from below
        waiting += below


def _links(changeset: Changeset) -> dict[str, str]:
    return {change.path: change.file.hard_link for change in changeset.changes if change.file}


def _with_digest(member: Member, other: Member | None) -> FileEntry:
    """The entry; a file of the base is read where nothing less tells whether it is the other one."""
    entry = member.entry
    if entry.type is not FileType.FILE or entry.sha256 or other is None:
        return entry
    if not other.entry.sha256 or other.entry.size_bytes != entry.size_bytes:
        return entry
    return replace(entry, sha256=sha256_of(member.content()))
