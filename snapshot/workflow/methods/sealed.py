"""A sealed commit: the layer and the config are snap's own, and the engine proves that it holds them."""

from __future__ import annotations

from contextlib import ExitStack

from snapshot.changeset.capture import Captured, capture_layer
from snapshot.changeset.layer import LayerSpool
from snapshot.engine.client import Engine
from snapshot.workflow.delivery import deliver
from snapshot.workflow.fold import changes_against_origin
from snapshot.workflow.frozen import frozen
from snapshot.workflow.methods.by_engine import refuse_what_has_gone
from snapshot.workflow.methods.interface import CaptureWay, CommitOrder, Made
from snapshot.workflow.progress import Progress
from snapshot.workflow.reader import choose_reader
from snapshot.workflow.written_config import written_config


def make_sealed(engine: Engine, order: CommitOrder, progress: Progress) -> Made:
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
        added = [captured.layer.diff_id] if captured.layer else []
        config, record = written_config(
            engine, order, captured.changeset, added, verb="commit", left_out=captured.left_out
        )
        image, is_new = deliver(engine, order.base, order.base_layers, config, captured.layer, progress)
    return Made(image.id, is_new, record, captured.changeset, captured.left_out)


def captured_layer(engine: Engine, order: CommitOrder, progress: Progress, stack: ExitStack) -> Captured:
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
