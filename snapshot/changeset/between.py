"""What differs between two images that have layers or a base in common, by what each has on top of that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from snapshot.changeset.entry import Changeset, FileEntry, FileType, PathChange
from snapshot.changeset.image_files import ImageFiles, paths_below
from snapshot.changeset.laid_layers import LaidLayers
from snapshot.changeset.layer_contents import LayerContents
from snapshot.changeset.layered_tree import LayeredTree
from snapshot.changeset.member import Member, sha256_of
from snapshot.changeset.paths import folders_above, topmost
from snapshot.changeset.trees import changes_between_trees


class Between(NamedTuple):
    """What differs, and whether the ``user.*`` attributes of all that was compared were seen."""

    changeset: Changeset
    attributes_seen: bool


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
    sides = _Sides(before, after, _links(old), _links(new))
    paths = _with_folders_above(change.path for changeset in (old, new) for change in changeset.changes)
    # Where a whole folder is there on one side alone, one list may name no more than its top.
    paths |= sides.below(path for path in paths if not sides.both_are_folders(path))
    return changes_between_trees(*sides.trees(paths))


def changes_between_layers(
    old_files: ImageFiles,
    old: Sequence[LayerContents],
    new_files: ImageFiles,
    new: Sequence[LayerContents],
    mount_points: Collection[str] = (),
    *,
    attributes_shown: Callable[[], tuple[bool, bool]] = lambda: (True, True),
    with_engine_paths: bool = False,
) -> Between:
    """What makes the second image of the first one, where all layers below these are the same.

    Of what the layers below have only that is looked up which one side has another thing in place of. It is
    what :func:`~snapshot.changeset.trees.changes_between_trees` finds in both of them, but that which names
    belong to one file is told of those names alone that are in these layers on both sides.

    Parameters
    ----------
    old_files, new_files:
        The files of the images with all their layers.
    old, new:
        The layers that they have not in common, the lowest first, files hashed; of a container the topmost is
        what it changed.
    mount_points, with_engine_paths:
        As for :func:`~snapshot.changeset.trees.changes_between_trees`.
    attributes_shown:
        Asked at the end: whether ``old_files`` and ``new_files`` show ``user.*`` attributes. Those of a path
        are compared where both sides show them, or have them from these layers.
    """
    before, after = LaidLayers(old_files, old), LaidLayers(new_files, new)
    told = [*before.told(), *after.told()]
    sides = _Sides(before, after, before.links(), after.links())
    paths = _with_folders_above(path for path, _ in told)
    # Further names of files that are in the layers below.
    unread = {path for path, _ in told if not (before.knows(path) or after.knows(path))}
    paths |= sides.below(path for path, hides_below in told if hides_below)
    trees = sides.trees(paths, unread)
    shown = attributes_shown()
    comparable = {
        path for path in paths if (shown[0] or before.knows(path)) and (shown[1] or after.knows(path))
    }
    unlike = {path for path in comparable if sides.attributes_differ(path)}
    found = changes_between_trees(*trees, mount_points, unlike=unlike, with_engine_paths=with_engine_paths)
    hashed = tuple(_hashed(change, after) for change in found.changes)
    return Between(replace(found, changes=hashed), len(comparable) == len(paths))


class _Sides:
    """Two file systems, and of each which names of a file are told: for each path the first of them."""

    def __init__(
        self,
        before: ImageFiles,
        after: ImageFiles,
        old_links: Mapping[str, str],
        new_links: Mapping[str, str],
    ) -> None:
        self._before = before
        self._after = after
        self._links = old_links, new_links
        self._members: dict[str, tuple[Member | None, Member | None]] = {}

    def at(self, path: str) -> tuple[Member | None, Member | None]:
        """What stands there on either side."""
        found = self._members.get(path)
        if found is None:
            found = self._members[path] = self._before.at(path), self._after.at(path)
        return found

    def both_are_folders(self, path: str) -> bool:
        """Whether a folder stands there on both sides."""
        return all(map(_is_folder, self.at(path)))

    def below(self, paths: Iterable[str]) -> set[str]:
        """All that stands below those of ``paths`` that are folders on the new side.

        What was below any other one went with it, and is no change of its own.
        """
        found: set[str] = set()
        for path in topmost(path for path in paths if _is_folder(self.at(path)[1])):
            found.update(paths_below(self._after, path), paths_below(self._before, path))
        return found

    def trees(
        self, paths: Iterable[str], unread: Collection[str] = ()
    ) -> tuple[dict[str, FileEntry], dict[str, FileEntry]]:
        """What stands at ``paths``; which names belong to one file is told where both sides tell it.

        A file that neither side has a digest of is the same on both, but for those that are ``unread``.
        """
        old: dict[str, FileEntry] = {}
        new: dict[str, FileEntry] = {}
        for path in paths:
            before, after = self.at(path)
            links = [links.get(path) for links in self._links]
            entry = _with_digest(before, after, path in unread) if before else None
            other = _with_digest(after, before, path in unread) if after else None
            if (
                entry
                and other
                and replace(entry, hard_link="") == replace(other, hard_link="")
                and None in links
            ):
                # Of a file that one side has from below, its other names are not known.
                links = [None, None]
            if entry:
                old[path] = replace(entry, hard_link=links[0] or "")
            if other:
                new[path] = replace(other, hard_link=links[1] or "")
        return old, new

    def attributes_differ(self, path: str) -> bool:
        """Whether extended attributes differ of what stands there on both sides."""
        before, after = self.at(path)
        return before is not None and after is not None and dict(before.xattrs) != dict(after.xattrs)


def _with_folders_above(paths: Iterable[str]) -> set[str]:
    found = set(paths)
    return found | {folder for path in found for folder in folders_above(path)}


def _is_folder(member: Member | None) -> bool:
    return member is not None and member.entry.type is FileType.FOLDER


def _links(changeset: Changeset) -> dict[str, str]:
    return {change.path: change.file.hard_link for change in changeset.changes if change.file}


def _with_digest(member: Member, other: Member | None, is_unread: bool) -> FileEntry:
    """The entry; a file from below is read where nothing less tells whether it is the other one."""
    entry = member.entry
    if entry.type is not FileType.FILE or entry.sha256 or other is None:
        return entry
    if not (other.entry.sha256 or is_unread) or other.entry.size_bytes != entry.size_bytes:
        return entry
    return replace(entry, sha256=sha256_of(member.content()))


def _hashed(change: PathChange, files: ImageFiles) -> PathChange:
    """The change, with the digest of a file that was not read before."""
    entry = change.file
    if entry is None or entry.type is not FileType.FILE or entry.sha256:
        return change
    member = files.at(entry.path)
    return replace(change, entry=replace(entry, sha256=sha256_of(member.content()))) if member else change
