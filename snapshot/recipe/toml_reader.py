"""Reading recipes: TOML of anybody's, every mistake in it told with line and column (docs/recipe.md)."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from snapshot.errors import InvalidInput
from snapshot.image.reference import is_digest
from snapshot.journal.printable import printable
from snapshot.recipe.document import SCHEMA, Recipe, Result
from snapshot.recipe.recipe_files import RecipeFiles
from snapshot.recipe.step_reader import read_step
from snapshot.recipe.toml_positions import Position, TooMuch, key_positions
from snapshot.recipe.toml_table import Table, error_at

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: No recipe is larger; contents that are lie beside it.
MOST_BYTES = 16 << 20

_MOMENT = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z")
_BARE_MODE = re.compile(r"\s*(mode|file-mode)\s*=\s*(0[0-7]+)\s*(?:#.*)?")
_MOST_MODE_LINE_CHARS = 100
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")

_TOP_KEYS = ("schema", "message", "files", "base", "result", "step")
_BASE_KEYS = ("name", "digest", "id", "chain")
_RESULT_KEYS = ("layers", "changes", "timestamp", "id")


def load_recipe(path: Path) -> Recipe:
    """Read the recipe in a file; what it names lies in the same folder.

    Raises :class:`~snapshot.errors.InvalidInput` where it cannot be read or is no recipe.
    """
    shown = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"The recipe {shown!r} cannot be read: {error.strerror}.") from error
    if len(content) > MOST_BYTES:
        raise InvalidInput(f"{shown!r} is larger than any recipe: {MOST_BYTES >> 20} MiB.")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        raise error_at(shown, _position_of_end(before), "this byte is no UTF-8, and TOML is") from error
    return parse_recipe(text, path.parent, shown)


def parse_recipe(text: str, folder: Path, shown: str) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    folder:
        Where the files lie that it names; nothing else of this machine is read.
    shown:
        What messages call it.

    Raises
    ------
    InvalidInput
        It is no TOML, or no recipe: ``FILE:LINE:COLUMN: what is wrong``.
    """
    if len(text) > MOST_BYTES:
        raise InvalidInput(f"{printable(shown)} is larger than any recipe: {MOST_BYTES >> 20} MiB.")
    text = text.replace("\r\n", "\n")
    try:
        positions = key_positions(text)
    except TooMuch as error:
        raise error_at(shown, error.position, error.what) from error
    top = Table(_parsed(text, shown), (), positions, shown)
    if top.text("schema", example=f'"{SCHEMA}"') != SCHEMA:
        raise top.error("schema", f"'schema' is not {SCHEMA}", "Another version of snap may know it.")
    top.expect_only(_TOP_KEYS, "a recipe")
    base = top.table("base")
    if base is None:
        raise top.error("", "the table [base] is missing", 'Write [base] and name = "IMAGE" below it.')
    base.expect_only(_BASE_KEYS, "[base]")
    if not any(base.values.values()):
        raise base.error("", "[base] names no image", 'Write name = "IMAGE" below it.')
    files = RecipeFiles.of(folder, top)
    steps = [read_step(table, files) for table in top.tables("step")]
    return Recipe(
        base_name=base.text("name", ""),
        base_digest=base.checked("digest", _digest, ""),
        base_id=base.checked("id", _digest, ""),
        base_chain=base.checked("chain", _digest, ""),
        instructions=tuple(step.instruction for step in steps),
        notes=tuple(step.note for step in steps) if any(step.note for step in steps) else (),
        result=_result(top.table("result")),
        message=top.text("message", ""),
    )


def _parsed(text: str, shown: str) -> Mapping[str, object]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InvalidInput(f"{printable(shown)} is nested too deep for a recipe.") from None
    except ValueError as error:
        # TOMLDecodeError is one; Python refuses numbers of thousands of digits with another.
        message = str(error)
        place = _PLACE.search(message)
        if place is None:
            position, what = Position(1, 1), message
        else:
            position = Position(int(place[1]), int(place[2])) if place[1] else _position_of_end(text)
            what = message[: place.start()]
        raise error_at(shown, position, f"{what[:1].lower()}{what[1:200]}", _meant(text, position)) from error


def _meant(text: str, position: Position) -> str | None:
    """What was probably meant by a line that is no TOML: a mode is easily written as a number."""
    line = text.split("\n", position.line)[position.line - 1][:_MOST_MODE_LINE_CHARS]
    found = _BARE_MODE.fullmatch(line)
    return f'Write it in quotes: {found[1]} = "{found[2]}".' if found else None


def _position_of_end(text: str) -> Position:
    return Position(text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1)


def _result(table: Table | None) -> Result | None:
    if table is None:
        return None
    table.expect_only(_RESULT_KEYS, "[result]")
    layers = table.texts("layers")
    with table.at("layers"):
        layers = tuple(_digest(layer) for layer in layers)
    return Result(
        layers,
        table.checked("changes", _digest, ""),
        table.checked("timestamp", _moment, ""),
        table.checked("id", _digest, ""),
    )


def _digest(text: str) -> str:
    if not is_digest(text):
        raise InvalidInput("it is not a digest", "Write it as sha256: and 64 hex digits.")
    return text


def _moment(text: str) -> str:
    if not _MOMENT.fullmatch(text):
        raise InvalidInput("it is not a time", 'Write it as "2026-01-31T12:00:00Z".')
    return text
