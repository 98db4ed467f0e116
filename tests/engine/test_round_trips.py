"""A patch written down as a recipe and played again makes the same layers; so does the recipe of a recipe."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import lookalike
import patch_cases
import pytest
from sandbox import Sandbox

pytestmark = pytest.mark.engine

MOMENT = ("--timestamp", "1767225600")
ALONE = ("--network", "none")
#: All kinds of edits whose contents are still there in the end, small ones and large ones.
EDITS = """
    --append /etc/services=more --replace '/etc/services=http 80=>http 8080'
    --add-text /new='two\nlines' --chmod 640 --add-text /bytes='\udcff\udce9'
    --copy file:/copied --chown nobody --copy large:/srv/ --chmod u+x --copy tree:/tree --copy -:/from/tar
    --mkdir /made/too --chown 3:4 --symlink '/ link=to nowhere' --rm /bin/wc --chmod /tmp=700 --chown /root=5
    --append /made/../new=third -w /srv -e A='b c' --label k=v --cmd '["a", "b"]' --expose 80
    --add-text relative=x
"""


@pytest.fixture(scope="module")
def base(space: Sandbox) -> str:
    """An image with something to edit."""
    image = space.name("base")
    tar = lookalike.root_tar({"/etc/services": b"http 80/tcp\n"})
    lookalike.import_image(space.client, image, tar, [f"ENV PATH={lookalike.PATH}", "WORKDIR /"])
    return image


@pytest.fixture(scope="module")
def sources(space: Sandbox) -> Path:
    """Files to copy."""
    top = patch_cases.make_sources(space.home / "sources", big=False)
    (top / "large").write_bytes(bytes(range(256)) * 300)
    return top


def layers(space: Sandbox, stem: str) -> list[str]:
    """The diff IDs of an image's layers."""
    found: list[str] = space.inspect(space.name(stem))["RootFS"]["Layers"]
    return found


def replayed(space: Sandbox, recipe: Path, stem: str, *options: str) -> dict[str, Any]:
    """Play a recipe, and return what the command says as JSON."""
    words = ["replay", str(recipe), "-t", space.name(stem), "--format", "json", *MOMENT, *options]
    document: dict[str, Any] = json.loads(space.snap(*words).stdout)
    return document


def written(space: Sandbox, stem: str, *options: str) -> Path:
    """The recipe of an image, in a file."""
    recipe = space.home / f"{stem}.toml"
    files = space.home / f"{stem}.files"
    done = space.snap("log", space.name(stem), "--recipe", "--files", str(files), *options)
    recipe.write_text(done.stdout)
    return recipe


@pytest.fixture(scope="module")
def patched(space: Sandbox, base: str, sources: Path) -> Path:
    """The image ``first``, by a patch with all kinds of edits; and the recipe that it was saved in."""
    recipe = space.home / "saved.toml"
    options = ["--save", str(recipe), *shlex.split(EDITS)]
    space.snap(
        "patch", base, "-t", space.name("first"), *MOMENT, *options, cwd=sources, stdin=sources / "some.tar"
    )
    return recipe


@pytest.mark.usefixtures("patched")
def test_the_recipe_of_an_image_makes_the_same_layers(space: Sandbox) -> None:
    replayed(space, written(space, "first"), "second", "--check", "--no-cache")
    assert layers(space, "second") == layers(space, "first")
    # … and so does that of the replayed one.
    replayed(space, written(space, "second"), "third", "--check", "--no-cache")
    assert layers(space, "third") == layers(space, "first")
    configs = [space.config(space.name(stem)) for stem in ("first", "third")]
    keys = ("Env", "Cmd", "WorkingDir", "ExposedPorts", "User", "Entrypoint")
    assert [configs[0].get(key) for key in keys] == [configs[1].get(key) for key in keys]
    space.snap("verify", "--deep", space.name("third"))


def test_a_saved_recipe_makes_the_same_layers(space: Sandbox, patched: Path) -> None:
    replayed(space, patched, "of-saved", "--no-cache")
    assert layers(space, "of-saved") == layers(space, "first")


def test_the_changes_alone_make_the_same_files(space: Sandbox, patched: Path) -> None:
    assert patched.exists()
    replayed(space, written(space, "first"), "of-changes", "--changes", "--check")
    assert layers(space, "of-changes") == layers(space, "first")


def test_a_content_that_is_another_one_now_is_refused(space: Sandbox, patched: Path) -> None:
    recipe = written(space, "first")
    (kept, *_) = sorted(patched.parent.joinpath("first.files").iterdir())
    content = kept.read_bytes()
    kept.write_bytes(content[::-1])
    done = space.snap("replay", str(recipe), "-t", space.name("never"), "--no-cache", expect=None)
    kept.write_bytes(content)
    assert done.returncode in {1, 2}
    assert kept.name[:12] in done.stderr


def test_runs_are_played_again(sandbox: Sandbox) -> None:
    """Their layers have times of their own: the files are compared."""
    options = ["--add-text", "/in=x", "--run", "cp /in /out; rm /bin/wc", *ALONE, "--append", "/out=y"]
    sandbox.snap("patch", sandbox.base_image, "-t", sandbox.name("first"), *MOMENT, *options, "--no-cache")
    document = replayed(sandbox, written(sandbox, "first"), "second", "--check", "--no-cache")
    assert len(layers(sandbox, "second")) == len(layers(sandbox, "first")) == 4
    assert document["verified"] is True
    assert layers(sandbox, "second") == layers(sandbox, "first")


def test_a_squashed_patch_of_patches_has_a_recipe_too(sandbox: Sandbox) -> None:
    """Two generations are one recipe on their first base."""
    first, second = sandbox.name("first"), sandbox.name("second")
    sandbox.snap("patch", sandbox.base_image, "-t", first, *MOMENT, "--add-text", "/a=1", "-e", "A=1")
    sandbox.snap("patch", first, "-t", second, *MOMENT, "--append", "/a=2", "--rm", "/bin/wc", "-e", "B=2")
    replayed(sandbox, written(sandbox, "second"), "again", "--no-cache")
    assert sandbox.output_of(sandbox.name("again"), "cat", "/a") == "1\n2\n"
    assert sandbox.config(sandbox.name("again"))["Env"] == sandbox.config(second)["Env"]
