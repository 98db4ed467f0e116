"""Reading Dockerfile text: its lines, words, quotes, variables and durations.

This is the grammar below the instructions, as BuildKit's parser and shell lexer have it. It is not a
shell's: a backslash outside quotes protects whatever follows, a variable that is not set is empty, and
``$$`` is the (never set) variable named ``$``. Only the backslash is the escape character; the ``# escape=``
directive, which exists for Windows paths, is read as a comment.

Messages never repeat a value: what is quoted in an instruction may be a password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from snapshot.errors import InvalidInput

# Unicode's White_Space, as Go has it; str.isspace() takes in four control characters more.
SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)

# Between a name and its arguments only these separate: a no-break space does not.
BLANKS = re.compile(r"[\t\v\f\r ]+")

_CONTINUED = re.compile(r"(?:(?<=[^\\])|^)\\[ \t]*\Z")
_NAME = re.compile(r"[0-9]+|[@*#?\-$!]|\w+")
_DURATION_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_UNIT_NS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,  # U+00B5, micro sign
    "μs": 10**3,  # U+03BC, Greek mu
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}


@dataclass(frozen=True)
class Line:
    """One logical line: the instruction's name as written, its ``--options``, the rest, and all of it."""

    name: str
    options: tuple[str, ...]
    rest: str
    source: str


def logical_lines(text: str) -> list[str]:
    r"""Join continued lines and drop comments and blank lines.

    A line that ends in one backslash goes on in the next one; comments and blank lines between the two
    vanish. A backslash at the very end of the text continues nothing and is dropped.

    >>> logical_lines("# why\nENV A=1 \\\n  # and\n  B=2\n")
    ['ENV A=1   B=2']
    """
    lines = []
    current = ""
    continuing = False
    for raw in text.removeprefix("\ufeff").split("\n"):
        line = raw.rstrip("\r")
        if line.lstrip(SPACE).startswith("#") or not line.strip(SPACE):
            continue
        if not continuing:
            line = line.lstrip(SPACE)
        joined = _CONTINUED.sub("", line)
        current += joined
        continuing = joined != line
        if not continuing:
            lines.append(current)
            current = ""
    if current.strip(SPACE):
        lines.append(current)
    return lines


def split_line(source: str) -> Line:
    """Split a logical line into name, options and rest.

    >>> line = split_line("HEALTHCHECK --retries=3 CMD true")
    >>> line.name, line.options, line.rest
    ('HEALTHCHECK', ('--retries=3',), 'CMD true')
    """
    name, *arguments = BLANKS.split(source.strip(SPACE), maxsplit=1)
    options, rest = _leading_options(arguments[0]) if arguments else ([], "")
    return Line(name, tuple(options), rest.strip(SPACE), source)


def _leading_options(text: str) -> tuple[list[str], str]:
    """Take the ``--options`` off the front; a lone ``--`` ends them, and what follows is text."""
    options: list[str] = []
    while (text := text.lstrip(" \t\n\v\f\r")).startswith("--"):
        option, text = _unquoted_word(text)
        if option == "--":
            break
        options.append(option)
    return options, text


def _unquoted_word(text: str) -> tuple[str, str]:
    """Take one word off the front, without its quotes and escapes."""
    word = quote = ""
    chars = iter(text)
    for char in chars:
        if not quote and char in SPACE:
            break
        if char == "\\":
            word += next(chars, "")
        elif char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        else:
            word += char
    return word, "".join(chars)


def split_words(text: str) -> list[str]:
    r"""Split at white space outside quotes; quotes and escapes stay for :func:`expand`.

    >>> split_words(r'a="1 2" b=3\ 4')
    ['a="1 2"', 'b=3\\ 4']
    """
    words = []
    word = quote = ""
    chars = iter(text)
    for char in chars:
        if not quote and char in SPACE:
            if word:
                words.append(word)
            word = ""
        elif char == "\\" and quote != "'":
            following = next(chars, "")
            word += char + following if following else ""
        else:
            if char == quote:
                quote = ""
            elif not quote and char in "'\"":
                quote = char
            word += char
    return [*words, word] if word else words


def expand(word: str, env: Mapping[str, str]) -> str:
    """Take off quotes and escapes, and put the values of variables in.

    Known are ``$V``, ``${V}``, ``${V:-default}``, ``${V:+instead}``, ``${V:?message}`` (each also without the
    colon, where an empty value then counts as set), ``${V#pattern}``, ``##``, ``%``, ``%%``,
    ``${V/pattern/text}`` and ``${V//pattern/text}``; a pattern knows ``*`` and ``?``.

    Raises
    ------
    InvalidInput
        A quote or brace is not closed, a substitution is unknown, or ``?`` asks for a variable that is unset.

    >>> expand('"${HOME:-/root}"/bin', {})
    '/root/bin'
    """
    return "".join(text for text, _ in _pieces(word, env))


def expand_to_words(word: str, env: Mapping[str, str]) -> list[str]:
    """Like :func:`expand`, then split at white space that no quote or escape protects.

    >>> expand_to_words("$PORTS 90", {"PORTS": "80 443"})
    ['80', '443', '90']
    """
    words = []
    current = ""
    for text, may_split in _pieces(word, env):
        for char in text:
            if may_split and char in SPACE:
                if current:
                    words.append(current)
                current = ""
            else:
                current += char
    return [*words, current] if current else words


def _pieces(word: str, env: Mapping[str, str]) -> list[tuple[str, bool]]:
    try:
        return _Reader(word, env).pieces("")
    except RecursionError:
        raise InvalidInput("substitutions are nested too deeply") from None


