"""The same steps in two containers of one base, one committed by the engine and one by snap: one tree.

Conformance D, F and L, with the engine's own commit for the oracle. Where that is wrong, or the engines
differ among themselves, the test says so.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import diff_cases
import lookalike
import pytest
import steps
from doctor import entry, take_apart
from pairs import CAPABILITY, Pair, differing, start, started_pair, tree_of_image
from sandbox import Sandbox
from trees import Node

pytestmark = pytest.mark.engine

#: Scripts that neither of the two other lists has; they run in a folder with the same files.
MORE = {
    "D25 a link of an odd time left alone": ":",
    "D32 one of two names of a file edited": "echo edited > b/hard1",
    "D33 a hundred names": "echo x > first; for i in $(seq 100); do ln first name$i; done",
    "D36 a capability removed by an edit": "echo x >> capable; chmod 700 capable-too",
    "F04 names in both orders": "echo x > z; ln z a; echo y > b1; ln b1 y; echo z > b/m; ln b/m b/a",
    "F29 sparse": "dd if=/dev/zero of=sparse bs=1 count=0 seek=20971520; echo end >> sparse",
    "F37 large": "yes 0123456789 | head -c 10485760 > large",
    "same-name a folder and its like": "mkdir b.d b-d 'b d'; touch b.d/x b-d/x 'b d/x'; rm -r b/dir",
    "empty folders": "mkdir -p e/m/p/t/y; rmdir b/moded; mkdir b/moded",
    "F17-deep a tree for a file, and a file for a tree": """
        rm -r b/tree; echo x > b/tree; rm b/file; mkdir -p b/file/deep/file; ln -s /b b/file/deep/link
    """,
    "F05-far names in two folders": "mkdir n; ln b/unchanged n/1; ln b/file2 b/dir/2; echo more >> b/file2",
    "renamed": "mv b/dir b/renamed; mv b/link b/relinked; mv b/tree/deep/file b/tree/file",
    "modes": "chmod 0 b/dir; chmod 7777 b/tree; chown 1:2 b/dir/child; chown -h 3:4 b/link",
}
FILE_STEPS = {name.split()[0]: script for name, script in (steps.CASES | MORE).items()}
#: What Podman puts into every container, and takes into the images of its own commit.
PODMANS_OWN = frozenset({"etc/mtab", "run", "run/.containerenv"})
MADE = ("by-engine", "by-snap")  #: the images of a pair
FOLDERS = [f"/{name}" for name in FILE_STEPS] + [case.folder for case in diff_cases.CASES]


@dataclass(frozen=True)
class Trees:
    """The files of two images, or of the two containers that they were made of."""

    by_engine: dict[str, Node]
    by_snap: dict[str, Node]

    def differing_below(self, folder: str) -> dict[str, dict[str, tuple[Any, Any]]]:
        """The paths of a folder at which they are not the same."""
        parts = [
            {path: node for path, node in tree.items() if f"/{path}/".startswith(f"{folder}/")}
            for tree in (self.by_engine, self.by_snap)
        ]
        assert parts[0], f"the engine's image has no {folder}"
        return differing(*parts)


@pytest.fixture(scope="module", params=["auto", "api"])
def way(request: pytest.FixtureRequest) -> str:
    """How snap reads the files."""
    return str(request.param)


@pytest.fixture(scope="module")
def base(space: Sandbox) -> str:
    """An image with a folder for each step."""
    extra = [item for case in diff_cases.CASES for item in diff_cases.entries_of(case.folder)]
    for name in FILE_STEPS:
        extra += [steps.folder(name), *steps.base_entries(f"{name}/")]
    record = {"SCHILY.xattr.security.capability": CAPABILITY.decode("ascii")}
    for name in ("capable", "capable-too", "capable-left", "plain"):
        extra.append(entry(f"D36/{name}", b"#!", mode=0o755, pax_headers=record if name != "plain" else {}))
    extra.append(entry("bin/deleted"))
    image = space.name("base")
    tar = lookalike.root_tar({"/etc/services": b"http 80/tcp\n"}, extra=extra)
    lookalike.import_image(space.client, image, tar, [f"ENV PATH={lookalike.PATH}"])
    return image


@pytest.fixture(scope="module")
def trees(space: Sandbox, base: str, way: str) -> Trees:
    """Both images, after all of it was done in both containers, each step in a folder of its own."""
    pair = started_pair(space, base, way)
    scripts = {f"/{name}": script for name, script in FILE_STEPS.items()}
    scripts |= {case.folder: case.script for case in diff_cases.CASES}
    lines = [f"( cd {folder}\n{script} )" for folder, script in scripts.items()]
    lines += ["touch /new /bin/new; rm /bin/deleted /etc/services; echo x > /etc/new"]  # D04, D05
    lines += ["ln -s /socket /dev/log; syslogd; until test -S /socket; do :; done"]  # F31
    pair.sh("\n".join(lines))
    pair.put_capable("D36/plain", "D36/new", "D36/again")
    pair.sh("ln /D36/again /D36/its-name; chmod 4755 /D36/capable-left")
    return Trees(*pair.trees("--capture", way, stem=f"-{way}"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_step_gives_the_tree_that_the_engines_own_commit_gives(trees: Trees, folder: str) -> None:
    found = trees.differing_below(folder)
    if folder == "/D20" and found:
        # The classic stores' commit takes a file that their own list has not: it was written, and so copied
        # up, which parted it from its other name. Nothing that it holds is another.
        assert {key for fields in found.values() for key in fields} == {"names"}
    else:
        assert found == {}


def test_nothing_else_is_different_in_the_two_images(trees: Trees) -> None:
    """D04, D05, F31: files beside those of the base, and no socket in either."""
    found = differing(trees.by_engine, trees.by_snap)
    assert {path for path in found if not path.startswith("D20/")} - PODMANS_OWN == set()
    assert {"new", "bin/new", "etc/new"} < trees.by_snap.keys()
    assert not {"bin/deleted", "etc/services", "socket"} & trees.by_snap.keys()


@pytest.fixture
def pair(sandbox: Sandbox) -> Pair:
    """Two running containers of the lab's look-alike."""
    return started_pair(sandbox, sandbox.base_image)


