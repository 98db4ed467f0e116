"""Lists of changes that a stranger wrote into an image with a seal that fits are refused unread."""

from __future__ import annotations

from contextlib import ExitStack
from typing import cast

import pytest

from snapshot.changeset.entry import FileEntry, FileType, PathChange
from snapshot.changeset.manifest import encode_manifest, manifest_digest
from snapshot.engine.client import Engine
from snapshot.engine.types import ChangeKind, Config, Image
from snapshot.errors import SnapError
from snapshot.image.record import MANIFEST_LABEL, Base, Record, chain_id
from snapshot.workflow.own_changes import own_changes

BELOW, OWN = ("sha256:a",), "sha256:b"
#: No engine may be asked.
NO_ENGINE = cast("Engine", object())


def added(path: str, kind: FileType = FileType.FILE) -> PathChange:
    return PathChange(ChangeKind.ADDED, path, FileEntry(path, kind, 0o755, 0, 0))


def image_with(*changes: PathChange) -> Image:
    record = Record(
        tool="docker-snap 1",
        created="2020-01-01T00:00:00Z",
        container="",
        message="",
        author="",
        base=Base("base", "sha256:id", "", chain_id(BELOW), 1),
        manifest_digest=manifest_digest(changes),
        added=len(changes),
        changed=0,
        deleted=0,
        size_bytes=0,
        config={},
        method="sealed",
        diff_id=OWN,
    )
    labels = record.to_labels(encode_manifest(changes))
    assert labels[MANIFEST_LABEL]
    config = Config(labels=labels)
    return Image("sha256:id", (), (), "", "", "", "amd64", "linux", "", 1, (*BELOW, OWN), config)


@pytest.mark.parametrize(
    "changes",
    [
        [added("/b"), added("/a")],
        [added("/a"), added("/a")],
        [added("/../etc/passwd")],
        [added("/a//b")],
        [added("/a", FileType.SYMLINK), added("/a/b")],
        [added("/a"), added("/a/b/c")],
        [added("/a/.wh.b")],
    ],
)
def test_a_list_that_snap_does_not_write_is_refused(changes: list[PathChange]) -> None:
    with ExitStack() as stack, pytest.raises(SnapError, match=r"no list of snap's|cannot be in an image"):
        own_changes(NO_ENGINE, image_with(*changes), "name", stack)


def test_an_empty_list_needs_no_engine() -> None:
    with ExitStack() as stack:
        own = own_changes(NO_ENGINE, image_with(), "name", stack)
    assert own.changeset.changes == ()
    assert own.layer is None
