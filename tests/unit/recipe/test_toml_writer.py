"""What is written is read back as the same recipe, and can be read by people and shown on terminals."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.errors import InvalidInput
from snapshot.image.config_edits import ConfigEdits
from snapshot.recipe.document import Recipe, Result
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
    Source,
    TarFile,
)
from snapshot.recipe.toml_reader import parse_recipe
from snapshot.recipe.toml_writer import write_recipe
from snapshot.recipe.values import command_of

# Texts as they come from file systems and from people: any character, and bytes that are no UTF-8.
CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXT = (
    st.text(CHARACTERS)
    | st.text(st.sampled_from("'\"\\\n\r\t#=é€\x1b\u2028\U000e0001"))
    | st.binary().map(os.fsdecode)
)
PATHS = TEXT.filter(lambda text: bool(text) and "\0" not in text)
MODES = st.sampled_from(["", "0644", "u=rwx,g-w"])
OWNERS = st.sampled_from(["", "node", "1000:1000"])
PLAIN = PATHS.filter(lambda name: "/" not in name and name not in {".", ".."} and len(name) < 100)
DIGESTS = st.binary(min_size=32, max_size=32).map(lambda value: f"sha256:{value.hex()}")
FILES = st.builds(
    lambda name, content, mode, mtime_s, has_sha256: FileContent(
        name, content, mode, mtime_s, hashlib.sha256(content).hexdigest() if has_sha256 else ""
    ),
    PLAIN,
    st.binary() | TEXT.map(os.fsencode),
    st.integers(0, 0o7777),
    st.none() | st.integers(-(10**9), 10**12),
    st.booleans(),
)
TARS = st.builds(lambda name, content: TarFile(name, content=content), PLAIN, st.binary(min_size=1))
SOURCES = FILES | TARS | PLAIN.map(LocalPath) | st.just(TarFile("-"))
VALUES = TEXT.filter(lambda text: "\0" not in text)
NAMES = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1).filter(
    lambda name: "=" not in name
)
LINES = VALUES.filter(lambda line: bool(line.strip()) and isinstance(command_of(line), str))
COMMANDS = LINES | st.lists(VALUES, min_size=1, max_size=3).map(tuple).filter(lambda argv: argv[0].strip())
CONFIGS = st.builds(
    ConfigEdits,
    instructions=st.lists(VALUES, max_size=2).map(tuple),
    env=st.dictionaries(NAMES, VALUES, max_size=3),
    labels=st.dictionaries(NAMES, VALUES, max_size=3),
    cmd=st.none() | st.lists(VALUES, max_size=3).map(tuple) | st.just("node app.js"),
    entrypoint=st.none() | st.lists(VALUES, max_size=3).map(tuple),
    working_dir=st.none() | st.just("/srv") | st.just("sub"),
    user=st.none() | VALUES,
    exposed_ports=st.lists(st.sampled_from(["80", "53/udp"]), max_size=2).map(tuple),
    volumes=st.lists(st.just("/data"), max_size=1).map(tuple),
    stop_signal=st.none() | st.just("SIGINT"),
    healthcheck=st.none() | st.just("--interval=5s CMD curl -f localhost"),
    on_build=st.lists(st.just("RUN make"), max_size=1).map(tuple),
    unset_env=st.lists(VALUES, max_size=2).map(tuple),
    unset_labels=st.lists(VALUES, max_size=2).map(tuple),
).filter(lambda edits: edits != ConfigEdits())
INSTRUCTIONS: st.SearchStrategy[Instruction] = st.one_of(
    st.builds(Copy, SOURCES, PATHS, OWNERS, MODES),
    st.builds(AddText, PATHS, TEXT, OWNERS, MODES),
    st.builds(AppendText, PATHS, TEXT),
    st.builds(ReplaceText, PATHS, TEXT.filter(bool), TEXT, st.booleans()),
    st.builds(Remove, PATHS),
    st.builds(MakeFolder, PATHS, OWNERS, MODES),
    st.builds(MakeSymlink, PATHS, PATHS),
    st.builds(ChangeMode, PATHS, MODES.filter(bool)),
    st.builds(ChangeOwner, PATHS, OWNERS.filter(bool)),
    st.builds(
        Run,
        COMMANDS,
        st.lists(st.sampled_from(["A", "B_2"]), max_size=2).map(tuple),
        st.sampled_from(["", "none"]),
        VALUES,
        st.sampled_from(["", "/srv"]),
    ),
    st.builds(EditConfig, CONFIGS),
)
RESULTS = st.builds(
    Result,
    st.lists(DIGESTS, max_size=2).map(tuple),
    st.just("") | DIGESTS,
    st.sampled_from(["", "2026-01-31T12:00:00Z"]),
    st.just("") | DIGESTS,
)
RECIPES = st.builds(
    Recipe,
    st.text(CHARACTERS, min_size=1),
    st.just("") | DIGESTS,
    st.just("") | DIGESTS,
    st.just("") | DIGESTS,
    st.lists(INSTRUCTIONS, max_size=3).map(tuple),
    message=st.text(CHARACTERS),
    result=st.none() | RESULTS,
    comments=st.lists(TEXT, max_size=4).map(tuple),
)


@given(RECIPES)
def test_what_is_written_is_read_back(recipe: Recipe) -> None:
    text = write_recipe(recipe, None)
    assert parse_recipe(text, Path(), "r.toml") == recipe
    assert write_recipe(recipe, None) == text


@given(RECIPES)
def test_nothing_in_it_steers_a_terminal(recipe: Recipe) -> None:
    text = write_recipe(recipe, None)
    assert all(char in "\n\t" or char.isprintable() for char in text)


def test_a_recipe_reads_well() -> None:
    recipe = Recipe(
        "diamol/base:latest",
        instructions=(
            Copy(FileContent("app.js", b'console.log("a\\n")\nrun()\n', mtime_s=17), "/web/"),
            Run("apk add curl"),
            Run("snap exec -- bash"),
            EditConfig(ConfigEdits(env={"TARGET": "blog"}, cmd=("node", "app.js"), user="")),
        ),
        notes=("", "", "it was interactive", ""),
        message="the first\nof all",
        comments=("snap patch --copy app.js:/web/", "", "", "", "the end"),
    )
    text = write_recipe(recipe, None)
    assert parse_recipe(text, Path(), "r.toml") == recipe
    assert text.partition("\n\n")[2] == (
        """\
