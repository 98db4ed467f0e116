"""Modes of files as ``chmod`` takes them: octal, or symbolic (chmod(1) of GNU coreutils, "File modes")."""

from __future__ import annotations

import re
from collections.abc import Callable

from snapshot.errors import InvalidInput

#: Gives the new mode for an old one, and for whether it is a folder's.
ModeChange = Callable[[int, bool], int]

_OCTAL = re.compile("[0-7]{1,5}")
_CLAUSE = re.compile("([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)")
_ACTION = re.compile("([-+=])([ugo]|[rwxXst]*)")

_ALL = 0o7777
_SET_IDS = 0o6000
_ANY_X = 0o111
# What a class may have: its three bits, and the special one that goes with it.
_CLASSES = {"u": 0o4700, "g": 0o2070, "o": 0o1007, "a": _ALL}
_SHIFTS = {"u": 6, "g": 3, "o": 0}
_PERMISSIONS = {"r": 0o444, "w": 0o222, "x": _ANY_X, "s": _SET_IDS, "t": 0o1000}


def parse_mode(text: str) -> ModeChange:
    """What a mode makes of the one that was before.

    An octal one stands for itself, set-user-ID and set-group-ID bits of folders included: what chmod(2) does,
    where GNU's chmod(1) would leave these two. In a symbolic one, ``=`` leaves them on a folder unless ``s``
    is among the letters, as chmod(1) does; without ``u``, ``g``, ``o`` or ``a`` all three are meant,
    whatever the umask.

    Raises :class:`~snapshot.errors.InvalidInput` for anything else.

    >>> f"{parse_mode('u+x,go-w')(0o666, False):o}"
    '744'
    >>> f"{parse_mode('4755')(0, False):o}"
    '4755'
    """
    if _OCTAL.fullmatch(text) and int(text, 8) <= _ALL:
        mode = int(text, 8)
        return lambda _before, _is_folder: mode
    changes = [_clause(text, clause) for clause in text.split(",")]

    def changed(mode: int, is_folder: bool) -> int:
        for change in changes:
            mode = change(mode, is_folder)
        return mode

    return changed


def _clause(text: str, clause: str) -> ModeChange:
    match = _CLAUSE.fullmatch(clause)
    if not match:
        raise InvalidInput(
            f"'{text}' is not a mode.", "Write it in octal, such as 0644, or symbolic, such as u+x or go=rX."
        )
    classes, actions = match.groups()
    reach = 0
    for letter in classes or "a":
        reach |= _CLASSES[letter]
    changes = [_action(reach, operator, what) for operator, what in _ACTION.findall(actions)]

    def changed(mode: int, is_folder: bool) -> int:
        for change in changes:
            mode = change(mode, is_folder)
        return mode

    return changed


def _action(reach: int, operator: str, what: str) -> ModeChange:
    """One operator with its letters, on the bits in ``reach``."""

    def changed(mode: int, is_folder: bool) -> int:
        if what in _SHIFTS:
            value = ((mode >> _SHIFTS[what]) & 0o7) * 0o111
        else:
            value = sum(_PERMISSIONS.get(letter, 0) for letter in set(what))
            if "X" in what and (is_folder or mode & _ANY_X):
                value |= _ANY_X
        value &= reach
        if operator == "+":
            return mode | value
        if operator == "-":
            return mode & ~value
        # Of a folder, only the set-ID bits that are named are touched.
        kept = ~reach | (_SET_IDS & ~value if is_folder else 0)
        return (mode & kept & _ALL) | value

    return changed
