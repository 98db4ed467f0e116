"""``snap export --oci``: an image with all its layers, as an OCI image layout."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from snapshot.engine.client import Engine
from snapshot.engine.types import Descriptor, Image
from snapshot.errors import InvalidInput
from snapshot.image.archive import LAYER_TYPE, ImageArchive
from snapshot.image.reference import Reference
from snapshot.workflow.described import full_name_of
from snapshot.workflow.export.new_folder import check_new, new_folder
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.stored_image import stored_image
from snapshot.workflow.whole_file import write_whole


class OciExport(NamedTuple):
    """An image layout that was written.

    ``manifest_digest`` is what the layout's index names; ``size_bytes`` are those of config and layers.
    """

    image_id: str
    path: Path
    is_folder: bool
    name: str
    manifest_digest: str
    config_digest: str
    size_bytes: int


def export_oci(engine: Engine, image: str, path: Path, *, progress: Progress = SILENT) -> OciExport:
    """Write an image to a folder, or to one file where ``path`` ends in ``.tar`` or is a file already.

    The config is the engine's, to the byte, and all layers are uncompressed, so the same image is the same
    layout whichever engine it came from. Docker's ``manifest.json`` is there too, so every engine loads it.
    Folder or file appear when they are whole; a file that is there is replaced.

    Raises :class:`~snapshot.errors.InvalidInput` where the folder is neither new nor empty.
    """
    is_folder = not is_file_name(path)
    if is_folder:
        check_new(path)
    elif not path.absolute().parent.is_dir():
        raise InvalidInput(f"There is no folder '{path.absolute().parent}'.", "Make it first.")
    found = engine.image(image)
    name = _name(image, found)
    with ExitStack() as stack:
        progress.stage(f"reading {image}", found.size_bytes)
        stored = stored_image(engine, found, stack, progress)
        archive = ImageArchive(
            stored.config,
            [Descriptor(LAYER_TYPE, layer.diff_id, layer.size_bytes) for layer in stored.layers],
            {layer.diff_id: layer.chunks for layer in stored.layers},
            name,
        )
        size_bytes = sum({layer.diff_id: layer.size_bytes for layer in stored.layers}.values())
        progress.stage(f"writing {path}", size_bytes)
        if is_folder:
            _write_folder(path, archive, progress)
        else:
            write_whole(path, archive.chunks(), progress.advance)
    return OciExport(
        found.id,
        path,
        is_folder,
        name,
        archive.manifest_digest,
        archive.config_digest,
        size_bytes + len(stored.config),
    )


def is_file_name(path: Path) -> bool:
    """Whether a layout at ``path`` is one file: it is there as one, or is called ``….tar``."""
    return (path.exists() and not path.is_dir()) or (not path.is_dir() and path.suffix == ".tar")


def _write_folder(path: Path, archive: ImageArchive, progress: Progress) -> None:
    with new_folder(path) as draft:
        for file in archive.files():
            target = draft / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                for chunk in file.content():
                    out.write(chunk)
                    progress.advance(len(chunk))


def _name(image: str, found: Image) -> str:
    """The name that the image has in the layout; none where it was asked for by its ID."""
    name = full_name_of(image, found)
    return name if name and Reference.parse(name).tag else ""
