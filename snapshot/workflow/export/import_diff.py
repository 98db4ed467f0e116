"""``snap import-diff``: the image that a difference and its base are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from snapshot.changeset.entry import Changeset, PathChange
from snapshot.changeset.layer import Layer
from snapshot.changeset.manifest import ManifestDamaged, manifest_digest
from snapshot.changeset.strict_layer import LayerRefused, strict_changes
from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.errors import InvalidInput, Refused, SnapError
from snapshot.image.diff_document import CONFIG_FILE, DOCUMENT_FILE, layer_file
from snapshot.image.generations import Generation, generations_of
from snapshot.image.record import Record, chain_id
from snapshot.image.reference import Reference
from snapshot.journal.step import Step
from snapshot.workflow.delivery import deliver, gone_on_failure
from snapshot.workflow.export.diff_reader import ReadDiff, read_diff
from snapshot.workflow.making import MadeImage, name_image, verified
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.recorded_changes import recorded_changes


def import_diff(
    engine: Engine,
    path: Path,
    base: str,
    target: str | None = None,
    *,
    check: bool = True,
    progress: Progress = SILENT,
) -> MadeImage:
    """Make the image that was exported: the layers of ``base``, those of the file, and its config.

    Everything in the file is held against its digests, and each layer has to be one that snap writes: see
    :mod:`snapshot.changeset.strict_layer`. What the record says of base and layers has to be so.

    Parameters
    ----------
    base:
        Name or ID of the image that the difference was made against, known by its layers.
    target:
        Name for the image (``NAME[:TAG]``).
    check:
        Verify the image before it gets its name.

    Raises
    ------
    InvalidInput
        The file is no difference, or is damaged.
    Refused
        ``base`` is another image than the one that it is for, or the file holds what no image may.
    VerificationFailed
        The image did not hold what it should, and was removed.
    """
    reference = Reference.parse_target(target) if target else None
    found = engine.image(base)
    with ExitStack() as stack:
        file = stack.enter_context(_opened(path))
        progress.stage(f"reading {path}")
        read = read_diff(file, path, stack, progress)
        _check_base(found, base, read, path)
        record, generations = _checked_config(found, read, path)
        progress.stage(f"checking the layers of {path}")
        _check_layers(read.layers, record, path)
        return _made(engine, found, read, record, generations, reference, progress, check=check)


def _made(
    engine: Engine,
    base: Image,
    read: ReadDiff,
    record: Record,
    generations: Sequence[Generation],
    target: Reference | None,
    progress: Progress,
    *,
    check: bool,
) -> MadeImage:
    layer, *further = read.layers or (None,)
    image, is_new = deliver(
        engine, base, base.layers, read.config, layer, progress, further=[item for item in further if item]
    )
    with gone_on_failure(engine, image.id, is_new=is_new):
        verification = verified(engine, image.id, progress) if check else None
        moved_from = name_image(engine, image.id, target) if target else ""
    changes: tuple[PathChange, ...] = ()
    with suppress(ManifestDamaged):
        changes = recorded_changes(record, image) or ()
    steps: tuple[Step, ...] = generations[-1].steps if generations else ()
    name = target.familiar if target else ""
    return MadeImage(
        image.id, name, moved_from, record, Changeset(changes), len(image.layers), verification, steps
    )


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise InvalidInput(f"'{path}' cannot be read: {error.strerror}.") from error
    with file:
        yield cast("IO[bytes]", _File(file, path))


class _File:
    """What goes wrong while a file is read leaves as an error that names it."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file = file
        self._path = path

    def read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            raise InvalidInput(f"'{self._path}' cannot be read: {error.strerror}.") from error


def _check_base(base: Image, name: str, read: ReadDiff, path: Path) -> None:
    wanted = read.document.base
    chain = chain_id(base.layers)
    if (chain, len(base.layers)) == (wanted.chain_id, wanted.layer_count):
        return
    raise Refused(
        f"'{path}' is for {wanted.shown} (layers {wanted.chain_id or 'none'}),"
        f" and '{name}' is another image ({base.id}, layers {chain or 'none'}).",
        "Name the image that it was made from with --base.",
    )


def _checked_config(base: Image, read: ReadDiff, path: Path) -> tuple[Record, Sequence[Generation]]:
    """The record in the config, where that is one of this base with these layers."""
    try:
        value = json.loads(read.config)
        platform = tuple(value.get(key) or "" for key in ("os", "architecture", "variant"))
        diff_ids = value["rootfs"]["diff_ids"]
        labels = _labels(value["config"])
        record = Record.from_labels(labels)
        generations = generations_of(labels)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _refused(path, f"{CONFIG_FILE}: it cannot be read ({error})") from error
    if record is None:
        raise _refused(path, f"{CONFIG_FILE}: it has no record of snap's")
    if diff_ids != [*base.layers, *(layer.diff_id for layer in read.layers)]:
        raise _refused(path, f"{CONFIG_FILE}: its layers are not those of the base and of the file")
    if platform != (base.os, base.architecture, base.variant):
        raise _refused(path, f"{CONFIG_FILE}: it is for another platform than the base")
    if record.origin.chain_id != read.document.base.chain_id:
        raise _refused(path, f"{CONFIG_FILE}: its record names another base than {DOCUMENT_FILE}")
    return record, generations


def _labels(config: dict[str, object]) -> dict[str, str]:
    labels = config["Labels"]
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise ValueError("its labels are no texts")
    return labels


def _check_layers(layers: Sequence[Layer], record: Record, path: Path) -> None:
    for number, layer in enumerate(layers):
        try:
            digest = manifest_digest(strict_changes(layer))
        except LayerRefused as error:
            raise Refused(
                f"'{path}' holds a layer that snap does not take in, {layer_file(number)}: {error.what}.",
                "Do not trust who gave it to you.",
            ) from error
        if layer.diff_id == record.diff_id and digest != record.manifest_digest:
            raise _refused(path, f"{layer_file(number)} does not hold the files that the record lists")


def _refused(path: Path, reason: str) -> SnapError:
    return InvalidInput(
        f"'{path}' is no difference that snap takes in: {reason}.",
        "Write it again with `snap export --diff`.",
    )
