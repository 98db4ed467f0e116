"""Options that several verbs share, and the forms of their values."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

_RECORD, _CAST = "--record", ".cast"
_LAST_S = 253_402_300_799  # 9999-12-31T23:59:59Z, the last one that RFC 3339 can write
_Function = TypeVar("_Function", bound=Callable[..., Any])


def format_option(function: _Function) -> _Function:
    """``--format table|json``."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="A table for people, or one JSON document.",
    )(function)


def moment(text: str) -> int:
    """Seconds since 1970, or RFC 3339, as whole seconds since 1970."""
    if re.fullmatch("[0-9]{1,12}", text):
        if int(text) > _LAST_S:
            raise click.BadParameter(f"{text!r} is after the year 9999.")
        return int(text)
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time: 1767225600, or 2026-01-01T00:00:00Z.") from None
    if found.tzinfo is None:
        raise click.BadParameter(f"{text!r} names no time zone: add Z for UTC, or +02:00.")
    return int(found.timestamp())


def timestamp_option(function: _Function) -> _Function:
    """``--timestamp TIME``, or ``SOURCE_DATE_EPOCH``: whole seconds since 1970, or ``None``."""
    return click.option(
        "--timestamp",
        type=moment,
        envvar="SOURCE_DATE_EPOCH",
        metavar="TIME",
        help="Take this for now, and for newer files' times: seconds since 1970, or as 2026-01-31T12:00:00Z."
        "  [env: SOURCE_DATE_EPOCH]",
    )(function)


def process_options(function: _Function) -> _Function:
    """What a command in a container is given: input, terminal, variables, folder, user."""
    options = [
        click.option("-i", "--interactive", is_flag=True, help="Give it the input from here."),
        click.option("-t", "--tty", is_flag=True, help="Give it a terminal."),
        click.option("-d", "--detach", is_flag=True, help="Leave it running, and come back at once."),
        click.option(
            "-e",
            "--env",
            multiple=True,
            metavar="KEY[=VALUE]",
            help="Set a variable, or take it from here.",
        ),
        click.option(
            "--env-file",
            multiple=True,
            type=click.Path(path_type=Path),
            help="Read variables from a file, one a line.",
        ),
        click.option("-w", "--workdir", default="", metavar="PATH", help="Working folder in the container."),
        click.option("-u", "--user", default="", metavar="USER[:GROUP]", help="User, by name or number."),
        detach_keys_option,
        record_option,
    ]
    for option in reversed(options):
        function = option(function)
    return function


def all_variables(env: Iterable[str], env_file: Iterable[Path]) -> tuple[str, ...]:
    """The variables of ``--env-file``, then those of ``--env``, as ``KEY=VALUE``."""
    return (*(variable for path in env_file for variable in variables_from_file(path)), *variables_given(env))


def detach_keys_option(function: _Function) -> _Function:
    """``--detach-keys KEYS``."""
    return click.option(
        "--detach-keys",
        default="",
        metavar="KEYS",
        help="Keys that leave it running, by default ctrl-p,ctrl-q.",
    )(function)