SMALL = "echo me >> /diamol/ch03.txt; mkdir /new; ln /diamol/ch03.txt /new/name; rm /bin/wc"


def test_exited_containers_give_the_same_tree(pair: Pair) -> None:
    """D03, L01."""
    pair.sh(SMALL)
    for box in pair.both:
        pair.space.client.kill(box)
        pair.space.client.wait(box)
    assert_same(*pair.trees())


def test_a_container_that_is_not_paused_gives_the_same_tree_and_runs_on(pair: Pair) -> None:
    """L02, L03."""
    pair.sh(SMALL)
    assert_same(*pair.trees("--no-pause"))
    assert [pair.space.state(box) for box in pair.both] == ["running", "running"]


def test_containers_that_never_ran_give_the_base_again(sandbox: Sandbox) -> None:
    """L05."""
    pair = Pair(sandbox, sandbox.name("e"), sandbox.name("s"))
    for box in pair.both:
        sandbox.client.create_container(sandbox.base_image, ["true"], name=box)
    by_engine, by_snap = pair.trees()
    assert_same(by_engine, by_snap)
    assert differing(tree_of_image(sandbox, sandbox.base_image), by_snap) == {}


def test_containers_with_a_terminal_give_the_same_tree(sandbox: Sandbox) -> None:
    """L06."""
    pair = started_pair(sandbox, sandbox.base_image, tty=True)
    pair.sh(SMALL)
    assert_same(*pair.trees())


def test_a_second_commit_of_one_container_holds_both_changes(pair: Pair) -> None:
    """F33."""
    pair.sh(SMALL)
    assert_same(*pair.trees(stem="-first"))
    pair.sh("rm -r /new; echo again > /diamol/again; touch /bin/wc")
    by_engine, by_snap = pair.trees(stem="-second")
    assert_same(by_engine, by_snap)
    assert {"diamol/again", "bin/wc"} < by_snap.keys()
    images = [pair.space.inspect(pair.space.name(f"by-snap-{number}")) for number in ("first", "second")]
    assert [len(image["RootFS"]["Layers"]) for image in images] == [2, 2]


@pytest.mark.parametrize("way", ["auto", "api"])
def test_three_generations_of_images_give_the_same_tree(sandbox: Sandbox, way: str) -> None:
    """F20, D46: deleted, made again, refilled, over images that were made the same way."""
    by_engine = by_snap = sandbox.base_image
    scripts = [
        "mkdir /d; echo 1 > /d/kept; echo 1 > /d/gone; ln /d/kept /d/name; echo 1 > /file; ln -s d /link",
        "rm -r /d /link; mkdir /link; echo 2 > /link/x; echo 22 > /file; mkdir /e; echo 2 > /e/x",
        "mkdir /d; echo 3 > /d/gone; rm -r /link; ln -s e /link; rm /file; mkdir /file; rm -r /e; mkdir /e",
    ]
    for number, script in enumerate(scripts):
        boxes = Pair(sandbox, sandbox.name(f"e{number}"), sandbox.name(f"s{number}"))
        for box, image in zip(boxes.both, (by_engine, by_snap), strict=True):
            start(sandbox, image, box)
        boxes.sh(script)
        assert_same(*boxes.trees("--capture", way, stem=f"-{number}"))
        by_engine, by_snap = sandbox.name(f"by-engine-{number}"), sandbox.name(f"by-snap-{number}")
    assert not {"d/kept", "d/name", "e/x", "link/x"} & tree_of_image(sandbox, by_snap).keys()


