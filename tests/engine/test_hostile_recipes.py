"""Tars, recipes and differences that mean harm: refused in a sentence, within bounds, and nothing is made."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import resource
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from doctor import Entry, entry
from pairs import tree_of_image
from sandbox import Sandbox
from steps import folder as folder_entry
from steps import symlink

pytestmark = pytest.mark.engine

#: Of address space, of which a command that does nothing takes a third; and of any one file that it writes.
LIMITS = {resource.RLIMIT_AS: 1536 << 20, resource.RLIMIT_FSIZE: 256 << 20}
MOST_S = 20.0
BLOCK = 512


def hostile(space: Sandbox, *arguments: str, stdin: Path = Path(os.devnull)) -> tuple[int, str]:
    """Run a snap command with little memory and room; its status and stderr, which holds no traceback.

    Where it did not do what it was told, it made no image.
    """
    images, begun_s = space.new_images(), time.monotonic()
    done = space.snap(*arguments, stdin=stdin, limits=LIMITS, expect=None)
    assert time.monotonic() - begun_s < MOST_S
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 4096
    if done.returncode:
        assert done.returncode in {1, 2, 3, 4}
        assert done.stdout == ""
        assert "snap: " in done.stderr or done.stderr.startswith("Usage")
        assert space.new_images() == images
    return done.returncode, done.stderr


# --- tars ---


def tar_of(*entries: Entry, format: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of these entries, as they are."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as tar:
        for info, content in entries:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def header(path: str, size: int, type: bytes = tarfile.REGTYPE) -> bytes:
    """A header that says what it likes of the size."""
    info = tarfile.TarInfo(path)
    info.size, info.type = size, type
    return info.tobuf(tarfile.GNU_FORMAT)


def pax(records: bytes) -> bytes:
    """A PAX header with records as they are, and a file."""
    padding = b"\0" * (-len(records) % BLOCK)
    return header("x", len(records), tarfile.XHDTYPE) + records + padding + tar_of(entry("x", b"x"))


def many(count: int) -> bytes:
    """So many files of the same header but for the name; compressed."""
    end = b"\0" * (2 * BLOCK)
    return gzip.compress(b"".join(header(f"f{number}", 0) for number in range(count)) + end, 1)


REFUSED_TARS: dict[str, Callable[[], bytes]] = {
    "no tar": lambda: b"no tar at all\n" * 1000,
    "cut in a header": lambda: tar_of(entry("a", b"x" * 2000))[:300],
    "cut in a file": lambda: tar_of(entry("a", b"x" * 20000))[:4000],
    "a size that lies": lambda: header("a", 1 << 40) + b"x" * 4096,
    "a size below zero": lambda: header("a", -5) + b"x" * 4096,
    "a damaged checksum": lambda: tar_of(entry("a", b"x")).replace(b"ustar", b"wstar", 1),
    "a name of a gigabyte": lambda: header("././@LongLink", 1 << 30, tarfile.GNUTYPE_LONGNAME) + b"x" * 65536,
    "a name longer than files have": lambda: tar_of(entry("n" * 300, b"x")),
    "a name with a NUL": lambda: pax(b"14 path=a\0b/c\n"),
    "PAX records that never end": lambda: pax(b"999999999999 path=x\n"),
    "a PAX size that lies": lambda: pax(b"24 size=999999999999999\n"),
    "a PAX size that is none": lambda: pax(b"11 size=ab\n"),
    "a time that is none": lambda: pax(b"13 mtime=nan\n"),
    "a time beyond all": lambda: pax(b"16 mtime=1e9999\n"),
    "an owner that is none": lambda: pax(b"18 uid=4294967295\n"),
    "a device that deletes": lambda: tar_of(entry("a", type=tarfile.CHRTYPE)),
    "an attribute of the engine's": lambda: pax(record("SCHILY.xattr.user.overlay.opaque", "y")),
    "a link to what is not in it": lambda: tar_of(entry("a", type=tarfile.LNKTYPE, linkname="etc/passwd")),
    "a link out of it": lambda: tar_of(entry("a", type=tarfile.LNKTYPE, linkname="../../etc/passwd")),
    "a link to itself": lambda: tar_of(entry("a", type=tarfile.LNKTYPE, linkname="a")),
    "a whiteout": lambda: tar_of(entry("a/.wh.b")),
    "an opaque folder": lambda: tar_of(entry("a/.wh..wh..opq")),
    "a file in the way": lambda: tar_of(entry("a", b"x"), entry("a/b", b"x")),
    "a hole of a terabyte": lambda: sparse(1 << 40),
    "a damaged gzip": lambda: gzip.compress(tar_of(entry("a", os.urandom(100_000))))[:5000],
    "fewer zeros than it says": lambda: gzip.compress(header("a", 1 << 33) + b"\0" * (64 << 20), 1),
}  # fmt: skip


def sparse(size: int) -> bytes:
    """A tar in which a file is all hole (GNU's format 0.1 in PAX records)."""
    values = {"GNU.sparse.size": str(size), "GNU.sparse.numblocks": "1", "GNU.sparse.map": f"{size},0"}
    return pax(b"".join(record(key, value) for key, value in values.items()))


def record(key: str, value: str) -> bytes:
    """A PAX record of less than a hundred bytes."""
    body = f" {key}={value}\n".encode()
    return str(len(body) + 2).encode() + body


@pytest.mark.parametrize("name", REFUSED_TARS)
def test_a_tar_that_does_harm_is_refused(space: Sandbox, name: str) -> None:
    file = space.home / "hostile.tar"
    file.write_bytes(REFUSED_TARS[name]())
    status, _ = hostile(
        space, "patch", space.base_image, "-t", space.name("new"), "--copy", "-:/into", stdin=file
    )
    assert status


def test_paths_that_lead_out_of_a_tar_stay_in_the_image_or_are_refused(sandbox: Sandbox) -> None:
    victim = sandbox.home / "victim"
    victim.write_text("mine")
    image = sandbox.name("new")
    for path in ("../../escaped", f"{victim}", f"../../../../../../../..{victim}"):
        file = sandbox.home / "hostile.tar"
        file.write_bytes(tar_of(entry(path, b"theirs")))
        status, _ = hostile(
            sandbox, "patch", sandbox.base_image, "-t", image, "--copy", "-:/into", stdin=file
        )
        assert victim.read_text() == "mine"
        if status == 0:
            tree = tree_of_image(sandbox, image)
            assert all(name.startswith("into/") for name in tree if "escaped" in name or "victim" in name)


def test_a_link_in_a_tar_is_followed_in_the_image_alone(sandbox: Sandbox) -> None:
    victim = sandbox.home / "victim"
    victim.mkdir()
    file, image = sandbox.home / "hostile.tar", sandbox.name("new")
    file.write_bytes(tar_of(symlink("out", str(victim)), entry("out/x", b"theirs")))
    status, _ = hostile(sandbox, "patch", sandbox.base_image, "-t", image, "--copy", "-:/into", stdin=file)
    assert list(victim.iterdir()) == []
    assert status in {0, 1, 2, 4}


def test_of_a_name_that_is_there_twice_the_last_counts(sandbox: Sandbox) -> None:
    file, image = sandbox.home / "twice.tar", sandbox.name("new")
    twice = [entry("a", b"1"), symlink("a", "/etc"), entry("b", b"1"), folder_entry("b"), entry("a", b"22")]
    file.write_bytes(tar_of(*twice, entry("b/c", b"333")))
    assert hostile(sandbox, "patch", sandbox.base_image, "-t", image, "--copy", "-:/x", stdin=file)[0] == 0
    tree = tree_of_image(sandbox, image)
    assert {path: node.size for path, node in tree.items() if path.startswith("x/")} == {
        "x/a": 2,
        "x/b": 0,
        "x/b/c": 3,
    }


# --- recipes ---

HEAD = b'schema = "docker-snap.recipe/1"\n[base]\nname = "BASE"\n'


def step(*lines: str) -> bytes:
    """A recipe of one step."""
    return HEAD + "\n".join(["[[step]]", *lines, ""]).encode()


def step_with_file(name: str) -> bytes:
    """A recipe that copies a content which is kept in a file."""
    made = step('copy = "x"', 'to = "/stolen"', f'file = "{name}"', f'sha256 = "{SHA_OF_X}"')
    return made.replace(b"[base]", b'files = "kept"\n[base]')


def repeated(*lines: str, times: int) -> bytes:
    """A recipe of many steps."""
    return HEAD + "\n".join(["[[step]]", *lines, ""]).encode() * times


SHA_OF_X = hashlib.sha256(b"x").hexdigest()
REFUSED_RECIPES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no TOML": lambda: b"\x00\x01\x02",
    "no UTF-8": lambda: HEAD + b'message = "caf\xe9"\n',
    "another schema": lambda: HEAD.replace(b"/1", b"/2"),
    "no base": lambda: HEAD.partition(b"[base]")[0],
    "nested lists": lambda: b"a = " + b"[" * 200_000,
    "nested tables": lambda: b"a = " + b"{a = " * 200_000,
    "a key of many parts": lambda: b"a." * 200_000 + b"a = 1",
    "a table of many parts": lambda: b"[" + b"a." * 200_000 + b"a]",
    "a number of a million digits": lambda: HEAD + b"a = " + b"9" * 1_000_000,
    "too many keys": lambda: HEAD + b"".join(b"a%d = 1\n" % number for number in range(210_000)),
    "too many steps": lambda: repeated('mkdir = "/x"', times=50_000),
    "a string that never ends": lambda: HEAD + b'message = "' + b"x" * (1 << 20),
    "a text that never ends": lambda: HEAD + b'message = """' + b'"x"' * (1 << 20),
    "larger than any": lambda: HEAD + b"# " + b"x" * (32 << 20),
    "escape characters": lambda: HEAD + b'[[step]]\n"\\u001b[2J" = "\\u001b]0;mine\\u0007"\n',
    "a key twice": lambda: step('mkdir = "/x"', 'mkdir = "/y"'),
    "two things at once": lambda: step('mkdir = "/x"', 'remove = "/y"'),
    "a step of nothing": lambda: step(),
    "a step that is none": lambda: b"step = 1\n" + HEAD,
    "a date for a path": lambda: step("mkdir = 1979-05-27T07:32:00Z"),
    "a list for a path": lambda: step('mkdir = ["/x"]'),
    "a path with a NUL": lambda: step(r'mkdir = "/x\u0000y"'),
    "a path of a megabyte": lambda: step(f'mkdir = "/{"x/" * 500_000}"'),
    "the engine's own": lambda: step('append = "/etc/hosts"', 'text = "x"'),
    "a whiteout": lambda: step('mkdir = "/x/.wh.y"'),
    "a file of this machine": lambda: step('copy = "/etc/passwd"', 'to = "/stolen"'),
    "a file beside its folder": lambda: step('copy = "../secret"', 'to = "/stolen"'),
    "a file by way of a link": lambda: step('copy = "out/secret"', 'to = "/stolen"'),
    "a link that leads out": lambda: step('copy = "link"', 'to = "/stolen"'),
    "a folder by way of a link": lambda: step('copy = "out"', 'to = "/stolen"'),
    "a tar of this machine": lambda: step('tar = "/etc/passwd"', 'to = "/stolen"'),
    "a content elsewhere": lambda: step_with_file("../../secret"),
    "a content that is a link": lambda: step_with_file("link"),
    "a content that is a pipe": lambda: step_with_file("pipe"),
    "a content that is not there": lambda: step_with_file("none"),
    "a content that is another": lambda: step(
        'copy = "x"', 'to = "/y"', 'text = "y"', f'sha256 = "{SHA_OF_X}"'
    ),
    "a device": lambda: step('copy = "zero"', 'to = "/y"'),
    "base64 that is none": lambda: step('copy = "x"', 'to = "/y"', 'base64 = "!"'),
    "a tar that is none": lambda: step('tar = "x"', 'to = "/y"', 'base64 = "eHh4"'),
    "a mode beyond all": lambda: step('chmod = "/tmp"', 'mode = "77777"'),
    "a time beyond all": lambda: step('copy = "x"', 'to = "/y"', 'text = "x"', "mtime = 9999999999999999999"),
    "labels of megabytes": lambda: HEAD + b"[[step]]\n" + b'label = {a = "' + b"x" * (5 << 20) + b'"}\n',
    "a variable without a name": lambda: step('env = {"" = "x"}'),
}


