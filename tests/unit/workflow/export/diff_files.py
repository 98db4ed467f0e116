"""Differences for tests: a true one, and what can be made of it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, replace

from snapshot.changeset.entry import FileEntry, FileType, PathChange
from snapshot.changeset.manifest import encode_manifest, manifest_digest
from snapshot.changeset.tar_header import END, header, padding, whiteout_header
from snapshot.engine.types import ChangeKind, Config, Image
from snapshot.image.diff_document import Content, DiffDocument, Platform
from snapshot.image.record import Base, Record

BASE_LAYERS = ("sha256:" + "1" * 64,)
BASE = Image(
    id="sha256:" + "b" * 64,
    tags=("base:latest",),
    repo_digests=(),
    created="",
    author="",
    comment="",
    architecture="amd64",
    os="linux",
    variant="",
    size_bytes=0,
    layers=BASE_LAYERS,
    config=Config(),
)
CONTENT = b"hello\n"
ENTRY = FileEntry("/motd", FileType.FILE, 0o644, 0, 0, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
CHANGES = (PathChange(ChangeKind.CHANGED, "/motd", ENTRY), PathChange(ChangeKind.DELETED, "/old"))
LAYER = header(ENTRY, 1, {}) + CONTENT + padding(len(CONTENT)) + whiteout_header("/old") + END
MTREE = b"#mtree\n"

Members = dict[str, bytes]


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def labels_for(layer: bytes = LAYER, **fields: object) -> dict[str, str]:
    base = Base("docker.io/library/base:latest", BASE.id, BASE.id, BASE_LAYERS[0], 1)
    record = Record(
        tool="docker-snap 1",
        created="2026-01-01T00:00:00Z",
        container="",
        message="",
        author="",
        base=base,
        manifest_digest=manifest_digest(CHANGES),
        added=0,
        changed=1,
        deleted=1,
        size_bytes=len(CONTENT),
        config={},
        method="sealed",
        diff_id=digest(layer),
    )
    return replace(record, **fields).to_labels(encode_manifest(CHANGES))  # type: ignore[arg-type]


def config_for(layer: bytes = LAYER, labels: Mapping[str, object] | None = None, **keys: object) -> bytes:
    value = {
        "os": "linux",
        "architecture": "amd64",
        "config": {"Labels": labels_for(layer) if labels is None else labels},
        "rootfs": {"type": "layers", "diff_ids": [*BASE_LAYERS, digest(layer)]},
    }
    return json.dumps(value | keys).encode()


def document_for(config: bytes, layer: bytes = LAYER, mtree: bytes = MTREE) -> DiffDocument:
    return DiffDocument(
        tool="docker-snap 1",
        name="docker.io/library/change:latest",
        base=Base("docker.io/library/base:latest", BASE.id, BASE.id, BASE_LAYERS[0], 1),
        platform=Platform("linux", "amd64"),
        config=Content(digest(config), len(config)),
        manifest=Content(digest(mtree), len(mtree)),
        layers=(Content(digest(layer), len(layer)),),
    )


def members(layer: bytes = LAYER, config: bytes | None = None) -> Members:
    """The members of a difference that says the truth of itself."""
    config = config_for(layer) if config is None else config
    return {
        "snap.json": document_for(config, layer).to_json(),
        "config.json": config,
        "manifest.mtree": MTREE,
        "layer.tar": layer,
    }


def saying(**changes: object) -> bytes:
    """``snap.json`` with other values."""
    return json.dumps(
        {"schema": "docker-snap.diff/1"} | asdict(document_for(config_for())) | changes
    ).encode()


def packed(found: Members) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in found.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()
