"""Recipes are read whole, and every mistake in one is told with the place where it stands."""

from __future__ import annotations

import os
import sys
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
    LocalPath,
    MakeFolder,
    MakeSymlink,
    Remove,
    ReplaceText,
    Run,
    TarFile,
)
from snapshot.recipe.toml_positions import KeyPath, Position, key_positions
from snapshot.recipe.toml_reader import MOST_BYTES, load_recipe, parse_recipe

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HEAD = 'schema = "docker-snap.recipe/1"\nbase.name = "busybox"\n'
DIGEST = "sha256:" + "0123456789abcdef" * 4
HELLO = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

WHOLE = f"""\
schema = "docker-snap.recipe/1"   # the form
message = "sign the lab"

[base]
name = "diamol/base:latest"
digest = "{DIGEST}"
id = "{DIGEST}"
chain = "{DIGEST}"

[result]
layers = ["{DIGEST}"]
changes = "{DIGEST}"
timestamp = "2026-01-31T12:00:00Z"

[[step]]
copy = "hello"
to = "/web/"
owner = "node:node"
mode = "u+x"
file-mode = "0600"
mtime = 17
sha256 = "{HELLO}"
text = '''
hello
'''

[[step]]
tar = "here.tar"
to = "/"

[[step]]
copy = "here"
to = "."

[[step]]
add-text = "/etc/motd"
text = \"\"\"
one
two\"\"\"

[[step]]
append = "/etc/motd"
text = "three"

[[step]]
replace = "/app.js"
old = 'a\\d'
new = ""
all = true

[[step]]
remove = "/tmp/x"
[[step]]
mkdir = "/srv"
owner = "1000"
mode = "0700"
[[step]]
symlink = "/a"
target = "../b"
[[step]]
chmod = "/a"
mode = "u=rwx,g-w"
[[step]]
chown = "/a"
owner = ":www"
[[step]]
run = ["apk", "add", "x"]
env = ["TOKEN"]
network = "none"
user = "node"
workdir = "/srv"
[[step]]
run = "make"
[[step]]
env = {{ TARGET = "blog", "A.B" = "2" }}
unset-env = ["OLD"]
label.one = "1"
unlabel = ["two"]
workdir = "/web"
user = "node"
cmd = ["node", "app.js"]
entrypoint = "exec app"
expose = ["80"]
volume = ["/data"]
stop-signal = "SIGINT"
healthcheck = "CMD true"
on-build = ["RUN make"]
change = ["EXPOSE $PORT"]
[[step]]
unreplayable = "snap exec -- bash"
note = "it was interactive"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "here").write_text("here\n")
    (tmp_path / "here.tar").write_bytes(b"\0" * 1024)
    (tmp_path / "r.files").mkdir()
    (tmp_path / "r.files" / "ab").write_text("kept\n")
    (tmp_path / "r.files" / "link").symlink_to("ab")
    (tmp_path / "out").symlink_to("/etc/passwd")
    (tmp_path / "link.files").symlink_to("r.files")
    return tmp_path


def test_all_that_a_recipe_can_hold_is_read(folder: Path) -> None:
    recipe = parse_recipe(WHOLE, folder, "r.toml")
    assert recipe == Recipe(
        base_name="diamol/base:latest",
        base_digest=DIGEST,
        base_id=DIGEST,
        base_chain=DIGEST,
        instructions=(
            Copy(FileContent("hello", b"hello\n", 0o600, 17, HELLO), "/web/", "node:node", "u+x"),
            Copy(TarFile(f"{folder}/here.tar"), "/"),
            Copy(LocalPath(f"{folder}/here"), "."),
            AddText("/etc/motd", "one\ntwo"),
            AppendText("/etc/motd", "three"),
            ReplaceText("/app.js", "a\\d", "", all=True),
            Remove("/tmp/x"),
            MakeFolder("/srv", "1000", "0700"),
            MakeSymlink("/a", "../b"),
            ChangeMode("/a", "u=rwx,g-w"),
            ChangeOwner("/a", ":www"),
            Run(("apk", "add", "x"), ("TOKEN",), "none", "node", "/srv"),
            Run("make"),
            EditConfig(
                ConfigEdits(
                    instructions=("EXPOSE $PORT",),
                    env={"TARGET": "blog", "A.B": "2"},
                    labels={"one": "1"},
                    cmd=("node", "app.js"),
                    entrypoint="exec app",
                    working_dir="/web",
                    user="node",
                    exposed_ports=("80",),
                    volumes=("/data",),
                    stop_signal="SIGINT",
                    healthcheck="CMD true",
                    on_build=("RUN make",),
                    unset_env=("OLD",),
                    unset_labels=("two",),
                )
            ),
            Run("snap exec -- bash"),
        ),
        notes=("",) * 14 + ("it was interactive",),
        result=Result((DIGEST,), DIGEST, "2026-01-31T12:00:00Z"),
        message="sign the lab",
    )


def test_a_content_beside_the_recipe_is_named_and_not_read(folder: Path) -> None:
    step = f'files = "r.files"\n[[step]]\ncopy = "app"\nto = "/"\nfile = "ab"\nsha256 = "{"0" * 64}"\n'
    (instruction,) = parse_recipe(HEAD + step, folder, "r.toml").instructions
    assert instruction == Copy(FileContent("app", folder / "r.files" / "ab", sha256="0" * 64), "/")


def test_a_step_of_bytes_holds_names_that_are_no_utf_8(folder: Path) -> None:
    step = '[[step]]\nencoding = "latin-1"\nadd-text = "/caf\\u00e9"\ntext = "\\u00c3\\u00a9\\n"\n'
    (instruction,) = parse_recipe(HEAD + step, folder, "r.toml").instructions
    assert instruction == AddText(os.fsdecode(b"/caf\xe9"), "é\n")


def mistakes() -> list[tuple[str, str]]:
    """What is written after the head, of which step lines begin with number 4, and what is said."""
    kept = f'copy = "a"\nto = "/"\nsha256 = "{HELLO}"\n'
    return [
        ("copy = ", "4:8: invalid value"),
        ('copy = "a\n', "4:10: illegal character"),
        ('copy = "a"\ncopy = "b"', "5:11: cannot overwrite a value"),
        ('copy = "a', "4:10: unterminated string"),
        ('copi = "a"\nto = "/"', "4:1: a step has no 'copi'"),
        ('copy = "a"\n to = "/"\n mod = "1"', "6:2: a step with 'copy' has no 'mod'"),
        ('copy = "here"', "3:3: 'to' is missing"),
        ('copy = "here"\nto = ""', "5:1: 'to': a path is empty"),
        ('copy = "here"\nto = 7', "5:1: 'to' is a number, and has to be a text"),
        ('run = "a"\nremove = "b"', "5:1: a step does one thing, and this one has 'run'"),
        ("", "3:3: the step does nothing"),
        ('run = ""', "4:1: 'run': a command is empty"),
        ('run = ["a", 1]', "4:1: 'run' is a list, and has to be a list of texts"),
        ('run = "a"\nenv = { A = "1" }', "5:1: 'env' is a table, and has to be a list of texts"),
        ('run = "a"\nenv = ["A=1"]', "5:1: 'env': 'A' is not the name of a variable"),
        ('run = "a"\nnetwork = "-v"', "5:1: 'network': '-v' is not a network"),
        ('chmod = "/a"\nmode = "rwx"', "5:1: 'mode': 'rwx' is not a mode"),
        ('chmod = "/a"', "3:3: 'mode' is missing"),
        ('chown = "/a"\nowner = "a b"', "5:1: 'owner': 'a b' is not an owner"),
        ('env = { A = 1 }', "4:9: 'A' is a number, and has to be a text"),
        ('env = ["A"]', "4:1: 'env' is a list, and has to be a table"),
        ('expose = ["8080:80"]', "4:1: 'expose': '8080:80' names a port of the host"),
        ('stop-signal = "SIGNAL"', "4:1: 'stop-signal': 'SIGNAL' is not a signal"),
        ('replace = "/a"\nold = ""\nnew = "b"', "5:1: 'old': it is empty"),
        ('replace = "/a"\nold = "b"\nnew = "b"\nall = 1', "7:1: 'all' is a number, and has to be true or"),
        ('copy = "/etc/passwd"\nto = "/"', "4:1: 'copy': '/etc/passwd' is no path below"),
        ('copy = "../x"\nto = "/"', "4:1: 'copy': '../x' is no path below the recipe's folder"),
        ('copy = "out"\nto = "/"', "4:1: 'copy': 'out' is a link that leads out"),
        ('copy = "a"\nto = "/"\nmtime = 1', "6:1: 'mtime' belongs to a content"),
        ('copy = "a/b"\nto = "/"\ntext = "x"', "4:1: 'copy': 'a/b' is not a plain name"),
        (kept + 'text = "x"', "6:1: 'sha256': the content has 2d711642b726b044"),
        (kept + 'text = "x"\nbase64 = "eA=="', "8:1: a copy has one content, and this one has 'text'"),
        (kept + 'base64 = "?"', "7:1: 'base64': it is not base64"),
        (kept + 'file = "ab"', "7:1: 'file': the recipe does not say in which folder"),
        ('copy = "a"\nto = "/"\nfile = "ab"', "6:1: a content that is kept in a file needs its 'sha256'"),
        ('copy = "a"\nto = "/"\nsha256 = "A"\ntext = "x"', "6:1: 'sha256': it is not a sha256"),
        ('copy = "a"\nto = "/"\nfile-mode = "u+x"\ntext = ""', "6:1: 'file-mode': it is not an octal mode"),
        ('tar = "a"\nto = "/"\nbase64 = ""', "6:1: 'base64': it is empty, and no tar is"),
        ('encoding = "utf-16"\nremove = "/a"', "4:1: 'encoding' is not latin-1"),
        ('encoding = "latin-1"\nremove = "/€"', "5:1: 'remove': '€' stands for no byte"),
        ('remove = "/a\\u0000"', "4:1: 'remove': '/a\\x00' is not a path"),
        ('a.b.c.d.e.f.g.h.i = 1', "4:1: a key has too many parts"),
        ('env = [[[[[[[[[[[[]]]]]]]]]]]]', "4:16: values are nested too deep"),
    ]  # fmt: skip


@pytest.mark.parametrize(("step", "said"), mistakes())
def test_a_mistake_in_a_step_is_told_with_its_place(folder: Path, step: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_recipe(f"{HEAD}[[step]]\n{step}", folder, "r.toml")
    assert caught.value.what.startswith(f"r.toml:{said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "r.toml:1:1: 'schema' is missing"),
        ('schema = "docker-snap.recipe/2"', "r.toml:1:1: 'schema' is not docker-snap.recipe/1"),
        ('schema = "docker-snap.recipe/1"', "r.toml:1:1: the table [base] is missing"),
        (HEAD + "[steps]", "r.toml:3:2: a recipe has no 'steps'"),
        (HEAD + "step = 1", "r.toml:3:1: 'step' is a number, and has to be tables: [[step]]"),
        (HEAD + 'base.nam = "x"', "r.toml:3:1: [base] has no 'nam'"),
        ('schema = "docker-snap.recipe/1"\n[base]\nname = ""', "r.toml:2:2: [base] names no image"),
        (HEAD + 'base.digest = "latest"', "r.toml:3:1: 'digest': it is not a digest"),
        (HEAD + 'result.layers = ["x"]', "r.toml:3:1: 'layers': it is not a digest"),
        (HEAD + 'result.timestamp = "now"', "r.toml:3:1: 'timestamp': it is not a time"),
        (HEAD + "result.timestamp = 2026-01-01", "r.toml:3:1: 'timestamp' is a date or time, and has to be"),
        (HEAD + 'files = "../r.files"', "r.toml:3:1: 'files': '../r.files' is not a plain name"),
        (HEAD + "message = " + "9" * 5000, "r.toml:3:11: a value that is no text is too long"),
        (HEAD + 'bad\x1b[2J = "x"', "r.toml:3:4: "),
        (HEAD + '"bad\\u001b[2J" = "x"', "r.toml:3:1: a recipe has no 'bad\\x1b[2J'"),
    ],
)
def test_a_mistake_around_the_steps_is_told_with_its_place(folder: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_recipe(text, folder, "r.toml")
    assert caught.value.what.startswith(said)
    assert f"{caught.value.what}{caught.value.hint}".isprintable()


@pytest.mark.parametrize(
    ("files", "name", "said"),
    [
        ("r.files", "link", "there is no file 'link'"),
        ("r.files", "gone", "there is no file 'gone'"),
        ("r.files", "../here", "'../here' is not a plain name"),
        ("r.files", "..", "'..' is not a plain name"),
        ("link.files", "ab", "there is no folder"),
        ("gone.files", "ab", "there is no folder"),
    ],
)
def test_contents_are_plain_files_in_one_plain_folder(folder: Path, files: str, name: str, said: str) -> None:
    step = f'[[step]]\ncopy = "a"\nto = "/"\nsha256 = "{HELLO}"\nfile = "{name}"\n'
    with pytest.raises(InvalidInput) as caught:
        parse_recipe(f'{HEAD}files = "{files}"\n{step}', folder, "r.toml")
    assert caught.value.what.startswith("r.toml:8:1: 'file': ")
    assert said in caught.value.what


def test_what_was_probably_meant_is_said(folder: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_recipe(f'{HEAD}[[step]]\nworkdri = "/"', folder, "r.toml")
    assert caught.value.hint == "Did you mean 'workdir'?"


def test_a_mode_without_quotes_is_told_how_it_is_written(folder: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_recipe(f'{HEAD}[[step]]\nmkdir = "/a"\nmode = 0644\n', folder, "r.toml")
    assert caught.value.what.startswith("r.toml:5:9: ")
    assert caught.value.hint == 'Write it in quotes: mode = "0644".'
    with pytest.raises(InvalidInput) as caught:
        parse_recipe(f'{HEAD}[[step]]\nmkdir = "/a\n', folder, "r.toml")
    assert caught.value.hint is None


def test_a_recipe_is_read_from_a_file_with_what_lies_beside_it(folder: Path) -> None:
    (folder / "r.toml").write_bytes(f'{HEAD}[[step]]\r\ncopy = "here"\r\nto = "/"\r\n'.encode())
    assert load_recipe(folder / "r.toml").instructions == (Copy(LocalPath(f"{folder}/here"), "/"),)


def test_a_file_that_is_no_recipe_is_refused_with_a_sentence(folder: Path) -> None:
    (folder / "bytes").write_bytes(HEAD.encode() + b"\n  \xff")
    with pytest.raises(InvalidInput, match=r"bytes:4:3: this byte is no UTF-8"):
        load_recipe(folder / "bytes")
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_recipe(folder / "gone")
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_recipe(folder)
    with (folder / "large").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(InvalidInput, match="larger than any recipe"):
        load_recipe(folder / "large")


def test_more_steps_than_anybody_takes_are_refused(folder: Path) -> None:
    with pytest.raises(InvalidInput, match=r"r.toml:20003:3: there are more than 10,000"):
        parse_recipe(HEAD + '[[step]]\nrun = "a"\n' * 10_001, folder, "r.toml")


# Any TOML document of some form, with the places of its keys noted while it is written.
BARE = st.from_regex(r"[A-Za-z0-9_-]{1,4}", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6)
QUOTED = TEXT.filter(lambda text: "'" not in text)
LONG = st.text(st.sampled_from("ab\n =#[]{}'"), max_size=12).filter(
    lambda text: "'''" not in text and not text.endswith("'")
)
SCALARS = st.one_of(
    st.integers(-(10**9), 10**9).map(str),
    st.sampled_from(
        ["true", "1e3", "2026-01-01 12:00:00", "1979-05-27T07:32:00Z", "inf", "0x_1".replace("_", "")]
    ),
    QUOTED.map(lambda text: f"'{text}'"),
    TEXT.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'),
    LONG.map(lambda text: f"'''{text}'''"),
    LONG.map(lambda text: f'"""{text}"""'),
)
GAPS = st.sampled_from(["", " ", "\n", " # [x] 'y\n", "\n\t"])
BLANKS = st.sampled_from(["", " ", "\t "])


class Written:
    """A document as it is written."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.text = ""
        self.places: dict[KeyPath, int] = {}

    def write(self, text: str) -> None:
        self.text += text

    def key(self, name: str) -> None:
        self.write(self.draw(st.sampled_from([name, f'"{name}"', f"'{name}'"])))

    def value(self, path: KeyPath, depth: int) -> None:
        kind = self.draw(st.sampled_from(["scalar", "scalar", "list", "table"])) if depth < 3 else "scalar"
        if kind == "scalar":
            self.write(self.draw(SCALARS))
        elif kind == "list":
            self.write("[")
            for number in range(self.draw(st.integers(0, 3))):
                self.write(("," if number else "") + self.draw(GAPS))
                element: KeyPath = (*path, number)
                self.places[element] = len(self.text)
                self.value(element, depth + 1)
                self.write(self.draw(GAPS))
            self.write("]")
        else:
            self.write("{")
            for number, name in enumerate(self.draw(st.lists(BARE, max_size=3, unique=True))):
                self.write(("," if number else "") + self.draw(BLANKS))
                self.pair(path, name, depth + 1)
                self.write(self.draw(BLANKS))
            self.write("}")

    def pair(self, table: KeyPath, name: str, depth: int) -> None:
        path: KeyPath = (*table, name)
        start = self.places[path] = len(self.text)
        self.key(name)
        if self.draw(st.booleans()):
            self.write(self.draw(BLANKS) + "." + self.draw(BLANKS))
            self.key("dotted")
            path = (*path, "dotted")
            self.places[path] = start
        self.write(self.draw(BLANKS) + "=" + self.draw(BLANKS))
        self.value(path, depth)

    def pairs(self, table: KeyPath) -> None:
        for name in self.draw(st.lists(BARE, max_size=3, unique=True)):
            self.write(self.draw(BLANKS))
            self.pair(table, name, 0)
            self.write(self.draw(BLANKS) + self.draw(st.sampled_from(["\n", "# ]\n", "\n\n"])))


