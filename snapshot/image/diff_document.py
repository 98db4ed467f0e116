"""``snap.json``, which a difference begins with: what base it is for, and what the file holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from snapshot.image.record import Base
from snapshot.image.reference import is_digest

SCHEMA = "docker-snap.diff/1"

#: The names of the members of the file, in their order; those of layers follow.
DOCUMENT_FILE = "snap.json"
CONFIG_FILE = "config.json"
MANIFEST_FILE = "manifest.mtree"

#: Documents that are larger are refused; an engine takes no larger config either (Podman).
MOST_DOCUMENT_BYTES = 1 << 20
MOST_CONFIG_BYTES = 4 << 20
#: More layers than any engine takes.
MOST_LAYERS = 500

_MOST_TEXT_CHARS = 1000
_LARGEST = 1 << 60

_Item = TypeVar("_Item")


class DocumentDamaged(ValueError):
    """The text is no such document."""


@dataclass(frozen=True)
class Content:
    """A member of the file: its digest (``sha256:…``) and size."""

    digest: str
    size_bytes: int


@dataclass(frozen=True)
class Platform:
    """What an image runs on (OCI image spec, config.md)."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""


@dataclass(frozen=True)
class DiffDocument:
    """What a file with a difference says of itself.

    Attributes
    ----------
    tool:
        Name and version of what wrote it.
    name:
        What the image was called; empty where it was given by its ID.
    base:
        The image below all snapshots that it stands on.
    config:
        The image's config, whole.
    manifest:
        The list of the changed files, for people and other programs: it is not needed to make the image.
    layers:
        Those above the base's, lowest first.
    """

    tool: str
    name: str
    base: Base
    platform: Platform
    config: Content
    manifest: Content
    layers: tuple[Content, ...]

    def to_json(self) -> bytes:
        """The document."""
        value = {"schema": SCHEMA, **asdict(self)}
        return json.dumps(value, indent=2, sort_keys=True).encode("ascii") + b"\n"

    @classmethod
    def from_json(cls, content: bytes) -> DiffDocument:
        """Read it; raises :class:`DocumentDamaged`. Keys that are not known are passed over."""
        try:
            value = json.loads(content)
            schema = value["schema"]
            if schema != SCHEMA:
                raise DocumentDamaged(f"it has schema {schema!r:.60}, this snap reads {SCHEMA}")
            return cls(
                tool=_text(value["tool"]),
                name=_text(value["name"]),
                base=_base(value["base"]),
                platform=_platform(value["platform"]),
                config=_content(value["config"], MOST_CONFIG_BYTES),
                manifest=_content(value["manifest"], _LARGEST),
                layers=_list(value["layers"], lambda item: _content(item, _LARGEST)),
            )
        except DocumentDamaged:
            raise
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise DocumentDamaged(f"it cannot be read ({error})") from error


def layer_file(number: int) -> str:
    """What the layer with that number, from 0 on, is called in the file.

    >>> layer_file(0), layer_file(1)
    ('layer.tar', 'layer-2.tar')
    """
    return f"layer-{number + 1}.tar" if number else "layer.tar"


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _MOST_TEXT_CHARS:
        raise DocumentDamaged("a text in it is none, or too long")
    return value


def _number(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise DocumentDamaged(f"a number in it is none from 0 to {most}")
    return value


def _digest(value: Any) -> str:
    if not isinstance(value, str) or not is_digest(value):
        raise DocumentDamaged("a digest in it is none")
    return value


def _base(value: Any) -> Base:
    return Base(
        name=_text(value["name"]),
        id=_text(value["id"]),
        digest=_text(value["digest"]),
        chain_id=_digest(value["chain_id"]) if value["chain_id"] else "",
        layer_count=_number(value["layer_count"], MOST_LAYERS),
    )


def _platform(value: Any) -> Platform:
    return Platform(*(_text(value[key]) for key in ("os", "architecture", "variant", "os_version")))


def _content(value: Any, most_bytes: int) -> Content:
    return Content(_digest(value["digest"]), _number(value["size_bytes"], most_bytes))


def _list(value: Any, read: Callable[[Any], _Item]) -> tuple[_Item, ...]:
    if not isinstance(value, Sequence) or len(value) > MOST_LAYERS:
        raise DocumentDamaged("a list in it is none, or too long")
    return tuple(read(item) for item in value)
