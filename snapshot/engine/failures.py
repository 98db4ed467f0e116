"""Turns what docker-py, requests and urllib3 raise into this project's own exceptions."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager

import docker.errors
import requests
import urllib3.exceptions

from snapshot.engine.refusals import gone, message_of, reason_of, refusal

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
        raise gone(reason_of(_innermost(error))) from error


def raise_for_refusal(response: requests.Response, subject: str) -> None:
    """Raise the matching :class:`SnapError` when the engine answered with a failure."""
    if response.status_code < 400:
        return
    raise refusal(response.status_code, message_of(response.content, response.reason), subject)


def _innermost(error: BaseException) -> BaseException:
    """The cause of it all: requests and urllib3 wrap it several times."""
    seen = error
    for _ in range(8):
        inner = seen.__cause__ or seen.__context__
        if inner is None:
            break
        seen = inner
    return seen
