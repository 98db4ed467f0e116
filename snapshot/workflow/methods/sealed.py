"""A sealed commit: the layer and the config are snap's own, and the engine proves that it holds them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from snapshot.changeset.capture import Captured, capture_layer
from snapshot.changeset.entry import Changeset
from snapshot.changeset.layer import LayerSpool
from snapshot.engine.client import Engine
from snapshot.engine.types import ChangeKind
from snapshot.image.config_blob import Commit, config_blob
from snapshot.image.generations import history_entries
from snapshot.image.history import with_layers
from snapshot.image.record import Record
from snapshot.workflow.delivery import deliver
from snapshot.workflow.described import created_at, described, own_labels, told_steps
from snapshot.workflow.fold import changes_against_origin, folded_history
from snapshot.workflow.frozen import frozen
from snapshot.workflow.methods.by_engine import refuse_what_has_gone
from snapshot.workflow.methods.interface import CaptureWay, Made, Order
from snapshot.workflow.progress import Progress
from snapshot.workflow.reader import choose_reader


def make_sealed(engine: Engine, order: Order, progress: Progress) -> Made:
    """Make an image of the base, the captured layer, and a config that is written here.

    Raises
    ------
    SparseLoadRefused
        The engine does not take an archive without the layers that it has, or made something else of it.
    NameUnknown
        The engine's list does not tell which path was deleted.
    """
    with ExitStack() as stack:
        captured = captured_layer(engine, order, progress, stack)
        config, record = written_config(engine, order, captured)
        image, is_new = deliver(engine, order.base, order.base_layers, config, captured.layer, progress)
    return Made(image.id, is_new, record, captured.changeset, captured.left_out)


def captured_layer(engine: Engine, order: Order, progress: Progress, stack: ExitStack) -> Captured:
    """The container's changes in a layer, which lasts as long as ``stack``; the container runs on then."""
    container = order.container
    with frozen(engine, container, order.pause):
        stage = f"reading what {container.name} changed"
        progress.stage(stage)
        folds = len(order.base_layers) < len(order.base.layers)
        # The upper folder has not what is in the layers that are to be folded.
        way = CaptureWay.API if folds else order.capture
        chosen = choose_reader(engine, container, order.base, way, stack)
        listed = chosen.changes
        if folds:
            listed = changes_against_origin(engine, order.base, order.origin, listed)
        progress.detail(
            f"capture: {chosen.reader.name} ({chosen.reason}), {len(chosen.changes)} paths listed"
        )

        progress.stage(stage, chosen.size_bytes)

        def spool(deleted: list[str]) -> LayerSpool:
            return stack.enter_context(
                LayerSpool(deleted, latest_mtime_s=order.fixed_time_s, on_bytes=progress.advance)
            )

        captured = capture_layer(
            chosen.reader,
            listed,
            [mount.destination for mount in container.mounts],
            spool,
            exclusion=order.exclusion,
        )
    for plan in captured.reading.plans:
        progress.detail(f"fetch plan: {plan}")
        for step in plan.steps:
            progress.detail(f"  {step}")
    refuse_what_has_gone(container, captured.changeset)
    return captured


def written_config(engine: Engine, order: Order, captured: Captured) -> tuple[bytes, Record]:
    """The config of the image, which its ID is the digest of, and the record in its labels."""
    created = created_at(order)
    diff_id = captured.layer.diff_id if captured.layer else ""
    config = replace(order.wanted, labels=own_labels(order, created))
    record, of_record = described(
        order,
        created,
        captured.changeset,
        config,
        method="sealed",
        diff_id=diff_id,
        left_out=captured.left_out,
    )
    history = with_layers(engine.transfer.history(order.base.id), len(order.base.layers))
    if order.origin.id != order.base.id:
        moment = "" if order.fixed_time_s is None else created
        history = folded_history(history, len(order.base_layers), moment)
    words = _in_words(captured.changeset)
    steps = history_entries(told_steps(order, created), created)
    commit = Commit(created, words, order.message, order.author, diff_id, tuple(steps))
    config = replace(config, labels={**config.labels, **of_record})
    return config_blob(order.base, order.base_layers, history, config, commit), record


def _in_words(changeset: Changeset) -> str:
    """What was done, for the history: ``snap commit: 1 added, 2 changed``."""
    words = {ChangeKind.ADDED: "added", ChangeKind.CHANGED: "changed", ChangeKind.DELETED: "deleted"}
    parts = [f"{number} {words[kind]}" for kind, number in changeset.counts.items() if number]
    return f"snap commit: {', '.join(parts) or 'config'}"
