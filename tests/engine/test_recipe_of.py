"""``snap log --recipe``: what made an image can be done again, or it is said by name why not."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from sandbox import SNAP, Sandbox

from snapshot.recipe.document import Recipe
from snapshot.recipe.instructions import Copy, EditConfig, FileContent, Run, TarFile
from snapshot.recipe.toml_reader import parse_recipe

pytestmark = pytest.mark.engine

#: What a recipe says is the same whatever engine has the image.
on_one = pytest.mark.only_on("docker20", reason="recipes are the same over all engines")
MOMENT = "1767225600"
DOCUMENT = Path(__file__).parents[2] / "docs" / "recipe.md"


def recipe_of(sandbox: Sandbox, image: str, *options: str) -> tuple[Recipe, str]:
    """The recipe of an image, and what was said beside it."""
    done = sandbox.snap("log", image, "--recipe", *options)
    return parse_recipe(done.stdout, sandbox.home, "r.toml"), done.stderr


@pytest.fixture
def folder(sandbox: Sandbox) -> Path:
    """What is copied: a folder with all kinds of things, with times of long ago."""
    top = sandbox.home / "app"
    (top / "sub").mkdir(parents=True)
    (top / "app.js").write_text('console.log("a\\n")\n')
    (top / "large").write_bytes(os.urandom(10_000))
    (top / "sub" / "tool").write_text("#!/bin/sh\n")
    (top / "sub" / "tool").chmod(0o755)
    (top / "link").symlink_to("sub/tool")
    Path(os.fsdecode(bytes(top) + b"/caf\xe9")).write_text("bytes")
    (top / "sub").chmod(0o750)
    for path in (*top.rglob("*"), top):
        os.utime(path, (10**9, 10**9), follow_symlinks=False)
    return top


@pytest.mark.usefixtures("folder")
def test_a_patch_is_replayed_from_its_recipe_to_the_same_layers(sandbox: Sandbox) -> None:
    image, again = sandbox.name("image"), sandbox.name("again")
    edits = [
        ["--workdir", "/web", "--copy", "app:.", "--copy", "app/sub/tool:bin/", "--chown", "7:8"],
        ["--copy", "app/large:/etc/big", "--chmod", "u=rw,go=", "--mkdir", "/srv/x", "--chmod", "0700"],
        [
            "--add-text",
            "/etc/conf=a\nb = 1\n",
            "--append",
            "/etc/conf=c",
            "--replace",
            "/etc/conf=b = 1=>b = 2",
        ],
        ["--symlink", "/srv/link=../etc/conf", "--chmod", "/etc/conf=0600", "--chown", "/etc/conf=1:2"],
        ["-e", "A=1", "--cmd", '["node", "app.js"]', "--label", "x=y", "--expose", "80"],
    ]
    words = [word for edit in edits for word in edit]
    sandbox.snap(
        "patch", "-q", sandbox.base_image, "-t", image, "--timestamp", MOMENT, *words, cwd=sandbox.home
    )
    text = sandbox.home / "r.toml"
    with text.open("wb") as stdout:
        command = [*SNAP, "log", image, "--recipe"]
        subprocess.run(command, stdout=stdout, env=sandbox.environment(), check=True)
    assert len(list((sandbox.home / "r.files").iterdir())) == 2
    done = sandbox.snap("replay", str(text), "-t", again, "--check", "--timestamp", MOMENT)
    assert "byte for byte" in done.stderr
    assert sandbox.inspect(again)["RootFS"] == sandbox.inspect(image)["RootFS"]
    before, after = sandbox.config(image), sandbox.config(again)
    for name in ("Env", "Cmd", "WorkingDir", "ExposedPorts"):
        assert before[name] == after[name]


def test_the_steps_of_a_container_are_replayed(sandbox: Sandbox, folder: Path) -> None:
    image, again = sandbox.name("image"), sandbox.name("again")
    box = sandbox.hold("box", "-e", "WHO=me")
    sandbox.snap(
        "exec", "-u", "0", "-w", "/tmp", "-e", "MORE=x", box, "--", "sh", "-c", "echo $WHO $MORE > two"
    )
    sandbox.snap("exec", box, "--", "ls", "/")
    sandbox.snap("cp", "-q", f"{folder}/app.js", f"{box}:/srv.js")
    sandbox.snap("commit", "-q", box, image, "-m", "by hand", "--env", "A=1", "--user", "7", "--cmd", "true")
    recipe, _ = recipe_of(sandbox, image)
    assert recipe.message == "by hand"
    assert not recipe.notes
    run, copy, config = recipe.instructions
    assert run == Run(("sh", "-c", "echo $WHO $MORE > two"), ("WHO", "MORE"), user="0", working_dir="/tmp")
    assert isinstance(copy, Copy)
    assert isinstance(copy.source, FileContent)
    assert (copy.destination, copy.source.mode, copy.source.mtime_s) == ("/srv.js", 0o644, 10**9)
    assert isinstance(config, EditConfig)
    assert dict(config.edits.env) == {"A": "1"}
    assert config.edits.user == "7"
    text = sandbox.snap("log", image, "--recipe").stdout
    assert "left out, it changed nothing" in text
    (sandbox.home / "r.toml").write_text(text)
    values = ["--set", "WHO=me", "--set", "MORE=x", "--network", "none"]
    done = sandbox.snap("replay", str(sandbox.home / "r.toml"), "-t", again, "--check", *values)
    assert "the same" in done.stderr


@on_one
def test_what_cannot_be_replayed_is_told_by_name(sandbox: Sandbox, folder: Path) -> None:
    script = sandbox.home / "script"
    script.write_text("touch /done")
    box = sandbox.hold()
    sandbox.snap("exec", "-i", box, "--", "sh", stdin=script)
    sandbox.snap("exec", box, "--", "sh", "-c", "touch /x; exit 3", expect=3)
    sandbox.snap("exec", box, "--", "sh", "-c", "touch /y; true --password=hunter2")
    sandbox.sh(box, "touch /behind")
    sandbox.snap("cp", "-q", f"{folder}/app.js", f"{box}:/app.js")
    sandbox.snap("exec", box, "--", "sh", "-c", "echo more >> /app.js")
    image = sandbox.name("image")
    sandbox.snap("commit", "-q", box, image, "--env", "DB_PASSWORD=hunter2")
    recipe, said = recipe_of(sandbox, image)
    told = [
        (item.command, recipe.note(index))
        for index, item in enumerate(recipe.instructions)
        if isinstance(item, Run)
    ]
    gone = "what it brought to /app.js is in no image here any more"
    assert [(words, why) for words, why in told if why] == [
        ("snap exec -- sh", "it was interactive, or read its commands from elsewhere"),
        ("snap exec -- sh -c 'touch /x; exit 3'", "it ended with status 3"),
        (
            "snap exec -- sh -c 'touch /y; true --password=…'",
            "something was cut from it, as a secret could have been or as it was too long",
        ),
        ("unknown step (docker exec, the container's own work): 1 added", "nobody knows what was done"),
        (f"snap cp {folder}/app.js {box}:/app.js", gone),
        ("snap patch --env 'DB_PASSWORD=…'", "its value could be a secret: write the step by hand"),
    ]
    assert f"step 5 cannot be replayed: {gone}" in said
    assert "hunter2" not in f"{recipe}{said}"


@on_one
def test_a_content_that_was_replaced_is_taken_from_the_image_that_has_it(sandbox: Sandbox) -> None:
    file, first, second = sandbox.home / "file", sandbox.name("first"), sandbox.name("second")
    for base, image, content in ((sandbox.base_image, first, "one"), (first, second, "two")):
        file.write_text(content)
        sandbox.snap("patch", "-q", base, "-t", image, "--copy", "file:/file", cwd=sandbox.home)
    recipe, _ = recipe_of(sandbox, second)
    assert [item.source.content for item in recipe.instructions] == [b"one", b"two"]  # type: ignore[union-attr]
    assert recipe.base_id == sandbox.inspect(sandbox.base_image)["Id"]
    assert recipe.result
    assert len(recipe.result.layers) == 2


@on_one
def test_a_text_that_is_too_long_for_the_labels_is_taken_from_the_image(sandbox: Sandbox) -> None:
    image, text = sandbox.name("image"), "line\n" * 1000
    sandbox.snap("patch", "-q", sandbox.base_image, "-t", image, "--add-text", f"/etc/long={text}")
    recipe, _ = recipe_of(sandbox, image)
    (copy,) = recipe.instructions
    assert not recipe.notes
    assert isinstance(copy, Copy)
    assert isinstance(copy.source, FileContent)
    assert (copy.destination, copy.source.content) == ("/etc/long", text.encode())


@on_one
def test_a_folder_that_was_copied_is_a_tar_where_it_is_no_mere_files(sandbox: Sandbox, folder: Path) -> None:
    (folder / "large").unlink()
    image = sandbox.name("image")
    sandbox.snap("patch", "-q", sandbox.base_image, "-t", image, "--copy", "app:/web", cwd=sandbox.home)
    (copy,) = recipe_of(sandbox, image)[0].instructions
    assert isinstance(copy, Copy)
    assert isinstance(copy.source, TarFile)
    assert copy.source.content
    for name in ("sub", "link", os.fsdecode(b"caf\xe9")):
        path = Path(os.fsdecode(bytes(folder) + b"/" + os.fsencode(name)))
        path.unlink() if not path.is_dir() else subprocess.run(["rm", "-r", path], check=True)
    (folder / "other").write_text("x")
    sandbox.snap("patch", "-q", sandbox.base_image, "-t", image, "--copy", "app:/web", cwd=sandbox.home)
    copies = recipe_of(sandbox, image)[0].instructions
    assert [copy.destination for copy in copies] == ["/web/app.js", "/web/other"]  # type: ignore[union-attr]


@on_one
def test_contents_without_a_folder_are_bounded(sandbox: Sandbox) -> None:
    image = sandbox.name("image")
    with (sandbox.home / "file").open("wb") as file:
        file.truncate((1 << 20) + 1)
    sandbox.snap("patch", "-q", sandbox.base_image, "-t", image, "--copy", "file:/file", cwd=sandbox.home)
    assert "Give --files FOLDER" in sandbox.snap("log", image, "--recipe", expect=2).stderr
    recipe, said = recipe_of(sandbox, image, "--files", str(sandbox.home / "kept"))
    (copy,) = recipe.instructions
    assert isinstance(copy, Copy)
    assert isinstance(copy.source, FileContent)
    assert copy.source.content == sandbox.home / "kept" / copy.source.sha256
    assert "which belongs beside it" in said


@on_one
def test_what_has_no_steps_has_no_recipe(sandbox: Sandbox) -> None:
    done = sandbox.snap("log", sandbox.base_image, "--recipe", expect=1)
    assert "was not made by snap" in done.stderr
    assert not done.stdout
    assert "--recipe writes TOML" in sandbox.snap("log", "x", "--recipe", "--graph", expect=2).stderr
    assert "--files belongs to" in sandbox.snap("log", "x", "--files", "y", expect=2).stderr


@on_one
def test_the_recipe_of_the_document_can_be_played(sandbox: Sandbox) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    text = example.replace("diamol/ch03-lab:latest", sandbox.base_image)
    (sandbox.home / "r.toml").write_text(text)
    image = sandbox.name("image")
    sandbox.snap("replay", str(sandbox.home / "r.toml"), "-t", image, "--set", "WHO=Elton")
    assert sandbox.output_of(image, "cat", "/var/lab/greeting").startswith("Elton has been here, 20")
    assert sandbox.output_of(image).startswith("nobody has been here, 20")
