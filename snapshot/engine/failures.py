"""Turns what docker-py, requests and urllib3 raise into this project's own exceptions."""

from __future__ import annotations

import errno
import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager

import docker.errors
import requests
import urllib3.exceptions

from snapshot.errors import (
    CommandNotStarted,
    ContainerNotFound,
    DiskFull,
    EngineError,
    EngineGone,
    ImageNotFound,
    NameInUse,
    NotFound,
    PathNotFound,
    SnapError,
)

_TRANSPORT_FAILURES = (
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    ConnectionError,
)


@contextmanager
def translated(subject: str = "") -> Iterator[None]:
    """Run a call to the engine; what goes wrong in it leaves as a :class:`SnapError`.

    Parameters
    ----------
    subject:
        The name that the user gave for the thing the call is about, for the message.
    """
    try:
        yield
    except docker.errors.APIError as error:
        raise refusal(error.status_code or 0, str(error.explanation or error), subject) from error
    except _TRANSPORT_FAILURES as error:
        raise EngineGone(
            f"The engine went away in the middle of the work ({_reason(error)}).",
            "See whether it still runs with `snap engine`, then try again.",
        ) from error


def raise_for_refusal(response: requests.Response, subject: str) -> None:
    """Raise the matching :class:`SnapError` when the engine answered with a failure."""
    if response.status_code < 400:
        return
    text = response.text
    try:
        message = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        message = text.strip() or response.reason
    raise refusal(response.status_code, message, subject)


def refusal(status_code: int, message: str, subject: str = "") -> SnapError:
    """The exception for an answer of the engine that refuses (4xx) or fails (5xx).

    The engine tells *what* was not found in its message alone (moby 20.10 to 28, Podman 4), so the
    words are looked at where the status is not enough.
    """
    words = " ".join(message.split())
    lower = words.lower()
    if "no space left on device" in lower or "disk quota exceeded" in lower:
        return DiskFull(
            f"The engine's disk is full: {words}",
            "Make room there (`docker system df` shows what takes it), then try again.",
        )
    if status_code == 500 and "normalizing name" in lower and "invalid reference format" in lower:
        # Podman does not even look for what cannot be a name.
        return _not_found("no such image", words, subject)
    if status_code == 404:
        return _not_found(lower, words, subject)
    # Docker answers with 409, Podman with 500.
    if status_code in {409, 500} and "already in use" in lower and "container name" in lower:
        return NameInUse(
            f"A container named '{subject}' exists already.",
            "Choose another --name, or give --replace to remove that one.",
        )
    return EngineError(f"The engine refused: {words}")


def _not_found(lower: str, words: str, subject: str) -> NotFound:
    if "no such container" in lower or "no container with name or id" in lower:
        return ContainerNotFound(
            f"No container is named '{subject}'." if subject else words,
            "`snap ls` lists the containers that snap made, `docker ps -a` all of them.",
        )
    if "no such image" in lower or "image not known" in lower:
        return ImageNotFound(
            f"No image is named '{subject}' here." if subject else words,
            "`docker image ls` lists the images of this engine.",
        )
    if "could not find the file" in lower or "no such file or directory" in lower:
        return PathNotFound(f"There is no '{subject}'." if subject else words)
    return NotFound(f"The engine refused: {words}")


def _reason(error: BaseException) -> str:
    """The innermost cause in a few words: requests and urllib3 wrap it several times."""
    seen: BaseException = error
    for _ in range(8):
        inner = seen.__cause__ or seen.__context__
        if inner is None:
            break
        seen = inner
    if isinstance(seen, OSError) and seen.errno:
        return errno.errorcode.get(seen.errno, str(seen.errno)) + f", {seen.strerror}"
    return str(seen) or type(seen).__name__


def not_started(error: EngineError) -> CommandNotStarted:
    """Tell 126 from 127 by the runtime's words, as Docker's CLI does (``toStatusError``)."""
    words = error.what
    if any(
        sign in words
        for sign in ("executable file not found", "no such file or directory", "cannot find the file")
    ):
        return CommandNotStarted(words, "Check the command's name and path in the image.", exit_code=127)
    if "permission denied" in words or "is a directory" in words:
        return CommandNotStarted(words, "Check that the command may be executed.", exit_code=126)
    return CommandNotStarted(words, error.hint)


def is_read_timeout(error: BaseException) -> bool:
    """Whether the engine did not answer in time."""
    # Over a unix socket requests reports a read timeout as a ConnectionError that holds urllib3's own.
    return isinstance(error, requests.exceptions.ReadTimeout) or "Read timed out" in str(error)