def _recording(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Any:
    if value is None:
        return None
    from snapshot.workflow.sessions.recording import RecordingPlace

    # Found out when the process runs already, it would be too late.
    if value and os.path.lexists(value):
        raise click.BadParameter(f"{value!r} is there already.")
    if value and not _can_be_made(Path(value)):
        raise click.BadParameter(f"{value!r} cannot be written there.")
    return RecordingPlace(Path(value) if value else None)


def _can_be_made(path: Path) -> bool:
    """Whether a file can be made there, with the folders that are missing on the way."""
    folder = next(above for above in path.absolute().parents if os.path.lexists(above))
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def record_option(function: _Function) -> _Function:
    """``--record [FILE]``: gives a :class:`~snapshot.workflow.sessions.recording.RecordingPlace` or ``None``.

    Its command is to be a :class:`RecordedCommand`.
    """
    return click.option(
        _RECORD,
        callback=_recording,
        metavar="[FILE]",
        help="Record what is shown, for `snap log --session`, or into FILE.cast (asciicast v2).",
    )(function)


class RecordedCommand(click.Command):
    """A command whose ``--record`` takes the next word for its file only if that is a name of a recording.

    The next word of ``snap run --record IMAGE`` is the image, and click would take it for the value.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give ``--record`` its value, then parse as ever."""
        rest = super().parse_args(ctx, self._with_its_value(args))
        if ctx.params.get("detach") and ctx.params.get("record") is not None:
            raise click.UsageError("With --detach nothing is shown that --record could record.", ctx)
        return rest

    def _with_its_value(self, args: list[str]) -> list[str]:
        done: list[str] = []
        rest = list(args)
        while rest:
            word = rest.pop(0)
            if word == "--" or not word.startswith("-") or word == "-":
                # From here on it may be another program's options.
                if self.context_settings.get("allow_interspersed_args") is False or word == "--":
                    return [*done, word, *rest]
                done.append(word)
            elif word == _RECORD:
                file = rest.pop(0) if rest and rest[0].endswith(_CAST) else ""
                done.append(f"{_RECORD}={file}")
            else:
                done.append(word)
                if rest and self._wants_value(word):
                    done.append(rest.pop(0))
        return done

    def _wants_value(self, word: str) -> bool:
        """Whether the value of that option, or of the last of those short ones, is the next word."""
        with_value = {
            name
            for param in self.params
            if isinstance(param, click.Option) and not (param.is_flag or param.count)
            for name in param.opts
        }
        if word.startswith("--"):
            return word in with_value
        for position, letter in enumerate(word[1:], 2):
            if f"-{letter}" in with_value:
                return position == len(word)
        return False


def key_value(text: str) -> tuple[str, str]:
    """``KEY=VALUE``; the value may be empty and may hold more equals signs."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.BadParameter(f"{text!r} is not of the form KEY=VALUE.")
    return key, value


def variable(text: str) -> tuple[str, str]:
    """``KEY=VALUE``, or ``KEY`` with its value from here, where it has to be set."""
    name, equals, value = text.partition("=")
    if not name:
        raise click.BadParameter(f"{text!r} is not of the form KEY=VALUE.")
    if not equals:
        if name not in os.environ:
            raise click.BadParameter(f"{name!r} is not set here: write it as KEY=VALUE.")
        value = os.environ[name]
    return name, value


def variables_from_file(path: Path, environ: Mapping[str, str] | None = None) -> list[str]:
    """The variables of an ``--env-file``, as Docker's CLI reads one (``pkg/kvfile``, 28).

    A line is ``KEY=VALUE``, taken literally, or ``KEY``, whose value is taken from here and which is left
    out where it is not set; empty lines and those that begin with ``#`` are passed over.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{str(path)!r} cannot be read: {error}.") from error
    found = []
    for number, line in enumerate(lines, 1):
        text = line.lstrip()
        if not text or text.startswith("#"):
            continue
        name = text.partition("=")[0]
        if not name or any(char in name for char in " \t"):
            raise click.BadParameter(
                f"line {number} of {str(path)!r} has no name of a variable before the '='."
            )
        found += variables_given([text], environ)
    return found


def variables_given(values: Iterable[str], environ: Mapping[str, str] | None = None) -> list[str]:
    """``KEY=VALUE`` as it is, and ``KEY`` with its value from here, or left out where it has none."""
    surroundings = os.environ if environ is None else environ
    given = []
    for value in values:
        name, equals, _ = value.partition("=")
        if not name:
            raise click.BadParameter(f"{value!r} has no name of a variable before the '='.")
        if equals:
            given.append(value)
        elif name in surroundings:
            given.append(f"{name}={surroundings[name]}")
    return given
