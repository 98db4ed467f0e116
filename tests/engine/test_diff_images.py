"""What ``snap diff`` says of images: against their base, against each other, and against containers."""

from __future__ import annotations

import json
import tarfile
from typing import Any

import lookalike
import pytest
from sandbox import Sandbox

from snapshot import Snapshots

pytestmark = [
    pytest.mark.engine,
    pytest.mark.only_on("docker20", "podman", reason="files are read alike on all Docker engines"),
]

SCRIPT = r"""
echo Elton >> ch03.txt; chmod 711 /root
mkdir -p /new/below; echo a > /new/a; ln /new/a /new/b; ln -s a /new/l; mknod /new/null c 1 3
touch "$(printf '/new/caf\351')"; rm /etc/group
"""


class Generations:
    """A base, a container of it with all kinds of changes, its image, and an image of that one's."""

    def __init__(self, space: Sandbox) -> None:
        self.base = space.base_image
        self.box = space.changed(SCRIPT, "first")
        self.first, self.second = space.name("image1"), space.name("image2")
        space.snap("commit", self.box, self.first)
        other = space.changed("rm -r /new/below /new/a; chmod 4755 ch03.txt; touch /etc/passwd", "second",
                              image=self.first)  # fmt: skip
        space.snap("commit", other, self.second)


@pytest.fixture(scope="module")
def made(space: Sandbox) -> Generations:
    return Generations(space)


def document(sandbox: Sandbox, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sandbox.snap("diff", "--format", "json", *arguments).stdout)
    return found


def changes(sandbox: Sandbox, *arguments: str) -> list[str]:
    """``A /path`` and the like for each change."""
    return [f"{change['kind']} {change['path']}" for change in document(sandbox, *arguments)["changes"]]


def without_digests(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in change.items() if key not in {"sha256", "hard_link"}}
        for change in found
    ]


def test_an_image_has_the_list_of_the_container_that_it_was_made_of(
    sandbox: Sandbox, made: Generations
) -> None:
    found = document(sandbox, made.first)
    of_box = document(sandbox, made.box)
    assert without_digests(found["changes"]) == without_digests(of_box["changes"])
    assert found["found_by"] == "record"
    assert found["old"]["id"] == of_box["base"]["id"] == of_box["old"]["id"]
    assert found["new"] == {
        "kind": "image",
        "id": sandbox.inspect(made.first)["Id"],
        "name": made.first,
    }
    assert "container" not in found
    assert sandbox.snap("diff", "-q", made.first).stdout == sandbox.snap("diff", "-q", made.box).stdout
    # Of an image of an image it is what was changed last.
    assert changes(sandbox, made.second) == [
        "C /diamol", "C /diamol/ch03.txt", "C /etc", "C /etc/passwd", "C /new", "D /new/a", "D /new/below",
    ]  # fmt: skip


def test_two_images_are_compared_by_content_and_the_first_is_the_old_one(
    sandbox: Sandbox, made: Generations
) -> None:
    done = sandbox.snap("diff", made.first, made.second)
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["C", "file", "4755", "0:0", "24", "/diamol/ch03.txt"],
        ["D", "-", "-", "-", "-", "/new/a"],
        ["D", "-", "-", "-", "-", "/new/below"],
    ]
    assert done.stderr == ""
    back = document(sandbox, made.second, made.first)
    assert [f"{change['kind']} {change['path']}" for change in back["changes"]] == [
        "C /diamol/ch03.txt", "A /new/a", "A /new/below",
    ]  # fmt: skip
    assert len(back["changes"][0]["sha256"]) == 64
    assert (back["old"]["name"], back["new"]["name"], back["found_by"]) == (made.second, made.first, "files")