@pytest.fixture(scope="module")
def folder(space: Sandbox) -> Path:
    """Where the recipes are, and what they would like to read."""
    folder = space.home / "recipe"
    folder.mkdir()
    (space.home / "secret").write_text("x")
    (folder / "out").symlink_to("..")
    (folder / "link").symlink_to("../secret")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "kept").mkdir()
    (folder / "kept/link").symlink_to("../../secret")
    os.mkfifo(folder / "kept/pipe")
    return folder


@pytest.mark.parametrize("name", REFUSED_RECIPES)
def test_a_recipe_that_does_harm_is_refused(space: Sandbox, folder: Path, name: str) -> None:
    file = folder / "r.toml"
    file.write_bytes(REFUSED_RECIPES[name]().replace(b"BASE", space.base_image.encode()))
    status, stderr = hostile(space, "replay", str(file), "-t", space.name("new"))
    assert status
    assert "\x1b" not in stderr


@pytest.mark.parametrize("file", ["/dev/zero", "/", "/no/such/file", "/proc/self/mem"])
def test_what_is_no_file_is_no_recipe(space: Sandbox, file: str) -> None:
    assert hostile(space, "replay", file, "-t", space.name("new"))[0] == 2


# --- differences ---

Held = dict[str, bytes]  # members of the file by name


