"""Instructions as words: what is typed is what is meant, and can be written down again."""

from __future__ import annotations

import posixpath
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from snapshot.recipe.words import OPTIONS, instruction_of, instructions_of, words_of

ARGUMENTS = st.text(st.characters(exclude_characters="\0"), min_size=1)
# Signs that part values, and what escapes them, in any order.
TRICKY = st.text(st.sampled_from("\\=>:a/"), min_size=1, max_size=12)
PATHS = ARGUMENTS | TRICKY
MODES = st.sampled_from(["", "0644", "u=rwx,g-w", "755"])
OWNERS = st.sampled_from(["", "node", "1000:1000", ":www-data"])
LOCAL = PATHS.filter(lambda path: path != "-").map(LocalPath)
NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1)
TEXTS = st.lists(ARGUMENTS, max_size=3).map(tuple)
COMMANDS = st.lists(ARGUMENTS, min_size=1, max_size=3).map(tuple).filter(lambda argv: argv[0].strip())
LINES = ARGUMENTS.filter(lambda line: line.strip() and not line.startswith("["))
PAIRS = st.dictionaries(NAMES, st.text(st.characters(exclude_characters="\0")), max_size=3)
EDITS = st.builds(
    ConfigEdits,
    instructions=TEXTS,
    env=PAIRS,
    labels=PAIRS,
    cmd=st.none() | LINES | COMMANDS,
    entrypoint=st.none() | LINES | COMMANDS,
    working_dir=st.none() | ARGUMENTS,
    user=st.none() | ARGUMENTS,
    exposed_ports=TEXTS,
    volumes=TEXTS,
    stop_signal=st.none() | ARGUMENTS,
    healthcheck=st.none() | ARGUMENTS,
    on_build=TEXTS,
    unset_env=st.lists(NAMES, max_size=3).map(tuple),
    unset_labels=st.lists(ARGUMENTS, max_size=3).map(tuple),
)
INSTRUCTIONS: st.SearchStrategy[Instruction] = st.one_of(
    st.builds(Copy, LOCAL | st.just(TarFile("-")), PATHS, OWNERS, MODES),
    st.builds(AddText, PATHS, ARGUMENTS, OWNERS, MODES),
    st.builds(AppendText, PATHS, ARGUMENTS),
    st.builds(ReplaceText, PATHS, PATHS, PATHS | st.just(""), st.booleans()),
    st.builds(Remove, PATHS),
    st.builds(MakeFolder, PATHS, OWNERS, MODES),
    st.builds(MakeSymlink, PATHS, PATHS),
    st.builds(ChangeMode, PATHS, MODES.filter(bool)),
    st.builds(ChangeOwner, PATHS, OWNERS.filter(bool)),
    st.builds(
        Run,
        LINES | COMMANDS,
        st.lists(NAMES, max_size=2).map(tuple),
        st.sampled_from(["", "none", "host"]),
        st.sampled_from(["", "node"]),
        st.sampled_from(["", "/srv"]),
    ),
    st.builds(EditConfig, EDITS).filter(lambda edit: edit.edits != ConfigEdits()),
)


@given(INSTRUCTIONS)
def test_an_instruction_is_read_back_from_its_words(instruction: Instruction) -> None:
    assert _plain(instruction_of(words_of(instruction))) == _plain(instruction)


@given(st.lists(INSTRUCTIONS.filter(lambda item: not isinstance(item, EditConfig)), max_size=4))
def test_instructions_are_read_in_the_order_given(instructions: list[Instruction]) -> None:
    words = [word for instruction in instructions for word in words_of(instruction)]
    assert [_plain(item) for item in instructions_of(words)] == [_plain(item) for item in instructions]