class _Reader:
    """Reads one word from left to right, putting values in as it goes."""

    def __init__(self, text: str, env: Mapping[str, str]) -> None:
        self.text = text
        self.env = env
        self.at = 0

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def next(self) -> str:
        char = self.peek()
        self.at += 1
        return char

    def pieces(self, stop: str, *, keep_escapes: bool = False) -> list[tuple[str, bool]]:
        """Read up to ``stop`` (or the end, if it is empty): text, and whether its white space splits words.

        Patterns keep their escapes, since there they tell a literal ``*`` from a wildcard.
        """
        found: list[tuple[str, bool]] = []
        while char := self.next():
            if char == stop:
                return found
            if char == "$":
                found.append((self._dollar(), True))
            elif char == "'":
                found.append((self._single_quoted(), False))
            elif char == '"':
                found.append((self._double_quoted(keep_escapes), False))
            elif char == "\\":
                found.append((("\\" if keep_escapes else "") + self.next(), False))
            else:
                found.append((char, True))
        if stop:
            raise InvalidInput(f"a substitution ${{…}} lacks its {stop!r}")
        return found

    def _text(self, stop: str, *, keep_escapes: bool = False) -> str:
        return "".join(text for text, _ in self.pieces(stop, keep_escapes=keep_escapes))

    def _single_quoted(self) -> str:
        end = self.text.find("'", self.at)
        if end < 0:
            raise InvalidInput("a single quote is not closed")
        start, self.at = self.at, end + 1
        return self.text[start:end]

    def _double_quoted(self, keep_escapes: bool) -> str:
        result = ""
        while char := self.next():
            if char == '"':
                return result
            if char == "$":
                result += self._dollar()
            elif char == "\\":
                if keep_escapes:
                    result += char
                # Inside double quotes a backslash is itself, save before these three.
                result += self.next() if self.peek() in ('"', "$", "\\") else char
            else:
                result += char
        raise InvalidInput("a double quote is not closed")

    def _name(self) -> str:
        match = _NAME.match(self.text, self.at)
        if not match:
            return ""
        self.at = match.end()
        return match.group()

    def _dollar(self) -> str:
        if self.peek() != "{":
            name = self._name()
            return self.env.get(name, "") if name else "$"
        self.next()
        if self.peek() in ("", "{", "}", ":"):
            raise InvalidInput("a substitution ${…} lacks a variable's name")
        name = self._name()
        operator = self.next()
        if operator == "}":
            return self.env.get(name, "")
        if operator == "/":
            return self._replaced(name)
        if operator in ("#", "%"):
            return self._trimmed(name, operator)
        return self._conditional(name, operator)

    def _conditional(self, name: str, operator: str) -> str:
        value = self.env.get(name)
        if operator == ":":
            operator = self.next()
            value = value or None
        if operator not in ("-", "+", "?"):
            raise InvalidInput(
                "unknown operator in a substitution ${…}", "Known are :- :+ :? - + ? # ## % %% / //."
            )
        word = self._text("}")
        if operator == "+":
            return "" if value is None else word
        if value is not None:
            return value
        if operator == "?":
            raise InvalidInput(f"{name}: {word or 'is not set, or empty'}")
        return word

    def _trimmed(self, name: str, operator: str) -> str:
        pattern = self._text("}", keep_escapes=True)
        longest = pattern.startswith(operator)
        regex = _glob(pattern[1:] if longest else pattern)
        value = self.env.get(name, "")
        for length in range(len(value), -1, -1) if longest else range(len(value) + 1):
            start, end = (0, length) if operator == "#" else (len(value) - length, len(value))
            if regex.fullmatch(value, start, end):
                return value[:start] + value[end:]
        return value

    def _replaced(self, name: str) -> str:
        everywhere = self.peek() == "/"
        if everywhere:
            self.next()
        regex = _glob(self._text("/", keep_escapes=True))
        replacement = self._text("}", keep_escapes=True)
        return regex.sub(lambda _: replacement, self.env.get(name, ""), count=0 if everywhere else 1)


def _glob(pattern: str) -> re.Pattern[str]:
    """Turn a pattern with ``*`` and ``?`` into a regular expression (no brackets, as in a Dockerfile)."""
    result = ""
    chars = iter(pattern)
    for char in chars:
        if char == "*":
            result = result.removesuffix(".*") + ".*"  # two in a row mean one, and would be slow
        elif char == "?":
            result += "."
        elif char == "\\":
            escaped = next(chars, "")
            if not escaped or escaped not in "*?\\}/":
                raise InvalidInput("a backslash in a pattern may only stand before * ? \\ } /")
            result += re.escape(escaped)
        else:
            result += re.escape(char)
    return re.compile(result)


def duration_ns(text: str) -> int:
    """Nanoseconds of a duration as Go writes it: ``300ms``, ``1m30s``, ``1.5h``, ``0``.

    >>> duration_ns("1m30s")
    90000000000
    """
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    total = at = 0
    while match := _DURATION_PART.match(rest, at):
        whole, _, fraction = match[1].partition(".")
        unit = _UNIT_NS[match[2]]
        # Go keeps no more digits than an int64 holds either.
        total += int(whole.lstrip("0")[:20] or "0") * unit + int(fraction[:18] or "0") * unit // 10 ** len(
            fraction[:18]
        )
        at = match.end()
    if not rest or at != len(rest) or total >= 2**63:
        raise InvalidInput(f"{text!r} is not a duration", "Write it as 30s, 1m30s or 500ms.")
    return sign * total
