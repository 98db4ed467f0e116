"""Changes on top of changes, as one list against what is below them all."""

from __future__ import annotations

from collections.abc import Sequence

from snapshot.changeset.entry import Changeset
from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.layered_tree import LayeredTree
from snapshot.changeset.paths import component_order


def folded(base: ImageFiles, changesets: Sequence[Changeset]) -> Changeset:
    """What several changesets, each on top of the one before, make of ``base`` together.

    What one adds and another deletes is no change. What no image can hold is left out.
    """
    tree = LayeredTree(base)
    for changeset in changesets:
        tree.apply(changeset.changes)
    engine_paths = {path for changeset in changesets for path in changeset.engine_paths}
    return Changeset(tree.changeset().changes, tuple(sorted(engine_paths, key=component_order)))
