"""``snap ls`` and ``snap show``: what snap made, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from doctor import put_together, take_apart
from sandbox import Sandbox

from snapshot.image.record import MANIFEST_LABEL, RECORD_LABEL, Base, Record

pytestmark = pytest.mark.engine

HOSTILE = "evil\x1b[2J\x1b]0;title\x07\nline\u202e"


def json_of(sandbox: Sandbox, *arguments: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(sandbox.snap(*arguments, "--format", "json").stdout)
    return document


def rows_of(text: str) -> dict[str, str]:
    """The lines of ``snap show`` by their first column; those without one are its paths."""
    pairs = [line.partition("  ") for line in text.splitlines()]
    return {key.strip(): value.strip() for key, _, value in pairs if key.strip()}


def assert_steers_no_terminal(text: str) -> None:
    assert [char for char in text if not char.isprintable() and char != "\n"] == []


@pytest.fixture(scope="module")
def space(
    client: docker.APIClient, host: str, base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sandbox]:
    """Where a container and its image live that the tests here only look at."""
    shared = Sandbox(client, host, base_image, tmp_path_factory.mktemp("home"))
    container = shared.changed("echo Elton >> ch03.txt && touch /new && rm /bin/wc", "ch03", "-v", "/data")
    shared.snap("commit", container, shared.name("image"), "-m", "sign the lab", "-a", "Elton <e@x>")
    yield shared
    shared.clean()


# --- ls ---


def test_ls_has_a_line_for_each_container_and_image(space: Sandbox) -> None:
    lines = space.snap("ls").stdout.splitlines()
    container_id = space.client.inspect_container(space.name("ch03"))["Id"]
    image_id = space.inspect(space.name("image"))["Id"]

    assert lines[0].split() == ["KIND", "NAME", "ID", "FROM", "STATE", "CREATED"]
    (container,) = (line for line in lines if f" {space.name('ch03')} " in line)
    assert container.split()[:5] == [
        "container", space.name("ch03"), container_id[:12], space.base_image, "running",
    ]  # fmt: skip
    (image,) = (line for line in lines if f" {space.name('image')}:latest " in line)
    assert image.split()[:3] == ["image", f"{space.name('image')}:latest", image_id[7:19]]
    assert space.base_image in image
    assert "1 added, 3 changed, 1 deleted" in image


def test_ls_gives_the_same_to_programs(space: Sandbox) -> None:
    document = json_of(space, "ls")
    inspected = space.client.inspect_container(space.name("ch03"))
    image = space.inspect(space.name("image"))
    base = space.inspect(space.base_image)
    record = json_of(space, "show", space.name("image"))["record"]

    # Podman knows a digest of every image's manifest, Docker of those from a registry.
    digest = (base["RepoDigests"] or [base["Id"]])[0].rpartition("@")[2]

    assert document["schema"] == "docker-snap.ls/1"
    assert {
        "id": inspected["Id"],
        "name": space.name("ch03"),
        "image": {"id": base["Id"], "name": space.base_image},
        "state": "running",
        "exit_code": 0,
        "created": inspected["Created"],
    } in document["containers"]
    assert {
        "id": image["Id"],
        "names": [f"{space.name('image')}:latest"],
        "created": image["Created"],
        "base": {"name": f"docker.io/{space.base_image}", "digest": digest},
        "message": "sign the lab",
        "changes": {
            "added": 1,
            "changed": 3,
            "deleted": 1,
            "size_bytes": record["size_bytes"],
            "digest": record["manifest_digest"],
        },
    } in document["images"]
    ids = [item["id"] for item in document["containers"] + document["images"]]
    assert space.snap("ls", "-q").stdout.splitlines() == ids


def test_ls_shows_the_newest_first_and_how_a_container_ended(sandbox: Sandbox) -> None:
    for stem, status in (("first", 0), ("second", 3)):
        words = ["run", "-q", "--network", "none", "--name", sandbox.name(stem), sandbox.base_image]
        sandbox.snap(*words, "sh", "-c", f"exit {status}", expect=status)
    lines = [line for line in sandbox.snap("ls").stdout.splitlines() if sandbox.prefix in line]
    assert [line.split()[1] for line in lines] == [sandbox.name("second"), sandbox.name("first")]
    assert "exited (3)" in lines[0]
    assert "exited (0)" in lines[1]
    found = json_of(sandbox, "ls")["containers"]
    assert [item["exit_code"] for item in found if item["name"].startswith(sandbox.prefix)] == [3, 0]


def test_ls_lists_an_image_without_a_name_by_its_id(sandbox: Sandbox) -> None:
    image = sandbox.snap("commit", "-q", sandbox.hold()).stdout.strip()
    (line,) = (line for line in sandbox.snap("ls").stdout.splitlines() if image[7:19] in line)
    assert line.split()[:3] == ["image", "-", image[7:19]]
    (entry,) = (item for item in json_of(sandbox, "ls")["images"] if item["id"] == image)
    assert entry["names"] == []


# --- show ---


def test_show_says_what_a_container_is(space: Sandbox) -> None:
    name = space.name("ch03")
    inspected = space.client.inspect_container(name)
    base_id = space.inspect(space.base_image)["Id"]
    assert rows_of(space.snap("show", name).stdout) == {
        "container": name,
        "id": inspected["Id"],
        "image": f"{space.base_image} ({base_id})",
        "state": "running, exit status 0",
        "created": inspected["Created"],
        "by snap": "yes",
        "mounts": "volume at /data",
    }
    assert json_of(space, "show", name) == {
        "schema": "docker-snap.show/1",
        "kind": "container",
        "id": inspected["Id"],
        "name": name,
        "image": {"id": base_id, "name": space.base_image},
        "state": "running",
        "exit_code": 0,
        "created": inspected["Created"],
        "by_snap": True,
        "mounts": [{"kind": "volume", "destination": "/data"}],
    }


def test_show_reads_the_record_of_an_image(space: Sandbox) -> None:
    name = space.name("image")
    document = json_of(space, "show", name)
    record = document["record"]
    assert (document["schema"], document["kind"], document["damage"]) == ("docker-snap.show/1", "image", None)
    assert document["id"] == space.inspect(name)["Id"]
    assert document["names"] == [f"{name}:latest"]
    assert (record["container"], record["message"], record["author"]) == (
        space.name("ch03"), "sign the lab", "Elton <e@x>",
    )  # fmt: skip
    assert record["base"]["id"] == space.inspect(space.base_image)["Id"]
    assert [f"{change['kind']} {change['path']}" for change in document["changes"]] == [
        "C /bin", "D /bin/wc", "C /diamol", "C /diamol/ch03.txt", "A /new",
    ]  # fmt: skip
    (lab,) = (change for change in document["changes"] if change["path"] == "/diamol/ch03.txt")
    assert lab["size_bytes"] == len("Lab solution, by: Elton\n")
    assert len(lab["sha256"]) == 64

    shown = space.snap("show", name).stdout
    rows = rows_of(shown)
    assert rows["image"] == f"{name}:latest"
    assert rows["message"] == "sign the lab"
    assert rows["author"] == "Elton <e@x>"
    assert rows["changes"] == "1 added, 3 changed, 1 deleted, 24 bytes"
    assert rows["manifest"] == record["manifest_digest"]
    assert rows["made by"] == record["tool"]
    assert [line.split() for line in shown.splitlines()[-5:]] == [
        ["C", "/bin"], ["D", "/bin/wc"], ["C", "/diamol"], ["C", "/diamol/ch03.txt"], ["A", "/new"],
    ]  # fmt: skip


def test_show_lists_twenty_paths_and_says_how_many_more_there_are(sandbox: Sandbox) -> None:
    container = sandbox.changed("mkdir /many && for i in $(seq 24); do touch /many/$i; done")
    sandbox.snap("commit", "-q", container, sandbox.name("image"))
    lines = sandbox.snap("show", sandbox.name("image")).stdout.splitlines()
    assert lines[-1].strip() == "and 5 more: --files lists all"
    assert sum("/many" in line for line in lines) == 20
    assert len(json_of(sandbox, "show", sandbox.name("image"))["changes"]) == 25


def test_show_says_where_the_list_of_paths_is_when_the_image_cannot_hold_it(sandbox: Sandbox) -> None:
    container = sandbox.changed("mkdir /many && for i in $(seq 1500); do echo $i > /many/$i; done")
    image = sandbox.name("image")
    sandbox.snap("commit", "-q", "--no-verify", container, image)
    # Here it was committed, so here it can be listed.
    assert len(json_of(sandbox, "show", image)["changes"]) == 1501
    elsewhere = {"XDG_STATE_HOME": str(sandbox.home / "elsewhere")}
    shown = sandbox.snap("show", image, env=elsewhere).stdout
    assert rows_of(shown)["paths"] == "listed where it was committed, and with --files"
    assert (
        json.loads(sandbox.snap("show", image, "--format", "json", env=elsewhere).stdout)["changes"] is None
    )


def test_show_says_that_an_image_has_no_record(sandbox: Sandbox) -> None:
    shown = sandbox.snap("show", sandbox.base_image).stdout
    assert rows_of(shown)["record"] == "none"
    document = json_of(sandbox, "show", sandbox.base_image)
    assert (document["record"], document["damage"], document["changes"]) == (None, None, None)
    assert sandbox.inspect(sandbox.base_image)["Id"] not in sandbox.snap("ls", "-q").stdout


def test_a_damaged_record_is_called_so_and_nothing_of_it_is_shown(space: Sandbox, sandbox: Sandbox) -> None:
    parts = take_apart(space.client, space.name("image"))
    parts.labels[RECORD_LABEL] = parts.labels[RECORD_LABEL].replace("sign the lab", "trust me")
    name = sandbox.name("damaged")
    put_together(sandbox.client, parts, name)

    shown = sandbox.snap("show", name).stdout
    assert rows_of(shown)["record"] == "damaged: the record or what goes with it was edited"
    assert "trust me" not in shown
    document = json_of(sandbox, "show", name)
    assert document["damage"] == "the record or what goes with it was edited"
    assert (document["record"], document["changes"]) == (None, None)
    (line,) = (line for line in sandbox.snap("ls").stdout.splitlines() if name in line)
    assert "record damaged" in line


def test_where_a_container_and_an_image_share_a_name_the_container_is_shown_and_the_clash_is_said(
    sandbox: Sandbox,
) -> None:
    # D42
    name = sandbox.hold()
    assert sandbox.snap("show", name).stderr == ""
    sandbox.client.tag(sandbox.base_image, name)
    try:
        done = sandbox.snap("show", name)
        assert rows_of(done.stdout)["container"] == name
        assert done.stderr == f"snap: '{name}' names an image too; give its ID or a tag to see that\n"
        assert json_of(sandbox, "show", f"{name}:latest")["kind"] == "image"
        assert json_of(sandbox, "show", sandbox.inspect(name)["Id"])["kind"] == "image"
    finally:
        sandbox.client.remove_image(name)


def test_containers_and_images_can_be_named_by_the_beginning_of_their_id(space: Sandbox) -> None:
    container_id = space.client.inspect_container(space.name("ch03"))["Id"]
    image_id = space.inspect(space.name("image"))["Id"]
    assert json_of(space, "show", container_id[:12])["id"] == container_id
    assert json_of(space, "show", image_id[7:19])["id"] == image_id


@pytest.mark.parametrize("name", ["no-such", "No Such!", "", "--", "../x", "a\x1b[2Jb"])
def test_a_name_that_nothing_has_is_an_error_that_says_it(sandbox: Sandbox, name: str) -> None:
    done = sandbox.snap("show", "--", name, expect=None)
    assert done.returncode in {1, 2}
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("snap: ")
    assert_steers_no_terminal(done.stderr)


# --- what comes from strangers ---


def test_texts_that_would_steer_a_terminal_are_shown_as_escapes(sandbox: Sandbox) -> None:
    container = sandbox.changed("echo x > \"$(printf 'a\\033[2Jb')\"")
    image = sandbox.name("image")
    sandbox.snap("commit", "-q", container, image, "-m", HOSTILE, "-a", HOSTILE, "-l", f"stranger={HOSTILE}")
    sandbox.client.remove_container(container, force=True)

    for words in (["show", image], ["ls"]):
        done = sandbox.snap(*words)
        assert_steers_no_terminal(done.stdout + done.stderr)
    shown = rows_of(sandbox.snap("show", image).stdout)
    assert shown["message"] == "evil\\x1b[2J\\x1b]0;title\\x07\\nline\\u202e"
    document = json_of(sandbox, "show", image)
    assert document["record"]["message"] == HOSTILE
    assert document["changes"][-1]["path"] == "/diamol/a\x1b[2Jb"
    assert HOSTILE in {item["message"] for item in json_of(sandbox, "ls")["images"]}


@pytest.mark.parametrize("is_sealed", [False, True])
def test_a_forged_record_is_no_way_to_the_terminal_either(sandbox: Sandbox, is_sealed: bool) -> None:
    # A stranger's image, whose labels say anything; the seal is no secret.
    base = Base(name=HOSTILE, id=HOSTILE, digest=HOSTILE, chain_id=HOSTILE, layer_count=1)
    forged = Record(
        tool=HOSTILE,
        created=HOSTILE,
        container=HOSTILE,
        message=HOSTILE,
        author=HOSTILE,
        base=base,
        manifest_digest=HOSTILE,
        added=1,
        changed=1,
        deleted=1,
        size_bytes=1,
        config={HOSTILE: HOSTILE},
        method="sealed",
        diff_id=HOSTILE,
        first_base=base,
        kept_by_engine=(HOSTILE,),
        skipped=(HOSTILE,),
        left_out_by=(HOSTILE,),
        left_out=1,
    )
    labels = forged.to_labels("" if is_sealed else "cut")
    parts = take_apart(sandbox.client, sandbox.base_image)
    parts.config["config"]["Labels"] = labels if is_sealed else {**labels, MANIFEST_LABEL: HOSTILE}
    name = sandbox.name("forged")
    put_together(sandbox.client, parts, name)
    for words, status in ((["show", name], 0), (["ls"], 0), (["verify", name], 3)):
        done = sandbox.snap(*words, expect=status)
        assert_steers_no_terminal(done.stdout + done.stderr)
    shown = sandbox.snap("show", name).stdout
    assert ("evil\\x1b[2J" in shown) is is_sealed
    assert ("damaged" in shown) is not is_sealed
