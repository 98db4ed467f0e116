"""Cutting what could hold a secret from commands before they are written down.

Shell text is not understood, only taken apart roughly: where it is in doubt whether something is a secret,
it is cut. The same command always gives the same text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from snapshot.journal.secret_words import (
    CUT,
    is_secret_flag,
    is_secret_name,
    redacted_word,
    secret_letters,
    short_flag_with_secret,
    without_known_forms,
)

# Shorter values are cut where they are whole words only: `1` is in everything.
_SHORTEST_CUT_ANYWHERE = 4
_DEEPEST_QUOTES = 6

_SHELL_TOKENS = (
    r"(?P<space>(?:[ \t\r]|\\\n)+)"
    r"|(?P<sign>[;|&\n()<>`]+)"
    r"|(?P<word>(?:\\.|'[^']*(?:'|\Z)|\"(?:\\.|[^\"\\])*(?:\"|\Z)|[^ \t\r\n;|&()<>`'\"\\])+|\\)"
)
_QUOTED = r"\\.|'[^']*(?:'|\Z)|\"(?:\\.|[^\"\\])*(?:\"|\Z)"
_SHELLS = r"(?:ba|da|a|z|k|mk|fi)?sh|busybox|su|runuser|eval"
# What comes in at the standard input of these is a secret.
_SECRET_READERS = frozenset(["chpasswd", "passwd", "smbpasswd", "vncpasswd", "cryptsetup"])
_SECRET_READING_FLAGS = frozenset(["--password-stdin", "--passphrase-fd", "--stdin"])
_PRINTERS = frozenset(["echo", "printf", "print", "yes"])
# After one of these a word like `password` is followed by its value (SQL, netrc(5), `config set`).
_SETTING_WORDS = frozenset(["set", "config", "configure", "create", "alter", "with", "machine", "login"])
# In the lines of a file that somebody writes, and in prose, it always may be; but for nginx's `proxy_pass`.
_SETTING = (
    r"(?!(?:proxy|fastcgi|uwsgi|scgi|grpc)_pass)\w*(?:pass|passwd|password|passphrase|secret|masterauth)"
)
_SECRETS_FOLLOW = frozenset(["htpasswd", "mkpasswd", "wpa_passphrase"])
_CURL_LOGINS = ("--user", "--proxy-user")
_SIGNS = frozenset(["=", ":", ":=", "=>", "=="])


def redacted_argv(argv: Sequence[str], env: Sequence[str] = ()) -> tuple[tuple[str, ...], bool]:
    """A command without what could hold a secret, and whether anything was cut.

    Parameters
    ----------
    argv:
        The command, a word each.
    env:
        The variables that were given with it, ``KEY=VALUE``: their values are cut wherever they stand.
    """
    given = tuple(argv)
    values = [variable.partition("=")[2] for variable in env]
    words = [without_known_forms(_without_values(word, values)) for word in given]
    command = _Command()
    done = tuple(_redacted_argument(command, word) for word in words)
    return done, done != given


def redacted_text(text: str) -> tuple[str, bool]:
    """A line of shell, or any other text, without what could hold a secret, and whether anything was cut."""
    done = _redacted_shell(without_known_forms(text), 0)
    return done, done != text


class _Command:
    """What is known of a command by the words that went before; ``in_prose``: it may as well be none."""

    def __init__(self, *, in_prose: bool = False) -> None:
        self._in_prose = in_prose
        self._is_shell = False
        self._letters = ""
        self._before = ""
        self._sets_something = False
        self._may_prompt = False
        self._is_curl = False
        self._next_is_secret = False
        self._rest_is_secret = False

    def take(self, word: str) -> str | None:
        """The next word without what could hold a secret; ``None`` where it is a script for a shell."""
        is_secret = self._rest_is_secret or self._next_is_secret
        if is_secret and not self._rest_is_secret and self._may_prompt and word.startswith("-"):
            is_secret = False
        if not is_secret and self._is_script(word):
            self._before = ""
            return None
        is_sign = word in _SIGNS
        if not (is_sign and self._next_is_secret):
            self._learn(word)
        self._before = word
        return CUT if is_secret and not is_sign else self._redacted(word)

    def _is_script(self, word: str) -> bool:
        before = self._before
        is_option = before.startswith("-") and not before.startswith("--") and before.endswith("c")
        return self._is_shell and (is_option or before == "eval") and " " in word

    def _learn(self, word: str) -> None:
        name = word.rpartition("/")[2].lower()
        self._is_shell = self._is_shell or bool(re.fullmatch(_SHELLS, name))
        self._may_prompt = self._may_prompt or name.startswith(("mysql", "mariadb", "mycli"))
        self._is_curl = self._is_curl or name == "curl"
        self._letters += secret_letters(name)
        short = short_flag_with_secret(word, self._letters)
        ends_open = word.endswith((":", "=", ':"', '="')) and is_secret_name(word.rstrip(":=\"'"))
        self._next_is_secret = (
            (short is not None and not short[1])
            or (short is None and is_secret_flag(word) and "=" not in word)
            or (ends_open and not word.startswith("-"))
            or (self._is_curl and word in _CURL_LOGINS)
            or self._names_a_secret(word)
        )
        # A header or a line of YAML goes on to its end.
        self._rest_is_secret = (
            self._rest_is_secret
            or (ends_open and ":" in word[-2:])
            or name in _SECRETS_FOLLOW
            or (name == "passwd" and self._before == "openssl")
        )
        self._sets_something = self._sets_something or word.lower() in _SETTING_WORDS

    def _names_a_secret(self, word: str) -> bool:
        # Words without a dash that say it of the next one: SQL, code, `config set`, a header.
        lower = word.lower()
        if word.startswith("-") or lower in {"key", "keys"}:
            return False
        if lower == "by":
            return self._before.lower() == "identified"
        if lower == "bearer" or (self._in_prose and re.fullmatch(_SETTING, lower)):
            return True
        return self._sets_something and is_secret_name(word.rpartition("/")[2])

    def _redacted(self, word: str) -> str:
        short = short_flag_with_secret(word, self._letters)
        if self._is_curl and word.startswith(tuple(f"{flag}=" for flag in _CURL_LOGINS)):
            return word.partition("=")[0] + "=" + CUT
        return short[0] + CUT if short is not None and short[1] else redacted_word(word)


def _redacted_argument(command: _Command, word: str) -> str:
    redacted = command.take(word)
    if redacted is None:
        return _redacted_shell(word, 0)
    return _redacted_shell(redacted, 0, in_prose=True) if _is_text(redacted) else redacted


def _is_text(word: str) -> bool:
    return any(char in word for char in " \t\n;|&`'\"")


def _redacted_shell(text: str, depth: int, *, in_prose: bool = False) -> str:
    if depth > _DEEPEST_QUOTES:
        return CUT
    pieces: list[str] = []
    commands: list[list[tuple[int, str]]] = [[]]
    command = _Command(in_prose=in_prose)
    # How deep inside brackets that a secret is set from: `TOKEN=$(…)`, `KEYS=(…)`; 0 is outside.
    secret_depth = 0
    sets_secret = False
    # In prose a secret may hold signs of the shell, and goes on to the next space.
    goes_on = False
    for token in re.finditer(_SHELL_TOKENS, text, flags=re.DOTALL):
        raw, sign = token["word"], token["sign"] or ""
        if raw is None:
            if secret_depth or (sets_secret and sign.startswith("(")):
                secret_depth = max(0, secret_depth + sign.count("(") - sign.count(")"))
            if sign and not secret_depth and not set(sign) <= {"<", ">"}:
                command = _Command(in_prose=in_prose)
                commands.append([])
            pieces.append(token[0])
            sets_secret = False
            goes_on = goes_on and bool(sign) and "\n" not in sign
            continue
        word = _unquoted(raw)
        redacted = CUT if secret_depth or goes_on else _redacted_token(command, word, raw, depth)
        commands[-1].append((len(pieces), word))
        pieces.append(raw if redacted == word else _quoted_like(raw, redacted))
        name, is_set, value = word.partition("=")
        goes_on = in_prose and redacted.endswith(CUT)
        sets_secret = bool(is_set) and value in {"", "$"} and is_secret_name(name)
    _cut_what_is_piped(pieces, commands)
    return "".join(pieces)


def _redacted_token(command: _Command, word: str, raw: str, depth: int) -> str:
    redacted = command.take(word)
    if redacted is None:
        return _redacted_shell(word, depth + 1)
    if raw == word or not _is_text(redacted):
        return redacted
    return _redacted_shell(redacted, depth + 1, in_prose=True)


def _cut_what_is_piped(pieces: list[str], commands: list[list[tuple[int, str]]]) -> None:
    """Cut what is printed before, or stands as text after, a command that reads a secret."""
    readers = [number for number, command in enumerate(commands) if _reads_a_secret(command)]
    if not readers:
        return
    for command in commands[: readers[-1]]:
        if command and command[0][1] in _PRINTERS:
            for place, _ in command[1:]:
                pieces[place] = CUT
    is_after_text_sign = False
    for command in commands[readers[0] :]:
        for place, _ in command:
            is_after_text_sign = is_after_text_sign or any(
                "<<" in piece for piece in pieces[max(0, place - 2) : place]
            )
            if is_after_text_sign:
                pieces[place] = CUT


def _reads_a_secret(command: list[tuple[int, str]]) -> bool:
    words = [word for _, word in command]
    if "sudo" in words and "-S" in words:
        return True
    names = {word.rpartition("/")[2] for word in words if "/" not in word or "bin/" in word}
    return bool(names & _SECRET_READERS or _SECRET_READING_FLAGS & {word.partition("=")[0] for word in words})


def _unquoted(raw: str) -> str:
    def plain(found: re.Match[str]) -> str:
        quoted = found[0]
        if quoted[0] == "'":
            return quoted[1:].removesuffix("'")
        if quoted[0] == '"':
            inner = quoted[1:-1] if len(quoted) > 1 and quoted.endswith('"') else quoted[1:]
            return re.sub(r"\\([\\\"$`])", r"\1", inner)
        return quoted[1:]

    return re.sub(_QUOTED, plain, raw, flags=re.DOTALL)


def _quoted_like(raw: str, word: str) -> str:
    if raw[0] in "'\"":
        return raw[0] + word + raw[0]
    return f'"{word}"' if any(char.isspace() for char in word) else word


def _without_values(text: str, values: Sequence[str]) -> str:
    for value in sorted({value for value in values if value}, key=lambda value: (-len(value), value)):
        if len(value) >= _SHORTEST_CUT_ANYWHERE:
            text = text.replace(value, CUT)
        elif value in text:
            text = re.sub(rf"(?<![^\s'\"=;|&():,/]){re.escape(value)}(?![^\s'\"=;|&():,/])", CUT, text)
    return text
