"""Cutting what could hold a secret from commands before they are written down.

Shell text is not understood, only taken apart roughly: where it is in doubt whether something is a secret,
it is cut. The same command always gives the same text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from snapshot.journal.secret_words import (
    CUT,
    is_secret_file,
    is_secret_flag,
    is_secret_name,
    redacted_word,
    secret_flags,
    secret_letters,
    secret_verbs,
    short_flag_with_secret,
    without_known_forms,
)

# Shorter values are cut where they are whole words only: `1` is in everything.
_SHORTEST_CUT_ANYWHERE = 4
_DEEPEST_QUOTES = 6

_PROSE_TOKENS = (
    r"(?P<space>(?:[ \t\r]|\\\n)+)"
    r"|(?P<sign>[;|&\n()<>`]+)"
    r"|(?P<word>(?:\\.|'[^']*(?:'|\Z)|\"(?:\\.|[^\"\\])*(?:\"|\Z)|[^ \t\r\n;|&()<>`'\"\\])+|\\)"
)
# An apostrophe in a comment is none of a quote's.
_SHELL_TOKENS = rf"(?P<comment>(?<![^\s;|&()])#[^\n]*)|{_PROSE_TOKENS}"
_QUOTED = r"\\.|'[^']*(?:'|\Z)|\"(?:\\.|[^\"\\])*(?:\"|\Z)"
_SHELLS = r"(?:ba|da|a|z|k|mk|fi)?sh|busybox|su|runuser|eval"
# What comes in at the standard input of these is a secret.
_SECRET_READERS = frozenset(
    ["chpasswd", "passwd", "smbpasswd", "vncpasswd", "cryptsetup", "kinit", "htpasswd"]
)
_SECRET_READING_FLAGS = frozenset(["--password-stdin", "--passphrase-fd", "--stdin", "--with-token"])
_PRINTERS = frozenset(["echo", "printf", "print", "yes"])
# After one of these a word like `password` is followed by its value (SQL, netrc(5), `config set`).
_SETTING_WORDS = frozenset(
    ["set", "config", "configure", "create", "alter", "with", "machine", "login", "setenv", "setx", "put"]
)
# In the lines of a file that somebody writes, and in prose, it always may be; but for nginx's `proxy_pass`.
_SETTING = (
    r"(?!(?:proxy|fastcgi|uwsgi|scgi|grpc)_pass)\w*(?:pass|passwd|password|passphrase|secret|masterauth)"
)
_SIGNS = frozenset(["=", ":", ":=", "=>", "=="])
# What may stand between a name in prose and its value, and what tells that none follows.
_BETWEEN = frozenset(["is", "was", "to", "as"])
_NO_VALUES = frozenset(["from", "in", "of", "and", "or", "where", "not", "null", "text", "varchar", "for"])


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
    values = _as_written([variable.partition("=")[2] for variable in env])
    words = [without_known_forms(_without_values(word, values)) for word in given]
    command = _Command()
    done = tuple(_redacted_argument(command, word, values) for word in words)
    return done, done != given


class _Command:
    """What is known of a command by the words that went before; ``in_prose``: it may as well be none."""

    def __init__(self, *, in_prose: bool = False) -> None:
        self._in_prose = in_prose
        self._is_shell = False
        self._letters = ""
        self._flags = frozenset[str]()
        self._verbs = secret_verbs("")
        self._before = ""
        self._sets_something = False
        self._may_prompt = False
        self._identifies = False
        self._next_is_secret = False
        self._next_by_prose = False
        self._rest_is_secret = False

    def take(self, word: str) -> str | None:
        """The next word without what could hold a secret; ``None`` where it is a script for a shell."""
        is_secret = self._rest_is_secret or self._next_is_secret
        if self._next_is_secret and not self._rest_is_secret:
            is_secret = not (self._may_prompt and word.startswith("-"))
            if self._next_by_prose and word.lower() in _BETWEEN:
                return word
            if self._next_by_prose and word.lower() in _NO_VALUES:
                is_secret = False
        if not is_secret and self._is_script(word):
            self._before = ""
            return None
        is_sign = word in _SIGNS
        if is_sign:
            self._next_is_secret = self._next_is_secret or _may_be_set(self._before)
        else:
            self._learn(word)
        self._before = word
        return CUT if is_secret and word and not is_sign else self._redacted(word)

    @property
    def expects_secret(self) -> bool:
        """Whether the next word is one."""
        return self._next_is_secret or self._rest_is_secret

    def expect_secret(self) -> None:
        """The next word is one, whatever it is."""
        self._next_is_secret, self._next_by_prose = True, False

    def _is_script(self, word: str) -> bool:
        before = self._before
        is_option = before.startswith("-") and not before.startswith("--") and before.endswith("c")
        return self._is_shell and (is_option or before == "eval") and " " in word

    def _learn(self, word: str) -> None:
        name = word.rpartition("/")[2].lower()
        self._is_shell = self._is_shell or bool(re.fullmatch(_SHELLS, name))
        self._may_prompt = self._may_prompt or name.startswith(("mysql", "mariadb", "mycli"))
        self._identifies = self._identifies or name == "identified"
        is_secret_verb = name in self._verbs
        self._letters += secret_letters(name)
        self._flags |= secret_flags(name)
        self._verbs |= secret_verbs(name)
        short = short_flag_with_secret(word, self._letters)
        ends_open = word.endswith((":", "=", ':"', '="')) and is_secret_name(word.rstrip(":=\"'"))
        self._next_by_prose = self._names_a_secret(word)
        self._next_is_secret = (
            (short is not None and not short[1])
            or (short is None and is_secret_flag(word) and "=" not in word)
            or (ends_open and not word.startswith("-"))
            or word in self._flags
            or self._next_by_prose
        )
        # A header or a line of YAML goes on to its end.
        self._rest_is_secret = (
            self._rest_is_secret
            or (ends_open and ":" in word[-2:])
            or is_secret_verb
            # SQL: SET PASSWORD FOR user = …
            or (name == "for" and self._before.lower() == "password")
        )
        self._sets_something = self._sets_something or word.lower() in _SETTING_WORDS

    def _names_a_secret(self, word: str) -> bool:
        # Words without a dash that say it of the next one: SQL, code, `config set`, a header.
        lower = word.lower()
        if word.startswith("-") or lower in {"key", "keys"}:
            return False
        if lower == "by":
            return self._identifies
        if lower == "bearer" or (self._in_prose and re.fullmatch(_SETTING, lower)):
            return True
        return self._sets_something and is_secret_name(word.rpartition("/")[2])

    def _redacted(self, word: str) -> str:
        short = short_flag_with_secret(word, self._letters)
        flag, is_set, value = word.partition("=")
        if value and flag in self._flags:
            return flag + is_set + CUT
        return short[0] + CUT if short is not None and short[1] else redacted_word(word)


class _Enclosed:
    """Whether a secret is set from, or given to, what stands here.

    ``TOKEN=$(…)``, ``KEYS=(…)``, ``TOKEN=`…```, ``set_password(…)``, ``<password>…<``.
    """

    def __init__(self) -> None:
        self.is_secret = False
        self._word = ""
        self._sign = ""
        self._end = ""
        self._depth = 0

    @property
    def is_first_argument(self) -> bool:
        """Whether the last word stood right after an opening bracket."""
        return self._sign.endswith("(")

    def take_word(self, word: str) -> None:
        self._word = word

    def take_sign(self, sign: str) -> None:
        """What stands between two words; empty for space alone."""
        if self.is_secret:
            self._depth += sign.count("(") - sign.count(")")
            self.is_secret = self._depth > 0 if self._end == ")" else self._end not in sign
        elif end := self._end_after(sign):
            self._end, self._depth = end, sign.count("(") - sign.count(")")
            self.is_secret = end != ")" or self._depth > 0
        self._word, self._sign = "", sign

    def _end_after(self, sign: str) -> str:
        name, is_set, value = self._word.partition("=")
        if is_set:
            is_open = value in {"", "$"} and is_secret_name(name)
            return {"(": ")", "`": "`"}.get(sign[:1], "") if is_open else ""
        if sign[:1] not in {"(", ">"} or not _may_be_set(name):
            return ""
        return ")" if sign[0] == "(" else "<" if self._sign.endswith("<") else ""


def _may_be_set(name: str) -> bool:
    # `password = x`, but no comparison of what a variable holds.
    return not name.startswith(("$", "-")) and name.lower() not in {"key", "keys"} and is_secret_name(name)


def _redacted_argument(command: _Command, word: str, values: Sequence[str]) -> str:
    redacted = command.take(word)
    if redacted is None:
        return _redacted_shell(word, 0, values)
    return _redacted_shell(redacted, 0, values, in_prose=True) if _is_text(redacted) else redacted


def _is_text(word: str) -> bool:
    return any(char in word for char in " \t\n;|&<`'\"")


def _redacted_shell(text: str, depth: int, values: Sequence[str] = (), *, in_prose: bool = False) -> str:
    if depth > _DEEPEST_QUOTES:
        return CUT
    pieces: list[str] = []
    commands: list[list[tuple[int, str]]] = [[]]
    command = _Command(in_prose=in_prose)
    enclosed = _Enclosed()
    # In prose a secret may hold signs of the shell, and goes on to the next space.
    goes_on = False
    for token in re.finditer(_PROSE_TOKENS if in_prose else _SHELL_TOKENS, text, flags=re.DOTALL):
        raw, sign = token["word"], token["sign"] or ""
        if token.lastgroup == "comment":
            is_secret = enclosed.is_secret or goes_on or command.expects_secret
            comment = CUT if is_secret else _redacted_shell(token[0][1:], depth + 1, values, in_prose=True)
            pieces.append(f"#{comment}")
            continue
        if raw is None:
            enclosed.take_sign(sign)
            # After `<<` the lines of a file follow, where things are set as in any prose.
            in_prose = in_prose or ("<<" in sign and "<<<" not in sign)
            if sign and not enclosed.is_secret and not set(sign) <= {"<", ">"}:
                command = _Command(in_prose=in_prose)
                commands.append([])
            pieces.append(token[0])
            goes_on = goes_on and bool(sign) and "\n" not in sign
            continue
        word = _unquoted(raw)
        if values and (without := _without_values(word, values)) != word:
            # Quotes in the middle of it had hidden the value.
            word, raw = without, _quoted_like(raw, without)
        is_secret = enclosed.is_secret or goes_on
        redacted = CUT if is_secret else _redacted_token(command, word, raw, depth, values)
        commands[-1].append((len(pieces), word))
        if redacted == word:
            # Quotes in a word mean something in the code and the files that are written.
            pieces.append(raw if re.fullmatch(_QUOTED, raw, flags=re.DOTALL) else redacted_word(raw))
        else:
            pieces.append(_quoted_like(raw, redacted))
        goes_on = in_prose and (redacted.endswith(CUT) or pieces[-1].endswith(CUT))
        enclosed.take_word(word)
        if enclosed.is_first_argument and raw[0] in "'\"" and word[-1:] == "," and is_secret_name(word[:-1]):
            command.expect_secret()
    _cut_what_is_piped(pieces, commands)
    return "".join(pieces)


def _redacted_token(command: _Command, word: str, raw: str, depth: int, values: Sequence[str]) -> str:
    redacted = command.take(word)
    if redacted is None:
        return _redacted_shell(word, depth + 1, values)
    if raw == word or not _is_text(redacted):
        return redacted
    return _redacted_shell(redacted, depth + 1, values, in_prose=True)


def _cut_what_is_piped(pieces: list[str], commands: list[list[tuple[int, str]]]) -> None:
    """Cut what is printed before, or stands as text after, a command that reads or keeps a secret."""
    for command in commands:
        if _prints(command) and _goes_to_secret_file(pieces, command):
            _cut(
                pieces, [(place, word) for place, word in command[1:] if not _comes_after(pieces, place, ">")]
            )
    readers = [number for number, command in enumerate(commands) if _reads_a_secret(command)]
    if not readers:
        return
    for command in commands[: readers[-1]]:
        if _prints(command):
            _cut(pieces, command[1:])
    first = readers[0]
    is_text = any(_comes_after(pieces, place, "<<") for command in commands[:first] for place, _ in command)
    for command in commands[first + is_text :]:
        for place, _ in command:
            is_text = is_text or _comes_after(pieces, place, "<<")
            if is_text:
                pieces[place] = CUT


def _prints(command: list[tuple[int, str]]) -> bool:
    return bool(command) and command[0][1] in _PRINTERS


def _cut(pieces: list[str], words: list[tuple[int, str]]) -> None:
    for place, _ in words:
        pieces[place] = CUT


def _goes_to_secret_file(pieces: list[str], command: list[tuple[int, str]]) -> bool:
    return any(_comes_after(pieces, place, ">") and is_secret_file(word) for place, word in command)


def _comes_after(pieces: list[str], place: int, sign: str) -> bool:
    return any(sign in piece for piece in pieces[max(0, place - 2) : place])


def _reads_a_secret(command: list[tuple[int, str]]) -> bool:
    words = [word for _, word in command]
    if "sudo" in words and any(re.fullmatch("-[A-Za-z]*S", word) for word in words):
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


def _as_written(values: Sequence[str]) -> list[str]:
    """The values, and what becomes of each between quotes of a shell or in JSON; the longest first."""
    forms = set(filter(None, values))
    for value in [value for value in forms if not value.isalnum()]:
        forms |= {value.replace("'", quote) for quote in ("'\\''", "'\"'\"'")}
        forms.add(re.sub(r"([\\\"$`])", r"\\\1", value))
        forms.add(re.sub(r"([^\w@%+=:,./-])", r"\\\1", value))
        forms.add(json.dumps(value)[1:-1])
    return sorted(forms, key=lambda form: (-len(form), form))


def _without_values(text: str, values: Sequence[str]) -> str:
    for value in values:
        if len(value) >= _SHORTEST_CUT_ANYWHERE:
            text = text.replace(value, CUT)
        elif value in text:
            text = re.sub(rf"(?<![^\s'\"=;|&():,/]){re.escape(value)}(?![^\s'\"=;|&():,/])", CUT, text)
    return text
