"""Tables of a TOML document whose values are asked for by type, and whose errors say where they stand."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar, cast

from snapshot.errors import InvalidInput
from snapshot.journal.printable import printable, shortened
from snapshot.recipe.toml_positions import KeyPath, Position

_Value = TypeVar("_Value")
_MOST_SHOWN_CHARS = 60


class Mistake(InvalidInput):
    """What is wrong with a document, with its place."""


class Table:
    """One table.

    Parameters
    ----------
    values:
        As the parser gave them.
    path:
        Where it is in the document.
    positions:
        Of all keys of the document.
    shown:
        What messages call the file.
    decode:
        Makes of each text what it stands for; raises :class:`~snapshot.errors.InvalidInput`.
    """

    def __init__(
        self,
        values: Mapping[str, object],
        path: KeyPath,
        positions: Mapping[KeyPath, Position],
        shown: str,
        decode: Callable[[str], str] = str,
    ) -> None:
        self.values = values
        self._path = path
        self._positions = positions
        self._shown = shown
        self.decode = decode

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def error(self, key: str, what: str, hint: str | None = None) -> Mistake:
        """What is wrong with a key, or with the table itself where that is empty or the key is not there."""
        position = self._positions.get((*self._path, key)) or self._positions.get(self._path)
        return error_at(self._shown, position or Position(1, 1), what, hint)

    @contextmanager
    def at(self, key: str) -> Iterator[None]:
        """Inside, what is wrong is wrong with that key."""
        try:
            yield
        except Mistake:
            raise
        except InvalidInput as error:
            raise self.error(key, f"'{key}': {error.what}", error.hint) from error

    def expect_only(self, known: Collection[str], what: str) -> None:
        """Refuse keys that are not known in ``what``."""
        for key in self.values:
            if key not in known:
                close = difflib.get_close_matches(key[:_MOST_SHOWN_CHARS], known, 1)
                hint = f"Did you mean '{close[0]}'?" if close else f"Known are {', '.join(sorted(known))}."
                raise self.error(key, f"{what} has no '{shortened(key, _MOST_SHOWN_CHARS)}'", hint)

    def text(self, key: str, default: str | None = None, *, example: str = "") -> str:
        """A text; without a default it has to be there."""
        value = self._value(key, default)
        if not isinstance(value, str):
            raise self._wrong(key, value, "a text", example)
        with self.at(key):
            return self.decode(value)

    def number(self, key: str) -> int | None:
        """A whole number, ``None`` where it is not there."""
        value = self.values.get(key)
        if value is not None and (type(value) is not int or abs(value) > 1 << 53):
            raise self._wrong(key, value, "a whole number")
        return value

    def flag(self, key: str) -> bool:
        """``true`` or ``false``, which it is where it is not there."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self._wrong(key, value, "true or false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, empty where it is not there."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, value, "a list of texts", '["a", "b"]')
        with self.at(key):
            return tuple(self.decode(item) for item in value)

    def text_or_texts(self, key: str) -> str | tuple[str, ...]:
        """A text or a list of texts."""
        value = self._value(key, None)
        if isinstance(value, str):
            return self.text(key)
        if isinstance(value, list):
            return self.texts(key)
        raise self._wrong(key, value, "a text or a list of texts")

    def pairs(self, key: str) -> Mapping[str, str]:
        """A table of texts, empty where it is not there."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self._wrong(key, value, "a table", '{ NAME = "value" }')
        inside = Table(value, (*self._path, key), self._positions, self._shown, self.decode)
        with self.at(key):
            return {self.decode(name): inside.text(name) for name in value}

    def table(self, key: str) -> Table | None:
        """A table below this one, ``None`` where it is not there."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self._wrong(key, value, "a table")
        return Table(value, (*self._path, key), self._positions, self._shown)

    def tables(self, key: str) -> Sequence[Table]:
        """The tables of a list, none where it is not there."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._wrong(key, value, f"tables: [[{key}]]")
        items = cast("list[Mapping[str, object]]", value)
        return [
            Table(item, (*self._path, key, number), self._positions, self._shown)
            for number, item in enumerate(items)
        ]

    def checked(self, key: str, check: Callable[[str], _Value], default: _Value) -> _Value:
        """A text that ``check`` makes something of; the default where it is not there."""
        if key not in self.values:
            return default
        text = self.text(key)
        with self.at(key):
            return check(text)

    def _value(self, key: str, default: object) -> object:
        value = self.values.get(key, default)
        if value is None:
            raise self.error("", f"'{key}' is missing")
        return value

    def _wrong(self, key: str, value: object, wanted: str, example: str = "") -> Mistake:
        kind = _KINDS.get(type(value), "a date or time")
        hint = f"Write it as {key} = {example}." if example else None
        return self.error(
            key, f"'{shortened(key, _MOST_SHOWN_CHARS)}' is {kind}, and has to be {wanted}", hint
        )


_KINDS: Mapping[type, str] = {
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def error_at(shown: str, position: Position, what: str, hint: str | None = None) -> Mistake:
    """``FILE:LINE:COLUMN: what is wrong there``, printable."""
    return Mistake(
        printable(f"{shown}:{position.line}:{position.column}: {what}"), printable(hint) if hint else None
    )
