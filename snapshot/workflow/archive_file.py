"""``snap commit -o FILE``: a complete image as a file; no image store is touched."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from snapshot.engine.client import Engine
from snapshot.engine.types import Descriptor
from snapshot.image.archive import LAYER_TYPE, ImageArchive
from snapshot.workflow.methods.interface import CommitOrder, Made
from snapshot.workflow.methods.sealed import captured_layer
from snapshot.workflow.progress import Progress
from snapshot.workflow.stored_image import stored_image
from snapshot.workflow.whole_file import write_whole
from snapshot.workflow.written_config import written_config


def write_archive(engine: Engine, order: CommitOrder, path: Path, name: str, progress: Progress) -> Made:
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
        added = [captured.layer.diff_id] if captured.layer else []
        config, record = written_config(
            engine, order, captured.changeset, added, verb="commit", left_out=captured.left_out
        )
        progress.stage(f"reading {order.origin.shown}", order.base.size_bytes)
        layers = [
            *stored_image(engine, order.base, stack, progress, order.base_layers).layers,
            *([captured.layer] if captured.layer else []),
        ]
        archive = ImageArchive(
            config,
            [Descriptor(LAYER_TYPE, layer.diff_id, layer.size_bytes) for layer in layers],
            {layer.diff_id: layer.chunks for layer in layers},
            name,
        )
        progress.stage(f"writing {path}", sum(layer.size_bytes for layer in layers))
        write_whole(path, archive.chunks(), progress.advance)
    return Made(archive.config_digest, True, record, captured.changeset, captured.left_out)
