"""``snap commit -o FILE``: a complete image as a file; no image store is touched."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from snapshot.changeset.layer import Layer, check_room
from snapshot.engine.client import Engine
from snapshot.engine.types import Descriptor
from snapshot.errors import EngineError
from snapshot.image.archive import LAYER_TYPE, ImageArchive
from snapshot.image.saved import SavedImage, SavedImageUnreadable
from snapshot.workflow.methods.interface import Made, Order
from snapshot.workflow.methods.sealed import captured_layer, written_config
from snapshot.workflow.progress import Progress

_PIECE_BYTES = 1 << 20


def write_archive(engine: Engine, order: Order, path: Path, name: str, progress: Progress) -> Made:
    """Write the image to ``path``: an OCI image layout and a Docker archive in one tar.

    Each layer of the base is held against its digest on the way. All layers are uncompressed, so the same
    image is the same file whichever engine it came from, save for its record. The file appears when it is
    whole.

    Parameters
    ----------
    name:
        The image's name in the archive (``docker.io/library/NAME:TAG``), empty for none.
    """
    with ExitStack() as stack:
        captured = captured_layer(engine, order, progress, stack)
        config, record = written_config(engine, order, captured)
        progress.stage(f"reading {order.origin.name or order.base.id}", order.base.size_bytes)
        layers = [
            *_base_layers(engine, order, stack, progress),
            *([captured.layer] if captured.layer else []),
        ]
        archive = ImageArchive(
            config,
            [Descriptor(LAYER_TYPE, layer.diff_id, layer.size_bytes) for layer in layers],
            {layer.diff_id: layer.chunks for layer in layers},
            name,
        )
        progress.stage(f"writing {path}", sum(layer.size_bytes for layer in layers))
        _write(path, archive.chunks(), progress.advance)
    return Made(archive.config_digest, True, record, captured.changeset, captured.left_out)


def _base_layers(engine: Engine, order: Order, stack: ExitStack, progress: Progress) -> list[Layer]:
    """The layers of the base, kept in the spool folder until ``stack`` ends."""
    check_room(order.base.size_bytes)
    found: dict[str, Layer] = {}
    wanted = set(order.base_layers)
    try:
        with engine.transfer.save(order.base.id) as stream:
            for saved in SavedImage(stream).layers():
                file = stack.enter_context(
                    tempfile.TemporaryFile(prefix="docker-snap-", buffering=0)  # noqa: SIM115
                )
                size_bytes = 0
                while chunk := saved.read(_PIECE_BYTES):
                    size_bytes += file.write(chunk)
                    progress.advance(len(chunk))
                layer = Layer(file, size_bytes, saved.diff_id())
                if layer.diff_id in wanted and layer.diff_id not in found:
                    found[layer.diff_id] = layer
                else:
                    file.close()
    except SavedImageUnreadable as error:
        raise EngineError(f"The base image '{order.base.id}' cannot be read: {error}.") from error
    missing = wanted - found.keys()
    if missing:
        raise EngineError(f"The base image lacks its layer {min(missing)}.", "Pull it again, then try again.")
    return [found[diff_id] for diff_id in order.base_layers]


def _write(path: Path, chunks: Iterator[bytes], on_bytes: Callable[[int], None]) -> None:
    if path.exists() and not path.is_file():
        # A device or a pipe is written to, and not replaced: nobody wants a file in the place of /dev/null.
        with path.open("wb") as file:
            _copy(chunks, file, on_bytes)
        return
    path = path.resolve()  # where a link leads to
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            _copy(chunks, file, on_bytes)
            os.fchmod(file.fileno(), 0o666 & ~_umask())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink()
        raise


def _copy(chunks: Iterator[bytes], file: IO[bytes], on_bytes: Callable[[int], None]) -> None:
    for chunk in chunks:
        file.write(chunk)
        on_bytes(len(chunk))


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
