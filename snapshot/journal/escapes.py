"""Terminal output taken apart: text, control characters and escape sequences (ECMA-48, xterm's ctlseqs)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

_TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f]+")
_PARAMETERS = re.compile(r"[ -?]+")
_NUMBERS = re.compile(r"[0-9;:]*")
#: The longest parameters of a control sequence that are kept; what is longer means nothing.
_MOST_PARAMETERS = 256
_CANCELS = "\x18\x1a"
#: What begins a control string after ESC: OSC, DCS, SOS, PM, APC, and the title of GNU screen.
_STRING_STARTS = "]PX^_k"
_STRING_END = re.compile(r"[\x18\x1a\x1b\x9c]")
_OSC_END = re.compile(r"[\x07\x18\x1a\x1b\x9c]")


class Kind(Enum):
    """What a :class:`Token` is."""

    TEXT = "text"
    CONTROL = "control"
    ESCAPE = "escape"
    SEQUENCE = "sequence"
    STRING = "string"


class Token(NamedTuple):
    """One piece of a terminal's output.

    Attributes
    ----------
    kind:
        ``TEXT``: characters to be shown. ``CONTROL``: one character of C0. ``ESCAPE``: ESC with intermediate
        characters and a final one. ``SEQUENCE``: CSI. ``STRING``: OSC, DCS, APC and the like.
    text:
        The characters; for an escape its intermediate ones, for a sequence its parameters with all that
        stands before the final character. What a control string holds is not kept.
    final:
        The last character of an escape or a sequence, for a control string the one that begins it after ESC.
    """

    kind: Kind
    text: str
    final: str = ""


class _State(Enum):
    GROUND = 0
    ESCAPE = 1
    SEQUENCE = 2
    STRING = 3
    STRING_ESCAPE = 4


class Splitter:
    """Takes output apart as it comes: what is split over two pieces stays whole.

    Characters of C1 (U+0080 to U+009F) mean the same as ESC with a letter, as terminals have it. Memory is
    bounded whatever comes.
    """

    def __init__(self) -> None:
        self._state = _State.GROUND
        self._collected = ""
        self._string = ""

    def feed(self, text: str) -> Iterator[Token]:
        """The tokens that ``text`` completes."""
        position = 0
        while position < len(text):
            if self._state is _State.GROUND and (run := _TEXT.match(text, position)):
                position = run.end()
                yield Token(Kind.TEXT, run[0])
            elif self._state is _State.SEQUENCE and (run := _PARAMETERS.match(text, position)):
                position = run.end()
                self._collect(run[0])
            elif self._state is _State.STRING:
                end = (_OSC_END if self._string in "]k" else _STRING_END).search(text, position)
                position = end.end() if end else len(text)
                if end:
                    yield from self._end_of_string(end[0])
            else:
                char, position = text[position], position + 1
                if "\x80" <= char <= "\x9f":
                    # An 8-bit control is its 7-bit form: ESC and the letter 64 places before.
                    self._state, self._collected, char = _State.ESCAPE, "", chr(ord(char) - 0x40)
                yield from self._after(char)

    def _after(self, char: str) -> Iterator[Token]:
        if self._state is _State.STRING_ESCAPE:
            if char == "\\":
                self._state = _State.GROUND
                yield Token(Kind.STRING, "", self._string)
                return
            self._state, self._collected = _State.ESCAPE, ""
        if char == "\x1b":
            self._state, self._collected = _State.ESCAPE, ""
        elif char in _CANCELS:
            self._state = _State.GROUND
        elif char < " ":
            # Terminals obey these even in the middle of a sequence.
            yield Token(Kind.CONTROL, char)
        elif self._state is _State.ESCAPE:
            yield from self._after_escape(char)
        elif self._state is _State.SEQUENCE:
            self._state = _State.GROUND
            if "@" <= char <= "~" and len(self._collected) <= _MOST_PARAMETERS:
                yield Token(Kind.SEQUENCE, self._collected, char)

    def _after_escape(self, char: str) -> Iterator[Token]:
        if " " <= char <= "/":
            self._collect(char)
            return
        self._state = _State.GROUND
        if self._collected or char not in "[" + _STRING_STARTS:
            if char < "\x7f" and len(self._collected) <= _MOST_PARAMETERS:
                yield Token(Kind.ESCAPE, self._collected, char)
        elif char == "[":
            self._state = _State.SEQUENCE
        else:
            self._state, self._string = _State.STRING, char

    def _end_of_string(self, end: str) -> Iterator[Token]:
        if end == "\x1b":
            self._state = _State.STRING_ESCAPE
            return
        self._state = _State.GROUND
        if end not in _CANCELS:
            yield Token(Kind.STRING, "", self._string)

    def _collect(self, text: str) -> None:
        if len(self._collected) <= _MOST_PARAMETERS:
            self._collected += text[: _MOST_PARAMETERS + 1]


def is_plain(parameters: str) -> bool:
    """Whether the parameters of a control sequence are numbers, without private marks or intermediates."""
    return _NUMBERS.fullmatch(parameters) is not None


def numbers(parameters: str) -> list[int]:
    """The numbers of a control sequence's parameters; 0 where one is left out, at most 9999 each."""
    return [
        min(int(part), 9999) if part.isdecimal() else 0
        for part in re.split("[;:]", parameters.lstrip("<=>?"))
    ]


def shows(char: str) -> bool:
    """Whether a character is shown and no more: none that steers, or hides or turns round its neighbours."""
    # Spaces of other widths, and the joiners that scripts and emoji need.
    return char.isprintable() or char in "\u200c\u200d" or unicodedata.category(char) == "Zs"
