from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

import lookalike
import pytest
from sandbox import Sandbox
from trees import never_started, tree_of

pytestmark = pytest.mark.engine

TIME = ("--timestamp", "1767225600")
SCRIPT = r"""
echo more >> /diamol/ch03.txt; ln /diamol/ch03.txt /diamol/second; rm /etc/group; rm -r /tmp; mkdir /bin/new
echo a > "$(printf '/bin/new/caf\351')"; ln -s /etc /link; chown 3:4 /bin/new; chmod 4711 /diamol/second
rm /bin/yes; mkdir /bin/yes; mkfifo /bin/yes/pipe; mknod /bin/yes/node c 1 3
"""


@pytest.fixture(scope="module")
def change(space: Sandbox) -> str:
    """An image with a fixed time."""
    name = space.name("change")
    box = space.changed(SCRIPT, "change")
    space.snap("commit", box, name, *TIME, "-m", "a change", "--env", "A=1", "--label", "mine=a b")
    return name


def written(space: Sandbox, image: str) -> Path:
    path = space.home / f"{image}.tar"
    done = space.snap("export", "--format", "json", image, "--diff", str(path))
    assert json.loads(done.stdout)["kind"] == "diff"
    return path


def forgotten(space: Sandbox, image: str) -> str:
    """The ID of an image that the engine has no more."""
    image_id = str(space.inspect(image)["Id"])
    for name in space.inspect(image)["RepoTags"]:
        space.client.remove_image(name, force=True)
    assert image_id not in {item["Id"] for item in space.client.images(all=True)}
    return image_id


def test_an_import_is_the_same_image(space: Sandbox, change: str) -> None:
    path = written(space, change)
    image_id = forgotten(space, change)
    done = space.snap("import-diff", "-q", str(path), "--base", space.base_image, "-t", change)
    assert done.stdout.strip() == image_id == space.inspect(change)["Id"]
    space.snap("verify", "--deep", change)
    again = space.snap("import-diff", "--format", "json", str(path), "--base", space.base_image).stdout
    assert json.loads(again)["id"] == image_id


def test_all_layers_of_a_patch_and_of_what_it_stands_on_come_along(space: Sandbox, change: str) -> None:
    name = space.name("patched")
    run = ("--run", "echo run > /run-was-here; rm /etc/passwd", "--network", "none")
    space.snap(
        "patch",
        "-q",
        change,
        "-t",
        name,
        "--add-text",
        "/a=1",
        *run,
        "--append",
        "/a=2",
        "--rm",
        "/link",
        *TIME,
    )
    with never_started(space.client, name, space.name("look")) as container:
        tree = tree_of(space.client, container)
    layers = space.inspect(name)["RootFS"]["Layers"]
    assert len(layers) == 1 + 1 + 3
    path = written(space, name)
    with tarfile.open(path) as tar:
        assert tar.getnames()[3:] == ["layer.tar", "layer-2.tar", "layer-3.tar", "layer-4.tar"]
    image_id = forgotten(space, name)
    space.snap("import-diff", str(path), "--base", space.base_image, "-t", name)
    assert space.inspect(name)["Id"] == image_id
    with never_started(space.client, name, space.name("look")) as container:
        assert tree_of(space.client, container) == tree


def test_a_config_alone_comes_along(space: Sandbox) -> None:
    name = space.name("config")
    space.snap("patch", "-q", space.base_image, "-t", name, "-e", "A=2", *TIME)
    path = written(space, name)
    image_id = forgotten(space, name)
    space.snap("import-diff", str(path), "--base", space.base_image, "-t", name)
    assert space.inspect(name)["Id"] == image_id


def test_a_config_that_is_not_the_recorded_one_fails_and_nothing_is_left(space: Sandbox, change: str) -> None:
    path = written(space, change)
    with tarfile.open(path) as tar:
        held = {info.name: read_all(tar, info) for info in tar}
    config, document = json.loads(held["config.json"]), json.loads(held["snap.json"])
    config["config"]["Env"].append("EVIL=1")
    held["config.json"] = json.dumps(config).encode()
    document["config"] = {
        "digest": f"sha256:{hashlib.sha256(held['config.json']).hexdigest()}",
        "size_bytes": len(held["config.json"]),
    }
    held["snap.json"] = json.dumps(document).encode()
    edited, name = space.home / "edited.tar", space.name("edited")
    with tarfile.open(edited, "w", format=tarfile.PAX_FORMAT) as tar:
        for member, content in held.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    before = space.new_images()
    done = space.snap("import-diff", str(edited), "--base", space.base_image, "-t", name, expect=3)
    assert "env EVIL: is there and was not recorded" in done.stderr
    assert space.new_images() == before


def read_all(tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(info)
    assert file is not None
    return file.read()


def test_another_base_is_refused_and_nothing_is_made(space: Sandbox, change: str) -> None:
    path = written(space, change)
    other, name = space.name("other"), space.name("refused")
    lookalike.import_image(space.client, other, lookalike.root_tar({"other": b"1"}))
    before = space.new_images()
    done = space.snap("import-diff", str(path), "--base", other, "-t", name, expect=4)
    assert space.base_image in done.stderr
    assert f"'{other}' is another image" in done.stderr
    assert space.new_images() == before


def test_a_name_that_moves_is_said(space: Sandbox, change: str) -> None:
    path = written(space, change)
    name = space.name("moves")
    space.client.tag(space.base_image, name)
    done = space.snap("import-diff", str(path), "--base", space.base_image, "-t", name)
    assert f"{name}:latest named" in done.stderr


def test_the_file_is_the_same_each_time_and_other_programs_read_it(space: Sandbox, change: str) -> None:
    path = written(space, change)
    content = path.read_bytes()
    assert written(space, change).read_bytes() == content
    listed = subprocess.run(["tar", "-tf", str(path)], capture_output=True, text=True, check=True)
    assert listed.stdout.split() == ["snap.json", "config.json", "manifest.mtree", "layer.tar"]
    layer = subprocess.run(["tar", "-xOf", str(path), "layer.tar"], capture_output=True, check=True).stdout
    names = subprocess.run(["tar", "-t"], input=layer, capture_output=True, check=True).stdout.splitlines()
    assert b"etc/.wh.group" in names


@pytest.mark.only_on("docker20", "docker28", "podman", reason="containerd writes layers as snap does")
def test_an_engines_own_layer_is_refused(space: Sandbox) -> None:
    name = space.name("own")
    space.snap("commit", "--method", "engine", space.changed("echo 1 > /a", "own"), name)
    path = space.home / "own.tar"
    assert "is none that snap takes in" in space.snap("export", name, "--diff", str(path), expect=4).stderr
    assert not path.exists()


def test_a_container_is_no_image_and_a_folder_no_file(space: Sandbox, change: str, tmp_path: Path) -> None:
    assert "cannot be a file" in space.snap("export", change, "--diff", str(tmp_path), expect=2).stderr
    space.snap("export", space.base_image, "--diff", str(tmp_path / "x"), expect=2)
    space.snap("export", change, expect=2)
    space.snap("export", change, str(tmp_path / "a"), "--oci", str(tmp_path / "b"), expect=2)
    assert list(tmp_path.iterdir()) == []
