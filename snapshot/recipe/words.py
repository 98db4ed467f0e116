"""Instructions as the words of ``snap patch``: what a user types, and what the steps of an image tell.

The parts of a value are told apart by a sign: ``PATH=TEXT`` by the first ``=``, ``OLD=>NEW`` by the first
``=>``, ``SRC:DEST`` by the last ``:`` (``./a:b:/srv`` copies ``./a:b``). Where such a sign belongs to a part
and would be taken for the one in between, in ``PATH``, ``OLD`` and ``DEST``, it has a backslash before it.
Right before the sign two backslashes stand for one; everywhere else a backslash is itself. Nothing else is
an escape: shells write a line break as ``$'one\\ntwo'``.

``--chmod`` and ``--chown`` without a path belong to the ``--copy``, ``--add-text`` or ``--mkdir`` before
them. What as a whole is a mode (``u=rwx``) has no path; a file of that name is written ``./u=rwx``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from snapshot.errors import InvalidInput
from snapshot.recipe.config_words import CONFIG_OPTIONS, config_words, takes_away
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
from snapshot.recipe.values import (
    checked_command,
    checked_mode,
    checked_network,
    checked_owner,
    checked_path,
    checked_variable,
    command_in_words,
    command_of,
    is_mode,
)

#: Options that have no value.
FLAGS = frozenset({"--all"})
#: In place of a source: a tar on stdin.
STDIN = "-"


def parse_copy(text: str) -> Copy:
    """``SRC:DEST``; where SRC is ``-``, a tar from stdin is unpacked at DEST.

    >>> parse_copy("./a:b:/srv/")
    Copy(source=LocalPath(path='./a:b'), destination='/srv/', owner='', mode='')
    """
    source, destination = _split_last(text, ":", "SRC:DEST")
    if not source:
        raise InvalidInput(f"{text!r:.200} names nothing to copy", "Write it as SRC:DEST.")
    found: Source = TarFile(STDIN) if source == STDIN else LocalPath(source)
    return Copy(found, checked_path(destination))


def parse_add_text(text: str) -> AddText:
    """``PATH=TEXT``."""
    return AddText(*_path_and(text, "PATH=TEXT"))


def parse_append(text: str) -> AppendText:
    """``PATH=TEXT``."""
    return AppendText(*_path_and(text, "PATH=TEXT"))


def parse_replace(text: str) -> ReplaceText:
    r"""``PATH=OLD=>NEW``; NEW may be empty.

    >>> parse_replace(r"/app.js=x \=> 1=>x => 2")
    ReplaceText(path='/app.js', old='x => 1', new='x => 2', all=False)
    """
    form = "PATH=OLD=>NEW"
    path, rest = _path_and(text, form)
    old, new = _split_first(rest, "=>", form)
    if not old:
        raise InvalidInput(f"{path!r:.200} is to have nothing replaced", f"Write it as {form}.")
    return ReplaceText(path, old, new)


def parse_remove(text: str) -> Remove:
    """``PATH``."""
    return Remove(checked_path(text))


def parse_folder(text: str) -> MakeFolder:
    """``PATH``."""
    return MakeFolder(checked_path(text))


def parse_symlink(text: str) -> MakeSymlink:
    """``PATH=TARGET``: the link, and what it leads to."""
    path, target = _path_and(text, "PATH=TARGET")
    return MakeSymlink(path, checked_path(target))


def parse_chmod(text: str) -> ChangeMode:
    """``PATH=MODE``."""
    path, mode = _path_and(text, "PATH=MODE")
    return ChangeMode(path, checked_mode(mode))


def parse_chown(text: str) -> ChangeOwner:
    """``PATH=OWNER``."""
    path, owner = _path_and(text, "PATH=OWNER")
    return ChangeOwner(path, checked_owner(owner))


def parse_run(text: str) -> Run:
    """A line for the image's shell, or a JSON list of arguments."""
    return Run(checked_command(command_of(text)))


_STARTS: Mapping[str, Callable[[str], Instruction]] = {
    "--copy": parse_copy,
    "--add-text": parse_add_text,
    "--append": parse_append,
    "--replace": parse_replace,
    "--rm": parse_remove,
    "--mkdir": parse_folder,
    "--symlink": parse_symlink,
    "--chmod": parse_chmod,
    "--chown": parse_chown,
    "--run": parse_run,
}


