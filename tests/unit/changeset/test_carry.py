"""Changes carried to another base: what is taken, and what is a conflict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapshot.changeset.carry import Carrier, Choice, Conflict
from snapshot.changeset.edited_tree import EditedTree
from snapshot.changeset.entry import FileType
from snapshot.changeset.layer import LayerSpool

if TYPE_CHECKING:
    from tests.unit import memory_files as memory
else:
    import memory_files as memory

FOLDER, Thing, symlink = memory.FOLDER, memory.Thing, memory.symlink
Edits = Mapping[str, memory.Thing | None]

LINES = "".join(f"{number}\n" for number in range(9))
OLD = memory.whole(
    {
        "/etc/conf": Thing(text=LINES),
        "/etc/motd": Thing(text="hello"),
        "/app/lib/a": Thing(text="a"),
        "/app/lib/b": Thing(text="b"),
        "/app/tool": Thing(text="tool", mode=0o755),
        "/link": symlink("etc"),
        "/empty": FOLDER,
    }
)
MOVED = memory.whole({path: thing._replace(mtime_s=2000) for path, thing in OLD.items()})


class Carried(NamedTuple):
    """What became of it."""

    tree: dict[str, memory.Thing]
    conflicts: list[Conflict]


def edited(tree: Mapping[str, memory.Thing], edits: Edits) -> dict[str, memory.Thing]:
    """A tree with things put at paths, or removed."""
    found = dict(tree)
    for path, thing in edits.items():
        found = memory.without(found, path) if thing is None else memory.placed(found, path, thing)
    return found


def carried(
    edits: Edits,
    theirs: Mapping[str, memory.Thing],
    choice: Choice | None = None,
    old: Mapping[str, memory.Thing] = OLD,
) -> Carried:
    """Carry what ``edits`` made of the old base to another one."""
    with LayerSpool() as spool:
        ours = EditedTree(memory.MemoryFiles(old), spool)
        for path, thing in edits.items():
            if thing:
                ours.put(path, ours.take(memory.member("/taken", thing)))
            elif ours.at(path):
                ours.remove(path)
        items = ours.items()
        tree = EditedTree(memory.MemoryFiles(theirs), spool)
        carrier = Carrier(
            tree,
            memory.MemoryFiles(old),
            memory.MemoryFiles(theirs),
            {change.path: piece for change, piece in items if piece},
            spool.content,
            choice,
        )
        conflicts = carrier.carry([change for change, _ in items])
        layer = tree.layer()
        tar = b"".join(layer.chunks()) if layer else b""
        return Carried(memory.unpacked(theirs, tar) if tar else dict(theirs), conflicts)


def comparable(tree: Mapping[str, memory.Thing]) -> dict[str, memory.Thing]:
    return {path: thing.comparable() for path, thing in tree.items()}


CONFIG = Thing(text="ours")
AGREED: dict[str, tuple[Edits, Edits, Edits]] = {
    "ours alone": ({"/etc/motd": CONFIG, "/app/lib/a": None}, {"/etc/conf": Thing(text="new")}, {}),
    "the same by both": ({"/etc/motd": CONFIG, "/link": None}, {"/etc/motd": CONFIG, "/link": None}, {}),
    "added beside theirs": ({"/app/new": CONFIG}, {"/app/other": CONFIG}, {}),
    "a folder added by both": ({"/srv": FOLDER, "/srv/a": CONFIG}, {"/srv": FOLDER, "/srv/b": CONFIG}, {}),
    "a folder above that they changed": ({"/app/new": CONFIG}, {"/app": FOLDER._replace(mode=0o700)}, {}),
    "a folder that we changed": ({"/app": FOLDER._replace(mode=0o700)}, {"/app/new": CONFIG}, {}),
    "a file for a folder": ({"/app/lib": CONFIG}, {"/app/tool": None}, {}),
    "a folder for a file": ({"/etc/motd": None, "/etc/motd/x": None}, {"/etc/conf": CONFIG}, {}),
    "only our time": ({"/etc/motd": OLD["/etc/motd"]._replace(mtime_s=5)}, {"/etc/motd": CONFIG}, {}),
}


@pytest.mark.parametrize("case", AGREED)
@pytest.mark.parametrize("times", ["as before", "other"])
def test_what_does_not_clash_comes_together(case: str, times: str) -> None:
    """Also where the new base was built anew, and all its files have other times."""
    ours, theirs, _ = AGREED[case]
    result = carried(ours, edited(OLD if times == "as before" else MOVED, theirs))
    assert result.conflicts == []
    wanted = edited(edited(OLD, ours), theirs)
    without_times = {path: thing._replace(mtime_s=0) for path, thing in result.tree.items()}
    assert without_times == {path: thing._replace(mtime_s=0) for path, thing in wanted.items()}


#: Ours, theirs, where they clash and how, how many more of our changes go with it.
CLASHES: dict[str, tuple[Edits, Edits, str, str, int]] = {
    "content": ({"/etc/motd": CONFIG}, {"/etc/motd": Thing(text="x")}, "/etc/motd", "BOTH_CHANGED", 0),
    "removed there": ({"/etc/motd": CONFIG}, {"/etc/motd": None}, "/etc/motd", "REMOVED_THERE", 0),
    "removed here": ({"/etc/motd": None}, {"/etc/motd": CONFIG}, "/etc/motd", "DELETED_HERE", 0),
    "below a folder removed here": ({"/app": None}, {"/app/lib/b": CONFIG}, "/app", "DELETED_HERE", 0),
    "added to a folder removed here": ({"/app": None}, {"/app/lib/c": CONFIG}, "/app", "DELETED_HERE", 0),
    "below a folder that is a file": ({"/app": CONFIG}, {"/app/lib/b": CONFIG}, "/app", "BOTH_CHANGED", 0),
    "added by both": ({"/new": CONFIG}, {"/new": Thing(text="x")}, "/new", "BOTH_ADDED", 0),
    "a folder and a file added": (
        {"/new": FOLDER, "/new/a": CONFIG, "/new/b": CONFIG}, {"/new": CONFIG}, "/new", "BOTH_ADDED", 2,
    ),
    "modes of a folder": (
        {"/app": FOLDER._replace(mode=0o700)}, {"/app": FOLDER._replace(mode=0o711)},
        "/app", "BOTH_CHANGED", 0,
    ),
    "a folder is gone": (
        {"/app/lib/a": CONFIG, "/app/lib/new": CONFIG, "/app/lib/b": None}, {"/app": None},
        "/app", "NO_FOLDER", 3,
    ),
    "a folder is a link": ({"/app/lib/new": CONFIG}, {"/app": symlink("etc")}, "/app", "NO_FOLDER", 1),
    "a deletion in a link": ({"/app/lib/a": None}, {"/app": symlink("etc")}, "/app", "NO_FOLDER", 1),
    "links": ({"/link": symlink("app")}, {"/link": symlink("empty")}, "/link", "BOTH_CHANGED", 0),
}  # fmt: skip


@pytest.mark.parametrize("case", CLASHES)
def test_a_clash_is_told_and_nothing_of_it_is_taken(case: str) -> None:
    ours, edits, path, kind, below = CLASHES[case]
    theirs = edited(OLD, edits)
    result = carried({**ours, "/beside": CONFIG}, theirs)
    assert [(item.path, item.kind.name, item.below) for item in result.conflicts] == [(path, kind, below)]
    assert not result.conflicts[0].resolved
    assert comparable(result.tree) == comparable({**theirs, "/beside": CONFIG})


@pytest.mark.parametrize("case", CLASHES)
def test_either_side_can_be_taken(case: str) -> None:
    ours, edits, _, _, _ = CLASHES[case]
    theirs = edited(OLD, edits)
    taken = carried(ours, theirs, Choice.THEIRS)
    assert comparable(taken.tree) == comparable(theirs)
    taken = carried(ours, theirs, Choice.OURS)
    assert [item.resolved for item in taken.conflicts] == ["ours"]
    mine = edited(OLD, ours)
    for path in ours:
        got, wanted = taken.tree.get(path), mine.get(path)
        assert (got and got.comparable()) == (wanted and wanted.comparable())


def test_a_merge_takes_text_and_parts_of_which_each_side_changed_others() -> None:
    lines = LINES.splitlines(keepends=True)
    ours = Thing(text="".join(["ours\n", *lines[1:]]), mode=0o600)
    theirs = Thing(text="".join([*lines[:-1], "theirs\n"]), uid=7, mtime_s=3000)
    edits = {
        "/etc/conf": ours,
        "/app": FOLDER._replace(mode=0o700),
        "/app/tool": Thing(text="tool", mode=0o700),
    }
    base = edited(
        OLD,
        {"/etc/conf": theirs, "/app": FOLDER._replace(uid=3), "/app/tool": Thing(text="tool 2", mode=0o755)},
    )
    result = carried(edits, base, Choice.MERGE)
    assert [(item.path, item.resolved) for item in result.conflicts] == [
        ("/app", "merged"),
        ("/app/tool", "merged"),
        ("/etc/conf", "merged"),
    ]
    merged = "".join(["ours\n", *lines[1:-1], "theirs\n"])
    assert result.tree["/etc/conf"] == Thing(text=merged, mode=0o600, uid=7, mtime_s=3000)
    assert result.tree["/app"] == FOLDER._replace(mode=0o700, uid=3)
    assert result.tree["/app/tool"] == Thing(text="tool 2", mode=0o700)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Thing(text="x\n" + LINES), Thing(text="y\n" + LINES)),
        (Thing(text=LINES + "\0"), Thing(text="y" + LINES)),
        (Thing(text=LINES, mode=0o600), Thing(text=LINES, mode=0o640)),
        (symlink("motd"), Thing(text="y" + LINES)),
    ],
)
def test_a_merge_leaves_what_is_not_certain(ours: memory.Thing, theirs: memory.Thing) -> None:
    result = carried({"/etc/conf": ours}, edited(OLD, {"/etc/conf": theirs}), Choice.MERGE)
    assert [(item.path, item.resolved) for item in result.conflicts] == [("/etc/conf", "")]


def test_both_sides_are_told_in_words() -> None:
    theirs = edited(OLD, {"/etc/motd": None, "/app/tool": symlink("x"), "/app/lib/b": CONFIG})
    ours = {
        "/etc/motd": Thing(text="hello!", mode=0o600),
        "/app/tool": Thing(text="tool", uid=3),
        "/app/lib": None,
    }
    told = {item.path: (item.ours, item.theirs) for item in carried(ours, theirs).conflicts}
    assert told == {
        "/etc/motd": ("content, 5 -> 6 bytes; mode 0644 -> 0600", "deleted"),
        "/app/tool": ("mode 0755 -> 0644; owner 0:0 -> 3:0", "file -> symlink"),
        "/app/lib": ("deleted", "changed below: /app/lib/b"),
    }


def test_names_of_one_file_stay_names_of_one_file_where_the_first_is_not_carried() -> None:
    with LayerSpool() as spool:
        ours = EditedTree(memory.MemoryFiles(OLD), spool)
        first = ours.take(memory.member("/a", CONFIG))
        ours.put("/a", first)
        for name in ("/b", "/c"):
            ours.put(name, first.as_link(name, "/a"))
        theirs = edited(OLD, {"/a": Thing(text="x")})
        tree = EditedTree(memory.MemoryFiles(theirs), spool)
        pieces = {change.path: piece for change, piece in ours.items() if piece}
        carrier = Carrier(
            tree, memory.MemoryFiles(OLD), memory.MemoryFiles(theirs), pieces, spool.content, Choice.THEIRS
        )
        carrier.carry(ours.changeset().changes)
        links = {change.path: change.file.hard_link for change in tree.changeset().changes if change.file}
    assert links == {"/b": "", "/c": "/b"}


PATHS = [*sorted(OLD), "/new", "/new/x", "/etc/new", "/link/x", "/app/lib/a/x"]
THINGS = [
    FOLDER,
    FOLDER._replace(mode=0o700),
    CONFIG,
    Thing(text="a"),
    Thing(text="other", uid=4),
    symlink("etc"),
    Thing(FileType.FIFO),
]


@st.composite
def random_edits(draw: st.DrawFn) -> dict[str, memory.Thing | None]:
    """Edits that can be made: things are put only where a folder is."""
    tree = dict(OLD)
    edits: dict[str, memory.Thing | None] = {}
    for _ in range(draw(st.integers(0, 6))):
        path = draw(st.sampled_from([path for path in PATHS if path != "/"]))
        thing = draw(st.sampled_from([None, *THINGS]))
        above = tree.get(path.rpartition("/")[0] or "/")
        if path in edits or (thing and (above is None or above.type is not FileType.FOLDER)):
            continue
        edits[path] = thing
        tree = edited(tree, {path: thing})
    return edits


@given(random_edits())
def test_carried_to_the_same_base_it_is_the_same(edits: Edits) -> None:
    result = carried(edits, OLD)
    assert result.conflicts == []
    assert comparable(result.tree) == comparable(edited(OLD, edits))


@given(random_edits())
def test_where_the_new_base_has_it_all_nothing_is_a_conflict(edits: Edits) -> None:
    theirs = edited(OLD, edits)
    result = carried(edits, theirs)
    assert result.conflicts == []
    assert comparable(result.tree) == comparable(theirs)


@settings(max_examples=200)
@given(random_edits(), random_edits(), st.sampled_from([None, *Choice]))
def test_whatever_both_did_a_choice_settles_it(ours: Edits, edits: Edits, choice: Choice | None) -> None:
    theirs = edited(OLD, edits)
    result = carried(ours, theirs, choice)
    resolved = {conflict.resolved for conflict in result.conflicts}
    mine = edited(OLD, ours)
    if choice in {Choice.OURS, Choice.THEIRS}:
        assert resolved <= {choice.value}
    if choice is Choice.OURS:
        changed = [path for path in mine if mine[path] != OLD.get(path)]
        assert {
            path: result.tree.get(path) for path in changed if mine[path].type is not FileType.FOLDER
        } == {path: mine[path] for path in changed if mine[path].type is not FileType.FOLDER}
        assert not [path for path in OLD if path not in mine and path in result.tree]
    if choice is Choice.THEIRS and result.conflicts:
        assert all(
            result.tree.get(conflict.path) == theirs.get(conflict.path) for conflict in result.conflicts
        )
