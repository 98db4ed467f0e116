"""A quick look at what a container has changed: what steps are told apart by."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from snapshot.changeset.paths import split_off_engine_paths
from snapshot.changeset.upper_folder import NotReadableDirectly, UpperFolder
from snapshot.engine.processes import Processes
from snapshot.engine.types import Change, ChangeKind, Container
from snapshot.errors import ContainerUnusable, EngineError, EngineUnreachable
from snapshot.journal.marks import Look

# A call takes an engine some milliseconds, old ones and Podman more: a look is to be quick.
_MOST_ASKED = 40


def take_look(processes: Processes, container: Container) -> Look | None:
    """What the container has changed by now, with a mark at each path that tells a later change of it.

    Folders that something changed in are left out: engines list them all, changed or not. Nothing is read
    of files but what the kernel or the engine says of them. Where the files lie on this machine they are
    looked at there; else the engine is asked, for each path while they are few.

    Returns ``None`` where nobody can tell.
    """
    if processes.endpoint.url.startswith("unix://") and container.upper_folder:
        try:
            with UpperFolder.open(container.upper_folder, container.lower_folders) as upper:
                return Look(_marks(container, upper.changes(), upper.stamp, "d:"), True)
        except (NotReadableDirectly, ContainerUnusable):
            pass
    try:
        changes = processes.changes(container.id)
        exact = len(changes) <= _MOST_ASKED

        def stamp(path: str) -> str:
            found = processes.stat(container.id, path) if exact else None
            return f"{found.go_mode}.{found.size_bytes}.{found.mtime_s}.{found.link_target}" if found else ""

        return Look(_marks(container, changes, stamp, "a:"), exact)
    except EngineUnreachable:
        raise
    except EngineError:
        return None


def _marks(
    container: Container, changes: Sequence[Change], stamp: Callable[[str], str], way: str
) -> dict[str, str]:
    kept, _ = split_off_engine_paths(changes, [mount.destination for mount in container.mounts])
    folders = {"/"}
    for change in kept:
        path = change.path
        while (path := path.rpartition("/")[0]) and path not in folders:
            folders.add(path)
    return {
        change.path: change.kind.value
        + ("" if change.kind is ChangeKind.DELETED else way + stamp(change.path))
        for change in kept
        if change.kind is not ChangeKind.CHANGED or change.path not in folders
    }
