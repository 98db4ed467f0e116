"""What a kept result says of itself beside its key: the steps that led to it, and all that they changed.

Labels can be copied to an image with other files. So this one ends with a seal over the layers too, made with
the secret that keys are made with (RFC 2104).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from snapshot.changeset.entry import Changeset
from snapshot.changeset.manifest import ManifestDamaged, decode_manifest, encode_manifest, manifest_digest
from snapshot.errors import SnapError
from snapshot.image.record import PREFIX
from snapshot.journal.step import Step
from snapshot.journal.step_json import step_from_json, step_to_json
from snapshot.packing import packed, unpacked
from snapshot.workflow.cache import cache_secret
from snapshot.workflow.state import keep_manifest, kept_manifest

#: The label that holds it, on kept results alone.
RESULT_LABEL = f"{PREFIX}.cache-result"

# Engines take longer labels, and then show them in every answer.
_MOST_CHARS = 60 << 10
_MOST_MANIFEST_CHARS = 24 << 10
_MOST_UNPACKED_BYTES = 4 << 20


class KeptResult(NamedTuple):
    """What led to a result, and what it changes against the base."""

    steps: tuple[Step, ...]
    changeset: Changeset


def result_label(result: KeptResult, layers: Sequence[str]) -> str:
    """The label's text for an image of these layers; empty where it would be too long to be kept.

    A long list of changes is kept in the state folder.
    """
    manifest = encode_manifest(result.changeset.changes)
    digest = manifest_digest(result.changeset.changes)
    if len(manifest) > _MOST_MANIFEST_CHARS:
        try:
            keep_manifest(digest, manifest)
        except (OSError, SnapError):
            return ""
        manifest = ""
    steps = [step_to_json(step) for step in result.steps]
    value = {"steps": steps, "digest": digest, "changes": manifest, "seal": _seal(layers, steps, digest)}
    content = json.dumps(value, separators=(",", ":"))
    if len(content) > _MOST_UNPACKED_BYTES:
        return ""
    text = packed(content.encode("ascii"))
    return text if len(text) <= _MOST_CHARS else ""


def kept_result(labels: Mapping[str, str], layers: Sequence[str], step_count: int) -> KeptResult | None:
    """What the labels of a kept result say.

    ``None`` where that cannot be read, is of other steps, or was said of an image with other layers.
    """
    try:
        value = json.loads(unpacked(labels.get(RESULT_LABEL, "")[: _MOST_CHARS + 1], _MOST_UNPACKED_BYTES))
        if not hmac.compare_digest(_seal(layers, value["steps"], value["digest"]), value["seal"]):
            return None
        steps = tuple(step_from_json(step) for step in _list(value["steps"]))
        manifest = value["changes"] or kept_manifest(value["digest"])
        changes = decode_manifest(manifest) if manifest else ()
        if len(steps) != step_count or manifest_digest(changes) != value["digest"]:
            return None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, ManifestDamaged):
        return None
    return KeptResult(steps, Changeset(changes))


def _seal(layers: Sequence[str], steps: object, digest: object) -> str:
    text = json.dumps([list(layers), steps, digest], separators=(",", ":"), sort_keys=True)
    return hmac.new(cache_secret(), text.encode("ascii"), hashlib.sha256).hexdigest()


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise TypeError("no list of steps")
    return value
