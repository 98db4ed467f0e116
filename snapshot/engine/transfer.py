"""Whole images on their way into an engine and out of it, and what they are used for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import IO, Any, cast

from snapshot.engine.answers import read_items
from snapshot.engine.refusals import refusal
from snapshot.engine.types import HistoryEntry, Image
from snapshot.engine.wire import Wire, of_image

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Go's zero time, year 1: what an engine says where an image does not.
_NO_TIME_S = -62135596800


class ImageTransfer:
    """Loads and saves images, reads their history, and tells who uses them."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def load(self, archive: Iterable[bytes], platform_of: Image | None = None) -> list[str]:
        """Load an image from a tar; returns what the engine says of it, a line each.

        With ``platform_of`` the containerd store checks that the image is complete for that image's platform
        (API 1.48).

        An engine reports failures within an answer that begins well: they are raised as
        :class:`~snapshot.errors.EngineError`. What it says of success proves nothing: look at the image.
        """
        lines = []
        params = {"quiet": "1"}
        if platform_of:
            params["platform"] = json.dumps(
                {
                    "os": platform_of.os,
                    "architecture": platform_of.architecture,
                    "variant": platform_of.variant,
                }
            )
        answer = self._wire.upload("POST", "/images/load", archive, params=params)
        for line in answer.body.splitlines():
            event = _event(line)
            words = str(event.get("error") or event.get("stream") or "").strip()
            # The containerd store of Docker 28 says this one on its ordinary stream.
            if "error" in event or words.startswith("Error unpacking image"):
                raise refusal(500, words)
            lines.append(words)
        return lines

    @contextmanager
    def save(self, name: str) -> Iterator[IO[bytes]]:
        """A tar stream of an image with all its layers. Leaving the context early ends the transfer."""
        with self._wire.download("GET", f"{of_image(name)}/get", subject=name) as stream:
            yield cast("IO[bytes]", stream)

    def history(self, name: str) -> list[HistoryEntry]:
        """The history of an image, oldest first.

        The engine gives whole seconds, no authors, and does not tell which entries have a layer.
        """
        # The containerd store has `null` for an image without a history.
        answer = self._wire.ask("GET", f"{of_image(name)}/history", subject=name).json() or []
        return [
            HistoryEntry(
                created=_rfc3339(item.get("Created") or 0),
                created_by=item.get("CreatedBy") or "",
                comment=item.get("Comment") or "",
                size_bytes=item.get("Size") or 0,
            )
            for item in reversed(read_items(answer))
        ]

    def containers_by_image(self) -> dict[str, tuple[str, ...]]:
        """The names of the containers, running or not, of each image that has any, by the image's ID."""
        answer = self._wire.ask("GET", "/containers/json", params={"all": "1"}, timeout_s=None)
        users: dict[str, tuple[str, ...]] = {}
        for item in read_items(answer.json()):
            # Podman leaves the algorithm out in places.
            image_id = f"sha256:{str(item['ImageID']).removeprefix('sha256:')}"
            name = str((item.get("Names") or [item["Id"]])[0]).removeprefix("/")
            users[image_id] = (*users.get(image_id, ()), name)
        return users


def _event(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _rfc3339(seconds: int) -> str:
    if seconds <= _NO_TIME_S:
        return ""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
