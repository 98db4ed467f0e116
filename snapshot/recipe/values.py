"""The small values of instructions: what a path, a mode, an owner, a command may be, whoever wrote it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from snapshot.errors import InvalidInput

_WHO = "[ugoa]*"
_CLAUSE = rf"{_WHO}(?:[-+=](?:[rwxXst]*|[ugo]))+"
#: Octal, or symbolic as chmod(1) takes it.
_MODE = re.compile(rf"[0-7]{{1,4}}|{_CLAUSE}(?:,{_CLAUSE})*")
_NAME_OR_NUMBER = r"[^\s:=/,\0][^\s:=/,\0]*"
_OWNER = re.compile(rf"(?:{_NAME_OR_NUMBER})?(?::(?:{_NAME_OR_NUMBER})?)?")
_VARIABLE = re.compile(r"[^\s=\0]+")
_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*")
_MOST_PATH_CHARS = 4096


def is_mode(text: str) -> bool:
    """Whether the whole of a text is a mode.

    >>> is_mode("0644"), is_mode("u=rwX,go-w"), is_mode("/bin/x=0755")
    (True, True, False)
    """
    return _MODE.fullmatch(text) is not None


def checked_mode(text: str) -> str:
    """The mode, if it is one; raises :class:`~snapshot.errors.InvalidInput`."""
    if not is_mode(text):
        raise InvalidInput(
            f"{text!r:.80} is not a mode", "Write it as 0644, or as chmod(1) takes it: u+x,go-w."
        )
    return text


def checked_owner(text: str) -> str:
    """``USER``, ``USER:GROUP`` or ``:GROUP``; raises :class:`~snapshot.errors.InvalidInput`."""
    if not text.strip(":") or not _OWNER.fullmatch(text):
        raise InvalidInput(f"{text!r:.80} is not an owner", "Write it as USER, USER:GROUP or 1000:1000.")
    return text


def checked_path(text: str) -> str:
    """A path in an image as it was written; raises :class:`~snapshot.errors.InvalidInput`."""
    if not text or "\0" in text or len(text) > _MOST_PATH_CHARS:
        shown = f"{text!r:.80} is not a path" if text else "a path is empty"
        raise InvalidInput(shown, "Name a path in the image, such as /etc/motd.")
    return text


def checked_variable(text: str) -> str:
    """The name of a variable; raises :class:`~snapshot.errors.InvalidInput`."""
    if not _VARIABLE.fullmatch(text):
        raise InvalidInput(
            f"{text.partition('=')[0]!r:.80} is not the name of a variable", "Write its name alone."
        )
    return text


def checked_network(text: str) -> str:
    """A network mode of an engine; raises :class:`~snapshot.errors.InvalidInput`."""
    if not _NETWORK.fullmatch(text):
        raise InvalidInput(f"{text!r:.80} is not a network", "Write none, host, or the name of a network.")
    return text


def command_of(text: str) -> str | tuple[str, ...]:
    """A command as a Dockerfile has it: a JSON list of arguments, or else a line for the shell.

    >>> command_of('["node", "app.js"]'), command_of("node app.js")
    (('node', 'app.js'), 'node app.js')
    """
    if text.startswith("["):
        try:
            values = json.loads(text, parse_int=float)
        except (ValueError, RecursionError):
            return text
        if all(isinstance(value, str) for value in values):
            return tuple(values)
    return text


def command_in_words(command: str | Sequence[str]) -> str:
    """What :func:`command_of` reads."""
    return command if isinstance(command, str) else json.dumps(list(command), ensure_ascii=False)


def checked_command(command: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """A command that can be run; raises :class:`~snapshot.errors.InvalidInput`."""
    arguments = (command,) if isinstance(command, str) else command
    if not arguments or not arguments[0].strip():
        raise InvalidInput("a command is empty", "Write what is to be run.")
    if any("\0" in argument for argument in arguments):
        raise InvalidInput("a command holds a NUL byte, which none can")
    return command
