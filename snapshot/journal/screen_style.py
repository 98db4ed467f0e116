"""How characters on a terminal look: what CSI m sets (ECMA-48 SGR)."""

from __future__ import annotations

from typing import Any, NamedTuple

#: A place in the palette of 256 colours, or ``#rrggbb``; ``None`` is the terminal's own.
Colour = int | str | None


class Style(NamedTuple):
    """Colours and weight of a character."""

    foreground: Colour = None
    background: Colour = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underlined: bool = False
    reversed: bool = False
    struck: bool = False


PLAIN = Style()

_ON = {1: "bold", 2: "dim", 3: "italic", 4: "underlined", 7: "reversed", 9: "struck"}
_OFF = {
    22: ("bold", "dim"),
    23: ("italic",),
    24: ("underlined",),
    27: ("reversed",),
    29: ("struck",),
}


def styled(style: Style, parameters: str) -> Style:
    """The style after ``CSI parameters m``; what is not known changes nothing."""
    # A part with colons is one attribute with its details: 4:3 is a curly line, 38:2::1:2:3 a colour.
    parts = [[_number(detail) for detail in part.split(":")] for part in parameters.split(";")]
    while parts:
        part = parts.pop(0)
        code = part[0]
        if code in (38, 48):
            details = part[1:] or _taken(parts)
            colour = _colour(details)
            if colour is not None:
                key = "foreground" if code == 38 else "background"
                style = _changed(style, {key: colour})
        elif code == 0:
            style = PLAIN
        else:
            style = _changed(style, _simple(code, off=part[1:2] == [0]))
    return style


def _changed(style: Style, changes: dict[str, Any]) -> Style:
    return style._replace(**changes)


def _simple(code: int, off: bool) -> dict[str, Any]:
    """What an attribute without further parts changes; ``off`` where it is switched off by a detail (4:0)."""
    if code in _ON:
        return {_ON[code]: not off}
    if code in _OFF:
        return dict.fromkeys(_OFF[code], False)
    for first, key in ((30, "foreground"), (40, "background")):
        if first <= code <= first + 7:
            return {key: code - first}
        if first + 60 <= code <= first + 67:
            return {key: code - first - 60 + 8}
        if code == first + 9:
            return {key: None}
    return {}


def _taken(parts: list[list[int]]) -> list[int]:
    """Take what belongs to a colour off the front: ``5;n`` or ``2;r;g;b``."""
    kind = parts[0][0] if parts else 0
    length = {5: 2, 2: 4}.get(kind, 0)
    taken = [part[0] for part in parts[:length]]
    del parts[:length]
    return taken


def _colour(details: list[int]) -> Colour:
    if len(details) == 2 and details[0] == 5 and details[1] < 256:
        return details[1]
    if len(details) >= 4 and details[0] == 2 and max(details[-3:]) < 256:
        # With colons a colour space may stand before the three.
        return "#{:02x}{:02x}{:02x}".format(*details[-3:])
    return None


def _number(text: str) -> int:
    return min(int(text), 9999) if text.isdecimal() else 0
