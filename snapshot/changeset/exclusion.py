r"""Which changes are left out of an image: patterns, rules, and what a list of rules does to a changeset.

A list of rules is gone through in order, and the last rule that matches a path decides, as in a
``.gitignore``. A pattern matches a path and, where that is a folder, all below it:

==============  =================================================================================
``/var/log``    begins with ``/``: from the root
``opt/data``    has a ``/`` before its end: from the root as well
``*.pyc``       has none: a name, at any depth
``build/``      the same as ``build``, so a plain file of that name too: of a deleted path nobody
                knows any more whether it was a folder
``*`` ``?``     any characters, one character; never a ``/``
``[a-z]``       one of these characters; ``[!a-z]`` or ``[^a-z]`` one of the others, never a ``/``
``/a/**``       all below ``/a``, but not ``/a`` itself
``**/x``        ``x`` at any depth
``/a/**/b``     ``b`` at any depth below ``/a``
``a**b``        between other characters, ``**`` is ``*``
``\*``          the character after ``\`` itself
==============  =================================================================================

Unlike in a ``.gitignore``, a later rule can take back in what is below a folder that is left out, and a
rule that takes a folder in takes in all below it. ``?`` is one character, or one byte where the name is
not UTF-8. Engines list such a byte as U+FFFD, so that a byte of a pattern that is not UTF-8 matches
U+FFFD as well as itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Literal

from snapshot.changeset.paths import part_from_below
from snapshot.engine.types import Change, ChangeKind
from snapshot.errors import InvalidInput

#: Where a rule comes from, in the order in which they are gone through.
Origin = Literal["junk", ".snapignore", "--exclude", "--include"]

MOST_RULES = 1_000
MOST_PATTERN_CHARACTERS = 4_096  # PATH_MAX of Linux
MOST_FILE_CHARACTERS = 1 << 20

_END = r"(?:/|\Z)"
_STAR = ""  # stands for `*` among the regexes of single characters, none of which is empty


@dataclass(frozen=True)
class Rule:
    """One pattern, and what becomes of the paths that it matches.

    Attributes
    ----------
    pattern:
        As it was written, without the ``!`` of a line that takes in.
    takes_in:
        Whether a path is taken (back) in rather than left out.
    origin:
        Who gave the rule. Junk is never a reason to keep a deletion out of an image: who deletes the
        base's ``/var/log/x`` wants that.

    Raises :class:`~snapshot.errors.InvalidInput` for a pattern that cannot be meant.
    """

    pattern: str
    takes_in: bool = False
    origin: Origin = "--exclude"

    def __post_init__(self) -> None:
        _Regex(self.pattern, "")

    def __str__(self) -> str:
        """Where the rule stands and what is written there, to tell who left a path out."""
        mark = "!" if self.takes_in and self.origin in {"junk", ".snapignore"} else ""
        return f"{self.origin} {mark}{self.pattern}"

    def is_for(self, kind: ChangeKind) -> bool:
        """Whether the rule is about changes of that kind."""
        return self.origin != "junk" or kind is not ChangeKind.DELETED

    def matches(self, path: str) -> bool:
        r"""Whether the pattern matches ``path`` or a folder above it.

        >>> Rule("*.pyc").matches("/opt/app.pyc"), Rule("/opt/*.pyc").matches("/opt/a/app.pyc")
        (True, False)
        """
        return self._regex.match(path) is not None

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile(_Regex(self.pattern, "").text, re.DOTALL)


@dataclass(frozen=True)
class Excluded:
    """A change that is left out, and the rule that did it."""

    change: Change
    rule: Rule


@dataclass(frozen=True)
class Exclusion:
    """Rules in the order in which they are gone through: the last one that matches a path decides."""

    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        if len(self.rules) > MOST_RULES:
            raise InvalidInput(
                f"There are {len(self.rules)} rules for what is left out; {MOST_RULES} are the most.",
                "Write fewer and wider patterns.",
            )

    @classmethod
    def of(
        cls,
        *,
        junk: Iterable[Rule] = (),
        ignored: Iterable[Rule] = (),
        exclude: Iterable[str] = (),
        include: Iterable[str] = (),
    ) -> Exclusion:
        """Junk first, then a ``.snapignore``, what is to be left out, and what is to be taken back in."""
        excluded = [Rule(pattern, takes_in=False, origin="--exclude") for pattern in exclude]
        included = [Rule(pattern, takes_in=True, origin="--include") for pattern in include]
        return cls((*junk, *ignored, *excluded, *included))

    def part(self, changes: Sequence[Change]) -> tuple[list[Change], list[Excluded]]:
        """Part changes into those that are kept and those that are left out, both in canonical order.

        A deletion that is left out is not carried out: what the base has there stays.

        A folder is kept, whatever the rules say, where something below it is kept that could not stand
        in the image without it: a new folder, but also one of the base's, because a layer that holds a
        path without its folders has engines make those anew, with a mode of their own choice.

        A changed folder that no rule matches is in neither list where all that is listed below it is
        left out: it was listed for their sake alone. An added one is kept, as the empty folder that it
        now is.
        """
        deciding: dict[str, Rule | None] = {}

        def is_left_out(change: Change) -> bool:
            rule = deciding[change.path] = self.rule_for(change)
            return rule is not None and not rule.takes_in

        def is_for_their_sake(folder: Change) -> bool:
            return folder.kind is ChangeKind.CHANGED and deciding[folder.path] is None

        parts = part_from_below(changes, is_left_out, is_for_their_sake)
        left_out = [Excluded(change, rule) for change in parts.left_out if (rule := deciding[change.path])]
        return parts.kept, left_out

    def rule_for(self, change: Change) -> Rule | None:
        """The last rule that matches the change's path; ``None`` where none does."""
        rules = self._for_deletions if change.kind is ChangeKind.DELETED else self._for_files
        return rules.last_match(change.path)

    @cached_property
    def _for_files(self) -> _RuleSet:
        return _RuleSet(self.rules)

    @cached_property
    def _for_deletions(self) -> _RuleSet:
        return _RuleSet([rule for rule in self.rules if rule.is_for(ChangeKind.DELETED)])


