"""Values as TOML (https://toml.io/en/v1.0.0), readable and harmless to show."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

#: What a recipe writes.
TomlValue = str | bool | int | Sequence[str] | Mapping[str, str]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_LIST = 100
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def toml_pair(key: str, value: TomlValue) -> str:
    """``key = value``; a text of several lines is written so.

    >>> print(toml_pair("cmd", ["node", "app.js"]))
    cmd = ["node", "app.js"]
    """
    if isinstance(value, str) and "\n" in value:
        return f"{key} = {_lines(value)}"
    line = f"{key} = {_value(value)}"
    if len(line) <= _LONGEST_LIST or isinstance(value, (str, int, Mapping)):
        return line
    return "\n".join([f"{key} = [", *(f"    {_value(item)}," for item in value), "]"])


def toml_comment(text: str) -> str:
    """Text as comments, a ``#`` before each line."""
    return "".join(f"# {_visible(line)}".rstrip() + "\n" for line in text.split("\n"))


def _value(value: TomlValue) -> str:
    if isinstance(value, str):
        return _literal(value) if "\\" in value and _can_be_literal(value) else _basic(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(name)} = {_value(item)}" for name, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return f"[{', '.join(_value(item) for item in value)}]"


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _basic(name)


def _basic(text: str) -> str:
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _literal(text: str) -> str:
    return f"'{text}'"


def _can_be_literal(text: str) -> bool:
    return "'" not in text and all(char == "\t" or char.isprintable() for char in text)


def _lines(text: str) -> str:
    if "\\" in text and "'''" not in text and not text.endswith("'") and _is_plain(text):
        return f"'''\n{text}'''"
    escaped = "".join(char if char in '\n\t"' else _escaped(char) for char in text)
    escaped = escaped.replace('"""', '""\\"')
    # A quote at the end would run into the closing ones.
    if escaped.endswith('"'):
        escaped = f'{escaped[:-1]}\\"'
    return f'"""\n{escaped}"""'


def _is_plain(text: str) -> bool:
    return all(char in "\n\t" or char.isprintable() for char in text)


def _escaped(char: str) -> str:
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    if char.isprintable():
        return char
    number = ord(char)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _visible(line: str) -> str:
    return "".join(char if char.isprintable() or char == "\t" else _escaped(char) for char in line)
