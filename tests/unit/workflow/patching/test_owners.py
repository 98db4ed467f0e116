"""Owners by name and number, looked up in the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from snapshot.changeset.entry import FileType
from snapshot.errors import InvalidInput
from snapshot.workflow.patching.owners import changed_owner, copy_owner

if TYPE_CHECKING:
    from tests.unit.workflow.patching import memory_image as memory
else:
    import memory_image as memory

PASSWD = """root:x:0:0:root:/root:/bin/sh
# a comment, and lines that say nothing

short:x
words:x:one:two::/:/bin/sh
large:x:4294967295:1::/:/bin/sh
joe:x:1234:4321:Joe:/home/joe:/bin/sh
joe:x:1:1:another::
caf\udce9:x:50:60::/:/bin/sh
"""
GROUP = "root:x:0:\nstaff:x:555:joe\njoe:x:777:\nbroken\n"
IMAGE = memory.MemoryFiles({"/etc/passwd": memory.file(PASSWD), "/etc/group": memory.file(GROUP)})


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("1000", (1000, 1000)),
        ("1234", (1234, 1234)),  # by number, the user's own group is not looked for
        ("1000:1001", (1000, 1001)),
        ("joe", (1234, 4321)),  # the group of /etc/passwd, not the one of that name
        ("joe:staff", (1234, 555)),
        ("joe:9", (1234, 9)),
        ("7:joe", (7, 777)),
        (":staff", (0, 555)),
        ("caf\udce9", (50, 60)),
        ("4294967294", (4294967294, 4294967294)),
    ],
)
def test_a_copy_belongs_to_whom_buildkit_gives_it(text: str, owner: tuple[int, int]) -> None:
    assert copy_owner(IMAGE, text) == owner


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("joe", (1234, None)),
        ("5", (5, None)),
        (":staff", (None, 555)),
        ("joe:0", (1234, 0)),
        (":8", (None, 8)),
    ],
)
def test_a_change_of_owner_leaves_what_is_not_named(text: str, owner: tuple[int | None, int | None]) -> None:
    assert changed_owner(IMAGE, text) == owner


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "joe:",
        "1:2:3",
        "nobody",
        "joe:nobody",
        "short",
        "words",
        "large",
        "-5",
        "+5",
        "4294967295",
        "1 ",
        "9" * 20,
        "¹",
    ],
)
def test_what_is_no_owner_of_the_image_is_refused(text: str) -> None:
    for lookup in (copy_owner, changed_owner):
        with pytest.raises(InvalidInput):
            lookup(IMAGE, text)


def test_an_image_without_users_knows_numbers_alone() -> None:
    empty = memory.MemoryFiles({})
    assert copy_owner(empty, "3:4") == (3, 4)
    with pytest.raises(InvalidInput, match="no user 'joe'"):
        copy_owner(empty, "joe")


def test_a_link_in_the_place_of_the_list_is_followed_inside_the_image() -> None:
    things = {
        "/etc/passwd": memory.link("/../../usr/lib/passwd"),
        "/usr/lib/passwd": memory.file("me:x:3:4::"),
    }
    assert copy_owner(memory.MemoryFiles(things), "me") == (3, 4)


@pytest.mark.parametrize(
    "thing", [memory.folder(), memory.link("passwd"), memory.Thing(FileType.FIFO), memory.link("/no")]
)
def test_something_else_in_its_place_is_no_list(thing: memory.Thing) -> None:
    with pytest.raises(InvalidInput):
        copy_owner(memory.MemoryFiles({"/etc/passwd": thing}), "joe")


def test_a_huge_list_is_not_read() -> None:
    huge = memory.file(PASSWD)._replace(size=(4 << 20) + 1)
    with pytest.raises(InvalidInput, match="more than 4,194,304 bytes"):
        copy_owner(memory.MemoryFiles({"/etc/passwd": huge}), "joe")
