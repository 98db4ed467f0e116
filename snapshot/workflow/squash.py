"""``snap squash``: the layers that snap added to an image as one; its files and config stay as they are."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from snapshot.engine.client import Engine
from snapshot.errors import SnapError
from snapshot.image.record import OCI_OF_THE_BASE_ALONE
from snapshot.workflow.described import full_name_of
from snapshot.workflow.making import MadeImage, MakingOptions, make_image, order_on, target_or_own
from snapshot.workflow.own_changes import own_changes, recorded
from snapshot.workflow.progress import SILENT, Progress


def squash(
    engine: Engine,
    image: str,
    target: str | None = None,
    options: MakingOptions | None = None,
    *,
    progress: Progress = SILENT,
) -> MadeImage:
    """Fold all layers that snap added to the first base of ``image`` into one.

    Parameters
    ----------
    target:
        Name for the new image; without one it takes that of ``image``.

    Raises
    ------
    InvalidInput
        The image has no record.
    SnapError
        There is nothing to fold, or the image does not hold what its record says.
    Refused
        The image does not stand on the first base any more.
    """
    options = options or MakingOptions()
    found = engine.image(image)
    name = target_or_own(target, image, found)
    record = recorded(found, image)
    origin = record.origin
    added = len(found.layers) - origin.layer_count
    if added < 2:
        number = "no layer" if added == 0 else "one layer"
        raise SnapError(f"'{image}' has {number} on top of {origin.shown}: there is nothing to fold.")
    with ExitStack() as stack:
        own = own_changes(
            engine,
            found,
            image,
            stack,
            origin=True,
            fixed_time_s=options.fixed_time_s,
            progress=progress,
        )
        # What the image says of itself is true of the same files in one layer too; of a base it would go.
        labels = {
            key: value for key, value in found.config.labels.items() if key not in OCI_OF_THE_BASE_ALONE
        }
        order = order_on(
            replace(found, config=replace(found.config, labels=labels)),
            full_name_of(image, found),
            options._replace(
                message=options.message or record.message, author=options.author or record.author
            ),
            wanted=found.config,
            origin=origin,
            made_from=found.id,
        )
        return make_image(
            engine,
            order,
            own.changeset,
            verb="squash",
            on=found,
            below=found.layers[: origin.layer_count],
            layer=own.layer,
            target=name,
            check=options.check,
            progress=progress,
        )
