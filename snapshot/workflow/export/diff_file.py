"""``snap export --diff``: what an image adds to its base, as one file that another machine takes in."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from snapshot import __version__
from snapshot.changeset.entry import Changeset
from snapshot.changeset.layer import Layer
from snapshot.changeset.mtree import mtree
from snapshot.changeset.strict_layer import LayerRefused, strict_changes
from snapshot.changeset.tar_header import END, padding
from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.errors import InvalidInput, Refused
from snapshot.image.diff_document import (
    CONFIG_FILE,
    DOCUMENT_FILE,
    MANIFEST_FILE,
    Content,
    DiffDocument,
    Platform,
    layer_file,
)
from snapshot.image.record import Record
from snapshot.workflow.described import full_name_of
from snapshot.workflow.own_changes import own_changes, recorded
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.stored_image import StoredImage, stored_image
from snapshot.workflow.whole_file import write_whole


class DiffExport(NamedTuple):
    """A difference that was written."""

    image_id: str
    path: Path
    size_bytes: int
    document: DiffDocument
    changeset: Changeset


def export_diff(engine: Engine, image: str, path: Path, *, progress: Progress = SILENT) -> DiffExport:
    """Write the layers and the config that ``image`` has beyond the image below all its snapshots.

    Together with that base they are the image, to the byte, so an import gives one with the same ID. The file
    is a tar: ``snap.json`` says which base it is for, and has the digests of what follows; then come
    ``config.json``, ``manifest.mtree`` (what changed, for people and other programs) and ``layer.tar``, with
    ``.wh.`` names for what is deleted; ``layer-2.tar`` and so on where there are several.

    Parameters
    ----------
    path:
        The file, which appears when it is whole; one that is there is replaced.

    Raises
    ------
    InvalidInput
        The image has no record, or there is no folder for the file.
    Refused
        Its layers are an engine's own, and none that snap would take in.
    """
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise InvalidInput(f"'{path}' cannot be a file.", "Name a file in a folder that is there.")
    found = engine.image(image)
    record = recorded(found, image)
    with ExitStack() as stack:
        changeset = own_changes(engine, found, image, stack, origin=True, progress=progress).changeset
        progress.stage(f"reading the layers of {image}", found.size_bytes)
        added = found.layers[record.origin.layer_count :]
        stored = stored_image(engine, found, stack, progress, added)
        for layer in stored.layers:
            _check(layer, image, record)
        manifest = b"".join(mtree(changeset.changes))
        document = _document(found, full_name_of(image, found), record, stored, manifest)
        progress.stage(f"writing {path}", sum(layer.size_bytes for layer in stored.layers))
        write_whole(path, _chunks(document, stored, manifest), progress.advance)
    size_bytes = path.stat().st_size if path.is_file() else 0
    return DiffExport(found.id, path, size_bytes, document, changeset)


def _check(layer: Layer, image: str, record: Record) -> None:
    """Refuse what :func:`import_diff` would refuse."""
    try:
        for _ in strict_changes(layer):
            pass
    except LayerRefused as error:
        base = record.origin.shown
        raise Refused(
            f"A layer of '{image}' is none that snap takes in: {error.what}.",
            f"Carry it over to a layer of snap's own: `snap rebase {image} --onto {base} -t NEW`.",
        ) from error


def _document(image: Image, name: str, record: Record, stored: StoredImage, manifest: bytes) -> DiffDocument:
    return DiffDocument(
        tool=f"docker-snap {__version__}",
        name=name,
        base=record.origin,
        platform=Platform(image.os, image.architecture, image.variant, image.os_version),
        config=_content(stored.config),
        manifest=_content(manifest),
        layers=tuple(Content(layer.diff_id, layer.size_bytes) for layer in stored.layers),
    )


def _content(content: bytes) -> Content:
    return Content(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))


def _chunks(document: DiffDocument, stored: StoredImage, manifest: bytes) -> Iterator[bytes]:
    said = document.to_json()
    yield from _file(DOCUMENT_FILE, len(said), [said])
    yield from _file(CONFIG_FILE, len(stored.config), [stored.config])
    yield from _file(MANIFEST_FILE, len(manifest), [manifest])
    for number, layer in enumerate(stored.layers):
        yield from _file(layer_file(number), layer.size_bytes, layer.chunks())
    yield END


def _file(name: str, size_bytes: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    info = tarfile.TarInfo(name)
    info.size = size_bytes
    yield info.tobuf(tarfile.PAX_FORMAT)
    yield from chunks
    yield padding(size_bytes)
