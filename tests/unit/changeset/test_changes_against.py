from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.layer_contents import LayerContents
from snapshot.changeset.squash import LayerNames, changes_against, names_in_layer, names_of
from snapshot.engine.types import Change, ChangeKind

Names = frozenset[str]

PATHS = [f"/{a}{b}{c}" for a in ("a", "b") for b in ("", "/a", "/b") for c in (("", "/c") if b else ("",))]


def shown(changes: Sequence[Change]) -> list[str]:
    return [f"{change.kind.value} {change.path}" for change in changes]


def folded(
    base: Sequence[LayerNames], layers: Sequence[LayerNames], listed: Sequence[Change] = ()
) -> list[str]:
    return shown(changes_against(base, layers, listed))


def above(path: str) -> list[str]:
    parts = path.split("/")[1:]
    return ["/" + "/".join(parts[:count]) for count in range(1, len(parts))]


def apply(tree: dict[str, bool], layer: LayerNames) -> dict[str, bool]:
    """What is seen when a layer is laid on a tree (OCI image spec, layer.md); True is a folder."""
    after = dict(tree)
    for path, _ in layer:
        parent, _, name = path.rpartition("/")
        if name == ".wh..wh..opq":
            after = {other: kind for other, kind in after.items() if not other.startswith(parent + "/")}
        elif name.startswith(".wh."):
            gone = f"{parent}/{name[4:]}"
            after = {p: kind for p, kind in after.items() if p != gone and not p.startswith(gone + "/")}
    for path, is_folder in layer:
        if "/.wh." in path:
            continue
        if not is_folder:
            after = {other: kind for other, kind in after.items() if not other.startswith(path + "/")}
        after.update(dict.fromkeys(above(path), True))
        after[path] = is_folder
    return after


def well_formed(names: dict[str, bool], whiteouts: set[str], opaque: set[str]) -> LayerNames:
    """A layer as engines write them: with all folders on the way, and no file that has something below it."""
    whole = dict(names)
    for path in [*names, *whiteouts]:
        whole.update(dict.fromkeys(above(path), True))
    layer = sorted(whole.items())
    layer += [(f"{path}/.wh..wh..opq", False) for path in sorted(opaque) if whole.get(path)]
    for path in sorted(whiteouts - whole.keys()):
        parent, _, name = path.rpartition("/")
        layer.append((f"{parent}/.wh.{name}", False))
    return layer


names = st.dictionaries(st.sampled_from(PATHS), st.booleans(), max_size=4)
some = st.sets(st.sampled_from(PATHS), max_size=3)
layers = st.lists(st.builds(well_formed, names, some, some), max_size=3)


@given(layers, layers)
def test_the_base_with_the_changes_is_the_image(base: list[LayerNames], added: list[LayerNames]) -> None:
    before: dict[str, bool] = {}
    for layer in base:
        before = apply(before, layer)
    after = before
    for layer in added:
        after = apply(after, layer)
    changes = changes_against(base, added, [])
    present = {change.path: after[change.path] for change in changes if change.kind is not ChangeKind.DELETED}
    gone = {change.path for change in changes if change.kind is ChangeKind.DELETED}
    # What is listed below a file says nothing, as in an engine's list.
    gone = {path for path in gone if all(after.get(folder, True) for folder in above(path))}
    assert apply(before, well_formed(present, gone, set())) == after
    for change in changes:
        assert (change.path in before) == (change.kind is not ChangeKind.ADDED)
        assert not any(folder in gone for folder in above(change.path))
    assert [change.path for change in changes] == sorted(
        (change.path for change in changes), key=lambda path: path.split("/")
    )


@given(layers, layers, st.sets(st.sampled_from(PATHS)), st.data())
def test_what_a_container_changed_is_folded_in(
    base: list[LayerNames], added: list[LayerNames], gone: set[str], data: st.DataObject
) -> None:
    tree: dict[str, bool] = {}
    for layer in [*base, *added]:
        tree = apply(tree, layer)
    gone = {path for path in gone & tree.keys() if not gone.intersection(above(path))}
    left = apply(tree, well_formed({}, gone, set())) if gone else tree
    new = data.draw(names.map(lambda found: dict.fromkeys(found, True)))
    listed = [Change(ChangeKind.DELETED, path) for path in gone if not any(p.startswith(path) for p in new)]
    listed += [Change(ChangeKind.ADDED, path) for path in new]
    changes = changes_against(base, added, listed)
    image = changes_against(base, added, [])
    assert {c.path for c in changes if c.kind is not ChangeKind.DELETED} >= {
        c.path for c in image if c.kind is not ChangeKind.DELETED and c.path in left
    }
    assert all(change.path not in new for change in changes if change.kind is ChangeKind.DELETED)
    assert changes == changes_against(base, added, listed[::-1])


