"""What a snapshot says about itself, in labels of its image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

from snapshot.engine.types import Config

#: All labels of this project stand under this prefix.
PREFIX = "io.github.docker-snap"
RECORD_LABEL = f"{PREFIX}.record"
MANIFEST_LABEL = f"{PREFIX}.manifest"
#: The steps that made the image and those below it (:mod:`snapshot.image.generations`).
STEPS_LABEL = f"{PREFIX}.steps"
#: Recordings of steps, where they were asked for.
SESSIONS_LABEL = f"{PREFIX}.sessions"
#: Digest over all of these: an edit of any shows.
SEAL_LABEL = f"{PREFIX}.seal"
#: The labels that only an image's own record may hold: none of them is inherited.
RECORD_LABELS = frozenset({RECORD_LABEL, MANIFEST_LABEL, STEPS_LABEL, SESSIONS_LABEL, SEAL_LABEL})
#: On a container: the image it was started from. No image can name its own ID, so a container of a
#: later image that inherits this label is never mistaken for one that snap started.
STARTED_LABEL = f"{PREFIX}.started-from"
#: On the never-started containers through which an image's files are read.
HELPER_LABEL = f"{PREFIX}.helper"

#: OCI image spec, annotations; ``base.digest`` is the image's ID where no registry gave it a digest.
OCI_CREATED = "org.opencontainers.image.created"
OCI_AUTHORS = "org.opencontainers.image.authors"
OCI_BASE_NAME = "org.opencontainers.image.base.name"
OCI_BASE_DIGEST = "org.opencontainers.image.base.digest"

#: What an image says of itself alone: inherited by an image that is made from it, these are wrong.
OCI_OF_THE_BASE_ALONE = frozenset(
    f"org.opencontainers.image.{key}"
    for key in ("authors", "created", "description", "ref.name", "revision", "title", "version")
)

SCHEMA = 1
#: Labels travel in every inspect answer and config blob: all of ours together stay below 64 KiB.
MOST_LABEL_CHARS = (64 << 10) - 1
MOST_MANIFEST_CHARS = 48 << 10
_MOST_RECORD_CHARS = 64 << 10

_LISTS = ("kept_by_engine", "skipped", "left_out_by", "layers")


class RecordDamaged(ValueError):
    """The labels hold a record that was edited, cut or never one of ours."""


@dataclass(frozen=True)
class Base:
    """The image that a snapshot was made from.

    ``chain_id`` stands for its layers and their order (OCI image spec, ``layer chainid``);
    ``layer_count`` says how many those are.
    """

    name: str
    id: str
    digest: str
    chain_id: str
    layer_count: int

    @property
    def shown(self) -> str:
        """What it is called in messages: its name, or its ID where it has none."""
        return self.name or self.id


@dataclass(frozen=True)
class Record:
    """What a snapshot says about itself.

    Attributes
    ----------
    tool:
        Name and version of what wrote it.
    created:
        When, RFC 3339 in UTC.
    container:
        Name of the container that was committed.
    manifest_digest:
        Digest of the file manifest, which says what stands at each changed path.
    added, changed, deleted:
        Numbers of paths.
    size_bytes:
        Bytes of the changed files.
    config:
        For each part of the image's config (``cmd``, ``env TARGET``, …) the digest of its value.
    diff_id:
        Digest of the layer that was added (OCI image spec, ``rootfs.diff_ids``), which proves every byte of
        it; empty where no file changed, where the engine made the layer, or where there are several.
    layers:
        The digests of all layers that were added, lowest first, where there are several.
    method:
        ``sealed``: the layer is snap's own; ``engine``: it is from the engine's own commit.
    first_base:
        For a snapshot of a snapshot: the image below all of them.
    made_from:
        ID of the snapshot that was rebased or squashed, and is nowhere below this one.
    kept_by_engine:
        Parts of the config that came from the container because the engine's commit leaves nothing out.
    skipped:
        Changed paths that no image can hold.
    left_out_by, left_out, left_out_bytes:
        Rules that kept changed paths out of the image, how many paths, and their bytes.
    """

    tool: str
    created: str
    container: str
    message: str
    author: str
    base: Base
    manifest_digest: str
    added: int
    changed: int
    deleted: int
    size_bytes: int
    config: Mapping[str, str]
    method: str = "engine"
    diff_id: str = ""
    first_base: Base | None = None
    kept_by_engine: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    left_out_by: tuple[str, ...] = ()
    left_out: int = 0
    left_out_bytes: int = 0
    layers: tuple[str, ...] = ()
    made_from: str = ""
    schema: int = SCHEMA

    def to_labels(self, manifest: str, steps: str = "", sessions: str = "") -> dict[str, str]:
        """The labels that hold this record, and what goes with it.

        The manifest's is empty where there is no room for it beside the others; those of steps and sessions
        are there where they hold something.
        """
        text = json.dumps(asdict(self), separators=(",", ":"), sort_keys=True)
        labels = {RECORD_LABEL: text, MANIFEST_LABEL: "", SEAL_LABEL: _seal({})}
        labels |= {name: value for name, value in ((STEPS_LABEL, steps), (SESSIONS_LABEL, sessions)) if value}
        if len(manifest) <= min(MOST_MANIFEST_CHARS, MOST_LABEL_CHARS - label_chars(labels)):
            labels[MANIFEST_LABEL] = manifest
        return {**labels, SEAL_LABEL: _seal(labels)}

    @classmethod
    def if_intact(cls, labels: Mapping[str, str]) -> Record | None:
        """As :meth:`from_labels`, and ``None`` for a record that is damaged as well."""
        try:
            return cls.from_labels(labels)
        except RecordDamaged:
            return None

    @classmethod
    def from_labels(cls, labels: Mapping[str, str]) -> Record | None:
        """The record in an image's labels, ``None`` where there is none.

        Raises :class:`RecordDamaged` where the seal or the form is broken.
        """
        text = labels.get(RECORD_LABEL, "")
        if not text:
            if any(labels.get(name) for name in RECORD_LABELS):
                raise RecordDamaged("the record was removed")
            return None
        if len(text) > _MOST_RECORD_CHARS:
            raise RecordDamaged("the record is larger than any that snap writes")
        if labels.get(SEAL_LABEL) != _seal(labels):
            raise RecordDamaged("the record or what goes with it was edited")
        try:
            return cls._from_json(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise RecordDamaged(f"the record cannot be read ({error})") from error

    @classmethod
    def _from_json(cls, value: Any) -> Record:
        if value["schema"] != SCHEMA:
            raise RecordDamaged(f"the record has schema {value['schema']!r}, this snap reads {SCHEMA}")
        base = _base(value.pop("base"))
        first_base = value.pop("first_base", None)
        kept_by_engine, skipped, left_out_by, layers = (_texts(value.pop(name, [])) for name in _LISTS)
        config = value.pop("config")
        _texts([*config, *config.values()])
        return cls(
            **_fields_of(cls, value),
            base=base,
            first_base=_base(first_base) if first_base else None,
            config=config,
            kept_by_engine=kept_by_engine,
            skipped=skipped,
            left_out_by=left_out_by,
            layers=layers,
        )

    @property
    def added_layers(self) -> tuple[str, ...]:
        """The digests of the layers that were added, lowest first; none where they are not known."""
        return self.layers or ((self.diff_id,) if self.diff_id else ())

    @property
    def origin(self) -> Base:
        """The image below this snapshot and all that it was made from."""
        return self.first_base or self.base


def _base(value: Any) -> Base:
    return Base(**_fields_of(Base, value))


def _fields_of(kind: type, value: dict[str, Any]) -> dict[str, Any]:
    """The JSON fields that ``kind`` has, each of the type it declares; newer ones are passed over."""
    declared = {name: note for name, note in kind.__annotations__.items() if name in value}
    for name, note in declared.items():
        if type(value[name]).__name__ != note:
            raise RecordDamaged(f"'{name}' in the record is no {note}")
    return {name: value[name] for name in declared}


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
        raise RecordDamaged("a list in the record holds something else than text")
    return tuple(values)


def label_chars(labels: Mapping[str, str]) -> int:
    """How much room labels take, in characters."""
    return sum(len(name) + len(value) for name, value in labels.items())


def _seal(labels: Mapping[str, str]) -> str:
    record, manifest = labels.get(RECORD_LABEL, ""), labels.get(MANIFEST_LABEL, "")
    steps, sessions = labels.get(STEPS_LABEL, ""), labels.get(SESSIONS_LABEL, "")
    # Images from before there were steps are sealed in the first way; in the other, as JSON, nothing can be
    # moved from one label into another.
    text = json.dumps([record, manifest, steps, sessions]) if steps or sessions else f"{record}\n{manifest}"
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def chain_id(layers: Sequence[str]) -> str:
    """The chain ID of diff IDs, base first; empty for no layers.

    >>> chain_id(("sha256:aa",))
    'sha256:aa'
    """
    return next(reversed(chain_ids(layers)), "")


def chain_ids(layers: Sequence[str]) -> tuple[str, ...]:
    """The chain ID of each layer, base first (OCI image spec, config.md, ``Layer ChainID``).

    It stands for a layer and all below it: images share a layer where they have one with the same chain ID.
    """

    def on_top(chain: str, diff_id: str) -> str:
        return f"sha256:{hashlib.sha256(f'{chain} {diff_id}'.encode()).hexdigest()}"

    return tuple(accumulate(layers, on_top))


def config_digests(config: Config) -> dict[str, str]:
    """A digest for each part of a config that has a value, by a name that people know.

    Digests rather than values, since values of env can be secret. The labels of the record itself are
    left out: the seal covers them.
    """
    parts: dict[str, Any] = {
        "cmd": config.cmd,
        "entrypoint": config.entrypoint,
        "workdir": config.working_dir,
        "user": config.user,
        "stop-signal": config.stop_signal,
        "healthcheck": asdict(config.healthcheck) if config.healthcheck else None,
        "onbuild": config.on_build,
        "shell": config.shell,
    }
    for variable in config.env:
        name, _, value = variable.partition("=")
        parts[f"env {name}"] = [value]
    for label, value in config.labels.items():
        if label not in RECORD_LABELS:
            parts[f"label {label}"] = [value]
    parts.update({f"port {port}": True for port in config.exposed_ports})
    parts.update({f"volume {path}": True for path in config.volumes})
    return {name: _digest(value) for name, value in sorted(parts.items()) if value}


def _digest(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