def test_all_kinds_of_files_are_told_and_folders_for_a_change_of_their_own(
    sandbox: Sandbox, made: Generations
) -> None:
    lines = [line.split(None, 5) for line in sandbox.snap("diff", made.base, made.second).stdout.splitlines()]
    assert [" ".join(line) for line in lines] == [
        "C file 4755 0:0 24 /diamol/ch03.txt",
        "D - - - - /etc/group",
        "A folder 0755 0:0 - /new",
        "A file 0644 0:0 2 /new/b",
        "A file 0644 0:0 0 /new/caf\\xe9",
        "A symlink 0777 0:0 - /new/l -> a",
        "A chardev 0644 0:0 1:3 /new/null",
        "C folder 0711 0:0 - /root",
    ]
    found = document(sandbox, made.base, made.first)
    links = {change["path"]: change["hard_link"] for change in found["changes"] if "hard_link" in change}
    assert links == {"/new/b": "/new/a"}


def test_capabilities_and_links_of_files_that_are_equal_otherwise_count(sandbox: Sandbox) -> None:
    def root(capability: str, second: bytes) -> bytes:
        entries = []
        for name in ("one", "other"):
            info = tarfile.TarInfo(f"opt-{name}")
            info.mtime = lookalike.MTIME
            info.size = 1
            if name == "other" and second == tarfile.LNKTYPE:
                info.type, info.linkname, info.size = second, "opt-one", 0
            elif capability and name == "one":
                info.pax_headers = {"SCHILY.xattr.security.capability": capability}
            entries.append((info, b"x"))
        return lookalike.root_tar(extra=entries)

    plain, linked, capable = (sandbox.name(stem) for stem in ("plain", "linked", "capable"))
    capability = b"\x01\x00\x00\x02\x00\x04\x00\x00" + bytes(12)
    lookalike.import_image(sandbox.client, plain, root("", tarfile.REGTYPE))
    lookalike.import_image(sandbox.client, linked, root("", tarfile.LNKTYPE))
    lookalike.import_image(sandbox.client, capable, root(capability.decode("latin-1"), tarfile.REGTYPE))
    assert changes(sandbox, plain, linked) == ["C /opt-other"]
    assert changes(sandbox, plain, capable) == ["C /opt-one"]


def test_images_with_the_same_files_differ_in_nothing(sandbox: Sandbox, made: Generations) -> None:
    sandbox.client.tag(made.first, sandbox.name("again"))
    flat = sandbox.name("flat")
    box = sandbox.name("look")
    made_id = sandbox.client.create_container(made.first, ["true"], name=box)["Id"]
    lookalike.import_image(sandbox.client, flat, b"".join(sandbox.client.export(made_id)))
    for other in (sandbox.name("again"), flat):
        done = sandbox.snap("diff", "--exit-code", made.first, other)
        assert done.stdout == ""
        assert done.stderr == f"snap: '{made.first}' and '{other}' hold the same files.\n"
    assert sandbox.snap("diff", "--exit-code", "-q", made.first, made.second, expect=1).stdout


def test_a_container_is_held_against_any_image_and_is_the_new_side(
    sandbox: Sandbox, made: Generations
) -> None:
    box = sandbox.changed("echo Elton >> ch03.txt; touch /mnt/data/x", "box", "-v", "/mnt/data")
    expected = [
        "A /etc/group", "D /new", "C /root",
    ]  # fmt: skip
    found = document(sandbox, made.first, box)
    assert [f"{change['kind']} {change['path']}" for change in found["changes"]] == expected
    assert "/mnt/data" in found["engine_paths"]
    assert found["container"]["name"] == found["new"]["name"] == box
    assert [mount["destination"] for mount in found["mounts"]] == ["/mnt/data"]
    back = sandbox.snap("diff", box, made.first)
    assert [line.split()[-1] for line in back.stdout.splitlines()] == ["/etc/group", "/new", "/root"]
    assert back.stderr.splitlines() == [
        f"snap: the container '{box}' is the new side, and the image '{made.first}' the old",
        "snap: not part of this, nor of any image: the data of the volume at /mnt/data",
    ]