def parse_ignore_file(text: str, origin: Literal["junk", ".snapignore"] = ".snapignore") -> list[Rule]:
    r"""The rules of a file with a pattern a line, as in a ``.gitignore``.

    A ``#`` begins a comment line, a ``!`` takes back in; before a name that begins with either stands a
    ``\``. Blank lines say nothing, nor do spaces at the end of a line, but for one after a ``\``.

    >>> [str(rule) for rule in parse_ignore_file("# caches\n*.pyc  \n!/opt/app\n")]
    ['.snapignore *.pyc', '.snapignore !/opt/app']
    """
    if len(text) > MOST_FILE_CHARACTERS:
        raise InvalidInput(
            f"The file of rules is longer than {MOST_FILE_CHARACTERS >> 20} MiB.",
            "Write a pattern a line in it.",
        )
    rules = []
    # Not splitlines(), which parts names at characters such as U+2028 and U+0085 as well.
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        written = _without_spaces_at_the_end(line.removesuffix("\r"))
        if not written or written.startswith("#"):
            continue
        try:
            rules.append(Rule(written.removeprefix("!"), written.startswith("!"), origin))
        except InvalidInput as error:
            raise InvalidInput(f"Line {number} of the file of rules: {error.what}", error.hint) from None
    return rules


def _without_spaces_at_the_end(line: str) -> str:
    bare = line.rstrip(" ")
    backslashes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if backslashes % 2 and bare != line else bare