[base]
name = "diamol/base:latest"

# snap patch --copy app.js:/web/
[[step]]
copy = "app.js"
to = "/web/"
mtime = 17
text = '''
console.log("a\\n")
run()
'''

[[step]]
run = "apk add curl"

[[step]]
unreplayable = "snap exec -- bash"
note = "it was interactive"

[[step]]
env = { TARGET = "blog" }
user = ""
cmd = ["node", "app.js"]

# the end
"""
    )


def test_large_contents_lie_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "r.files"
    large, elsewhere = b"x" * 5000, tmp_path / "elsewhere"
    elsewhere.write_bytes(b"small, and a file already")
    sources: list[Source] = [
        FileContent("large", large),
        FileContent("other", elsewhere),
        TarFile("a.tar", content=large),
    ]
    recipe = Recipe("busybox", instructions=tuple(Copy(source, "/srv/") for source in sources))
    text = write_recipe(recipe, folder)
    digests = [hashlib.sha256(content).hexdigest() for content in (large, elsewhere.read_bytes())]
    assert sorted(path.name for path in folder.iterdir()) == sorted(digests)
    read = parse_recipe(text, tmp_path, "r.toml")
    assert read.instructions == (
        Copy(FileContent("large", folder / digests[0], sha256=digests[0]), "/srv/"),
        Copy(FileContent("other", folder / digests[1], sha256=digests[1]), "/srv/"),
        Copy(TarFile(str(folder / digests[0]), digests[0]), "/srv/"),
    )
    again = write_recipe(read, folder)
    assert parse_recipe(again, tmp_path, "r.toml") == read


def test_without_small_enough_contents_there_is_no_folder(tmp_path: Path) -> None:
    recipe = Recipe("busybox", instructions=(Copy(FileContent("a", b"x"), "/"),))
    assert "files =" not in write_recipe(recipe, tmp_path / "f")
    assert not (tmp_path / "f").exists()


def test_what_is_neither_text_nor_bytes_cannot_be_written() -> None:
    with pytest.raises(InvalidInput, match="neither text nor bytes"):
        write_recipe(Recipe("busybox", instructions=(Remove("/\ud800"),)), None)