def fitted(held: Held) -> Held:
    """The file with digests and sizes that are true of what it holds now, as a forger would have them."""
    document, config = json.loads(held["snap.json"]), json.loads(held["config.json"])
    config["rootfs"]["diff_ids"][-1] = f"sha256:{hashlib.sha256(held['layer.tar']).hexdigest()}"
    held["config.json"] = json.dumps(config, separators=(",", ":"), sort_keys=True).encode()
    for content, name in (
        (document["config"], "config.json"),
        (document["layers"][0], "layer.tar"),
        (document["manifest"], "manifest.mtree"),
    ):
        content |= {
            "digest": f"sha256:{hashlib.sha256(held[name]).hexdigest()}",
            "size_bytes": len(held[name]),
        }
    return {**held, "snap.json": json.dumps(document).encode()}


def with_layer(layer: bytes) -> Callable[[Held], Held]:
    """Another layer, with digests that fit."""
    return lambda held: fitted({**held, "layer.tar": layer})


def with_document(**changes: object) -> Callable[[Held], Held]:
    """Other words about it."""
    return lambda held: {
        **held,
        "snap.json": json.dumps({**json.loads(held["snap.json"]), **changes}).encode(),
    }


def gnu(*entries: Entry) -> bytes:
    """As snap writes names that need no PAX records."""
    return tar_of(*entries, format=tarfile.USTAR_FORMAT)


