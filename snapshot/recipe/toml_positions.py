"""Where each key of a TOML text stands, and whether it is modest enough to be parsed.

The standard library's parser tells a position for what is no TOML, but not where a key with a wrong value
stands, and its time grows with the square of a key's parts. This reads the text before it: it goes through
all that is TOML, and ends where something is not, which is for the parser to say.

Keys are paths: ``("step", 2, "copy")`` is the key ``copy`` of the third ``[[step]]``; an element of a list is
its number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from snapshot.errors import InvalidInput

#: The path of a key or of an element of a list.
KeyPath = tuple[str | int, ...]

_MOST_PARTS = 8
_DEEPEST = 8
#: Of one kind, such as ``[[step]]``.
_MOST_TABLES = 10_000
#: Keys and elements of lists together.
_MOST_KEYS = 200_000
#: Numbers and dates are shorter; the parser takes a hundred times the room of one that is long.
_LONGEST_SCALAR = 100

# Each matches something at any place, and none goes back: a stranger's text could make it do so for ever.
_BLANKS = re.compile(r"[ \t]*")
_WHITE = re.compile(r"[ \t\n]*")
_COMMENT = re.compile(r"[^\n]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^\s,\]}#\[{\"'=]+(?: [0-9][^\s,\]}#]*)?")
#: What ends a string, or says that the next character does not.
_ENDS = {
    '"': re.compile(r'["\\\n]'),
    "'": re.compile(r"['\n]"),
    '"""': re.compile(r'\\|"{3,5}'),
    "'''": re.compile(r"'{3,5}"),
}
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_SHORT_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}


class Position(NamedTuple):
    """A place in a text; both count from 1, the column in characters."""

    line: int
    column: int


class TooMuch(InvalidInput):
    """The text is TOML of a size that no recipe has."""

    def __init__(self, what: str, position: Position) -> None:
        super().__init__(what)
        self.position = position


class _NotToml(Exception):
    """What stands there is no TOML."""


def key_positions(text: str) -> Mapping[KeyPath, Position]:
    """Where each key, table and element of a list begins; of what is no TOML, up to there.

    Raises :class:`TooMuch` where a key has too many parts, values are nested too deep, or there are too many
    of them.

    >>> key_positions('[[step]]\\n  copy = "a"')[("step", 0, "copy")]
    Position(line=2, column=3)
    """
    scanner = _Scanner(text)
    with suppress(_NotToml):
        scanner.scan()
    return scanner.found


