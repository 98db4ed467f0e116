"""Writing recipes: commented TOML that :mod:`snapshot.recipe.toml_reader` reads back."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

from snapshot.errors import InvalidInput, SnapError
from snapshot.image.config_edits import ConfigEdits
from snapshot.recipe.contents import MOST_INLINE_BYTES, pieces_of, store
from snapshot.recipe.document import SCHEMA, Recipe
from snapshot.recipe.instructions import (
    AddText,
    AppendText,
    ChangeMode,
    ChangeOwner,
    Copy,
    EditConfig,
    Instruction,
    LocalPath,
    MakeFolder,
    MakeSymlink,
    Remove,
    ReplaceText,
    Run,
    Source,
    TarFile,
)
from snapshot.recipe.step_reader import BYTES
from snapshot.recipe.toml_text import TomlValue, toml_comment, toml_pair

_HEADER = """\
A recipe: what was done to an image. `snap replay FILE -t NAME` does it again, on this base or on another one.
It can be edited; docs/recipe.md of docker-snap says what may stand in it."""

_BASE64_CHARS = 100

_Pairs = dict[str, TomlValue]


def write_recipe(recipe: Recipe, folder_for_contents: Path | None) -> str:
    """The text of a recipe; :func:`~snapshot.recipe.toml_reader.parse_recipe` makes the same recipe of it.

    Parameters
    ----------
    folder_for_contents:
        Where larger contents are written (:mod:`snapshot.recipe.contents`); it has to stand beside the
        recipe. Without it all contents are in the text.

    Raises
    ------
    SnapError
        A content cannot be read or written.
    """
    contents = _Contents(folder_for_contents)
    steps = [
        toml_comment(recipe.comment(index)) * bool(recipe.comment(index))
        + "[[step]]\n"
        + _lines(_step(instruction, recipe.note(index), contents))
        for index, instruction in enumerate(recipe.instructions)
    ]
    top: _Pairs = {"schema": SCHEMA, "message": recipe.message}
    if contents.used:
        top["files"] = contents.used
    base: _Pairs = {
        "name": recipe.base_name,
        "digest": recipe.base_digest,
        "id": recipe.base_id,
        "chain": recipe.base_chain,
    }
    parts = [toml_comment(_HEADER) + _table(top), "[base]\n" + _table(base)]
    if recipe.result:
        found = recipe.result
        result: _Pairs = {
            "layers": found.layers,
            "changes": found.changes_digest,
            "timestamp": found.timestamp,
            "id": found.image_id,
        }
        parts.append(toml_comment("What came of it the first time.") + "[result]\n" + _table(result))
    last = recipe.comment(len(recipe.instructions))
    return "\n".join([*parts, *steps, *([toml_comment(last)] if last else [])])


def _lines(pairs: _Pairs) -> str:
    return "".join(f"{toml_pair(key, value)}\n" for key, value in pairs.items())


def _table(pairs: _Pairs) -> str:
    """A table about the recipe itself: what says nothing is left out."""
    return _lines(
        {key: _as_unicode(value) if isinstance(value, str) else value for key, value in _set(pairs).items()}
    )


def _as_unicode(text: str) -> str:
    """Text of which what is no Unicode is written as an escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def _set(pairs: _Pairs) -> _Pairs:
    """What says something."""
    return {key: value for key, value in pairs.items() if value not in ("", (), {}, False, None)}


def _step(instruction: Instruction, note: str, contents: _Contents) -> _Pairs:
    if note and isinstance(instruction, Run):
        words = instruction.command if isinstance(instruction.command, str) else " ".join(instruction.command)
        return {"unreplayable": _as_unicode(words), "note": _as_unicode(note)}
    if isinstance(instruction, EditConfig):
        return _with_encoding(_config(instruction.edits))
    return _with_encoding(_action(instruction, contents))


def _action(instruction: Instruction, contents: _Contents) -> _Pairs:
    match instruction:
        case Copy(source, destination, owner, mode):
            first, rest = contents.of(source)
            return {**first, "to": destination, **_set({"owner": owner, "mode": mode}), **rest}
        case AddText(path, text, owner, mode):
            return {"add-text": path, "text": text, **_set({"owner": owner, "mode": mode})}
        case AppendText(path, text):
            return {"append": path, "text": text}
        case ReplaceText(path, old, new, everywhere):
            return {"replace": path, "old": old, "new": new, **_set({"all": everywhere})}
        case Remove(path):
            return {"remove": path}
        case MakeFolder(path, owner, mode):
            return {"mkdir": path, **_set({"owner": owner, "mode": mode})}
        case MakeSymlink(path, target):
            return {"symlink": path, "target": target}
        case ChangeMode(path, mode):
            return {"chmod": path, "mode": mode}
        case ChangeOwner(path, owner):
            return {"chown": path, "owner": owner}
        case Run(command, env, network, user, working_dir):
            rest = {"env": env, "network": network, "user": user, "workdir": working_dir}
            return {"run": command, **_set(rest)}
    raise AssertionError(instruction)


