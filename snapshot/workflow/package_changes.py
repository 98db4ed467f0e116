"""Which packages differ between the two sides of a comparison."""

from __future__ import annotations

from snapshot.packages.changes import PackageChanges, changes_in_packages, concerns_packages
from snapshot.workflow.diff import Comparison
from snapshot.workflow.progress import SILENT, Progress

__all__ = ["PackageChanges", "package_changes"]


def package_changes(comparison: Comparison, progress: Progress = SILENT) -> PackageChanges:
    """What came, went, or has another version, by the managers of packages: dpkg, apk, rpm, pip, npm.

    Files of either side are opened only where the changeset has to do with packages; what is read is in
    :func:`~snapshot.packages.changes.changes_in_packages`. Where the files of the old side are not to be had,
    no package is told, and a sentence says so.

    Raises :class:`~snapshot.errors.EngineError` where an engine fails.
    """
    difference = comparison.difference
    if not concerns_packages(difference.changeset):
        return PackageChanges(())
    if comparison.old is None:
        name = difference.old.name or difference.old.id
        return PackageChanges(
            (), (f"Which packages '{name}' had is not known: its files are not to be had.",)
        )
    progress.stage("reading which packages are installed")
    with comparison.old.files() as old, comparison.new.files() as new:
        return changes_in_packages(old, new, difference.changeset)