class _Scanner:
    """Reads a text from left to right; ``found`` has the place of each key."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.found: dict[KeyPath, Position] = {}
        self._numbers: dict[KeyPath, int] = {}
        self._seen, self._line, self._line_start = 0, 1, 0

    def _here(self) -> Position:
        """The place of the next character; asked for from the beginning to the end."""
        self._line += self._text.count("\n", self._seen, self._at)
        self._line_start = max(self._text.rfind("\n", self._seen, self._at) + 1, self._line_start)
        self._seen = self._at
        return Position(self._line, self._at - self._line_start + 1)

    def _note(self, path: KeyPath, position: Position) -> None:
        self.found.setdefault(path, position)
        if len(self.found) > _MOST_KEYS:
            raise TooMuch(f"there are more than {_MOST_KEYS:,} keys and values", position)

    def scan(self) -> None:
        table: KeyPath = ()
        while True:
            self._skip_white()
            if self._at >= len(self._text):
                return
            if self._takes("[["):
                table = self._header("]]", is_list=True)
            elif self._takes("["):
                table = self._header("]", is_list=False)
            else:
                self._pair(table, 0)
            self._skip(_BLANKS)
            if self._at < len(self._text) and self._text[self._at] not in "#\n":
                raise _NotToml

    def _header(self, end: str, *, is_list: bool) -> KeyPath:
        self._skip(_BLANKS)
        start = self._here()
        parts = self._key(start)
        self._expect(end)
        path: KeyPath = ()
        for part in parts[:-1]:
            path = self._inside((*path, part))
        path = (*path, parts[-1])
        self._note(path, start)
        if is_list:
            number = self._numbers.get(path, -1) + 1
            if number >= _MOST_TABLES:
                raise TooMuch(f"there are more than {_MOST_TABLES:,} tables of one kind", start)
            self._numbers[path] = number
            path = (*path, number)
            self._note(path, start)
        else:
            path = self._inside(path)
        return path

    def _inside(self, path: KeyPath) -> KeyPath:
        """The table of that name; of several, the last."""
        return (*path, self._numbers[path]) if path in self._numbers else path

    def _pair(self, table: KeyPath, depth: int) -> None:
        start = self._here()
        path = table
        for part in self._key(start):
            path = (*path, part)
            self._note(path, start)
        self._expect("=")
        self._skip(_BLANKS)
        self._value(path, depth)

    def _key(self, start: Position) -> list[str]:
        parts: list[str] = []
        while True:
            self._skip(_BLANKS)
            parts.append(self._key_part())
            if len(parts) > _MOST_PARTS:
                raise TooMuch("a key has too many parts", start)
            self._skip(_BLANKS)
            if not self._takes("."):
                return parts

    def _key_part(self) -> str:
        if found := _BARE_KEY.match(self._text, self._at):
            self._at = found.end()
            return found[0]
        quoted = self._string()
        text = quoted[1:-1]
        return _ESCAPE.sub(_unescaped, text) if quoted[0] == '"' else text

    def _value(self, path: KeyPath, depth: int) -> None:
        if depth > _DEEPEST:
            raise TooMuch("values are nested too deep", self._here())
        if self._takes("["):
            self._list(path, depth)
        elif self._takes("{"):
            self._inline_table(path, depth)
        elif self._text.startswith(('"', "'"), self._at):
            self._string()
        else:
            start = self._here()
            if len(self._match(_SCALAR)) > _LONGEST_SCALAR:
                raise TooMuch("a value that is no text is too long", start)

    def _string(self) -> str:
        """A string with its quotes."""
        start = self._at
        quote = self._text[start : start + 1]
        if quote not in ('"', "'"):
            raise _NotToml
        if self._text.startswith(quote * 3, start):
            quote *= 3
        self._at += len(quote)
        while True:
            found = _ENDS[quote].search(self._text, self._at)
            if not found or found[0] == "\n":
                raise _NotToml
            if found[0] != "\\":
                self._at = found.end()
                return self._text[start : self._at]
            self._at = found.end() + 1

    def _list(self, path: KeyPath, depth: int) -> None:
        number = 0
        while True:
            self._skip_white()
            if self._takes("]"):
                return
            self._note((*path, number), self._here())
            self._value((*path, number), depth + 1)
            number += 1
            self._skip_white()
            if not self._takes(","):
                self._expect("]")
                return

    def _inline_table(self, path: KeyPath, depth: int) -> None:
        while True:
            self._skip_white()
            if self._takes("}"):
                return
            self._pair(path, depth + 1)
            self._skip_white()
            if not self._takes(","):
                self._expect("}")
                return

    def _skip_white(self) -> None:
        self._skip(_WHITE)
        while self._text.startswith("#", self._at):
            self._skip(_COMMENT)
            self._skip(_WHITE)

    def _skip(self, blanks: re.Pattern[str]) -> None:
        if found := blanks.match(self._text, self._at):
            self._at = found.end()

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if not found:
            raise _NotToml
        self._at = found.end()
        return found[0]

    def _takes(self, sign: str) -> bool:
        if self._text.startswith(sign, self._at):
            self._at += len(sign)
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise _NotToml


def _unescaped(found: re.Match[str]) -> str:
    digits = found[1] or found[2]
    if digits:
        number = int(digits, 16)
        return chr(number) if number <= 0x10FFFF else found[0]
    return _SHORT_ESCAPES.get(found[3], found[3])
