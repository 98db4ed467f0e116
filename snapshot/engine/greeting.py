"""The first question to an engine: whether it is one, and which version of the API it speaks."""

from __future__ import annotations

import re

from snapshot.engine.refusals import message_of
from snapshot.engine.unreachable import PLAIN_TO_TLS, diagnosis, not_an_engine, unreachable, wants_tls
from snapshot.engine.wire import Answer, EngineSilent, Wire
from snapshot.errors import EngineUnreachable

_API_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")


def greeted(wire: Wire, *, timeout_s: float = 60.0) -> str:
    """The version of the API that an engine speaks, such as ``1.41``.

    Parameters
    ----------
    timeout_s:
        How long it may take for an answer. A daemon started by its socket needs some seconds.

    Raises
    ------
    EngineUnreachable
        Nobody listens, the TLS handshake fails, or what answers is not a container engine.
    SocketPermissionDenied
        The engine's socket is not open to this user.
    InvalidInput
        The TLS files cannot be used.
    """
    # Every engine tells it here, at once: Podman's longer answer takes half a second.
    try:
        ping = wire.ask("GET", "/_ping", timeout_s=timeout_s, refusals_too=True)
    except EngineSilent as error:
        raise diagnosis([TimeoutError()], wire.endpoint) from error
    told = ping.headers.get("api-version", "")
    if _API_VERSION.fullmatch(told):
        return told
    answer = wire.ask("GET", "/version", timeout_s=timeout_s, refusals_too=True)
    if answer.status >= 400:
        raise _refusal(answer, wire)
    try:
        said = answer.json()
    except EngineUnreachable as error:
        raise not_an_engine(wire.endpoint, "its answer is no JSON") from error
    version = said.get("ApiVersion") if isinstance(said, dict) else None
    if not isinstance(version, str) or not _API_VERSION.fullmatch(version):
        raise not_an_engine(wire.endpoint, "its answer names no API version")
    return version


def _refusal(answer: Answer, wire: Wire) -> EngineUnreachable:
    """What an HTTP error in answer to the plainest question of all means."""
    text = answer.body.decode("utf-8", "replace")
    if PLAIN_TO_TLS in text:
        return wants_tls(wire.endpoint)
    words = message_of(answer.body, "").strip()
    # Engines, and the proxies that guard them, say no in JSON.
    if answer.status != 404 and words and words != text.strip():
        return unreachable(wire.endpoint, f"it refuses (HTTP {answer.status}): {words}", None)
    return not_an_engine(wire.endpoint, f"it says HTTP {answer.status}")
