"""The keys that leave a process running and give the terminal back.

Engines look for them as well, but do well with a container's first process alone: of any other, Docker says
then that it failed, and Podman 4 does not say anything any more.
"""

from __future__ import annotations

from snapshot.errors import InvalidInput

_DEFAULT = "ctrl-p,ctrl-q"
_CONTROLS = "@abcdefghijklmnopqrstuvwxyz[\\]^_"


def key_bytes(keys: str) -> bytes:
    r"""What a terminal sends for keys that are written as Docker has it; none mean ``ctrl-p,ctrl-q``.

    Raises :class:`~snapshot.errors.InvalidInput`.

    >>> key_bytes("ctrl-a,d")
    b'\x01d'
    """
    return b"".join(_key_byte(key, keys) for key in (keys or _DEFAULT).split(","))


def _key_byte(key: str, keys: str) -> bytes:
    if len(key) == 1 and key.isascii():
        return key.encode()
    if key == "DEL":
        return b"\x7f"
    control = key.removeprefix("ctrl-")
    if key.startswith("ctrl-") and len(control) == 1 and control in _CONTROLS:
        return bytes([_CONTROLS.index(control)])
    raise InvalidInput(
        f"'{keys}' are no keys to detach with: '{key}' is none.",
        "Write letters, or ctrl- with a letter or one of @ [ \\ ] ^ _, with commas between: ctrl-p,ctrl-q.",
    )


class KeyWatch:
    """Looks for the keys in what is typed, and passes everything else on.

    Attributes
    ----------
    seen:
        Whether they have come; nothing that follows them is passed on.
    """

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""
        self.seen = False

    def feed(self, typed: bytes) -> bytes:
        """What of ``typed`` and what was held back is to be sent now."""
        typed = self._held + typed
        before, found, _ = typed.partition(self._keys)
        self._held = b""
        if found:
            self.seen = True
            return before
        # The beginning of the keys waits for what comes next, as it does with Docker.
        for length in range(min(len(self._keys) - 1, len(typed)), 0, -1):
            if typed.endswith(self._keys[:length]):
                self._held = typed[-length:]
                return typed[:-length]
        return typed

    def rest(self) -> bytes:
        """What is held back, once nothing follows it."""
        rest, self._held = self._held, b""
        return rest
