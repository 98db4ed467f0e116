"""The state folder: file manifests too large for an image's labels, and what need not be asked twice."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

from snapshot.engine.types import Descriptor
from snapshot.journal.private_files import make_private, write_private

_SHA256 = "sha256:"


def state_folder() -> Path:
    """``$XDG_STATE_HOME/docker-snap``, by default ``~/.local/state/docker-snap`` (XDG base directories)."""
    # The specification has relative paths ignored.
    base = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".local" / "state") / "docker-snap"


def keep_manifest(digest: str, text: str) -> Path:
    """Keep an encoded file manifest under its digest (``sha256:…``); only this user can read it."""
    return _keep(_manifest_path(digest), text)


def kept_manifest(digest: str) -> str | None:
    """The encoded file manifest with that digest, where it was kept here."""
    try:
        return _manifest_path(digest).read_text("ascii")
    except (OSError, ValueError):
        return None


def keep_descriptors(key: str, descriptors: Sequence[Descriptor]) -> Path:
    """Keep the descriptors of an image's layers; ``key`` names its manifest by digest, so they stay true."""
    return _keep(_descriptors_path(key), json.dumps([astuple(item) for item in descriptors]))


def kept_descriptors(key: str) -> tuple[Descriptor, ...] | None:
    """The descriptors with that key, where they were kept here."""
    try:
        return tuple(Descriptor(*item) for item in json.loads(_descriptors_path(key).read_text("ascii")))
    except (OSError, ValueError, TypeError):
        return None


def _keep(path: Path, text: str) -> Path:
    make_private(state_folder())
    make_private(path.parent)
    write_private(path, text.encode("ascii"))
    return path


def _manifest_path(digest: str) -> Path:
    # The digest can come from a stranger's image: nothing but its hex digits becomes a path.
    name = digest.removeprefix(_SHA256)
    if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
        raise ValueError(f"{digest!r} is no sha256 digest")
    return state_folder() / "manifests" / name


def _descriptors_path(key: str) -> Path:
    import hashlib  # what keeps steps loads this module as well, and has no use for it

    return state_folder() / "descriptors" / hashlib.sha256(key.encode()).hexdigest()
