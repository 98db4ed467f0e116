"""The config of a sealed image: what its containers are started with, its record, its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from snapshot.changeset.entry import Changeset
from snapshot.engine.client import Engine
from snapshot.engine.types import ChangeKind
from snapshot.image.config_blob import Commit, config_blob
from snapshot.image.generations import history_entries
from snapshot.image.history import dated
from snapshot.image.record import Record
from snapshot.workflow.described import created_at, described, own_labels, told_steps
from snapshot.workflow.fold import folded_history
from snapshot.workflow.layer_steps import layer_steps
from snapshot.workflow.methods.interface import Order

if TYPE_CHECKING:
    from snapshot.changeset.capture import LeftOut


def written_config(
    engine: Engine,
    order: Order,
    changeset: Changeset,
    added: Sequence[str],
    *,
    verb: str,
    left_out: Sequence[LeftOut] = (),
) -> tuple[bytes, Record]:
    """The config of the image, which its ID is the digest of, and the record in its labels.

    Parameters
    ----------
    changeset:
        What the image changes against ``order.origin``.
    added:
        The digests of the layers that it has above the base's, lowest first.
    verb:
        What made it, for the history.
    """
    created = created_at(order)
    config = replace(order.wanted, labels=own_labels(order, created))
    record, of_record = described(
        order, created, changeset, config, method="sealed", layers=added, left_out=left_out
    )
    history = dated(step.entry for step in layer_steps(engine, order.base, quick=True))
    if order.origin.id != order.base.id:
        moment = "" if order.fixed_time_s is None else created
        history = folded_history(history, len(order.base_layers), moment)
    words = _in_words(verb, changeset)
    steps = history_entries(told_steps(order, created), created)
    commit = Commit(created, words, order.message, order.author, tuple(added), tuple(steps))
    config = replace(config, labels={**config.labels, **of_record})
    return config_blob(order.base, order.base_layers, history, config, commit), record


def _in_words(verb: str, changeset: Changeset) -> str:
    """What was done, for the history: ``snap commit: 1 added, 2 changed``."""
    words = {ChangeKind.ADDED: "added", ChangeKind.CHANGED: "changed", ChangeKind.DELETED: "deleted"}
    parts = [f"{number} {words[kind]}" for kind, number in changeset.counts.items() if number]
    return f"snap {verb}: {', '.join(parts) or 'config'}"