def test_two_containers_can_be_compared(sandbox: Sandbox, made: Generations) -> None:
    box = sandbox.changed("echo Elton >> ch03.txt; chmod 711 /root; rm /etc/group")
    assert changes(sandbox, made.box, box) == ["D /new"]


def test_layers_that_are_not_the_recorded_ones_have_all_files_compared_with_the_base(
    sandbox: Sandbox, made: Generations
) -> None:
    top = sandbox.name("top")
    sandbox.client.commit(sandbox.changed("rm -r /new; touch /late", image=made.first), top)
    done = sandbox.snap("diff", top)
    # Podman's own commit takes along what it made in the container.
    paths = [line.split()[-1] for line in done.stdout.splitlines() if line.split()[-1] != "/run"]
    assert paths == ["/diamol/ch03.txt", "/etc/group", "/late", "/root"]
    assert done.stderr == f"snap: the layers of '{top}' are not the recorded ones: the files were compared\n"


def test_a_base_that_is_gone_is_needed_only_where_files_are_to_be_compared(sandbox: Sandbox) -> None:
    base, image, top = sandbox.name("base"), sandbox.name("image"), sandbox.name("top")
    lookalike.import_image(sandbox.client, base, lookalike.root_tar({"/own": b"x"}))
    box = sandbox.changed("touch /new", "box", image=base)
    sandbox.snap("commit", box, image)
    later = sandbox.changed("touch /later", "later", image=image)
    sandbox.client.commit(later, top)
    for container in (box, later):
        sandbox.client.remove_container(container, force=True)
    sandbox.client.remove_image(base, force=True)

    assert changes(sandbox, image) == ["A /new"]
    failed = sandbox.snap("diff", top, expect=1)
    assert f"snap: The base of '{top}', " in failed.stderr
    assert "is not here" in failed.stderr
    assert f"`snap diff IMAGE {top}`" in failed.stderr


def test_an_image_without_a_record_is_to_be_held_against_a_named_one(
    sandbox: Sandbox, made: Generations
) -> None:
    failed = sandbox.snap("diff", made.base, expect=2)
    assert failed.stderr.splitlines() == [
        f"snap: '{made.base}' has no record of snap's, so its base is not known.",
        f"  Name the image to hold it against: `snap diff BASE {made.base}`.",
    ]


def test_a_name_of_both_stands_for_the_container_and_that_is_said(
    sandbox: Sandbox, made: Generations
) -> None:
    box = sandbox.changed("touch /mine")
    sandbox.client.tag(made.first, box)
    said = f"snap: '{box}' names an image too, and the container was taken: give the image's ID or a tag\n"
    done = sandbox.snap("diff", "-q", box)
    assert (done.stdout, done.stderr) == ("/mine\n", said)
    pair = sandbox.snap("diff", "-q", f"{box}:latest", box)
    assert "/mine" in pair.stdout.splitlines()
    assert pair.stderr == said


def test_names_that_nothing_has_and_too_many_of_them_are_refused(sandbox: Sandbox, made: Generations) -> None:
    # Images cannot have capitals in their names; containers can.
    for arguments in (["No-Such"], [made.first, "No-Such"], ["No-Such", made.first]):
        failed = sandbox.snap("diff", *arguments, expect=1)
        assert failed.stderr.startswith("snap: Neither a container nor an image is named 'No-Such'.\n")
    box = sandbox.changed("touch /new", "Box")
    assert sandbox.snap("diff", "-q", box).stdout == "/new\n"
    assert "Usage: snap diff" in sandbox.snap("diff", "one", "two", "three", expect=2).stderr
    sandbox.snap("diff", made.first, "", expect=2)


def test_the_library_compares_as_the_command_does(sandbox: Sandbox, made: Generations) -> None:
    first_id = sandbox.inspect(made.first)["Id"].removeprefix("sha256:")
    with Snapshots(sandbox.host) as snap:
        found = snap.diff(made.second, against=first_id)
    assert [change.path for change in found.changeset.changes] == ["/diamol/ch03.txt", "/new/a", "/new/below"]
    assert found.container is None