def test_what_a_bind_mount_covers_is_in_neither_image(sandbox: Sandbox) -> None:
    """F35: the engine's image may have an empty mount point, and snap's has none."""
    pair = started_pair(sandbox, sandbox.base_image, binds=["/dev/null:/mounted"])
    pair.sh("touch /new")
    by_engine, by_snap = pair.trees()
    assert {path for path in differing(by_engine, by_snap) if path not in PODMANS_OWN} <= {"mounted"}
    assert "mounted" not in by_snap
    assert sandbox.output_of(sandbox.name("by-snap"), "ls", "/new") == "/new\n"


def test_the_mode_of_the_root_folder_is_in_snaps_layer_alone(pair: Pair) -> None:
    """F22. The engine's commit leaves it out. A container of either image has the engine's own there again:
    none of the engines takes it from a layer.
    """
    pair.sh("chmod 711 /; touch /new")
    assert_same(*pair.trees())
    modes = []
    for name in MADE:
        layer = take_apart(pair.space.client, pair.space.name(name)).layers[-1]
        with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
            modes.append({info.mode for info in tar if info.name in {".", "/", ""}})
    assert modes == [set(), {0o711}]


def attributes(space: Sandbox, image: str, paths: Sequence[str]) -> dict[str, dict[str, bytes]]:
    """The extended attributes of files in a running container of an image, read beside the engine."""
    box = f"{image}-box"
    start(space, image, box)
    root = root_of(space, box)
    return {path: {n: os.getxattr(root + path, n) for n in os.listxattr(root + path)} for path in paths}


def root_of(space: Sandbox, box: str) -> str:
    """Where the files of a running container are to be seen on its machine."""
    return f"/proc/{space.client.inspect_container(box)['State']['Pid']}/root"


ATTRIBUTES = {
    "/new": {"user.note": b"with = and\n, \xff\x00"},
    "/folder": {"user.note": b"of a folder"},
    "/diamol/ch03.txt": {"user.note": b"alone"},
}


def set_attributes(pair: Pair) -> None:
    """Give files in both containers attributes, as their own programs would."""
    pair.sh("echo x > /new; mkdir /folder")
    for box in pair.both:
        root = root_of(pair.space, box)
        for path, values in ATTRIBUTES.items():
            for name, value in values.items():
                os.setxattr(root + path, name, value)


@pytest.mark.only_on("docker20", "docker28", "podman", reason="an upper folder can be read")
def test_user_attributes_are_kept_where_files_are_read_directly(pair: Pair) -> None:
    """F10, F11. Docker's commit leaves them out."""
    set_attributes(pair)
    assert_same(*pair.trees("--capture", "direct"))
    image = pair.space.name("by-snap")
    assert attributes(pair.space, image, list(ATTRIBUTES)) == ATTRIBUTES
    root = root_of(pair.space, f"{image}-box")
    os.setxattr(f"{root}/new", "user.note", b"another")
    os.removexattr(f"{root}/folder", "user.note")
    pair.space.snap("commit", "--capture", "direct", f"{image}-box", f"{image}-2")
    assert attributes(pair.space, f"{image}-2", ["/new", "/folder", "/diamol/ch03.txt"]) == {
        "/new": {"user.note": b"another"},
        "/folder": {},
        "/diamol/ch03.txt": {"user.note": b"alone"},
    }


def test_over_the_api_user_attributes_are_kept_where_the_engines_commit_keeps_them(pair: Pair) -> None:
    """Podman's archives carry them, and Docker's do not."""
    set_attributes(pair)
    assert_same(*pair.trees("--capture", "api"))
    by_engine, by_snap = (attributes(pair.space, pair.space.name(name), list(ATTRIBUTES)) for name in MADE)
    assert by_snap == by_engine
    assert by_engine in (ATTRIBUTES, {path: {} for path in ATTRIBUTES})


SAME_SIZE_AND_TIME = """
    cd /diamol; touch -r ch03.txt /time; tr a-z b-za < ch03.txt > /edited; cat /edited > ch03.txt
    touch -r /time ch03.txt
"""


@pytest.mark.only_on("docker20", "docker28", "podman", reason="an upper folder can be read")
def test_an_edit_that_keeps_size_and_time_is_kept_where_files_are_read_directly(pair: Pair) -> None:
    pair.sh(SAME_SIZE_AND_TIME)
    assert_same(*pair.trees("--capture", "direct"))


@pytest.mark.only_on("docker20", "docker28", "docker28-containerd", reason="Docker's list of changes is used")
def test_an_edit_that_keeps_size_and_time_is_in_no_list_of_dockers_but_in_its_commit(pair: Pair) -> None:
    """What only the engine's own commit and the direct way have: see ``snap commit --capture``."""
    pair.sh(SAME_SIZE_AND_TIME)
    assert "/diamol/ch03.txt" not in {item["Path"] for item in pair.space.client.diff(pair.for_snap)}
    found = differing(*pair.trees("--capture", "api"))
    assert {path: set(fields) for path, fields in found.items()} == {"diamol/ch03.txt": {"sha256"}}


def assert_same(by_engine: dict[str, Node], by_snap: dict[str, Node]) -> None:
    found = differing(by_engine, by_snap)
    assert {path: fields for path, fields in found.items() if path not in PODMANS_OWN} == {}
