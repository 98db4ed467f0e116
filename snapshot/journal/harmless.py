"""Terminal output of strangers, cut down to what only draws."""

from __future__ import annotations

import re

from snapshot.journal.escapes import Kind, Splitter, Token, is_plain, numbers, shows

#: BEL, BS, HT, LF, CR, SO, SI. ENQ has a terminal answer.
_CONTROLS = frozenset("\a\b\t\n\r\x0e\x0f")
#: Save and restore the cursor, line feeds, a tab stop.
_ESCAPES = frozenset("78DEHM")
#: Character sets: ASCII, British, line drawing.
_CHARACTER_SETS = re.compile(r"[()][0AB]")
#: Move the cursor, erase, insert, delete, scroll, repeat, tab stops, colours, scroll region.
_DRAWS = frozenset("@ABCDEFGHIJKLMPSTXZ`abdefgmrsu")
#: Origin, wrap, blinking and visible cursor, alternate screen. Not: mice, focus, paste and keys, for which a
#: terminal sends what nobody typed.
_MODES = frozenset({6, 7, 12, 25, 47, 1047, 1048, 1049})
_INSERT_MODE = 4
_STEERS = re.compile(r"[\x0e\x1b\x80-\x9f]")


class Filter:
    """Takes pieces of terminal output and gives back what only draws; half a sequence waits for its end.

    What stays: text, colours, movements of the cursor, erasing, scrolling, the alternate screen. What goes:
    the clipboard and titles (OSC), device control and application strings, questions that the terminal would
    answer as if the user had typed, mouse and keyboard modes, resets, printing, and characters that hide or
    turn text round.
    """

    def __init__(self) -> None:
        self._splitter = Splitter()

    def feed(self, text: str) -> str:
        """What of ``text`` only draws."""
        return "".join(_drawing(token) for token in self._splitter.feed(text))


def harmless(text: str) -> str:
    r"""What of a whole output only draws.

    >>> harmless("\x1b]52;c;c2VjcmV0\x07\x1b[31mred\x1b[m\x1b[6n")
    '\x1b[31mred\x1b[m'
    """
    return Filter().feed(text)


def _drawing(token: Token) -> str:
    if token.kind is Kind.TEXT:
        return token.text if token.text.isprintable() else "".join(filter(shows, token.text))
    if token.kind is Kind.CONTROL:
        return token.text if token.text in _CONTROLS else ""
    if token.kind is Kind.ESCAPE:
        allowed = (
            token.final in _ESCAPES if not token.text else _CHARACTER_SETS.fullmatch(token.text + token.final)
        )
        return f"\x1b{token.text}{token.final}" if allowed else ""
    if token.kind is Kind.SEQUENCE:
        return _sequence(token.text, token.final)
    return ""


def _sequence(parameters: str, final: str) -> str:
    if final in "hl":
        private = parameters.startswith("?")
        if not is_plain(parameters.removeprefix("?")):
            return ""
        wanted = [
            mode for mode in numbers(parameters) if (mode in _MODES if private else mode == _INSERT_MODE)
        ]
        mark = "?" if private else ""
        return f"\x1b[{mark}{';'.join(map(str, wanted))}{final}" if wanted else ""
    if final not in _DRAWS or not is_plain(parameters):
        return ""
    if final == "J" and numbers(parameters)[0] > 2:
        # This would erase what the terminal keeps of earlier work.
        return ""
    if final == "m":
        return f"\x1b[{parameters}m"
    # A terminal may take a count of millions at its word.
    limited = ";".join(str(number) if number else "" for number in numbers(parameters))
    return f"\x1b[{limited}{final}"


class ModesLeft:
    """Watches output for modes of the terminal that it leaves switched, as an editor does that is killed."""

    #: Private modes that are on in a terminal at rest: wrapping, the cursor.
    _ON_AT_REST = frozenset({7, 25})
    #: What is worth putting back: origin, wrap, cursor, mice, alternate screens, focus, paste.
    _WATCHED = frozenset({1, 6, 7, 25, 47, 1047, 1049, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 2004})

    def __init__(self) -> None:
        self._splitter = Splitter()
        self._switched: dict[int, None] = {}
        self._steered = False

    def feed(self, text: str) -> None:
        """Take note of what ``text`` switches."""
        self._steered = self._steered or _STEERS.search(text) is not None
        for token in self._splitter.feed(text):
            if token.kind is Kind.SEQUENCE and token.final in "hl" and token.text.startswith("?"):
                self._note(token)

    def undo(self) -> str:
        """What puts the terminal to rest: empty where the output held no escape sequence."""
        if not self._steered:
            return ""
        modes = "".join(f"\x1b[?{mode}{'h' if mode in self._ON_AT_REST else 'l'}" for mode in self._switched)
        # Cancel a sequence that was never finished; colours, characters, keypad and region as at rest.
        # Setting the region moves the cursor, so its place is kept around that.
        return f"\x18{modes}\x1b7\x1b[r\x1b8\x1b[m\x1b(B\x0f\x1b>"

    def _note(self, token: Token) -> None:
        for mode in set(numbers(token.text)) & self._WATCHED:
            if (token.final == "h") is (mode in self._ON_AT_REST):
                self._switched.pop(mode, None)
            else:
                self._switched[mode] = None
