"""``snap diff``: what a container changed against its base image."""

from __future__ import annotations

from dataclasses import dataclass

from snapshot.changeset.capture import ApiReader, capture
from snapshot.changeset.entry import Changeset
from snapshot.engine.client import Engine
from snapshot.engine.types import Container
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.usable import usable_container


@dataclass(frozen=True)
class Difference:
    """A container's changes; the data in its ``container.mounts`` is no part of them."""

    container: Container
    changeset: Changeset


def diff(
    engine: Engine,
    container: str,
    *,
    with_engine_paths: bool = False,
    hash_content: bool = False,
    progress: Progress = SILENT,
) -> Difference:
    """What a container, running or not, changed against the image it was started from.

    Parameters
    ----------
    container:
        Name or ID; any container of the engine, not only snap's.
    with_engine_paths:
        List what the engine itself put there too (mount points, ``/etc/hosts``, …).
    hash_content:
        Read the files for their sha256, which takes as long as reading them all.
    """
    found = usable_container(engine, container)
    progress.stage(f"reading what {found.name} changed")
    changeset = capture(
        ApiReader(engine.files(found.id)),
        [mount.destination for mount in found.mounts],
        hash_content=hash_content,
        with_engine_paths=with_engine_paths,
    )
    return Difference(found, changeset)
