"""Options that several verbs share, and the forms of their values."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

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


def key_value(text: str) -> tuple[str, str]:
    """``KEY=VALUE``; the value may be empty and may hold more equals signs."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.BadParameter(f"{text!r} is not of the form KEY=VALUE.")
    return key, value


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