def _plain(instruction: Instruction) -> Instruction:
    """A path that reads like a mode is written with a dot before it, and is the same path."""
    if isinstance(instruction, ChangeMode):
        return replace(instruction, path=posixpath.normpath(instruction.path))
    return instruction


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["--copy", "app.js:/web/"], Copy(LocalPath("app.js"), "/web/")),
        (["--copy", "./a:b:web"], Copy(LocalPath("./a:b"), "web")),
        (["--copy", r"a:/etc/x\:y"], Copy(LocalPath("a"), "/etc/x:y")),
        (["--copy", "-:/srv"], Copy(TarFile("-"), "/srv")),
        (["--copy", "./-:/srv"], Copy(LocalPath("./-"), "/srv")),
        (
            ["--copy", "a:/b", "--chown", "1:2", "--chmod", "u=rwx"],
            Copy(LocalPath("a"), "/b", "1:2", "u=rwx"),
        ),
        (["--add-text", "/etc/a=b=c\n"], AddText("/etc/a", "b=c\n")),
        (["--add-text", r"/etc/a\=b=c"], AddText("/etc/a=b", "c")),
        (["--add-text", r"/a\x2db=c\n"], AddText(r"/a\x2db", r"c\n")),
        (["--append", "/etc/motd="], AppendText("/etc/motd", "")),
        (["--replace", "/f=a=>b=>c"], ReplaceText("/f", "a", "b=>c")),
        (["--replace", r"/f=x \=> 1=>2", "--all"], ReplaceText("/f", "x => 1", "2", all=True)),
        (["--replace", r"/f=\d\.=>x"], ReplaceText("/f", r"\d\.", "x")),
        (["--chmod", "/bin/x=u=rwx,g-w"], ChangeMode("/bin/x", "u=rwx,g-w")),
        (["--chmod", "./u=0755"], ChangeMode("./u", "0755")),
        (["--chown", "a=node:node"], ChangeOwner("a", "node:node")),
        (["--symlink", "/a=../b"], MakeSymlink("/a", "../b")),
        (["--run", '["a", "b c"]'], Run(("a", "b c"))),
        (["--run", "[ -f /x ] && y"], Run("[ -f /x ] && y")),
        (["--cmd", '["node", "app.js"]'], EditConfig(ConfigEdits(cmd=("node", "app.js")))),
    ],
)
def test_what_is_typed_is_what_is_meant(words: list[str], meant: Instruction) -> None:
    assert instruction_of(words) == meant


def test_config_options_that_stand_together_are_one_instruction() -> None:
    words = ["--unset-env", "A", "--env", "A=1", "--env", "B=2", "--mkdir", "/a", "--workdir", "/a"]
    assert instructions_of(words) == (
        EditConfig(ConfigEdits(unset_env=("A",), env={"A": "1", "B": "2"})),
        MakeFolder("/a"),
        EditConfig(ConfigEdits(working_dir="/a")),
    )


def test_what_is_set_and_then_taken_away_stays_in_that_order() -> None:
    words = ["--env", "A=1", "--unset-env", "A", "--label", "b=1", "--unlabel", "b"]
    assert instructions_of(words) == (
        EditConfig(ConfigEdits(env={"A": "1"})),
        EditConfig(ConfigEdits(unset_env=("A",), labels={"b": "1"})),
        EditConfig(ConfigEdits(unset_labels=("b",))),
    )


def test_content_is_called_by_the_name_that_it_had() -> None:
    assert words_of(Copy(FileContent("app.js", b"x"), "/web/")) == ("--copy", "app.js:/web/")
    assert words_of(Copy(FileContent("-", b"x"), "/web/")) == ("--copy", "./-:/web/")
    assert words_of(Copy(TarFile("kept.tar", "ab"), "/web")) == ("--copy", "-:/web")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--copy", "app.js"], "--copy: 'app.js' has no ':'"),
        (["--copy", ":/a"], "names nothing to copy"),
        (["--copy", "a:"], "a path is empty"),
        (["--append", "/etc/motd"], "--append: '/etc/motd' has no '='"),
        (["--append", "=x"], "a path is empty"),
        (["--replace", "/a=b"], "has no '=>'"),
        (["--replace", "/a==>b"], "nothing replaced"),
        (["--chmod", "/a=rwx"], "'rwx' is not a mode"),
        (["--chmod", "0644"], "names no path, and follows no --copy"),
        (["--rm", "/a", "--chown", "me"], "names no path, and follows no --copy"),
        (["--chown", "/a=me you"], "is not an owner"),
        (["--chown", "/a=:"], "is not an owner"),
        (["--run", " "], "a command is empty"),
        (["--run", "[]"], "a command is empty"),
        (["--all"], "belongs to an instruction before it"),
        (["--run-env", "A"], "belongs to an instruction before it"),
        (["--run", "x", "--run-env", "A=secret"], "'A' is not the name of a variable"),
        (["--env", "secret"], "is no variable or label with its value"),
        (["--rm"], "'--rm' has no value"),
        (["--sing", "x"], "there is no option '--sing'"),
        (["--rm", "a\0b"], "is not a path"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_option(words: list[str], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        instructions_of(words)
    assert said in caught.value.what


@given(st.lists(st.sampled_from(OPTIONS) | TRICKY | st.text(), max_size=6))
def test_any_words_are_read_or_refused(words: list[str]) -> None:
    try:
        found = instructions_of(words)
    except InvalidInput:
        return
    for instruction in found:
        words_of(instruction)


def test_a_list_of_lists_without_end_is_a_line_for_the_shell() -> None:
    assert isinstance(instruction_of(["--run", "[" * 100_000]), Run)
