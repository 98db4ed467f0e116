"""What ``snap patch`` refuses: with one sentence and a status that fits, and nothing is made."""

from __future__ import annotations

import shlex
import tarfile
from pathlib import Path
from typing import NamedTuple

import lookalike
import pytest
from doctor import entry
from patch_cases import make_socket
from sandbox import Sandbox
from steps import folder, symlink

pytestmark = [
    pytest.mark.engine,
    # One engine for each way to read an image's files: what is refused goes no further.
    pytest.mark.only_on(
        "docker20", "docker28-containerd", reason="the others have their files read in one of these ways"
    ),
]


class Refused(NamedTuple):
    """Options, in one text; the status; and what the message says among other things."""

    options: str
    status: int
    message: str


MISSING = [
    Refused("--append /no/such=x", 1, "/no/such"),
    Refused("--replace /no=a=>b", 1, "/no"),
    Refused("--rm /no", 1, "/no"),
    Refused("--chmod /no=644", 1, "/no"),
    Refused("--chown /no=0", 1, "/no"),
    Refused("--chmod /b/dead=644", 1, "/nowhere"),
    Refused("--rm /b/dir --rm /b/dir/child", 1, "/b/dir/child"),
    Refused("--rm /b/dir --append /b/dir/child=x", 1, "/b/dir/child"),
    Refused("--copy no-such-file:/x", 1, "no-such-file"),
    Refused("--copy file/:/x", 2, "file/"),
]
TEXT = [
    Refused("--replace /b/conf=nope=>x", 2, "/b/conf"),
    Refused("--replace /b/conf=nope=>x --all", 2, "/b/conf"),
    Refused("--replace /b/conf=a=1=>x", 2, "more than once"),
    Refused("--replace /b/conf==>x", 2, ""),
    Refused("--append /b/dir=x", 2, "/b/dir"),
    Refused("--append /b/fifo=x", 2, "/b/fifo"),
    Refused("--replace /b/dir=a=>b", 2, "/b/dir"),
    Refused("--add-text /b/dir=x", 2, "/b/dir"),
    Refused("--add-text /b/new/=x", 2, "/b/new/"),
]
IN_THE_WAY = [
    Refused("--add-text /b/file/x=y", 2, "/b/file"),
    Refused("--mkdir /b/file/x/y", 2, "/b/file"),
    Refused("--mkdir /b/file", 2, "/b/file"),
    Refused("--mkdir /b/link2/x", 2, "/b/file"),
    Refused("--copy file:/b/file/", 2, "/b/file"),
    Refused("--copy file:/b/file/x", 2, "/b/file"),
    Refused("--copy tree:/b/file", 2, "/b/file"),
    Refused("--copy holds-dir:/b", 2, "/b/file"),
    Refused("--copy -:/x --copy tree:/x/file", 2, "stdin"),
    Refused("--symlink /b/dir=x", 2, "/b/dir"),
    Refused("--symlink /b/file=x", 2, "/b/file"),
    Refused("--symlink /b/dead=x", 2, "/b/dead"),
    Refused("--symlink /b/file/l=x", 2, "/b/file"),
    Refused("--rm /", 4, "/"),
    Refused("--rm /b/../..", 4, "/"),
]
LOOPS = [
    Refused("--append /b/loop=x", 2, "/b/loop"),
    Refused("--add-text /b/loop/x=y", 2, "/b/loop"),
    Refused("--copy file:/b/loop", 2, "/b/loop"),
    Refused("--symlink /l=/l --chmod /l=1", 2, "/l"),
    Refused("--symlink /p=/q --symlink /q=p --mkdir /p/x", 2, "/p"),
    Refused("--copy looped:/x", 1, "looped"),
]
OF_THE_ENGINE = [
    *(
        Refused(options, 4, name)
        for name in ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
        for options in (f"--append {name}=x", f"--add-text {name}=x", f"--copy file:{name}")
    ),
    Refused("--chmod /etc/hosts=600", 4, "/etc/hosts"),
    Refused("--rm /etc/hosts", 4, "/etc/hosts"),
    Refused("--rm /proc", 4, "/proc"),
    Refused("--mkdir /proc/1/x", 4, "/proc/1/x"),
    Refused("--add-text /sys/x=", 4, "/sys/x"),
    Refused("--copy file:/dev/", 4, "/dev/"),
    Refused("--symlink /dev/shm/l=x", 4, "/dev/shm/l"),
    Refused("--copy holds-hosts:/etc", 4, "/etc/hosts"),
    Refused("--add-text /.dockerenv=x", 4, "/.dockerenv"),
    Refused("--add-text //etc/.//../etc//hosts=x", 4, "/etc/hosts"),
    Refused("--add-text /../etc/hosts=x", 4, "/etc/hosts"),
    Refused("--symlink /l=/etc --add-text /l/hosts=x", 4, "/etc/hosts"),
    Refused("--symlink /l=etc/hosts --append /l=x", 4, "/etc/hosts"),
]
WHITEOUTS = [
    Refused("--add-text /.wh.x=", 4, "/.wh.x"),
    Refused("--mkdir /a/.wh..wh..opq/b", 4, ".wh..wh..opq"),
    Refused("--copy file:/b/.wh.", 4, "/b/.wh."),
    Refused("--copy holds-whiteout:/b", 4, "/sub/.wh.file"),
    Refused("--symlink /.wh.l=x", 4, "/.wh.l"),
]
VALUES = [
    Refused("--chmod /b/file=99", 2, "99"),
    Refused("--chmod /b/file=12345", 2, "12345"),
    Refused("--chmod /b/file=u+q", 2, "u+q"),
    Refused("--chmod /b/file=", 2, ""),
    Refused("--copy file:/x --chmod abc", 2, "abc"),
    Refused("--chown /b/file=nosuch", 2, "nosuch"),
    Refused("--chown /b/file=0:nosuch", 2, "nosuch"),
    Refused("--chown /b/file=-1", 2, "-1"),
    Refused("--chown /b/file=4294967296", 2, "4294967296"),
    Refused("--chown /b/file=", 2, ""),
    Refused("--copy file:/x --chown 0:0:0", 2, "0:0:0"),
    Refused(f"--add-text /{'x' * 256}=", 2, "255"),
    Refused("--symlink /x=", 2, ""),
    Refused("--rm ''", 2, ""),
    Refused("--mkdir ''", 2, ""),
    Refused("-e =x", 2, ""),
    Refused("--expose http", 2, "http"),
    Refused("--stop-signal SIGBOGUS", 2, "SIGBOGUS"),
    Refused("--healthcheck x", 2, ""),
    Refused("--volume data", 2, "data"),
    Refused("--timestamp yesterday --mkdir /x", 2, "yesterday"),
]
USAGE = [
    Refused("", 2, ""),
    Refused("--chmod 644", 2, "--chmod"),
    Refused("--chown 0", 2, "--chown"),
    Refused("--rm /b/file --chmod 644", 2, "--chmod"),
    Refused("--append /b/file=x --all", 2, "--all"),
    Refused("--all", 2, "--all"),
    Refused("--copy file", 2, "file"),
    Refused("--copy :/x", 2, ""),
    Refused("--copy file:", 2, "a path is empty"),
    Refused("--append /b/file", 2, "/b/file"),
    Refused("--append =x", 2, "a path is empty"),
    Refused("--add-text /b/file", 2, "/b/file"),
    Refused("--replace /b/file=x", 2, "=>"),
    Refused("--symlink /x", 2, "/x"),
    Refused("--copy -:/x --copy -:/y", 2, ""),
    Refused("--copy -:/x", 2, "stdin"),
    Refused("--in-place --mkdir /x", 2, "--in-place"),
    Refused("--no-such /x", 2, "--no-such"),
]
ALL = [*MISSING, *TEXT, *IN_THE_WAY, *LOOPS, *OF_THE_ENGINE, *WHITEOUTS, *VALUES, *USAGE]


