"""Links of an image are followed inside the image, as the kernel would follow them in a container."""

from __future__ import annotations

import ctypes
import errno
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.links import MOST_LINKS, resolve
from snapshot.errors import InvalidInput

if TYPE_CHECKING:
    from tests.unit.memory_files import FOLDER, MemoryFiles, Thing, symlink
else:
    from memory_files import FOLDER, MemoryFiles, Thing, symlink

FILES = MemoryFiles(
    {
        "/var/run": symlink("/run"),
        "/run/app/pid": Thing(),
        "/etc/up": symlink("../../../../var/run/app"),
        "/etc/itself": symlink("itself"),
        "/etc/one": symlink("two"),
        "/etc/two": symlink("/etc/one"),
        "/etc/nowhere": symlink("/none/../such"),
        "/etc/empty": symlink(""),
        "/caf\udce9": symlink("etc"),
        "/file": Thing(),
    }
    | {f"/chain{number}": symlink(f"chain{number + 1}") for number in range(MOST_LINKS)}
)


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/", "/"),
        ("/run/app/pid", "/run/app/pid"),
        ("/var/run/app", "/run/app"),
        ("/var/run", "/run"),
        ("/etc/up/pid", "/run/app/pid"),
        ("/etc/up/../x", "/run/x"),
        ("/../../etc//./up/", "/run/app"),
        ("/caf\udce9/new", "/etc/new"),
        ("/missing/etc/../file", "/missing/file"),
        ("/file/below", "/file/below"),
        ("/etc/nowhere/x", "/such/x"),
        ("/chain0", f"/chain{MOST_LINKS}"),
    ],
)
def test_links_lead_on_inside_the_image(path: str, leads_to: str) -> None:
    assert resolve(FILES, path) == leads_to


def test_a_link_at_the_end_is_left_where_that_is_wanted() -> None:
    assert resolve(FILES, "/caf\udce9/up", follow_last=False) == "/etc/up"
    assert resolve(FILES, "/etc/itself", follow_last=False) == "/etc/itself"


@pytest.mark.parametrize("path", ["/etc/itself", "/etc/one", "/etc/itself/below"])
def test_a_circle_of_links_is_named(path: str) -> None:
    with pytest.raises(InvalidInput, match=f"'{path}'.* circle"):
        resolve(FILES, path)


def test_what_is_below_nothing_is_not_asked_for() -> None:
    files = MemoryFiles({})
    assert resolve(files, "/no/such/folder") == "/no/such/folder"
    assert files.asked == ["/no"]


NAMES = ["a", "b", "c"]
targets = st.lists(st.sampled_from([*NAMES, "..", "."]), min_size=1, max_size=3).map("/".join)
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
asked = st.lists(st.sampled_from([*NAMES, "..", "."]), min_size=1, max_size=5).map("/".join)
things = st.dictionaries(
    paths, st.sampled_from([FOLDER, Thing()]) | targets.map(symlink) | targets.map(lambda t: symlink(f"/{t}"))
)


@given(things, asked)
def test_links_lead_where_the_kernel_is_led_to(made: dict[str, Thing], path: str) -> None:
    files = MemoryFiles({"/": FOLDER})
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for place, thing in sorted(made.items()):
            if make(root / place, thing):
                files.things[f"/{place}"] = thing
        expected = by_the_kernel(root, path)
        if expected == errno.ELOOP:
            with pytest.raises(InvalidInput):
                resolve(files, f"/{path}")
        elif isinstance(expected, str):
            assert resolve(files, f"/{path}") == expected


def make(place: Path, thing: Thing) -> bool:
    """Make a thing where the folder for it is there, without following links."""
    if not place.parent.is_dir() or place.parent.resolve() != place.parent or os.path.lexists(place):
        return False
    if thing == FOLDER:
        place.mkdir()
    elif thing.text:
        place.symlink_to(thing.text)
    else:
        place.touch()
    return True


def by_the_kernel(root: Path, path: str) -> str | int:
    """Where a path leads below a root, from openat2(2); the number of the error where it leads nowhere."""
    how = (ctypes.c_uint64 * 3)(os.O_PATH, 0, 0x10)  # RESOLVE_IN_ROOT
    libc = ctypes.CDLL(None, use_errno=True)
    folder = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        found = libc.syscall(437, folder, path.encode(), how, ctypes.sizeof(how))
        if found < 0:
            return ctypes.get_errno()
        try:
            return "/" + str(Path(f"/proc/self/fd/{found}").readlink().relative_to(root)).strip(".")
        finally:
            os.close(found)
    finally:
        os.close(folder)
