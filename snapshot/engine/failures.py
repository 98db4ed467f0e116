"""Turns what docker-py, requests and urllib3 raise into this project's own exceptions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from snapshot.engine.refusals import gone, reason_of, refusal
from snapshot.errors import SnapError


@contextmanager
def translated(subject: str = "") -> Iterator[None]:
    """Run a call over docker-py; what goes wrong in it leaves as a :class:`SnapError`.

    Parameters
    ----------
    subject:
        The name that the user gave for the thing the call is about, for the message.
    """
    try:
        yield
    except SnapError:
        raise
    except Exception as error:
        translation = _translation(error, subject)
        if translation is None:
            raise
        raise translation from error


def _translation(error: Exception, subject: str) -> SnapError | None:
    """What an exception means; ``None`` for one that comes from elsewhere."""
    # They take long to load, and nobody needs them before docker-py itself has been used.
    import http.client

    import docker.errors
    import requests
    import urllib3

    if isinstance(error, docker.errors.APIError):
        return refusal(error.status_code or 0, str(error.explanation or error), subject)
    transport = (
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        http.client.HTTPException,
        ConnectionError,
    )
    return gone(reason_of(_innermost(error))) if isinstance(error, transport) else None


def _innermost(error: BaseException) -> BaseException:
    """The cause of it all: requests and urllib3 wrap it several times."""
    seen = error
    for _ in range(8):
        inner = seen.__cause__ or seen.__context__
        if inner is None:
            break
        seen = inner
    return seen
