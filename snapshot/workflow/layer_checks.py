"""Holding an image's layers against its record: by digests alone, without reading a file."""

from __future__ import annotations

from snapshot.engine.types import Image
from snapshot.image.record import Record, chain_id
from snapshot.workflow.findings import Finding


def layer_findings(record: Record, image: Image) -> list[Finding]:
    """Whether the layers are those of the recorded base and the committed one."""
    finding = _base_finding(record, image)
    if not finding.passed or record.method != "sealed":
        return [finding]
    added = image.layers[record.base.layer_count :]
    recorded = record.added_layers
    if added == recorded:
        detail = "none was added"
        if added:
            which = "the committed one" if len(added) == 1 else f"the {len(added)} committed ones"
            detail = f"{which}, {', '.join(added)}"
        return [finding, Finding("layer", True, detail)]
    if len(added) < len(recorded):
        missing = "the committed layer is" if len(recorded) == 1 else "committed layers are"
        return [finding, Finding("layer", False, f"{missing} missing")]
    seen, wanted = (", ".join(layers) or "none" for layers in (added, recorded))
    return [finding, Finding("layer", False, f"is {seen}, recorded {wanted}")]


def has_layers_too_many(record: Record, image: Image) -> bool:
    """Whether other layers stand on the image as it was committed."""
    layers = image.layers
    count = record.base.layer_count
    own = record.added_layers
    return (
        len(layers) > count + len(own)
        and chain_id(layers[:count]) == record.base.chain_id
        and layers[count : count + len(own)] == own
    )


def named_base_finding(record: Record, base: Image) -> Finding:
    """Whether ``base`` is the image that the record names: by its layers, and by its digest if it has one."""
    subject = "base image"
    if len(base.layers) != record.base.layer_count or chain_id(base.layers) != record.base.chain_id:
        return Finding(subject, False, f"{base.id} has other layers than the recorded base")
    digests = {base.id, *(digest.partition("@")[2] for digest in base.repo_digests)}
    if base.descriptor:
        digests.add(base.descriptor.digest)
    if digests & {record.base.id, record.base.digest}:
        return Finding(subject, True, f"is the recorded one, {record.base.digest}")
    return Finding(
        subject,
        True,
        f"has the recorded layers; its digest here is {base.id}, which another kind of store names otherwise",
    )


def _base_finding(record: Record, image: Image) -> Finding:
    base = record.base
    count = base.layer_count
    named = f"{base.shown}, {count} layer{'' if count == 1 else 's'}"
    if len(image.layers) < count or chain_id(image.layers[:count]) != base.chain_id:
        return Finding("base", False, f"the layers below are not those of {named}")
    # An empty changeset adds no layer, and the engine's own commit tells no digest in advance.
    extra = len(image.layers) - count
    most = len(record.added_layers) if record.method == "sealed" else 1
    if extra > most:
        committed = {0: "none was", 1: "one was"}.get(most, f"{most} were")
        return Finding("base", False, f"{extra} layers stand on {named}, and {committed} committed")
    return Finding("base", True, named)
