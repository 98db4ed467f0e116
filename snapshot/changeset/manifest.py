"""The file manifest: every changed path of a snapshot, as text that an image is held against.

Its digest covers what stands at each path, and not whether a path was added or changed, which depends
on what was there before and cannot be told from a layer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from snapshot.changeset.entry import FileEntry, FileType, PathChange
from snapshot.engine.types import ChangeKind
from snapshot.packing import packed, unpacked

#: A manifest unpacks to no more than this; one from a stranger's image could be a bomb.
MOST_UNPACKED_BYTES = 256 << 20


class ManifestDamaged(ValueError):
    """The text is no file manifest."""


def in_an_image(changes: Iterable[PathChange]) -> list[PathChange]:
    """Those changes that an image can hold: sockets and what has gone cannot be in a layer."""
    return list(filter(_is_in_an_image, changes))


def _is_in_an_image(change: PathChange) -> bool:
    return bool(change.file) or change.kind is ChangeKind.DELETED


def manifest_digest(changes: Iterable[PathChange]) -> str:
    """``sha256:…`` over what stands at each changed path, in canonical order.

    Equal changes give an equal digest, whichever container, engine or time they come from. They are taken one
    at a time, so an iterator can give more than memory holds.
    """
    digest = hashlib.sha256()
    for change in filter(_is_in_an_image, changes):
        digest.update(_line([change.path, *_fields(change.file)]))
    return f"sha256:{digest.hexdigest()}"


def encode_manifest(changes: Iterable[PathChange]) -> str:
    """The manifest as one short line of text: JSON lines, zlib, base64."""
    lines = [
        _line([change.kind.value, change.path, *_fields(change.file)]) for change in in_an_image(changes)
    ]
    return packed(b"".join(lines))


def decode_manifest(text: str) -> tuple[PathChange, ...]:
    """Read what :func:`encode_manifest` wrote; raises :class:`ManifestDamaged`."""
    try:
        content = unpacked(text, MOST_UNPACKED_BYTES)
        return tuple(_path_change(json.loads(line)) for line in content.splitlines())
    except (ValueError, TypeError, RecursionError) as error:
        raise ManifestDamaged(f"the manifest cannot be read ({error})") from error


def _line(values: list[Any]) -> bytes:
    # ASCII JSON keeps names that are not UTF-8 as lone surrogates, and they come back so.
    return json.dumps(values, separators=(",", ":"), ensure_ascii=True).encode("ascii") + b"\n"


def _fields(file: FileEntry | None) -> list[Any]:
    if file is None:
        return []
    fields = [
        file.type.value,
        file.mode,
        file.uid,
        file.gid,
        file.size_bytes,
        file.sha256,
        file.link_target,
        file.hard_link,
        file.device,
    ]
    return [*fields, file.capability] if file.capability else fields


def _path_change(values: Any) -> PathChange:
    kind, path, *fields = values
    if not (isinstance(path, str) and path.startswith("/")):
        raise ManifestDamaged(f"{path!r} is no absolute path")
    _refuse_what_is_no_name(path)
    if not fields:
        return PathChange(ChangeKind.DELETED, path)
    file_type, mode, uid, gid, size_bytes, sha256, link_target, hard_link, device, *capability = fields
    numbers = (mode, uid, gid, size_bytes)
    texts = (sha256, link_target, hard_link, device, *capability)
    if not (all(type(n) is int for n in numbers) and all(isinstance(t, str) for t in texts)):
        raise ManifestDamaged(f"the entry of {path!r} has fields of wrong types")
    _refuse_what_is_no_name(link_target)
    _refuse_what_is_no_name(hard_link)
    entry = FileEntry(path, FileType(file_type), *numbers, *texts)
    return PathChange(ChangeKind(kind), path, entry)


def _refuse_what_is_no_name(text: str) -> None:
    # JSON can write surrogates that stand for no byte: encoding them is a ValueError.
    text.encode("utf-8", "surrogateescape")
