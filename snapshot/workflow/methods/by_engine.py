"""The engine's own commit: it merges config, leaves nothing out, and stamps the time."""

from __future__ import annotations

from dataclasses import replace

from snapshot.changeset.capture import ApiReader, capture
from snapshot.changeset.entry import Changeset
from snapshot.changeset.manifest import in_an_image
from snapshot.changeset.names import refuse_whiteout_names
from snapshot.engine.client import Engine
from snapshot.engine.types import Container
from snapshot.errors import ContainerUnusable, InvalidInput
from snapshot.image.engine_commit import kept_by_engine, merged_by_engine, without_gaps
from snapshot.image.record import RECORD_LABELS, STARTED_LABEL
from snapshot.workflow.described import created_at, described, own_labels
from snapshot.workflow.frozen import frozen
from snapshot.workflow.methods.interface import CommitOrder, Made
from snapshot.workflow.progress import Progress


def make_by_engine(engine: Engine, order: CommitOrder, progress: Progress) -> Made:
    """Make an image with ``POST /commit``.

    Raises :class:`~snapshot.errors.InvalidInput` for what that call cannot do: leave out paths, fold layers,
    fix the time.
    """
    _check_that_it_can(order)
    container = order.container
    with frozen(engine, container, order.pause):
        progress.stage(f"reading what {container.name} changed")
        changeset = capture(
            ApiReader(engine.files(container.id)),
            [mount.destination for mount in container.mounts],
            hash_content=True,
        )
        refuse_whiteout_names(change.path for change in in_an_image(changeset.changes) if change.file)
        refuse_what_has_gone(container, changeset)
        created = created_at(order)
        # The container's would be merged in; empty, it says that no container was started so.
        labels = {**own_labels(order, created), STARTED_LABEL: ""}
        wanted = without_gaps(replace(order.wanted, labels=labels), container.config)
        merged = merged_by_engine(wanted, container.config)
        record, of_record = described(
            order,
            created,
            changeset,
            merged,
            method="engine",
            kept_by_engine=kept_by_engine(wanted, merged),
        )
        progress.stage("committing")
        # So would be what the container's image tells and this one does not.
        inherited = dict.fromkeys(RECORD_LABELS & container.config.labels.keys(), "")
        config = replace(wanted, labels={**labels, **inherited, **of_record})
        image_id = engine.commit(container.id, config, author=order.author, message=order.message)
    return Made(image_id, True, record, changeset)


def refuse_what_has_gone(container: Container, changeset: Changeset) -> None:
    """Raise where a path went while the files were read: the container was not at rest."""
    gone = [entry.path for entry in changeset.skipped if entry.reason == "gone"]
    if gone:
        raise ContainerUnusable(
            f"'{container.name}' changed while it was read: '{gone[0]}' has gone.",
            "Leave out --no-pause, or wait until the container is at rest.",
        )


def _check_that_it_can(order: CommitOrder) -> None:
    asked = {
        "leave paths out": bool(order.exclusion.rules),
        "fold layers": order.squash,
        "fix the time": order.fixed_time_s is not None,
    }
    for what, is_asked in asked.items():
        if is_asked:
            raise InvalidInput(
                f"The engine's own commit cannot {what}.", "Leave --method engine out, or that option."
            )
