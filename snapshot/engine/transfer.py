"""Whole images on their way into an engine and out of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import IO, Any, cast

import docker

from snapshot.engine.failures import raise_for_refusal, translated
from snapshot.engine.refusals import refusal
from snapshot.engine.types import HistoryEntry, Image

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Go's zero time, year 1: what an engine says where an image does not.
_NO_TIME_S = -62135596800


class ImageTransfer:
    """Loads and saves images, and reads their history."""

    def __init__(self, api: docker.APIClient) -> None:
        self._api = api
        self._url = f"{api.base_url}/v{api.api_version}"

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
        with (
            translated(),
            self._api.post(
                f"{self._url}/images/load",
                params=params,
                data=archive,
                headers={"Content-Type": "application/x-tar"},
                stream=True,
                timeout=self._api.timeout,
            ) as response,
        ):
            raise_for_refusal(response, "")
            for line in response.iter_lines():
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
        with (
            translated(name),
            self._api.get(
                f"{self._url}/images/{name}/get", stream=True, timeout=self._api.timeout
            ) as response,
        ):
            raise_for_refusal(response, name)
            yield cast("IO[bytes]", response.raw)

    def history(self, name: str) -> list[HistoryEntry]:
        """The history of an image, oldest first.

        The engine gives whole seconds, no authors, and does not tell which entries have a layer.
        """
        with translated(name):
            answer = self._api.history(name)  # type: ignore[no-untyped-call]
        return [
            HistoryEntry(
                created=_rfc3339(item.get("Created") or 0),
                created_by=item.get("CreatedBy") or "",
                comment=item.get("Comment") or "",
                size_bytes=item.get("Size") or 0,
            )
            for item in reversed(cast("list[dict[str, Any]]", answer))
        ]


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