class _RuleSet:
    """Rules as one regex, of which an alternative is a rule, the last rule first."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._by_group: dict[int, Rule] = {}
        alternatives = []
        groups = 0
        for number, rule in enumerate(reversed(rules)):
            regex = _Regex(rule.pattern, f"r{number}_")
            # An empty group ends each alternative: the last group that a match closed tells the rule.
            alternatives.append(regex.text + "()")
            groups += regex.groups + 1
            self._by_group[groups] = rule
        self._match = re.compile("|".join(alternatives), re.DOTALL).match if alternatives else None

    def last_match(self, path: str) -> Rule | None:
        found = self._match(path) if self._match else None
        return self._by_group[found.lastindex] if found and found.lastindex else None


class _Regex:
    """A pattern as a regex for the beginning of a path that it matches, or below which it matches all.

    Nothing in it is tried twice: all but the last of a row of wildcards take the first place that fits,
    for good. (A lookahead and a reference to its group do that; Python has ``(?>…)`` from 3.11 on only.)
    The time is then at worst the length of the path times that of the pattern.
    """

    def __init__(self, pattern: str, prefix: str) -> None:
        self.groups = 0
        self._pattern = pattern
        self._prefix = prefix
        # Between two `**` stands a run of parts that follow on each other.
        first, *others = [
            "".join("/" + self._part(part) for part in run) for run in _runs(self._parts_of_the_path())
        ]
        if not others:
            self.text = first + _END
            return
        *middle, last = others
        self.text = first + "(?=/)"
        for run in middle:
            self.text += self._for_good(f".*?{run}(?=/)")
        self.text += f".*{last}{_END}" if last else "/[^/]"

    def _for_good(self, regex: str) -> str:
        name = f"{self._prefix}{self.groups}" if self._prefix else f"g{self.groups}"
        self.groups += 1
        return f"(?=(?P<{name}>{regex}))(?P={name})"

    def _parts_of_the_path(self) -> list[str]:
        pattern = self._pattern
        if not pattern:
            raise InvalidInput(
                "A pattern is empty.", "Write a path such as /var/log, or a name such as *.pyc."
            )
        if "\0" in pattern:
            raise InvalidInput(f"The pattern {pattern!r} holds a NUL, which no path does.")
        if len(pattern) > MOST_PATTERN_CHARACTERS:
            raise InvalidInput(f"The pattern {pattern[:40]!r}… is longer than any path.")
        body = pattern.removesuffix("/")
        parts = body.removeprefix("/").split("/") if "/" in body else ["**", body]
        if not {"", ".", ".."}.isdisjoint(parts):
            raise InvalidInput(
                f"The pattern {pattern!r} matches no path: it has a part that is empty, '.' or '..'.",
                "Write it from the root: /var/log; or '/**' for everything.",
            )
        return parts

    def _part(self, part: str) -> str:
        """One part of a path: each ``*`` but the last takes as little as it can, for good."""
        tokens = self._tokens(part)
        if not any(tokens):
            return "[^/]+"
        runs = ["".join(run) for run in _split(tokens, _STAR)]
        first, *others = runs
        if not others:
            return first
        *middle, last = others
        return first + "".join(self._for_good(f"[^/]*?{run}") for run in middle if run) + f"[^/]*{last}"

    def _tokens(self, part: str) -> list[str]:
        tokens = []
        at = 0
        while at < len(part):
            if part[at] == "[":
                regex, at = self._class(part, at + 1)
                tokens.append(regex)
                continue
            if part[at] == "\\":
                at += 1
                tokens.append(_character(self._character_at(part, at)))
            else:
                tokens.append({"*": _STAR, "?": "[^/]"}.get(part[at], _character(part[at])))
            at += 1
        return tokens

    def _class(self, part: str, at: int) -> tuple[str, int]:
        """The class whose ``[`` stands before ``at``, and where the part goes on after it."""
        negated = part[at : at + 1] in {"!", "^"}
        at += negated
        start = at
        members = ""
        while at == start or part[at : at + 1] != "]":
            if part.startswith("[:", at) and ":]" in part[at:]:
                raise InvalidInput(
                    f"The pattern {self._pattern!r} has a class with a name.",
                    "Write its characters: [a-zA-Z].",
                )
            low, at = self._member(part, at)
            if part[at : at + 1] == "-" and part[at + 1 : at + 2] not in {"", "]"}:
                high, at = self._member(part, at + 1)
                if high < low:
                    raise InvalidInput(
                        f"The pattern {self._pattern!r} has a range that ends before it begins: {low}-{high}."
                    )
                members += f"{re.escape(low)}-{re.escape(high)}"
            else:
                members += re.escape(low)
        return (f"[^/{members}]" if negated else f"(?!/)[{members}]"), at + 1

    def _member(self, part: str, at: int) -> tuple[str, int]:
        if at >= len(part):
            raise InvalidInput(
                f"The pattern {self._pattern!r} has a '[' without its ']'.",
                r"Write '\[' for the character itself.",
            )
        at += part[at] == "\\"
        return self._character_at(part, at), at + 1

    def _character_at(self, part: str, at: int) -> str:
        if at >= len(part):
            raise InvalidInput(
                rf"The pattern {self._pattern!r} has a '\' with nothing after it.",
                r"Write '\\' for the character itself.",
            )
        return part[at]


def _runs(parts: Sequence[str]) -> list[list[str]]:
    """Part at ``**``, of which several in a row are one; a lone ``**`` has an empty run on either side."""
    is_wild = [bool(re.fullmatch(r"\*\*+", part)) for part in parts]
    once = [
        "**" if wild else part
        for number, (part, wild) in enumerate(zip(parts, is_wild, strict=True))
        if not (wild and number and is_wild[number - 1])
    ]
    return _split(once, "**")


def _split(items: Sequence[str], separator: str) -> list[list[str]]:
    runs: list[list[str]] = [[]]
    for is_separator, group in groupby(items, lambda item: item == separator):
        for item in group:
            if is_separator:
                runs.append([])
            else:
                runs[-1].append(item)
    return runs


def _character(character: str) -> str:
    """The character itself; a byte that is not UTF-8 also as the engine lists it."""
    return f"[{character}\ufffd]" if "\udc80" <= character <= "\udcff" else re.escape(character)