FORGED: dict[str, Callable[[Held], Held]] = {
    "another layer than it says": lambda held: {
        **held, "layer.tar": held["layer.tar"].replace(b"hello", b"HELLO")
    },
    "another config than it says": lambda held: {**held, "config.json": held["config.json"] + b" "},
    "a layer that leads out": with_layer(gnu(entry("../../etc/cron.d/x", b"x"))),
    "an absolute layer": with_layer(gnu(entry("/etc/cron.d/x", b"x"))),
    "a layer through its own link": with_layer(gnu(symlink("a", "/"), entry("a/x", b"x"))),
    "a name twice": with_layer(gnu(entry("a", b"1"), entry("a", b"2"))),
    "a link out of it": with_layer(gnu(entry("a", type=tarfile.LNKTYPE, linkname="../../etc/passwd"))),
    "an opaque folder": with_layer(gnu(folder_entry("a"), entry("a/.wh..wh..opq"))),
    "a size that lies": with_layer(header("a", 1 << 40) + b"x" * 4096),
    "a cut layer": lambda held: fitted({**held, "layer.tar": held["layer.tar"][:-700]}),
    "an empty layer": with_layer(b""),
    "no layer": lambda held: {name: content for name, content in held.items() if name != "layer.tar"},
    "no document": lambda held: {name: content for name, content in held.items() if name != "snap.json"},
    "one more member": lambda held: {**held, "more": b"x"},
    "a member elsewhere": lambda held: {**held, "../more": b"x"},
    "a document of a million lists": lambda held: {**held, "snap.json": b"[" * 1_000_000},
    "a document that is none": lambda held: {**held, "snap.json": b"\xff{}"},
    "another schema": with_document(schema="docker-snap.diff/2"),
    "no layers": with_document(layers=[]),
    "layers without end": with_document(layers=[{"digest": f"sha256:{'0' * 64}", "size_bytes": 1}] * 5000),
    "a size below zero": with_document(config={"digest": f"sha256:{'0' * 64}", "size_bytes": -1}),
    "a size beyond all": with_document(config={"digest": f"sha256:{'0' * 64}", "size_bytes": 1 << 62}),
    "a digest that is a path": with_document(config={"digest": "sha256:../../x", "size_bytes": 1}),
}  # fmt: skip