def _config(edits: ConfigEdits) -> _Pairs:
    values: Mapping[str, TomlValue | None] = {
        "change": tuple(edits.instructions),
        "unset-env": tuple(edits.unset_env),
        "env": dict(edits.env),
        "unlabel": tuple(edits.unset_labels),
        "label": dict(edits.labels),
        "workdir": edits.working_dir,
        "user": edits.user,
        "entrypoint": edits.entrypoint,
        "cmd": edits.cmd,
        "expose": tuple(edits.exposed_ports),
        "volume": tuple(edits.volumes),
        "stop-signal": edits.stop_signal,
        "healthcheck": edits.healthcheck,
        "on-build": tuple(edits.on_build),
    }
    # An empty user is root, and an empty command clears one; an empty list of ports says nothing.
    meant = ("workdir", "user", "entrypoint", "cmd", "stop-signal", "healthcheck")
    return {key: value for key, value in values.items() if value is not None and (value or key in meant)}


def _with_encoding(pairs: _Pairs) -> _Pairs:
    """The same step, its texts as bytes where one of them is not UTF-8."""
    texts = [text for value in pairs.values() for text in _texts_in(value)]
    if not any("\ud800" <= char <= "\udfff" for text in texts for char in text):
        return pairs
    try:
        encoded = {key: _as_bytes(value) for key, value in pairs.items()}
    except UnicodeEncodeError as error:
        raise InvalidInput(
            "A step holds what is neither text nor bytes, so it cannot be written down."
        ) from error
    return {**encoded, "encoding": BYTES}


def _texts_in(value: TomlValue) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    return [] if isinstance(value, int) else list(value)


def _as_bytes(value: TomlValue) -> TomlValue:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode(BYTES)
    if isinstance(value, Mapping):
        return {str(_as_bytes(name)): str(_as_bytes(item)) for name, item in value.items()}
    return value if isinstance(value, int) else [str(_as_bytes(item)) for item in value]


class _Contents:
    """Where the contents of copies go; ``used`` is the folder's name once something is in it."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.used = ""

    def of(self, source: Source) -> tuple[_Pairs, _Pairs]:
        """The first key of a copy, and those that say what it holds."""
        try:
            if isinstance(source, LocalPath):
                return {"copy": source.path}, {}
            if isinstance(source, TarFile):
                return self._of_tar(source)
            kept: _Pairs = {}
            if source.mode != 0o644:
                kept["file-mode"] = f"{source.mode:04o}"
            if source.mtime_s is not None:
                kept["mtime"] = source.mtime_s
            return {"copy": source.name}, {
                **kept,
                **self._kept(source.content, source.sha256, may_be_text=True),
            }
        except OSError as error:
            raise SnapError(f"The contents of a recipe cannot be kept: {error}.") from error

    def _of_tar(self, source: TarFile) -> tuple[_Pairs, _Pairs]:
        path = Path(source.path)
        if source.content:
            return {"tar": source.path}, self._kept(source.content, source.sha256, may_be_text=False)
        if self._folder and path.parent == self._folder:
            return {"tar": path.name}, self._kept(path, source.sha256, may_be_text=False)
        return {"tar": source.path}, _set({"sha256": source.sha256})

    def _kept(self, content: bytes | Path, sha256: str, *, may_be_text: bool) -> _Pairs:
        if self._folder and (isinstance(content, Path) or len(content) > MOST_INLINE_BYTES):
            self.used = self._folder.name
            if isinstance(content, bytes):
                file = store(self._folder, (content,))
            elif content.parent == self._folder:
                file = content
            else:
                file = store(self._folder, pieces_of(content))
            return {"sha256": sha256 or file.name, "file": file.name}
        held = content.read_bytes() if isinstance(content, Path) else content
        text = _readable(held) if may_be_text else None
        kept: _Pairs = {"base64": _base64(held)} if text is None else {"text": text}
        return {**_set({"sha256": sha256}), **kept}


def _base64(content: bytes) -> str:
    """In lines, where there is much of it."""
    text = base64.b64encode(content).decode()
    lines = [text[start : start + _BASE64_CHARS] for start in range(0, len(text), _BASE64_CHARS)]
    return text if len(lines) < 2 else "".join(f"{line}\n" for line in lines)


def _readable(content: bytes) -> str | None:
    """The content as text, ``None`` where it is none that people can read."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return text if all(char.isprintable() or char in "\n\t\r" for char in text) else None
