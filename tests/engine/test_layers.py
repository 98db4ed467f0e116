"""``snap layers`` and ``snap show --files``: the layers of an image, and all that one changed."""

from __future__ import annotations

import io
import json
import posixpath
import tarfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import click
import layer_tars
import lookalike
import pytest
from builders import build_classic
from doctor import SavedImage, put_together, take_apart
from sandbox import Sandbox
from terminal import snap_at_terminal
from trees import never_started, tree_of

from snapshot.engine.client import Engine
from snapshot.image.history import LayerStep
from snapshot.workflow.layer_steps import layer_steps

pytestmark = pytest.mark.engine

# Layers of the size 0 in between, of which no size tells which entry they belong to.
_DOCKERFILE = """
RUN true
RUN mkdir /empty
ENV A=1
WORKDIR /w
RUN head -c 30000 /dev/zero > /big && echo x > /etc/x && mkdir /d /o && echo 1 > /o/x
RUN echo 12345 > /d/a && ln /d/a /d/b && rm /big
COPY again /etc/x
LABEL a=b
RUN chmod 600 /etc/x && rm /d/a && rm -r /o && mkdir /o
"""
HOSTILE = "evil\x1b[2J\x1b]0;title\x07\nline\u202e"


@dataclass(frozen=True)
class Built:
    """An image that was built (``below``) and committed twice, and what the result consists of.

    ``nameless`` is the ID of an image without a name that has the same layers.
    """

    space: Sandbox
    below: str
    nameless: str
    name: str
    saved: SavedImage
    document: dict[str, Any]


