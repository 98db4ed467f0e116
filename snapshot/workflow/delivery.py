"""Bringing a finished image into an engine: the new layer alone, the rest by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from snapshot.changeset.layer import Layer
from snapshot.engine.client import Engine
from snapshot.engine.patience import look_for_a_while, tried_again
from snapshot.engine.types import Descriptor, Image
from snapshot.errors import (
    DiskFull,
    EngineError,
    EngineUnreachable,
    ImageNotFound,
    SnapError,
    SparseLoadRefused,
)
from snapshot.image.archive import LAYER_TYPE, ImageArchive
from snapshot.image.descriptors import DescriptorsNotFound, layer_descriptors
from snapshot.workflow.progress import Progress
from snapshot.workflow.state import keep_descriptors, kept_descriptors


def deliver(
    engine: Engine,
    base: Image,
    base_layers: Sequence[str],
    config: bytes,
    layer: Layer | None,
    progress: Progress,
    *,
    further: Sequence[Layer] = (),
) -> tuple[Image, bool]:
    """Load an image that is made of layers of ``base`` and one more; returns it, and whether it is new.

    ``further`` are layers on top of that one.

    What the engine says of its layers afterwards is what it computed from what it stored, so it is the proof
    that the image is what was sent.

    Raises :class:`~snapshot.errors.SparseLoadRefused` where it is not, or where the engine takes no archive
    with layers left out. Nothing is left then.
    """
    added = [*([layer] if layer else []), *further]
    archive = _sparse_archive(engine, base, base_layers, config, added)
    names = (archive.config_digest, archive.manifest_digest)
    before = _found(engine, names)
    expected = (*base_layers, *(item.diff_id for item in added))
    with _nothing_left(engine, names, before):
        try:
            engine.transfer.load(_told(archive.chunks(), added, progress), base if base.descriptor else None)
        except (DiskFull, EngineUnreachable):
            raise
        except EngineError as error:
            raise SparseLoadRefused(f"The engine did not take the image: {error.what}", error.hint) from error
        image = _found(engine, names)
        if image is None:
            raise SparseLoadRefused("The engine took the image and does not have it.")
        if image.layers != expected:
            raise SparseLoadRefused("The engine made an image with other layers than it was given.")
    if image.descriptor and image.descriptor.digest == archive.manifest_digest:
        # What stands on this image next need not ask for them.
        keep_descriptors(_descriptors_key(image.descriptor, image), archive.layers)
    return image, before is None


def _sparse_archive(
    engine: Engine, base: Image, base_layers: Sequence[str], config: bytes, added: Sequence[Layer]
) -> ImageArchive:
    """The archive of such an image, with the base's layers left out."""
    descriptors = _base_descriptors(engine, base)[: len(base_layers)]
    above = [Descriptor(LAYER_TYPE, layer.diff_id, layer.size_bytes) for layer in added]
    return ImageArchive(config, (*descriptors, *above), {layer.diff_id: layer.chunks for layer in added})


def _base_descriptors(engine: Engine, base: Image) -> tuple[Descriptor, ...]:
    if base.descriptor is None:
        # Classic stores and Podman know a layer by its diff ID, and never look at the size of what they have.
        return tuple(Descriptor(LAYER_TYPE, diff_id, 0) for diff_id in base.layers)
    key = _descriptors_key(base.descriptor, base)
    known = kept_descriptors(key)
    if known is not None and len(known) == len(base.layers):
        return known
    try:
        with engine.transfer.save(base.id) as stream:
            found = layer_descriptors(stream, base)
    except DescriptorsNotFound as error:
        raise SparseLoadRefused(
            f"The layers of the base image are not known to the engine: {error}."
        ) from error
    keep_descriptors(key, found)
    return found


def _descriptors_key(manifest: Descriptor, image: Image) -> str:
    return f"{manifest.digest} {image.os}/{image.architecture}/{image.variant}"


@contextmanager
def gone_on_failure(engine: Engine, image_id: str, *, is_new: bool) -> Iterator[None]:
    """Where the work inside fails, remove an image that was made for it, unless it was there before."""
    try:
        yield
    except BaseException:
        if is_new:
            with suppress(SnapError):
                # It may be refused while the engine is at an interrupted call.
                tried_again(lambda: engine.remove_image(image_id))
        raise


@contextmanager
def _nothing_left(engine: Engine, names: Sequence[str], before: Image | None) -> Iterator[None]:
    """Where the work inside fails, remove what it made of the image, unless it was there before."""

    def removed() -> bool:
        found = _found(engine, names)
        if found:
            image_id = found.id
            # It may be refused while the engine is at the interrupted call.
            tried_again(lambda: engine.remove_image(image_id))
        return found is not None

    try:
        yield
    except KeyboardInterrupt:
        if before is None:
            look_for_a_while(removed)
        raise
    except BaseException:
        if before is None:
            with suppress(SnapError):
                removed()
        raise


def _found(engine: Engine, names: Sequence[str]) -> Image | None:
    """The image that is the first of those IDs: which of them is its ID is the store's choice."""
    for name in names:
        with suppress(ImageNotFound):
            return engine.image(name)
    return None


def _told(chunks: Iterator[bytes], added: Sequence[Layer], progress: Progress) -> Iterator[bytes]:
    progress.stage("loading", sum(layer.size_bytes for layer in added))
    for chunk in chunks:
        yield chunk
        progress.advance(len(chunk))
