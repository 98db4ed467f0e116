"""The options of ``snap patch`` that are edits: carried out in the order in which they were written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from snapshot.cli.options import variable

_Function = TypeVar("_Function", bound=Callable[..., Any])
_EDITS = "snapshot.cli.edits"


class EditOption(click.Option):
    """An option that is an edit, or belongs to the one before: its place among the others counts."""

    def __init__(self, names: Sequence[str], *, is_flag: bool = False, **attributes: Any) -> None:
        super().__init__(names, multiple=not is_flag, count=is_flag, expose_value=False, **attributes)


class EditingCommand(click.Command):
    """A command that gives its edits in the order in which they were written (:func:`edits_in_order`)."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note the edits, then parse as ever."""
        values, _, order = self.make_parser(ctx).parse_args(args=list(args))
        seen: Counter[str] = Counter()
        words: list[str] = []
        for parameter in order:
            if isinstance(parameter, EditOption) and parameter.name:
                option = max(parameter.opts, key=len)
                if parameter.count:
                    words.append(option)
                else:
                    words += [option, values[parameter.name][seen[parameter.name]]]
                seen[parameter.name] += 1
        ctx.meta[_EDITS] = words
        return super().parse_args(ctx, args)


def edits_in_order() -> list[str]:
    """The edits of this command line: each option by its long name, and its value, as words."""
    words: list[str] = click.get_current_context().meta[_EDITS]
    return words


def _edit(*names: str, help: str, metavar: str | None = None, is_flag: bool = False) -> Callable[..., Any]:
    return click.option(*names, cls=EditOption, help=help, metavar=metavar, is_flag=is_flag)


_OPTIONS = (
    _edit("--copy", metavar="SRC:DEST", help="Copy a file, a folder's content or a tar (-)."),
    _edit("--add-text", metavar="PATH=TEXT", help="Write a file."),
    _edit("--append", metavar="PATH=TEXT", help="Write a line at the end of a file."),
    _edit("--replace", metavar="PATH=OLD=>NEW", help="Replace what is in a file exactly once."),
    _edit("--all", is_flag=True, help="… or wherever it is."),
    _edit("--rm", metavar="PATH", help="Remove a file, a link or a folder."),
    _edit("--mkdir", metavar="PATH", help="Make a folder, and those on the way."),
    _edit("--symlink", metavar="PATH=TARGET", help="Make a link."),
    _edit("--chmod", metavar="[PATH=]MODE", help="Change a mode; of what was just made, if bare."),
    _edit("--chown", metavar="[PATH=]USER[:GROUP]", help="Change an owner, likewise."),
    _edit("--run", metavar="COMMAND", help="Run a command in a container of it."),
    _edit("--run-env", metavar="KEY[=VALUE]", help="… with a variable that goes into no image."),
    _edit("--run-user", metavar="USER", help="… as that user."),
    _edit("--run-workdir", metavar="PATH", help="… in that folder."),
    _edit("--network", metavar="MODE", help="… in that network; before any --run, of all."),
    _edit("-e", "--env", metavar="KEY=VALUE", help="Set a variable of the image."),
    _edit("--unset-env", metavar="KEY", help="Take one away."),
    _edit("-w", "--workdir", metavar="PATH", help="Working folder; relative paths begin there."),
    _edit("-u", "--user", metavar="USER[:GROUP]", help="User, by name or number."),
    _edit("--cmd", metavar="COMMAND", help="Default command, a JSON list or a line."),
    _edit("--entrypoint", metavar="COMMAND", help="Entrypoint, likewise."),
    _edit("--label", metavar="KEY=VALUE", help="Set a label."),
    _edit("--unlabel", metavar="KEY", help="Take one away."),
    _edit("--expose", metavar="PORT[/PROTOCOL]", help="Port that the image listens on."),
    _edit("--volume", metavar="PATH", help="Path that shall be a volume."),
    _edit("--stop-signal", metavar="SIGNAL", help="Signal that ends it."),
    _edit("--healthcheck", metavar="CHECK", help="'[--interval=5s …] CMD COMMAND' or 'NONE'."),
)


def edit_options(function: _Function) -> _Function:
    """All edits; the command is to be an :class:`EditingCommand`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def for_all_runs(words: Sequence[str]) -> tuple[list[str], str, dict[str, str]]:
    """Edits as instructions are read from, and what runs are given beside them.

    Returns the words with names of variables alone, the network that stood before any run, and the values of
    variables: as written, or from here.
    """
    left: list[str] = []
    network = ""
    env: dict[str, str] = {}
    rest = iter(words)
    for option in rest:
        if option == "--all":
            left.append(option)
            continue
        value = next(rest)
        if option == "--network" and "--run" not in left:
            network = value
            continue
        if option == "--run-env":
            name, given = variable(value)
            env[name], value = given, name
        left += [option, value]
    return left, network, env
