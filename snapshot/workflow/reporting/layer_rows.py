"""The layers of an image as a report tells them."""

from __future__ import annotations

from snapshot.journal.redaction import redacted_argv
from snapshot.report.model import ReportLayer
from snapshot.workflow.layers import LayersView, LayerView


def layer_rows(view: LayersView) -> tuple[ReportLayer, ...]:
    """Each layer, the base's first; what could be a secret is cut from the words of what made it."""
    return tuple(_row(layer) for layer in view.layers)


def _row(layer: LayerView) -> ReportLayer:
    use = layer.use
    return ReportLayer(
        number=layer.number,
        diff_id=layer.diff_id,
        size_bytes=use.size_bytes,
        files=use.files,
        deleted=use.deleted,
        wasted_bytes=use.hidden_bytes,
        # A builder writes its arguments and variables into the history as they were.
        created_by="; ".join(redacted_argv((words,))[0][0] for words in layer.made_by),
        shared_with=layer.shared_with,
    )
