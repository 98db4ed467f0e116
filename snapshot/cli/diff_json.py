"""What ``snap diff --format json`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snapshot.changeset.entry import FileEntry, PathChange
    from snapshot.changeset.file_diff import FileDiff
    from snapshot.workflow.difference import Difference, Side


def difference_document(difference: Difference) -> dict[str, Any]:
    """What was compared with what, and all changes."""
    container = difference.container
    document: dict[str, Any] = {"schema": "docker-snap.diff/1"}
    if container:
        document |= {
            "container": {"id": container.id, "name": container.name},
            "base": {"id": container.image_id, "name": container.image_name},
        }
    return document | {
        "old": _side_document(difference.old),
        "new": _side_document(difference.new),
        "found_by": difference.found_by.value,
        "changes": [change_document(change) for change in difference.changeset.changes],
        "engine_paths": list(difference.changeset.engine_paths),
        "mounts": [
            {"kind": mount.kind, "source": mount.source, "destination": mount.destination}
            for mount in (container.mounts if container else ())
        ],
    }


def change_document(change: PathChange) -> dict[str, Any]:
    """A change as JSON shows it; the sha256 is there where the content was read."""
    document: dict[str, Any] = {"kind": change.kind.value, "path": change.path}
    if change.file is None:
        return document | ({"skipped": change.skipped} if change.skipped else {})
    return document | _entry_document(change.file)


def patch_document(diff: FileDiff) -> dict[str, Any]:
    """What became of one path: both sides, and the text that patch(1) takes, where there is one."""
    from snapshot.changeset.file_diff import unified

    return {
        "kind": diff.change.kind.value,
        "path": diff.change.path,
        "old": _entry_document(diff.old) if diff.old else None,
        "new": _entry_document(diff.new) if diff.new else None,
        "text": "".join(f"{line.text}\n" for line in unified(diff)),
        "not_told": diff.not_told or None,
        "lines_added": diff.lines_added,
        "lines_removed": diff.lines_removed,
        "lines_cut": diff.lines_cut,
    }


def _entry_document(file: FileEntry) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": file.type.value,
        "mode": f"{file.mode:04o}",
        "uid": file.uid,
        "gid": file.gid,
        "size_bytes": file.size_bytes,
    }
    optional = {
        "sha256": file.sha256,
        "link_target": file.link_target,
        "hard_link": file.hard_link,
        "device": file.device,
    }
    return document | {name: value for name, value in optional.items() if value}


def _side_document(side: Side) -> dict[str, Any]:
    document: dict[str, Any] = {"kind": side.kind.value, "id": side.id, "name": side.name}
    if side.engine:
        document["engine"] = side.engine
    return document if side.step is None else document | {"step": side.step}