@pytest.fixture(scope="module")
def base(space: Sandbox) -> str:
    """An image to refuse edits of."""
    image = space.name("base")
    entries = [
        folder("b"), folder("b/dir"), entry("b/dir/child"), entry("b/file", b"x"), symlink("b/link2", "file"),
        entry("b/conf", b"a=1\na=1\n"), entry("b/fifo", type=tarfile.FIFOTYPE), symlink("b/loop", "loop"),
        symlink("b/dead", "/nowhere"), folder("b/sub"),
    ]  # fmt: skip
    lookalike.import_image(space.client, image, lookalike.root_tar(extra=entries), ["WORKDIR /b"])
    return image


@pytest.fixture(scope="module")
def sources(space: Sandbox) -> Path:
    """Files to copy that cannot be."""
    top = space.home / "sources"
    for path in ("tree", "holds-hosts", "holds-whiteout/sub", "holds-dir/file"):
        (top / path).mkdir(parents=True)
    for path in ("file", "holds-hosts/hosts", "holds-whiteout/sub/.wh.file", "tree/file"):
        (top / path).write_text("content")
    (top / "looped").symlink_to("looped")
    make_socket(top / "socket")
    return top


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.options[:60])
def test_it_is_refused(space: Sandbox, base: str, sources: Path, case: Refused) -> None:
    images = space.new_images()
    done = space.snap(
        "patch", base, "-t", space.name("new"), *shlex.split(case.options), cwd=sources, expect=case.status
    )
    assert "Traceback" not in done.stderr
    assert case.message in done.stderr
    assert done.stdout == ""
    assert space.new_images() == images
    assert space.strays() == []


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["no-such-image", "-t", "x", "--mkdir", "/x"], 1, "no-such-image"),
        (["BASE", "-t", "Upper", "--mkdir", "/x"], 2, "Upper"),
        (["BASE", "-t", "x", "--in-place", "--mkdir", "/x"], 2, "--in-place"),
        (["-t", "x", "--mkdir", "/x"], 2, "IMAGE"),
    ],
)  # fmt: skip
def test_images_are_named_as_they_can_be(
    space: Sandbox, base: str, arguments: list[str], status: int, message: str
) -> None:
    images = space.new_images()
    done = space.snap("patch", *(base if word == "BASE" else word for word in arguments), expect=status)
    assert message in done.stderr
    assert space.new_images() == images