@st.composite
def documents(draw: st.DrawFn) -> Written:
    written = Written(draw)
    written.pairs(())
    taken = {path[0] for path in written.places}
    if "step" not in taken:
        for number in range(draw(st.integers(0, 3))):
            written.write(draw(BLANKS) + "[[" + draw(BLANKS))
            written.places.setdefault(("step",), len(written.text))
            written.places[("step", number)] = len(written.text)
            written.write("step" + draw(BLANKS) + "]]" + draw(BLANKS) + "\n")
            written.pairs(("step", number))
            if draw(st.booleans()) and ("step", number, "sub") not in written.places:
                written.write("[step.")
                written.places[("step", number, "sub")] = len(written.text) - len("step.")
                written.write("sub]\n")
                written.pairs(("step", number, "sub"))
    return written


@given(documents())
def test_the_place_of_each_key_is_known_in_any_document(written: Written) -> None:
    tomllib.loads(written.text)
    expected = {}
    for path, at in written.places.items():
        line = written.text.count("\n", 0, at) + 1
        expected[path] = Position(line, at - (written.text.rfind("\n", 0, at) + 1) + 1)
    assert key_positions(written.text) == expected


@given(st.text(st.sampled_from("[]{}=.,#\"'\\\n \tab1")) | st.text())
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_recipe(text, Path(), "r.toml")
    assert caught.value.what.startswith("r.toml:")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        "a=" + "[" * 1_000_000,
        "a=" + "{a=" * 300_000,
        ".".join(["a"] * 1_000_000) + "=1",
        "[" + ".".join(["a"] * 1_000_000) + "]",
        "a='''" + "'" * 1_000_000,
        'a="""' + "\\n" * 500_000,
        'a="' + "\\" * 1_000_001,
        "#\n" * 500_000,
        "a=[" + "1," * 400_000 + "]",
        "".join(f"a{number}=1\n" for number in range(201_000)),
    ],
    ids=range(11),
)
def test_what_is_written_to_take_for_ever_is_refused_soon(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_recipe(text, Path(), "r.toml")
