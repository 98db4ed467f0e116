"""What an engine's refusals and silences mean, as this project's own exceptions.

Nothing here imports ``docker``: it serves the calls over docker-py (:mod:`snapshot.engine.failures`) and
those over this project's own connection (:mod:`snapshot.engine.wire`) alike.
"""

from __future__ import annotations

import errno
import json

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


def message_of(body: bytes, otherwise: str) -> str:
    """The engine's words in an answer that refuses: JSON with a ``message``, or plain text."""
    text = body.decode("utf-8", "replace")
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip() or otherwise


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


def container_not_found(name: str, words: str = "") -> ContainerNotFound:
    """The exception for a container that is not there; the engine's ``words`` serve where it has no name."""
    return ContainerNotFound(
        f"No container is named '{name}'." if name else words,
        "`snap ls` lists the containers that snap made, `docker ps -a` all of them.",
    )


def _not_found(lower: str, words: str, subject: str) -> NotFound:
    if "no such container" in lower or "no container with name or id" in lower:
        return container_not_found(subject, words)
    if "no such image" in lower or "image not known" in lower:
        return ImageNotFound(
            f"No image is named '{subject}' here." if subject else words,
            "`docker image ls` lists the images of this engine.",
        )
    if "could not find the file" in lower or "no such file or directory" in lower:
        return PathNotFound(f"There is no '{subject}'." if subject else words)
    return NotFound(f"The engine refused: {words}")


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


def gone(reason: str) -> EngineGone:
    """The exception for a connection that broke after the engine had answered before."""
    return EngineGone(
        f"The engine went away in the middle of the work ({reason}).",
        "See whether it still runs with `snap engine`, then try again.",
    )


def reason_of(error: BaseException) -> str:
    """A failure of the transport in a few words."""
    if isinstance(error, OSError) and error.errno:
        return errno.errorcode.get(error.errno, str(error.errno)) + f", {error.strerror}"
    return str(error) or type(error).__name__