#: The options that begin an instruction, and those that belong to the one before.
OPTIONS = (*_STARTS, *CONFIG_OPTIONS, "--all", "--run-env", "--run-user", "--run-workdir", "--network")


def instructions_of(words: Sequence[str]) -> tuple[Instruction, ...]:
    """The instructions of a command line, in the order given.

    Config options that stand together make one instruction, in which what is taken away goes before what is
    set; an option that takes away what was set right before begins another one.

    Parameters
    ----------
    words:
        Each option (its long name) and its value as a word of its own.

    Raises
    ------
    InvalidInput
        An option is none of :data:`OPTIONS`, belongs to nothing before it, or its value cannot be meant.

    >>> instructions_of(["--mkdir", "/srv", "--chmod", "0700", "--rm", "/tmp/x"])
    (MakeFolder(path='/srv', owner='', mode='0700'), Remove(path='/tmp/x'))
    """
    found: list[Instruction] = []
    rest = iter(words)
    for option in rest:
        value = "" if option in FLAGS else next(rest, None)
        if value is None:
            raise InvalidInput(f"{option!r:.80} has no value")
        try:
            _take(found, option, value)
        except InvalidInput as error:
            raise InvalidInput(f"{option}: {error.what}", error.hint) from error
    return tuple(found)


def instruction_of(words: Sequence[str]) -> Instruction:
    """The one instruction that these words are; raises :class:`~snapshot.errors.InvalidInput`.

    >>> instruction_of(["--append", "/etc/motd=hello"])
    AppendText(path='/etc/motd', text='hello')
    """
    found = instructions_of(words)
    if len(found) != 1:
        raise InvalidInput("these words are not one instruction")
    return found[0]


def _take(found: list[Instruction], option: str, value: str) -> None:
    last = found[-1] if found else None
    if option == "--chmod" and is_mode(value):
        found[-1:] = [_with(last, "mode", checked_mode(value))]
    elif option == "--chown" and "=" not in value and not value.startswith("/"):
        found[-1:] = [_with(last, "owner", checked_owner(value))]
    elif option in _STARTS:
        found.append(_STARTS[option](value))
    elif option in CONFIG_OPTIONS:
        _take_config(found, option, value)
    elif option == "--all" and isinstance(last, ReplaceText):
        found[-1] = replace(last, all=True)
    elif isinstance(last, Run) and option.startswith(("--run-", "--network")):
        found[-1] = _run_with(last, option, value)
    elif option in OPTIONS:
        raise InvalidInput("it belongs to an instruction before it, and there is none", _AFTER[option])
    else:
        raise InvalidInput(f"there is no option {option!r:.80}")


_AFTER = {
    "--all": "Write it after --replace PATH=OLD=>NEW.",
    "--run-env": "Write it after --run COMMAND.",
    "--run-user": "Write it after --run COMMAND.",
    "--run-workdir": "Write it after --run COMMAND.",
    "--network": "Write it after --run COMMAND.",
}


def _with(last: Instruction | None, field: str, value: str) -> Instruction:
    if isinstance(last, (Copy, AddText, MakeFolder)):
        return replace(last, mode=value) if field == "mode" else replace(last, owner=value)
    name = "MODE" if field == "mode" else "OWNER"
    raise InvalidInput(
        f"{value!r:.80} names no path, and follows no --copy, --add-text or --mkdir",
        f"Write it as PATH={name}.",
    )


def _run_with(run: Run, option: str, value: str) -> Run:
    if option == "--run-env":
        return replace(run, env_names=(*run.env_names, checked_variable(value)))
    if option == "--run-user":
        return replace(run, user=value)
    if option == "--run-workdir":
        return replace(run, working_dir=checked_path(value))
    return replace(run, network=checked_network(value))


def _take_config(found: list[Instruction], option: str, value: str) -> None:
    last = found[-1] if found else None
    if not isinstance(last, EditConfig) or takes_away(last.edits, option, value):
        last = EditConfig()
        found.append(last)
    found[-1] = EditConfig(CONFIG_OPTIONS[option](last.edits, value))


def words_of(instruction: Instruction) -> tuple[str, ...]:
    """An instruction as typed on the command line; :func:`instruction_of` reads it.

    Content that is no file here any more is called by the name that it had, and a tar ``-``.

    >>> words_of(Copy(LocalPath("app.js"), "/web/", owner="1000"))
    ('--copy', 'app.js:/web/', '--chown', '1000')
    """
    if isinstance(instruction, Run):
        return tuple(_run_words(instruction))
    if isinstance(instruction, EditConfig):
        return tuple(config_words(instruction.edits))
    words = _file_words(instruction)
    if isinstance(instruction, (Copy, AddText, MakeFolder)):
        words += ["--chown", instruction.owner] if instruction.owner else []
        words += ["--chmod", instruction.mode] if instruction.mode else []
    return tuple(words)


