"""Strangers' texts as a person can see all of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from snapshot.journal.printable import printable

#: Letters and signs that show nothing.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
#: How many accents may stand on one letter before they reach into other lines.
_MOST_ACCENTS = 3


def visible(raw: str, as_is: Callable[[str], str] = str, as_escape: Callable[[str], str] = str) -> str:
    r"""``raw``, with escapes for what could hide, steer, or turn around what is read.

    Parameters
    ----------
    as_is, as_escape:
        How what is shown as it is, and what became an escape, is written.

    >>> visible("caf\xe9\x1b[1m\u202e")
    'caf\xe9\\x1b[1m\\u202e'
    """
    if raw.isascii() and raw.isprintable():
        return as_is(raw)
    pieces: list[str] = []
    accents = 0
    for char in raw:
        accents = accents + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        if not char.isprintable():
            pieces.append(as_escape(printable(char)))
        elif char in _BLANK or accents > _MOST_ACCENTS:
            pieces.append(as_escape(f"\\u{ord(char):04x}"))
        else:
            pieces.append(as_is(char))
    return "".join(pieces)


def middle_cut(raw: str, most_chars: int) -> str:
    """``raw`` in at most so many characters: of a longer one the middle is ``…``.

    >>> middle_cut("/usr/share/doc/curl", 9)
    '/usr…curl'
    """
    if len(raw) <= most_chars:
        return raw
    end = (most_chars - 1) // 2
    return f"{raw[: most_chars - 1 - end]}…{raw[len(raw) - end :]}"