BASE: LayerNames = [("/a", True), ("/a/x", False), ("/a/y", False), ("/b", False)]


def test_what_was_added_and_deleted_again_leaves_nothing() -> None:
    layers: list[LayerNames] = [[("/new", False)], [("/.wh.new", False)]]
    assert folded([BASE], layers) == []


def test_what_was_deleted_and_added_again_is_changed() -> None:
    assert folded([BASE], [[("/.wh.b", False)], [("/b", False)]]) == ["C /b"]
    assert folded([BASE], [[("/.wh.b", False)]], [Change(ChangeKind.ADDED, "/b")]) == ["C /b"]


def test_a_folder_that_was_refilled_hides_what_was_in_it() -> None:
    opaque: LayerNames = [("/a", True), ("/a/.wh..wh..opq", False), ("/a/z", False)]
    again: list[LayerNames] = [[("/.wh.a", False)], [("/a", True), ("/a/z", False)]]
    for layers in ([opaque], again):
        assert folded([BASE], layers) == ["C /a", "D /a/x", "D /a/y", "A /a/z"]


def test_an_opaque_folder_hides_nothing_of_its_own_layer_wherever_the_mark_stands() -> None:
    layer: LayerNames = [("/a", True), ("/a/x", False), ("/a/.wh..wh..opq", False)]
    assert folded([BASE], [layer]) == ["C /a", "C /a/x", "D /a/y"]


def test_an_opaque_root_hides_all() -> None:
    assert folded([BASE], [[("/.wh..wh..opq", False), ("/c", False)]]) == ["D /a", "D /b", "A /c"]


def test_what_was_below_a_folder_that_became_a_file_is_listed_as_engines_do() -> None:
    assert folded([BASE], [[("/a", False)]]) == ["C /a", "D /a/x", "D /a/y"]


def test_whiteouts_of_what_is_not_there_are_dropped() -> None:
    strange: LayerNames = [
        ("/.wh.none", False),
        ("/no/.wh.none", False),
        ("/.wh.", False),
        ("/.wh..wh.plnk", True),
    ]
    assert folded([BASE], [strange]) == []
    assert folded([BASE], [], [Change(ChangeKind.DELETED, "/none")]) == []


def test_a_deleted_tree_is_one_deletion() -> None:
    assert folded([BASE], [], [Change(ChangeKind.DELETED, "/a")]) == ["D /a"]


def test_deep_trees_are_compared() -> None:
    deep = "/a" * 2000
    assert folded([[(deep, True), (f"{deep}/x", False)]], [[(f"{deep}/.wh.x", False)]]) == [f"D {deep}/x"]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_names_of_a_layer_are_read_in_their_order(form: int) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as tar:
        for name, kind in [("b/", tarfile.DIRTYPE), ("b/\udce9", tarfile.REGTYPE), ("a", tarfile.SYMTYPE)]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "b"
            tar.addfile(info)
    assert names_in_layer(io.BytesIO(stream.getvalue())) == [
        ("/b", True),
        ("/b/\udce9", False),
        ("/a", False),
    ]


def test_the_names_of_a_layer_that_was_read_are_those_of_its_archive() -> None:
    entries = (FileEntry("/d", FileType.FOLDER, 0o755, 0, 0), FileEntry("/d/a", FileType.FILE, 0o644, 0, 0))
    found = names_of(LayerContents("sha256:aa", entries, ("/d/b", "/c"), ("/d",)))
    whiteouts = [("/d/.wh.b", False), ("/.wh.c", False), ("/d/.wh..wh..opq", False)]
    assert found == [("/d", True), ("/d/a", False), *whiteouts]
