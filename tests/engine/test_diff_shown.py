"""What ``snap diff`` shows beyond a list: patches, sums, a sentence, packages, paths, a pager."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import lookalike
import pytest
from processes import snap_in_bytes
from sandbox import Sandbox
from terminal import snap_at_terminal

pytestmark = pytest.mark.engine

OLD = {
    "/etc/app.conf": b"host=a\nport=1\n" + b"# more\n" * 20 + b"end=1\n",
    "/etc/gone": b"gone\n",
    "/srv/data": bytes(range(256)) * 10,
    "/srv/crlf.txt": b"one\r\n\xff\r\nend",
    "/srv/old/deep/file": b"x" * 5000,
    "/var/lib/dpkg/status": b"Package: curl\nStatus: install ok installed\nVersion: 7.88.1-10\n\n",
}
SCRIPT = r"""
sed -i 's/port=1/port=2/' /etc/app.conf; chmod 600 /etc/app.conf; rm /etc/gone; rm -r /srv/old
printf x >> /srv/data; printf 'one\r\n\376\r\nend' > /srv/crlf.txt
mkdir /srv/new; echo hello > "/srv/new/a name"; printf '#!/bin/sh\n' > /srv/new/run; chmod 755 /srv/new/run
ln -s run /srv/new/link; : > /srv/new/empty
printf 'red \033[31m \342\200\256 x\n' > "$(printf '/srv/new/\033[2Jname')"
sed -i s/10/12/ /var/lib/dpkg/status
"""
NEW = {
    "etc/app.conf": OLD["/etc/app.conf"].replace(b"port=1", b"port=2"),
    "srv/data": OLD["/srv/data"],
    "srv/crlf.txt": b"one\r\n\xfe\r\nend",
    "srv/new/a name": b"hello\n",
    "srv/new/run": b"#!/bin/sh\n",
    "srv/new/empty": b"",
    "srv/new/\x1b[2Jname": "red \x1b[31m \u202e x\n".encode(),
    "var/lib/dpkg/status": OLD["/var/lib/dpkg/status"].replace(b"10", b"12"),
}


class Made(NamedTuple):
    """An image, a container of it that was changed, and an image of that."""

    space: Sandbox
    base: str
    box: str
    image: str

    def shown(self, *arguments: str, expect: int = 0) -> str:
        return self.space.snap("diff", *arguments, expect=expect).stdout

    def document(self, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.shown("--format", "json", *arguments))
        return found


@pytest.fixture(scope="module")
def made(space: Sandbox) -> Made:
    base = space.name("old")
    lookalike.import_image(space.client, base, lookalike.root_tar(OLD))
    box = space.changed(SCRIPT, "shown", image=base)
    image = space.name("new")
    space.snap("commit", box, image)
    return Made(space, base, box, image)


@pytest.mark.parametrize("sides", ["box", "image", "base box", "base image"])
def test_git_makes_the_new_files_of_the_old_ones_by_the_patch(made: Made, sides: str, tmp_path: Path) -> None:
    for path, content in OLD.items():
        (tmp_path / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path.lstrip("/")).write_bytes(content)
    names = [getattr(made, side) for side in sides.split()]
    patch = snap_in_bytes(made.space, "diff", "-p", *names).stdout
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch, check=True)
    there = {
        str(path.relative_to(tmp_path)): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    # A deleted folder is one line, for which git has no words.
    del there["srv/old/deep/file"]
    assert there == NEW
    assert (tmp_path / "srv/new/link").readlink() == Path("run")
    assert (tmp_path / "srv/new/run").stat().st_mode & 0o100


def test_the_patch_says_what_git_has_no_words_for(made: Made) -> None:
    lines = made.shown("-p", made.base, made.box).splitlines()
    assert lines[lines.index("C file /etc/app.conf") + 1] == "  mode 0644 -> 0600"
    assert lines[lines.index("D folder /srv/old") + 1] == "  mode 0755, owner 0:0"
    binary = re.compile("Binary files differ: 2,560 -> 2,561 bytes, sha256 [0-9a-f]{12} -> [0-9a-f]{12}")
    assert any(map(binary.fullmatch, lines))
    assert r"A file /srv/new/\x1b[2Jname" in lines


def test_lines_around_a_difference_are_as_many_as_asked_for(made: Made) -> None:
    lines = made.shown("-U0", made.box, "/etc/app.conf").splitlines()
    assert [line for line in lines if line[0] in "-+@ "][-3:] == ["@@ -2 +2 @@", "-port=1", "+port=2"]
    assert "@@ -1,5 +1,5 @@" in made.shown("--patch", made.box, "/etc/app.conf")


@pytest.mark.parametrize("sides", ["box", "image", "base box"])
def test_the_sum_of_each_folder(made: Made, sides: str) -> None:
    lines = made.shown("--stat", *(getattr(made, side) for side in sides.split())).splitlines()
    found = {line.split()[0]: line.split()[1:4] for line in lines[1:-1]}
    assert found["/etc"] == ["-", "1", "1"]
    assert found["/srv"] == ["1", "2", "1"]
    assert found["/srv/new"] == ["5", "-", "-"]
    assert lines[-1].split()[:5] == ["in", "all", "6", "4", "2"]
    assert lines[-1].endswith("-4.97 kB")


def test_a_sentence_for_the_message_of_a_commit(made: Made) -> None:
    words = "6 added, 4 changed, 2 deleted below /etc, /srv and /var/lib/dpkg; -4.97 kB"
    assert made.shown("--summary", made.box) == f"{words}; curl 7.88.1-10 -> 7.88.1-12\n"
    assert made.document("--summary", made.image)["summary"] == f"{words}; curl 7.88.1-10 -> 7.88.1-12"


def test_since_a_container_was_made_both_sides_are_known(made: Made) -> None:
    told = made.shown("--since", "0", "--patch", made.box, "/etc")
    assert "-port=1\n+port=2\n" in told
    assert made.shown("--since", "0", "--packages", made.box) == made.shown("--packages", made.box)


def test_packages_have_both_versions(made: Made) -> None:
    lines = made.shown("--packages", made.box).splitlines()
    assert [line.split() for line in lines] == [
        ["MANAGER", "PACKAGE", "FROM", "TO"],
        ["C", "dpkg", "curl", "7.88.1-10", "7.88.1-12"],
    ]


def test_the_json_has_all_of_it(made: Made) -> None:
    found = made.document("-p", "--stat", "--packages", made.base, made.image)
    files = {entry["path"]: entry for entry in found["patch"]}
    assert [entry["path"] for entry in found["patch"]] == [change["path"] for change in found["changes"]]
    assert (files["/etc/app.conf"]["old"]["mode"], files["/etc/app.conf"]["new"]["mode"]) == ("0644", "0600")
    assert files["/etc/app.conf"]["text"].splitlines()[3] == "@@ -1,5 +1,5 @@"
    assert (files["/srv/data"]["text"], files["/srv/data"]["not_told"]) == ("", "binary")
    assert found["stat"]["total"]["deleted"] == 2
    assert found["stat"]["total"]["went_bytes"] == 5005
    assert found["packages"] == {
        "changes": [
            {"manager": "dpkg", "name": "curl", "old": "7.88.1-10", "new": "7.88.1-12", "architecture": None,
             "place": None}
        ],
        "unreadable": [],
    }  # fmt: skip
    assert "summary" not in found


def test_only_what_is_below_a_path_is_shown(made: Made) -> None:
    assert made.shown("-q", made.base, made.box, "/srv/new/", "/etc").splitlines() == [
        "/etc/app.conf",
        "/etc/gone",
        "/srv/new",
        r"/srv/new/\x1b[2Jname",
        "/srv/new/a name",
        "/srv/new/empty",
        "/srv/new/link",
        "/srv/new/run",
    ]
    nothing = made.space.snap("diff", "--exit-code", made.box, "/usr")
    assert (nothing.stdout, nothing.stderr) == ("", f"snap: '{made.box}' changed nothing at or below /usr.\n")
    assert made.shown("--exit-code", "--summary", made.box, "/etc", expect=1)


def test_the_first_of_two_may_be_on_another_engine(made: Made) -> None:
    other = made.document("--old-host", made.space.host, made.base, made.box)
    assert other["changes"] == made.document(made.base, made.box)["changes"]
    unreachable = made.space.snap(
        "diff", "--old-host", f"unix://{made.space.home}/none.sock", made.base, made.box, expect=5
    )
    assert "none.sock" in unreachable.stderr


def test_archives_are_compared_without_an_engine(made: Made, tmp_path: Path) -> None:
    names = []
    for image in (made.base, made.image):
        with (tmp_path / image).open("wb") as file:
            file.writelines(made.space.client.get_image(image))
        names.append(f"docker-archive:{tmp_path / image}")
    nowhere = ("-H", f"unix://{tmp_path}/none.sock", "diff", "--stat")
    shown = made.space.snap(*nowhere, *names).stdout
    assert shown == made.shown("--stat", made.base, made.image)
    refused = made.space.snap(*nowhere, names[0], made.box, expect=5)
    assert "none.sock" in refused.stderr


NARROW = {"TERM": "xterm", "NO_COLOR": "1"}


def test_a_listing_is_as_wide_as_the_terminal_and_longer_ones_are_paged(made: Made, tmp_path: Path) -> None:
    folder = "/srv/" + "/".join(["a-folder-of-some-length"] * 6)
    box = made.space.changed(f"mkdir -p {folder}; cd {folder}; touch $(seq 40)", "long", image=made.base)
    notes = tmp_path / "stderr"
    paged = {**NARROW, "PAGER": "sed s/^/paged:/"}
    with snap_at_terminal(made.space, "diff", box, env=paged, stderr=notes) as terminal:
        status, shown = terminal.ends()
    lines = shown.splitlines()
    assert status == 0
    assert len(lines) == 47
    assert all(line.startswith("paged:") and len(line) <= 86 for line in lines)
    assert re.fullmatch("paged:A  file    0644  0:0  0  /srv/a-folder.*….*/9", lines[-1])
    assert f"{folder}/9\n" in made.shown(box)
    with snap_at_terminal(made.space, "diff", "--no-pager", "-q", box, env=paged, stderr=notes) as terminal:
        assert terminal.ends()[1].splitlines()[-1] == f"{folder}/9"
    with snap_at_terminal(made.space, "diff", box, env=NARROW, stderr=notes) as terminal:
        terminal.sees("a-folder", ":")
        terminal.types("q")
        assert terminal.ends()[0] == 0


def test_a_long_file_is_cut_on_a_terminal_which_is_said_and_nowhere_else(made: Made) -> None:
    box = made.space.changed("seq 2500 > /srv/long", "lines", image=made.base)
    with snap_at_terminal(made.space, "diff", "-p", "--no-pager", box, "/srv/long", env=NARROW) as terminal:
        lines = terminal.ends()[1].splitlines()
    assert lines[-2:] == ["+2000", "(500 more lines; --full shows all)"]
    with snap_at_terminal(
        made.space, "diff", "-p", "--full", "--no-pager", box, "/srv/long", env=NARROW
    ) as terminal:
        assert terminal.ends()[1].splitlines()[-1] == "+2500"
    assert made.shown("-p", box, "/srv/long").splitlines()[-1] == "+2500"


def test_a_patch_on_a_terminal_has_colours_and_nothing_that_steers_it(made: Made) -> None:
    with snap_at_terminal(
        made.space, "diff", "-p", "--no-pager", made.box, "/srv/new", env={"TERM": "xterm"}, size=(100, 24)
    ) as terminal:
        status, shown = terminal.ends()
    assert status == 0
    assert "\x1b[32m+hello\x1b[0m" in shown
    assert "\x1b[32m+red \\x1b[31m \\u202e x\x1b[0m" in shown
    # What is left are colours and what takes the lines of progress away.
    rest = re.sub(r"\x1b\[(?:[0-9;]*m|[0-9]*A|J)", "", shown)
    assert "\x1b" not in rest
    assert "\u202e" not in shown