def _file_words(instruction: Instruction) -> list[str]:
    match instruction:
        case Copy(source, destination):
            return ["--copy", _joined_last(_source_word(source), ":", destination)]
        case AddText(path, text):
            return ["--add-text", _joined_first(path, "=", text)]
        case AppendText(path, text):
            return ["--append", _joined_first(path, "=", text)]
        case ReplaceText(path, old, new, everywhere):
            value = _joined_first(path, "=", _joined_first(old, "=>", new))
            return ["--replace", value, *(["--all"] if everywhere else [])]
        case Remove(path):
            return ["--rm", path]
        case MakeFolder(path):
            return ["--mkdir", path]
        case MakeSymlink(path, target):
            return ["--symlink", _joined_first(path, "=", target)]
        case ChangeMode(path, mode):
            return ["--chmod", _joined_first(_no_mode(path, mode), "=", mode)]
        case ChangeOwner(path, owner):
            return ["--chown", _joined_first(path, "=", owner)]
    raise AssertionError(instruction)


def _no_mode(path: str, mode: str) -> str:
    """The path, written so that it is not the beginning of a mode."""
    return f"./{path}" if is_mode(f"{path}={mode}") else path


def _source_word(source: Source) -> str:
    if isinstance(source, TarFile):
        return STDIN
    if isinstance(source, LocalPath):
        return source.path
    return f"./{STDIN}" if source.name == STDIN else source.name


def _run_words(run: Run) -> Iterator[str]:
    yield from ("--run", command_in_words(run.command))
    for name in run.env_names:
        yield from ("--run-env", name)
    for option, value in (
        ("--run-user", run.user),
        ("--run-workdir", run.working_dir),
        ("--network", run.network),
    ):
        if value:
            yield from (option, value)


def _path_and(text: str, form: str) -> tuple[str, str]:
    path, rest = _split_first(text, "=", form)
    return checked_path(path), rest


def _split_first(text: str, sign: str, form: str) -> tuple[str, str]:
    """Both sides of the first sign that has no backslash of its own before it."""
    before, at = "", 0
    for found in re.finditer(rf"(\\*){re.escape(sign)}", text):
        backslashes = found[1]
        before += text[at : found.start()] + backslashes[: len(backslashes) // 2]
        if len(backslashes) % 2 == 0:
            return before, text[found.end() :]
        before, at = before + sign, found.end()
    # Without quotes a shell takes what follows the > for the name of a file.
    quoted = f"'{form}', in quotes" if ">" in form else form
    raise InvalidInput(f"{text!r:.80} has no {sign!r}", f"Write it as {quoted}.")


def _split_last(text: str, sign: str, form: str) -> tuple[str, str]:
    """Both sides of the last sign (one character) that has no backslash of its own before it."""
    for found in reversed(list(re.finditer(rf"(\\*){re.escape(sign)}", text))):
        backslashes = found[1]
        if len(backslashes) % 2 == 0:
            before = text[: found.start()] + backslashes[: len(backslashes) // 2]
            return before, _unescaped(text[found.end() :], sign)
    raise InvalidInput(f"{text!r:.80} has no {sign!r}", f"Write it as {form}.")


def _joined_first(before: str, sign: str, after: str) -> str:
    return _with_escapes(before, sign) + sign + after


def _joined_last(before: str, sign: str, after: str) -> str:
    doubled = re.sub(r"\\+\Z", lambda found: found[0] * 2, before)
    escaped = re.sub(rf"(\\*){re.escape(sign)}", lambda found: f"{found[1] * 2}\\{sign}", after)
    return doubled + sign + escaped


def _with_escapes(text: str, sign: str) -> str:
    text = re.sub(rf"(\\*){re.escape(sign)}", lambda found: f"{found[1] * 2}\\{sign}", text)
    return re.sub(r"\\+\Z", lambda found: found[0] * 2, text)


def _unescaped(text: str, sign: str) -> str:
    return re.sub(rf"(\\*){re.escape(sign)}", lambda found: found[1][: len(found[1]) // 2] + sign, text)
