"""Making an image of layers and a config that are written here: loaded, verified, named last.

What ``snap patch``, ``replay``, ``rebase``, ``squash`` and ``import-diff`` end with.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from snapshot.changeset.entry import Changeset
from snapshot.changeset.layer import Layer
from snapshot.engine.client import Engine
from snapshot.engine.patience import look_for_a_while
from snapshot.engine.types import Config, Image
from snapshot.errors import EngineError, ImageNotFound, InvalidInput, VerificationFailed
from snapshot.image.generations import Generation, generations_of
from snapshot.image.record import Base, Record, RecordDamaged
from snapshot.image.reference import Reference
from snapshot.journal.step import Step
from snapshot.workflow.delivery import deliver, gone_on_failure
from snapshot.workflow.described import base_of, is_id_of
from snapshot.workflow.methods.interface import Order
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.verify import Verification, verify
from snapshot.workflow.written_config import written_config


class MadeImage(NamedTuple):
    """An image that was made.

    Attributes
    ----------
    name:
        The name that it has now, empty where none was asked for.
    moved_from:
        ID of the image that had this name before, empty where none had.
    changeset:
        What it changes against the base that its record names.
    verification:
        ``None`` where it was not asked for.
    is_new:
        Whether the engine did not have it before: the same changes with a fixed time make the same image.
    """

    image_id: str
    name: str
    moved_from: str
    record: Record
    changeset: Changeset
    layer_count: int
    verification: Verification | None
    steps: tuple[Step, ...] = ()
    is_new: bool = True


class MakingOptions(NamedTuple):
    """What is asked of an image besides its content.

    ``fixed_time_s`` are seconds since 1970 that stand for now, and that no file's time is later than.
    ``check`` asks for a verification before the image gets its name.
    """

    message: str = ""
    author: str = ""
    fixed_time_s: int | None = None
    check: bool = True


def order_on(
    base: Image,
    base_name: str,
    options: MakingOptions,
    *,
    wanted: Config | None = None,
    origin: Base | None = None,
    steps: Sequence[Step] = (),
    made_from: str = "",
) -> Order:
    """What is to be made of ``base``.

    Parameters
    ----------
    base_name:
        Its full name (:func:`~snapshot.workflow.described.full_name`), empty where it was given by its ID.
    wanted:
        The config; that of the base where it is left out.
    origin:
        Where the new layers are to stand on less than all layers of ``base``: what the record says of that.
    made_from:
        ID of the snapshot that is rebased or squashed.
    """
    record = Record.if_intact(base.config.labels)
    inherited: tuple[Generation, ...] = ()
    with suppress(RecordDamaged):
        inherited = generations_of(base.config.labels)
    stands_on = origin or base_of(base_name, base)
    first_base = record.origin if record and record.origin != stands_on else None
    return Order(
        base=base,
        base_name=base_name,
        wanted=base.config if wanted is None else wanted,
        origin=stands_on,
        first_base=first_base,
        inherited=inherited,
        steps=tuple(steps),
        made_from=made_from,
        message=options.message,
        author=options.author,
        fixed_time_s=options.fixed_time_s,
    )


def make_image(
    engine: Engine,
    order: Order,
    changeset: Changeset,
    *,
    verb: str,
    on: Image,
    below: tuple[str, ...],
    layer: Layer | None,
    target: Reference | None,
    check: bool = True,
    progress: Progress = SILENT,
) -> MadeImage:
    """Load an image, verify it, and give it its name; where anything fails, nothing is left.

    Parameters
    ----------
    changeset:
        All that it changes against ``order.origin``.
    verb:
        What makes it, for the history.
    on, below:
        An image that the engine has, and those of its layers that the new one stands on: the origin's, and
        what was added to them already.
    layer:
        The new layer on top, ``None`` for none.

    Raises
    ------
    SparseLoadRefused
        The engine does not take such an image.
    VerificationFailed
        The image did not hold what it should, and was removed; the name is where it was.
    """
    above = (*below, layer.diff_id) if layer else below
    config, record = written_config(engine, order, changeset, above[order.origin.layer_count :], verb=verb)
    image, is_new = deliver(engine, on, below, config, layer, progress)
    with gone_on_failure(engine, image.id, is_new=is_new):
        verification = verified(engine, image.id, progress) if check else None
        moved_from = name_image(engine, image.id, target) if target else ""
    return MadeImage(
        image.id,
        target.familiar if target else "",
        moved_from,
        record,
        changeset,
        len(image.layers),
        verification,
        order.steps,
        is_new,
    )


def own_name(name: str, image: Image, hint: str) -> Reference:
    """The name that an image was asked for by, to be moved to another image.

    Raises :class:`~snapshot.errors.InvalidInput`, with ``hint``, where it was asked for by its ID.
    """
    with suppress(InvalidInput):
        if not is_id_of(name, image):
            return Reference.parse_target(name)
    raise InvalidInput(f"'{name}' is no name that can be moved to another image.", hint)


def target_or_own(target: str | None, name: str, image: Image) -> Reference:
    """The name that a new image is to get: the one asked for, or that of the image that it is made of."""
    if target:
        return Reference.parse_target(target)
    return own_name(name, image, "Give the new one a name with -t.")


def name_image(engine: Engine, image_id: str, target: Reference) -> str:
    """Give an image a name; returns the ID of the image that had it before, empty for none or the same.

    A call that fails or is interrupted leaves the name where it was.
    """
    try:
        before = engine.image(target.familiar).id
    except ImageNotFound:
        before = ""

    def put_back() -> bool:
        has_moved = engine.image(target.familiar).id == image_id
        if has_moved and before:
            engine.tag(before, target.name, target.tag)
        return has_moved

    try:
        engine.tag(image_id, target.name, target.tag)
    except BaseException as error:
        # The engine may have moved it, or be about to: whoever removes the image would lose the name with it,
        # or get the image back with a name that comes later.
        if before != image_id and (before or not isinstance(error, EngineError)):
            look_for_a_while(put_back)
        raise
    return before if before != image_id else ""


def verified(engine: Engine, image_id: str, progress: Progress) -> Verification:
    """Verify a new image; raises :class:`~snapshot.errors.VerificationFailed` if it is to be removed."""
    verification = verify(engine, image_id, progress=progress)
    if verification.passed:
        return verification
    raise VerificationFailed(
        "The new image does not hold what it should, and was removed.",
        "See whether something changes its files meanwhile, then try again.",
        findings=tuple(f"{finding.subject}: {finding.detail}" for finding in verification.failures),
    )
