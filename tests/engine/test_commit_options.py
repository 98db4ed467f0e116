"""The options of a sealed commit: what is left out, what goes to a file, what the config and history say."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import lookalike
import pytest
from doctor import take_apart
from pairs import tree_of_image
from processes import finished, started_snap
from sandbox import Sandbox

pytestmark = pytest.mark.engine

FILES = {
    "opt/a.pyc", "opt/sub/b.pyc", "opt/sub/c.py", "srv/opt/d.pyc",
    "data/x/y/z", "data/volume/f", "data/volumetest",
}  # fmt: skip
SCRIPT = "cd /; mkdir -p opt/sub srv/opt data/x/y data/volume\n" + "".join(
    f"echo 0123456789 > {path}\n" for path in sorted(FILES)
)


@pytest.fixture(scope="module")
def filled(
    client: docker.APIClient, host: str, base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A container with these files; no test changes it."""
    space = Sandbox(client, host, base_image, tmp_path_factory.mktemp("home"))
    yield space.changed(SCRIPT)
    space.clean()


def document(done: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(done)
    return value


def record_of(space: Sandbox, image: str) -> dict[str, Any]:
    record: dict[str, Any] = document(space.snap("show", "--format", "json", image).stdout)["record"]
    return record


def added_files(space: Sandbox, image: str) -> set[str]:
    """The files of :data:`FILES` that are in an image."""
    return FILES & tree_of_image(space, image).keys()


# --- what is left out ---


@pytest.mark.parametrize(
    ("options", "left_out"),
    [
        (["--exclude", "*.pyc"], {"opt/a.pyc", "opt/sub/b.pyc", "srv/opt/d.pyc"}),
        (["--exclude", "/opt/*.pyc"], {"opt/a.pyc"}),
        (["--exclude", "opt/*.pyc"], {"opt/a.pyc"}),
        (["--exclude", "/opt/**/*.pyc"], {"opt/a.pyc", "opt/sub/b.pyc"}),
        (["--exclude", "opt/"], {"opt/a.pyc", "opt/sub/b.pyc", "opt/sub/c.py", "srv/opt/d.pyc"}),
        (["--exclude", "/data/volume"], {"data/volume/f"}),  # F36
        (["--exclude", "**/y"], {"data/x/y/z"}),
        (["--exclude", "/opt", "--include", "/opt/sub/c.py"], {"opt/a.pyc", "opt/sub/b.pyc"}),
        (["--include", "/opt/sub/c.py", "--exclude", "/opt"], {"opt/a.pyc", "opt/sub/b.pyc"}),
        (["--exclude", "/**", "--include", "[bd].*"], FILES - {"opt/sub/b.pyc", "srv/opt/d.pyc"}),
        (["--exclude", "*.pyc", "--exclude", "/data"], FILES - {"opt/sub/c.py"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_what_is_excluded_is_not_in_the_image_and_counted_in_its_record(
    sandbox: Sandbox, filled: str, options: list[str], left_out: set[str]
) -> None:
    image = sandbox.name("image")
    done = document(sandbox.snap("commit", *options, "--format", "json", filled, image).stdout)
    assert added_files(sandbox, image) == FILES - left_out
    record = record_of(sandbox, image)
    assert record["left_out"] == len(done["left_out"]) >= len(left_out)
    assert record["left_out_bytes"] == sum(item["size_bytes"] for item in done["left_out"])
    assert record["left_out_bytes"] == 11 * len(left_out)
    assert set(record["left_out_by"]) == {item["rule"] for item in done["left_out"]}
    for deep in ([], ["--deep"]):
        assert "FAIL" not in sandbox.snap("verify", image, *deep).stdout


def test_a_folder_that_holds_something_kept_goes_along_and_an_emptied_one_stays(
    sandbox: Sandbox, filled: str
) -> None:
    image = sandbox.name("image")
    sandbox.snap("commit", "--exclude", "/data/**", "--exclude", "/opt", "--include", "c.py", filled, image)
    tree = tree_of_image(sandbox, image)
    assert {"data", "opt/sub"} < tree.keys()
    assert not {"data/x", "data/volumetest"} & tree.keys()


def test_a_deletion_that_is_excluded_is_not_carried_out(sandbox: Sandbox) -> None:
    box, image = sandbox.changed("rm /bin/wc /bin/tac"), sandbox.name("image")
    sandbox.snap("commit", "--exclude", "/bin/wc", box, image)
    sandbox.snap("verify", "--deep", image, "--file", "/bin/wc", "--absent", "/bin/tac")


def test_with_all_left_out_no_layer_is_added(sandbox: Sandbox, filled: str) -> None:
    image = sandbox.name("image")
    sandbox.snap("commit", "--exclude", "/**", filled, image)
    assert sandbox.inspect(image)["RootFS"] == sandbox.inspect(sandbox.base_image)["RootFS"]
    sandbox.snap("verify", "--deep", image)


def test_a_pattern_that_cannot_be_meant_is_refused_before_any_work(sandbox: Sandbox, filled: str) -> None:
    for pattern in ("", "[a", "/a//b", "a/../b"):
        sandbox.snap("commit", "--exclude", pattern, filled, sandbox.name("image"), expect=2)
    assert sandbox.new_images() == set()


def test_a_snapignore_here_is_heeded_and_options_come_after_it(sandbox: Sandbox, filled: str) -> None:
    image, here = sandbox.name("image"), sandbox.home / "here"
    here.mkdir()
    (here / ".snapignore").write_text("# compiled\n*.pyc  \n!/srv/**\n\n/data\n")
    done = sandbox.snap("commit", "--include", "/data/x", filled, image, cwd=here)
    assert added_files(sandbox, image) == {"opt/sub/c.py", "srv/opt/d.pyc", "data/x/y/z"}
    assert "left out by .snapignore *.pyc: 2 paths, 22 bytes" in done.stderr
    assert "left out by .snapignore /data: " in done.stderr
    sandbox.snap("verify", "--deep", image)
    sandbox.snap("commit", filled, image)  # elsewhere there is none
    assert added_files(sandbox, image) == FILES


def test_a_snapignore_with_a_mistake_names_the_line(sandbox: Sandbox, filled: str) -> None:
    (sandbox.home / ".snapignore").write_text("*.pyc\n[a\n")
    done = sandbox.snap("commit", filled, sandbox.name("image"), expect=2)
    assert "Line 2 of the file of rules: " in done.stderr
    assert sandbox.new_images() == set()


JUNK = """
mkdir -p /var/cache/apt /var/log/app /var/log/nginx /root /opt
echo 0123456789 > /var/cache/apt/pkgcache.bin; echo x > /var/log/app/a.log; echo keep > /opt/a.log
echo secret > /root/.ash_history; echo 01234 > /tmp/file; rm /diamol/ch03.txt
"""


def test_junk_is_left_out_and_listed_with_the_bytes_saved(sandbox: Sandbox) -> None:
    box, image = sandbox.changed(JUNK), sandbox.name("image")
    done = sandbox.snap("commit", "--junk", box, image)
    for line in (
        "left out by junk /var/cache/apt/**: 1 path, 11 bytes",
        "left out by junk .*_history: 1 path, 7 bytes",
        "left out by junk /tmp/**: 1 path, 6 bytes",
        "left out by junk /var/log/**/*.log: 1 path, 2 bytes",
    ):
        assert line in done.stderr
    assert record_of(sandbox, image)["left_out_bytes"] == 26
    assert "4 paths, 26 bytes, by junk" in sandbox.snap("show", image).stdout
    kept = ["/var/log/nginx", "/var/cache/apt", "/opt/a.log"]
    gone = ["/tmp/file", "/root/.ash_history", "/diamol/ch03.txt"]
    sandbox.snap(
        "verify",
        "--deep",
        image,
        *(f"--file={path}" for path in kept),
        *(f"--absent={path}" for path in gone),
    )


def test_junk_can_be_kept_by_name(sandbox: Sandbox) -> None:
    box, image = sandbox.changed(JUNK), sandbox.name("image")
    sandbox.snap("commit", "--junk", "--include", "/tmp/file", box, image)
    sandbox.snap("verify", image, "--file", "/tmp/file", "--absent", "/root/.ash_history")


def test_the_list_of_junk_is_a_snapignore_to_edit(sandbox: Sandbox) -> None:
    listed = sandbox.snap("--host", "unix:///no/engine", "commit", "--show-junk").stdout
    box = sandbox.changed(JUNK)
    by_option = document(sandbox.snap("commit", "--junk", "--format", "json", box).stdout)
    (sandbox.home / ".snapignore").write_text(listed)
    by_file = document(sandbox.snap("commit", "--format", "json", box).stdout)
    assert by_file["layer"] == by_option["layer"]
    assert [item["path"] for item in by_file["left_out"]] == [item["path"] for item in by_option["left_out"]]


# --- the image in a file ---


def names_in(file: Path) -> list[str]:
    """The diff IDs of the layers in an archive; each is there, whole."""
    with tarfile.open(file) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest
        (image,) = json.load(manifest)
        sizes = {name: tar.getmember(name).size for name in image["Layers"]}
    assert all(sizes.values())
    return [f"sha256:{name.rpartition('/')[2]}" for name in image["Layers"]]


def test_an_image_in_a_file_has_the_layers_it_would_have_here_and_is_not_here(
    sandbox: Sandbox, filled: str
) -> None:
    file = sandbox.home / "image.tar"
    done = document(sandbox.snap("commit", "-o", str(file), "--format", "json", filled, "a/b:c").stdout)
    assert sandbox.new_images() == set()
    assert done["output"] == str(file)
    sandbox.snap("commit", filled, sandbox.name("image"))
    assert names_in(file) == sandbox.inspect(sandbox.name("image"))["RootFS"]["Layers"]
    assert [path.name for path in sandbox.home.iterdir() if path.suffix == ".tar"] == ["image.tar"]


def test_the_same_changes_at_a_fixed_time_make_the_same_file(sandbox: Sandbox, filled: str) -> None:
    files = [sandbox.home / "one.tar", sandbox.home / "two.tar"]
    for file in files:
        sandbox.snap("commit", "--timestamp", "1767225600", "-o", str(file), filled, "a/b:c")
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_link_to_a_file_is_followed_and_a_pipe_is_written_to(sandbox: Sandbox, filled: str) -> None:
    """Never replaced: it could be /dev/null."""
    fixed = ["commit", "--timestamp", "1767225600", "-o"]
    file, link, pipe = (sandbox.home / name for name in ("image.tar", "link", "pipe"))
    link.symlink_to(file.name)
    os.mkfifo(pipe)
    sandbox.snap(*fixed, str(link), filled, "a/b:c")
    assert link.is_symlink()
    with started_snap(sandbox, *fixed, str(pipe), filled, "a/b:c") as process:
        assert pipe.read_bytes() == file.read_bytes()
        assert finished(process)[0] == 0
    assert pipe.is_fifo()


def test_a_file_that_cannot_be_written_is_named_before_any_work(sandbox: Sandbox, filled: str) -> None:
    done = sandbox.snap("commit", "-o", "/dev/full/x", filled, expect=2)
    assert "cannot be written" in done.stderr
    missing = sandbox.home / "no" / "such" / "image.tar"
    assert "cannot be written" in sandbox.snap("commit", "-o", str(missing), filled, expect=2).stderr


# --- config and history ---


def test_a_change_of_the_config_alone_adds_no_layer(sandbox: Sandbox) -> None:
    box, image = sandbox.hold(), sandbox.name("image")
    done = document(sandbox.snap("commit", "--cmd", '["ls"]', "--format", "json", box, image).stdout)
    assert done["layer"] is None
    assert sandbox.inspect(image)["RootFS"] == sandbox.inspect(sandbox.base_image)["RootFS"]
    assert take_apart(sandbox.client, image).config["history"][-1]["empty_layer"] is True
    assert "none was added" in sandbox.snap("verify", image).stdout
    sandbox.snap("verify", "--deep", image)


@pytest.mark.parametrize(
    ("options", "env"),
    [
        ([], {}),
        (["--keep-env"], {"TOKEN": "t", "WHO": "me"}),
        (["--env", "WHO=you"], {"WHO": "you"}),
        (["--keep-env", "--env", "WHO=you"], {"TOKEN": "t", "WHO": "you"}),
    ],
    ids=str,
)
def test_env_of_the_container_is_in_the_image_where_it_is_asked_for_alone(
    sandbox: Sandbox, options: list[str], env: dict[str, str]
) -> None:
    """S02."""
    box, image = sandbox.hold("box", "-e", "TOKEN=t", "-e", "WHO=me"), sandbox.name("image")
    sandbox.snap("commit", *options, box, image)
    base = sandbox.config(sandbox.base_image)["Env"]
    # Podman gives these two to every container, and nobody can tell that it was not the user.
    podmans_own = {"TERM=xterm", "container=podman"} if sandbox.is_podman and "TOKEN" in env else set()
    wanted = {*base, *podmans_own, *(f"{key}={env[key]}" for key in env)}
    assert set(sandbox.config(image)["Env"]) == wanted


def test_what_the_base_says_of_itself_alone_is_cleared(sandbox: Sandbox) -> None:
    oci = "org.opencontainers.image"
    base, image = sandbox.name("base"), sandbox.name("image")
    stale = ("title", "version", "revision", "ref.name", "description", "created", "authors")
    changes = [f"LABEL {oci}.{key}=old" for key in (*stale, "source", "licenses")]
    lookalike.import_image(
        sandbox.client, base, lookalike.root_tar(), [*changes, f"ENV PATH={lookalike.PATH}", "LABEL team=a"]
    )
    box = sandbox.changed("touch /new", image=base)
    sandbox.snap("commit", "-l", f"{oci}.title=mine", "--timestamp", "1767225600", "-a", "Elton", box, image)
    labels = sandbox.config(image)["Labels"]
    digests = [digest.rpartition("@")[2] for digest in sandbox.inspect(base)["RepoDigests"] or ()]
    assert {key: value for key, value in labels.items() if "docker-snap" not in key} == {
        "team": "a",
        f"{oci}.source": "old",
        f"{oci}.licenses": "old",
        f"{oci}.title": "mine",
        f"{oci}.created": "2026-01-01T00:00:00Z",
        f"{oci}.authors": "Elton",
        f"{oci}.base.name": f"docker.io/library/{base}:latest",
        f"{oci}.base.digest": (digests or [sandbox.inspect(base)["Id"]])[0],
    }


def test_the_history_is_the_bases_with_the_steps_and_one_entry_more(sandbox: Sandbox) -> None:
    """M12, M13, M14."""
    box, image = sandbox.changed("echo x > /new; rm /bin/wc"), sandbox.name("image")
    sandbox.snap("commit", "-m", "sign the lab", "-a", "Elton", "--timestamp", "1767225600", box, image)
    before = take_apart(sandbox.client, sandbox.base_image).config["history"]
    *kept, started, unknown, added = take_apart(sandbox.client, image).config["history"]
    for step, words in ((started, "snap run -- sleep 600"), (unknown, "unknown step (docker exec")):
        assert step.pop("created_by").startswith(words)
        assert step == {"created": "2026-01-01T00:00:00Z", "empty_layer": True}
    assert [item.get("comment") for item in kept] == [item.get("comment") for item in before]
    assert [item.get("created_by") for item in kept] == [item.get("created_by") for item in before]
    assert added == {
        "created": "2026-01-01T00:00:00Z",
        "created_by": "snap commit: 1 added, 1 changed, 1 deleted",
        "comment": "sign the lab",
        "author": "Elton",
    }
    assert sandbox.client.history(image)[0]["Comment"] == "sign the lab"  # type: ignore[no-untyped-call]