@pytest.fixture(scope="module")
def built(space: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("build")
    (folder / "Dockerfile").write_text(f"FROM {space.base_image}{_DOCKERFILE}")
    (folder / "again").write_text("stored again\n")
    build_classic(space, folder, space.name("built"))
    first = space.changed("echo 1 > /w/y", "first", image=space.name("built"))
    space.snap("commit", "-q", first, space.name("middle"))
    second = space.changed("echo 22 > /w/y && rm -r /diamol", "second", image=space.name("middle"))
    space.snap("exec", second, "touch", "/z")
    nameless = space.snap("commit", "-q", "-l", "other=image", second).stdout.strip()
    space.snap("commit", "-q", second, space.name("top"))
    name = space.name("top")
    return Built(
        space, space.name("built"), nameless, name, take_apart(space.client, name), layers_of(space, name)
    )


def layers_of(sandbox: Sandbox, name: str, *options: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(sandbox.snap("layers", name, "--format", "json", *options).stdout)
    return document


def steps_of(host: str, name: str, *, saved: bool = False) -> tuple[LayerStep, ...]:
    """The history joined with the layers; ``saved`` where the engine's folders are not to be looked into."""
    with closing(Engine.connect(host)) as engine:
        image = engine.image(name)
        return layer_steps(engine, replace(image, upper_folder="") if saved else image)


def told_by_config(config: Mapping[str, Any]) -> list[tuple[str, int | None]]:
    """The words of each step and the number of its layer, as the OCI image spec has it."""
    count = 0
    told: list[tuple[str, int | None]] = []
    for item in config["history"]:
        told.append((item.get("created_by", ""), None if item.get("empty_layer") else count))
        count += not item.get("empty_layer")
    return told


def own_files(layer: bytes) -> tuple[dict[str, int], list[str]]:
    """The sizes of a layer's files by path, and the names of its whiteouts; no code is shared with snap."""
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        members = {posixpath.normpath(f"/{info.name}"): info for info in tar}
    sizes = {
        path: 0 if info.islnk() else info.size
        for path, info in members.items()
        if (info.isreg() or info.islnk()) and ".wh." not in path
    }
    return sizes, [path for path in members if ".wh." in path]


# --- which step made which layer ---


def test_each_layer_has_the_step_that_the_config_gives_it(built: Built) -> None:
    for name in (built.below, built.name):
        expected = told_by_config(take_apart(built.space.client, name).config)
        for saved in (False, True):
            found = steps_of(built.space.host, name, saved=saved)
            assert [(step.entry.created_by, step.layer) for step in found] == expected


def test_the_sizes_of_the_steps_are_the_engines(built: Built) -> None:
    history: Any = built.space.client.history(built.name)  # type: ignore[no-untyped-call]
    found = steps_of(built.space.host, built.name)
    assert [step.entry.size_bytes for step in found] == [item["Size"] for item in reversed(history)]


@pytest.mark.parametrize(
    ("history", "lowest", "topmost"),
    [
        ([], ["", "", ""], ["", "", ""]),
        ([{"created_by": "one"}], ["one", "", ""], ["", "", "one"]),
        (
            [{"created_by": "config", "empty_layer": True}, {"created_by": "one"}, {"created_by": "two"}],
            ["one", "two", ""],
            ["", "one", "two"],
        ),
    ],
)
def test_a_layer_that_the_history_does_not_tell_of_has_a_step_without_words(
    space: Sandbox, history: Sequence[Mapping[str, Any]], lowest: list[str], topmost: list[str]
) -> None:
    parts = take_apart(space.client, space.base_image)
    # The second has no content, so the engine gives it the size 0.
    parts.layers += [
        layer_tars.layer(layer_tars.folder("d")),
        layer_tars.layer(layer_tars.Entry("d/x", text="12345")),
    ]
    time = {"created": "2026-01-01T00:00:00Z"}
    parts.config["history"] = [{**time, **item} for item in history]
    name = space.name(f"untold{len(history)}")
    put_together(space.client, parts, name)
    expected = topmost if space.is_podman else lowest
    for saved in (False, True):
        found = steps_of(space.host, name, saved=saved)
        words = {step.layer: step.entry.created_by for step in found}
        assert [words[number] for number in range(3)] == expected
    assert [layer["created_by"] for layer in layers_of(space, name)["layers"]] == [
        [word] if word else [] for word in expected
    ]


# --- what the layers hold ---


def test_the_layers_hold_what_their_archives_hold(built: Built) -> None:
    layers = built.document["layers"]
    assert [layer["diff_id"] for layer in layers] == built.saved.config["rootfs"]["diff_ids"]
    for number, (layer, archive) in enumerate(zip(layers, built.saved.layers, strict=True)):
        sizes, whiteouts = own_files(archive)
        assert layer["number"] == number
        assert layer["files"] == len(sizes)
        assert layer["size_bytes"] == sum(sizes.values())
        assert layer["deleted"] + layer["emptied"] == len(whiteouts)


def test_what_is_not_wasted_is_what_a_container_shows(built: Built) -> None:
    space, document = built.space, built.document
    with never_started(space.client, built.name, space.name("look")) as container:
        tree = tree_of(space.client, container)
    first_names = {node.names[0]: node.size for node in tree.values() if node.type == tarfile.REGTYPE}
    assert document["size_bytes"] - document["wasted_bytes"] == sum(first_names.values())
    assert sum(folder["size_bytes"] for folder in document["folders"]) == sum(first_names.values())
    assert {folder["path"] for folder in document["folders"]} == {
        posixpath.dirname(f"/{path}") for path, node in tree.items() if node.type == tarfile.REGTYPE
    }


def test_what_is_wasted_is_told_with_the_layer_that_hides_it(built: Built) -> None:
    layers = built.document["layers"]
    hidden = {
        path["path"]: (path["size_bytes"], path["stored_again"])
        for layer in layers
        for path in layer["wasted"]
    }
    hiding = {path["path"]: layers[path["by_layer"]] for layer in layers for path in layer["wasted"]}
    assert hiding["/big"]["deleted"] == 1
    assert hiding["/etc/x"]["files"] == 1
    assert hiding["/w/y"] == layers[-1]
    # /d/a lives on as /d/b.
    assert hidden.keys() == {"/big", "/etc/x", "/w/y", "/o/x", "/diamol/ch03.txt"}
    assert hidden["/big"] == (30000, False)
    assert hidden["/etc/x"][0] == len("stored again\n")
    assert hidden["/w/y"] == (2, True)
    assert hidden["/diamol/ch03.txt"] == (18, False)
    again = len("x\n") + len("stored again\n") + len("1\n")
    assert built.document["stored_again_bytes"] == again
    assert built.document["deleted_bytes"] == 30000 + 18 + len("1\n")


def test_layers_that_other_images_stand_on_name_these(built: Built) -> None:
    shared = [set(layer["shared_with"]) for layer in built.document["layers"]]
    space = built.space
    base, built_image, middle = (
        f"{space.base_image}",
        f"{space.name('built')}:latest",
        f"{space.name('middle')}:latest",
    )
    base_count = len(space.inspect(space.base_image)["RootFS"]["Layers"])
    assert all({base, built_image, middle} <= names for names in shared[:base_count])
    assert all(base not in names and {built_image, middle} <= names for names in shared[base_count:-2])
    assert shared[-2:] == [{middle, built.nameless[7:19]}, {built.nameless[7:19]}]


def test_layers_of_snapshots_tell_their_steps(built: Built) -> None:
    middle, top = (layer["created_by"] for layer in built.document["layers"][-2:])
    assert [words.partition(" # ")[0] for words in middle] == [
        "snap run -- sleep 600",
        "unknown step (docker exec, the container's own work): 1 added",
    ]
    assert top[0] == "snap run -- sleep 600"
    assert top[-1] == "snap exec -- touch /z"


# --- how it is shown ---


def test_the_table_has_a_line_for_each_layer_and_one_for_the_sum(built: Built) -> None:
    header, *lines, total = built.space.snap("layers", built.name).stdout.splitlines()
    assert header.split() == ["#", "SIZE", "FILES", "DELETED", "WASTED", "SHARED", "CREATED", "BY"]
    assert [int(line.split()[0]) for line in lines] == list(range(len(built.saved.layers)))
    assert lines[-1].endswith("snap exec -- touch /z")
    assert total.startswith(f"{len(lines)} layers with ")
    assert total.endswith(" wasted (17 bytes stored again, 30 kB deleted higher up)")


def test_all_that_is_wasted_is_listed_below_its_layer(built: Built) -> None:
    lines = built.space.snap("layers", "--wasted", built.below).stdout.splitlines()
    (big,) = (number for number, line in enumerate(lines) if line.endswith("  /big"))
    assert lines[big].split()[:3] == ["30,000", "deleted", "by"]
    assert "head -c 30000" in lines[big - 1]


def test_the_largest_files_are_listed_and_how_many_more_there_are(built: Built) -> None:
    lines = built.space.snap("layers", "--files", "1", built.name).stdout.splitlines()
    assert lines[2].split() == [f"{lookalike.BUSYBOX.stat().st_size:,}", "/bin/busybox"]
    assert lines[3].strip() == "and 3 more files"
    done = built.space.snap("layers", "--files", "1", "--wasted", built.name, expect=2)
    assert "exclude each other" in done.stderr


def test_on_a_terminal_nothing_is_wider_than_it_unless_asked_for(built: Built) -> None:
    with snap_at_terminal(
        built.space, "layers", "--no-pager", "--wasted", built.name, size=(80, 50)
    ) as terminal:
        _, output = terminal.ends()
    assert max(len(line) for line in click.unstyle(output).splitlines()[:-1]) <= 80
    with snap_at_terminal(
        built.space, "layers", "--no-pager", "--no-trunc", built.below, size=(100, 50)
    ) as terminal:
        _, output = terminal.ends()
    assert "echo x > /etc/x && mkdir /d /o && echo 1 > /o/x" in " ".join(click.unstyle(output).splitlines())


def test_what_strangers_wrote_steers_no_terminal(space: Sandbox) -> None:
    parts = take_apart(space.client, space.base_image)
    parts.layers.append(
        layer_tars.layer(layer_tars.Entry(HOSTILE, text="12345"), layer_tars.Entry("x" * 250, text="1"))
    )
    parts.config["history"] = [
        {"created": "2026-01-01T00:00:00Z", "created_by": HOSTILE, "comment": HOSTILE} for _ in parts.layers
    ]
    name = space.name("hostile")
    put_together(space.client, parts, name)
    for options in ([], ["--files", "5"], ["--wasted"]):
        shown = space.snap("layers", name, *options).stdout
        assert [char for char in shown if not char.isprintable() and char != "\n"] == []
    assert layers_of(space, name)["layers"][-1]["largest"][0]["path"] == f"/{HOSTILE}"


def test_a_name_that_no_image_has_is_an_error_that_says_it(space: Sandbox) -> None:
    for name in ("no-such", "No such", ""):
        done = space.snap("layers", name, expect=1)
        assert done.stderr.startswith(f"snap: No image is named '{name}' here.")
    box = space.hold("box-alone")
    for verb in ("layers", "tree"):
        what, hint = space.snap(verb, box, expect=1).stderr.splitlines()
        assert what == f"snap: '{box}' is a container, and no image."
        assert space.base_image in hint


# --- show --files ---


def changes_shown(sandbox: Sandbox, name: str, **options: Any) -> list[str]:
    document = json.loads(sandbox.snap("show", "--files", "--format", "json", name, **options).stdout)
    return [f"{change['kind']} {change['path']}" for change in document["changes"]]


def test_show_lists_all_files_as_diff_does(built: Built) -> None:
    space = built.space
    for name in (built.name, space.name("second")):
        shown = space.snap("show", "--files", name).stdout
        listed = space.snap("diff", name).stdout
        assert shown.endswith(f"\n{listed}")
        assert changes_shown(space, name) == ["D /diamol", "C /w", "C /w/y", "A /z"]


def test_a_list_that_is_kept_elsewhere_is_read_from_the_layers(sandbox: Sandbox) -> None:
    base = sandbox.name("base")
    lookalike.import_image(sandbox.client, base, lookalike.root_tar({"/many/0": b"old", "/gone": b""}))
    # Names that no compression makes shorter than the label has room for.
    names = "tr -dc a-z < /dev/urandom | head -c 80000 | fold -w 200"
    script = f"rm /gone; cd /many; echo 0 > 0; : > new; {names} | while read name; do : > $name; done"
    container, image = sandbox.changed(script, image=base), sandbox.name("image")
    sandbox.snap("commit", "-q", "--no-verify", container, image)
    known = changes_shown(sandbox, image)
    assert {"D /gone", "C /many", "C /many/0", "A /many/new"} <= set(known)
    # Not even the base is needed.
    sandbox.client.remove_container(container, force=True)
    sandbox.client.remove_image(base, force=True)
    elsewhere = {"XDG_STATE_HOME": str(sandbox.home / "elsewhere")}
    assert changes_shown(sandbox, image, env=elsewhere) == known
    assert "and with --files" in sandbox.snap("show", image, env=elsewhere).stdout


def test_files_of_an_image_without_a_record_are_an_error_that_says_what_to_do(space: Sandbox) -> None:
    done = space.snap("show", "--files", space.base_image, expect=None)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "snap diff BASE" in done.stderr