@pytest.fixture(scope="module")
def honest(space: Sandbox) -> Held:
    """What a file with a difference holds."""
    file = space.home / "diff.tar"
    space.snap("patch", space.base_image, "-t", space.name("honest"), "--add-text", "/new=hello")
    space.snap("export", space.name("honest"), "--diff", str(file))
    held = {}
    with tarfile.open(file) as tar:
        for info in tar:
            content = tar.extractfile(info)
            held[info.name] = content.read() if content else b""
    return held


@pytest.mark.parametrize("name", FORGED)
def test_a_difference_that_does_harm_is_refused(space: Sandbox, honest: Held, name: str) -> None:
    file = space.home / "forged.tar"
    held = FORGED[name](dict(honest))
    file.write_bytes(tar_of(*(entry(member, content) for member, content in held.items())))
    status, _ = hostile(space, "import-diff", str(file), "--base", space.base_image, "-t", space.name("new"))
    assert status


@pytest.mark.parametrize("cut", [0, 100, 512, 3000, 6000])
def test_a_difference_that_broke_off_is_refused(space: Sandbox, honest: Held, cut: int) -> None:
    file = space.home / "cut.tar"
    file.write_bytes(tar_of(*(entry(member, content) for member, content in honest.items()))[:cut])
    assert hostile(space, "import-diff", str(file), "--base", space.base_image)[0]


def test_a_difference_that_is_forged_with_fitting_digests_is_no_more_than_it_was(
    space: Sandbox, honest: Held
) -> None:
    """The forger of these tests is a good one: what it leaves as it was is taken."""
    file = space.home / "same.tar"
    file.write_bytes(tar_of(*(entry(name, content) for name, content in fitted(dict(honest)).items())))
    assert hostile(space, "import-diff", str(file), "--base", space.base_image, "-q")[0] == 0
