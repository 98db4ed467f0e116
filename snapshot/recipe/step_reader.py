"""A step of a recipe: one ``[[step]]`` table as an instruction."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from snapshot.engine.types import Config
from snapshot.errors import InvalidInput
from snapshot.image.config_edits import ConfigEdits
from snapshot.recipe.instructions import (
    AddText,
    AppendText,
    ChangeMode,
    ChangeOwner,
    Copy,
    EditConfig,
    FileContent,
    Instruction,
    LocalPath,
    MakeFolder,
    MakeSymlink,
    Remove,
    ReplaceText,
    Run,
    TarFile,
)
from snapshot.recipe.recipe_files import RecipeFiles, plain_name
from snapshot.recipe.toml_table import Table
from snapshot.recipe.values import (
    checked_command,
    checked_mode,
    checked_network,
    checked_owner,
    checked_path,
    checked_variable,
    command_of,
)

#: With it, each text of a step is bytes: a character stands for the byte of its number (U+0000 to U+00FF).
BYTES = "latin-1"

_SHA256 = re.compile("[0-9a-f]{64}")
_OCTAL = re.compile("[0-7]{1,4}")
_CONTENTS = ("text", "base64", "file")


class ReadStep(NamedTuple):
    """An instruction, and why it cannot be replayed: empty where it can."""

    instruction: Instruction
    note: str = ""


def read_step(table: Table, files: RecipeFiles) -> ReadStep:
    """The instruction of a ``[[step]]``; raises :class:`~snapshot.errors.InvalidInput` with its place."""
    if "encoding" in table:
        if table.text("encoding") != BYTES:
            raise table.error("encoding", f"'encoding' is not {BYTES}", "Leave it out: texts are UTF-8.")
        table.decode = _bytes_as_text
    actions = [key for key in table.values if key in _ACTIONS]
    if len(actions) > 1:
        raise table.error(
            actions[1],
            f"a step does one thing, and this one has '{actions[0]}'",
            "Make it a [[step]] of its own.",
        )
    if not actions:
        return ReadStep(_config_step(table))
    action = _ACTIONS[actions[0]]
    table.expect_only((actions[0], "encoding", *action.keys), f"a step with '{actions[0]}'")
    note = (table.text("note", "") or "it is marked so") if actions[0] == "unreplayable" else ""
    return ReadStep(action.read(table, files), note)


def _copy(table: Table, files: RecipeFiles) -> Copy:
    name = table.checked("copy", checked_path, "")
    given = _content_key(table)
    if given:
        source: FileContent | LocalPath = _file_content(table, files, name, given)
    else:
        for key in ("file-mode", "mtime", "sha256"):
            if key in table:
                raise table.error(key, f"'{key}' belongs to a content, and this copies a file from here")
        with table.at("copy"):
            source = LocalPath(files.local(name))
    return Copy(source, _path(table, "to"), _owner(table), _mode(table))


def _tar(table: Table, files: RecipeFiles) -> Copy:
    name = table.checked("tar", checked_path, "")
    given = _content_key(table)
    sha256 = table.checked("sha256", _sha256, "")
    if given == "base64":
        content = table.checked("base64", _from_base64, b"")
        if not content:
            raise table.error("base64", "'base64': it is empty, and no tar is")
        source = TarFile(name, sha256, content)
        _hold_against(table, content, sha256)
    elif given:
        source = TarFile(str(_kept(table, files)), sha256)
    else:
        with table.at("tar"):
            source = TarFile(files.tar(name), sha256)
    return Copy(source, _path(table, "to"), _owner(table), _mode(table))


def _content_key(table: Table) -> str:
    given = [key for key in _CONTENTS if key in table]
    if len(given) > 1:
        raise table.error(given[1], f"a copy has one content, and this one has '{given[0]}'")
    return given[0] if given else ""


def _file_content(table: Table, files: RecipeFiles, name: str, given: str) -> FileContent:
    with table.at("copy"):
        plain_name(name)
    mode = table.checked("file-mode", _octal, 0o644)
    mtime_s = table.number("mtime")
    sha256 = table.checked("sha256", _sha256, "")
    if given == "file":
        if not sha256:
            raise table.error("file", "a content that is kept in a file needs its 'sha256'")
        return FileContent(name, _kept(table, files), mode, mtime_s, sha256)
    if given == "text":
        content = table.text("text").encode("utf-8", "surrogateescape")
    else:
        content = table.checked("base64", _from_base64, b"")
    _hold_against(table, content, sha256)
    return FileContent(name, content, mode, mtime_s, sha256)


def _kept(table: Table, files: RecipeFiles) -> Path:
    with table.at("file"):
        return files.kept(table.text("file"))


def _hold_against(table: Table, content: bytes, sha256: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if sha256 and found != sha256:
        raise table.error(
            "sha256", f"'sha256': the content has {found}", "It was edited: correct or remove this."
        )


def _add_text(table: Table, _files: RecipeFiles) -> AddText:
    return AddText(_path(table, "add-text"), table.text("text"), _owner(table), _mode(table))


def _append(table: Table, _files: RecipeFiles) -> AppendText:
    return AppendText(_path(table, "append"), table.text("text"))


def _replace(table: Table, _files: RecipeFiles) -> ReplaceText:
    old = table.text("old")
    if not old:
        raise table.error("old", "'old': it is empty, and that is everywhere")
    return ReplaceText(_path(table, "replace"), old, table.text("new"), table.flag("all"))


def _remove(table: Table, _files: RecipeFiles) -> Remove:
    return Remove(_path(table, "remove"))


def _mkdir(table: Table, _files: RecipeFiles) -> MakeFolder:
    return MakeFolder(_path(table, "mkdir"), _owner(table), _mode(table))


def _symlink(table: Table, _files: RecipeFiles) -> MakeSymlink:
    return MakeSymlink(_path(table, "symlink"), _path(table, "target"))


def _chmod(table: Table, _files: RecipeFiles) -> ChangeMode:
    path = _path(table, "chmod")
    table.text("mode", example='"0755"')
    return ChangeMode(path, _mode(table))


def _chown(table: Table, _files: RecipeFiles) -> ChangeOwner:
    path = _path(table, "chown")
    table.text("owner", example='"node:node"')
    return ChangeOwner(path, _owner(table))


def _run(table: Table, _files: RecipeFiles) -> Run:
    command = _command(table, "run")
    with table.at("run"):
        checked_command(command)
    env = table.texts("env")
    with table.at("env"):
        env = tuple(checked_variable(name) for name in env)
    return Run(
        command,
        env,
        table.checked("network", checked_network, ""),
        table.text("user", ""),
        table.checked("workdir", checked_path, ""),
    )


def _unreplayable(table: Table, _files: RecipeFiles) -> Run:
    return Run(table.text("unreplayable"))


class _Action(NamedTuple):
    """What a step does: its further keys, and how it is read."""

    keys: tuple[str, ...]
    read: Callable[[Table, RecipeFiles], Instruction]


_ACTIONS: Mapping[str, _Action] = {
    "copy": _Action(("to", "owner", "mode", "file-mode", "mtime", "sha256", *_CONTENTS), _copy),
    "tar": _Action(("to", "owner", "mode", "sha256", "base64", "file"), _tar),
    "add-text": _Action(("text", "owner", "mode"), _add_text),
    "append": _Action(("text",), _append),
    "replace": _Action(("old", "new", "all"), _replace),
    "remove": _Action((), _remove),
    "mkdir": _Action(("owner", "mode"), _mkdir),
    "symlink": _Action(("target",), _symlink),
    "chmod": _Action(("mode",), _chmod),
    "chown": _Action(("owner",), _chown),
    "run": _Action(("env", "network", "user", "workdir"), _run),
    "unreplayable": _Action(("note",), _unreplayable),
}

#: By the key of a recipe, a field of ConfigEdits and how it is read.
_CONFIG: Mapping[str, Callable[[Table, str], ConfigEdits]] = {
    "env": lambda table, key: ConfigEdits(env=table.pairs(key)),
    "unset-env": lambda table, key: ConfigEdits(unset_env=table.texts(key)),
    "label": lambda table, key: ConfigEdits(labels=table.pairs(key)),
    "unlabel": lambda table, key: ConfigEdits(unset_labels=table.texts(key)),
    "workdir": lambda table, key: ConfigEdits(working_dir=table.text(key)),
    "user": lambda table, key: ConfigEdits(user=table.text(key)),
    "entrypoint": lambda table, key: ConfigEdits(entrypoint=_command(table, key)),
    "cmd": lambda table, key: ConfigEdits(cmd=_command(table, key)),
    "expose": lambda table, key: ConfigEdits(exposed_ports=table.texts(key)),
    "volume": lambda table, key: ConfigEdits(volumes=table.texts(key)),
    "stop-signal": lambda table, key: ConfigEdits(stop_signal=table.text(key)),
    "healthcheck": lambda table, key: ConfigEdits(healthcheck=table.text(key)),
    "on-build": lambda table, key: ConfigEdits(on_build=table.texts(key)),
    "change": lambda table, key: ConfigEdits(instructions=table.texts(key)),
}
#: Whether these can be meant depends on the image.
_OF_THE_IMAGE = frozenset({"unset-env", "unlabel", "change"})


def _config_step(table: Table) -> EditConfig:
    table.expect_only((*_ACTIONS, *_CONFIG, "encoding"), "a step")
    keys = [key for key in table.values if key in _CONFIG]
    if not keys:
        raise table.error("", "the step does nothing", f"It has one of {', '.join((*_ACTIONS, *_CONFIG))}.")
    merged = ConfigEdits()
    for key in keys:
        edits = _CONFIG[key](table, key)
        if key not in _OF_THE_IMAGE:
            with table.at(key):
                edits.applied_to(Config())
        merged = _merged(merged, edits)
    return EditConfig(merged)


def _merged(before: ConfigEdits, more: ConfigEdits) -> ConfigEdits:
    """Both, of which no field is set in both."""
    nothing = ConfigEdits()
    fields = {
        name: getattr(more if getattr(before, name) == getattr(nothing, name) else before, name)
        for name in ConfigEdits.__dataclass_fields__
    }
    return ConfigEdits(**fields)


def _command(table: Table, key: str) -> str | tuple[str, ...]:
    command = table.text_or_texts(key)
    return command_of(command) if isinstance(command, str) else command


def _path(table: Table, key: str) -> str:
    table.text(key)
    return table.checked(key, checked_path, "")


def _owner(table: Table) -> str:
    return table.checked("owner", checked_owner, "")


def _mode(table: Table) -> str:
    return table.checked("mode", checked_mode, "")


def _octal(text: str) -> int:
    if not _OCTAL.fullmatch(text):
        raise InvalidInput("it is not an octal mode", 'Write it as "0644".')
    return int(text, 8)


def _sha256(text: str) -> str:
    if not _SHA256.fullmatch(text):
        raise InvalidInput("it is not a sha256", "It has 64 hex digits, in small letters.")
    return text


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("it is not base64 (RFC 4648)") from error


def _bytes_as_text(text: str) -> str:
    try:
        return text.encode(BYTES).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{text[error.start]!r} stands for no byte, as this encoding has it") from error
