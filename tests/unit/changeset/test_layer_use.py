"""What of an image's layers is hidden by higher ones, and where the bytes are."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.layer_contents import LayerContents
from snapshot.changeset.layer_use import HiddenPath, ImageUse, SizedFolder, SizedPath, use_of_layers
from snapshot.changeset.paths import component_order, is_at_or_below


def file(path: str, size_bytes: int = 1, same_as: str = "") -> FileEntry:
    return FileEntry(path, FileType.FILE, 0o644, 0, 0, size_bytes=size_bytes, hard_link=same_as)


def thing(path: str, kind: FileType) -> FileEntry:
    return FileEntry(path, kind, 0o755, 0, 0)


def folder(path: str) -> FileEntry:
    return thing(path, FileType.FOLDER)


def layer(*entries: FileEntry, deleted: Iterable[str] = (), emptied: Iterable[str] = ()) -> LayerContents:
    return LayerContents("sha256:aa", entries, tuple(deleted), tuple(emptied))


def wasted(*layers: LayerContents) -> list[tuple[int, int]]:
    """For each layer the bytes that are stored again higher up, and those that are deleted."""
    return [(use.stored_again_bytes, use.deleted_bytes) for use in use_of_layers(layers).layers]


# --- what is hidden ---


def test_a_file_that_a_higher_layer_has_too_is_stored_again() -> None:
    assert wasted(layer(file("/a", 5)), layer(file("/a", 7))) == [(5, 0), (0, 0)]


def test_a_file_that_a_higher_layer_deletes_is_deleted() -> None:
    assert wasted(layer(file("/a", 5)), layer(deleted=["/a"])) == [(0, 5), (0, 0)]


@pytest.mark.parametrize(
    "above",
    [
        layer(deleted=["/d"]),
        layer(emptied=["/d"]),
        layer(emptied=["/"]),
        layer(file("/d", 1)),
        layer(thing("/d", FileType.SYMLINK)),
        layer(folder("/d/e"), deleted=["/d/e"]),
        layer(thing("/d/e/f", FileType.FIFO)),
        layer(folder("/d/e/f")),
    ],
)
def test_what_takes_a_files_place_or_that_of_a_folder_above_deletes_it(above: LayerContents) -> None:
    assert wasted(layer(file("/d/e/f", 5)), above)[0] == (0, 5)


@pytest.mark.parametrize(
    "above",
    [
        layer(folder("/d")),
        layer(folder("/d/e"), file("/d/e/g")),
        layer(deleted=["/d/e/g", "/d/e/f2", "/d/ef"]),
        layer(emptied=["/d/e2", "/d/e/f"]),
        layer(file("/d/e-f")),
    ],
)
def test_what_stands_beside_a_file_hides_nothing_of_it(above: LayerContents) -> None:
    assert wasted(layer(file("/d/e/f", 5)), above)[0] == (0, 0)


def test_a_file_that_one_layer_deletes_and_stores_is_stored_again() -> None:
    again = [folder("/d"), file("/d/a", 7)]
    assert wasted(layer(file("/d/a", 5), file("/d/b", 3)), layer(*again, emptied=["/d"]))[0] == (5, 3)
    assert wasted(layer(file("/d/a", 5), file("/d/b", 3)), layer(*again, deleted=["/d"]))[0] == (5, 3)


def test_the_lowest_layer_that_hides_a_file_says_how_it_went() -> None:
    use = use_of_layers(
        [layer(file("/a", 5)), layer(deleted=["/a"]), layer(file("/a", 7)), layer(file("/a", 9))]
    )
    assert use.layers[0].hidden == (HiddenPath("/a", 5, by_layer=1, stored_again=False),)
    assert use.layers[2].hidden == (HiddenPath("/a", 7, by_layer=3, stored_again=True),)


def test_a_layer_hides_nothing_of_itself_nor_of_higher_ones() -> None:
    assert wasted(layer(deleted=["/a"], emptied=["/d"]), layer(file("/a"), file("/d/b"), deleted=["/b"])) == [
        (0, 0),
        (0, 0),
    ]


def test_a_file_with_several_names_is_wasted_when_none_of_them_is_seen() -> None:
    below = layer(file("/a", 5), file("/b", 5, same_as="/a"))
    assert wasted(below, layer(deleted=["/a"]))[0] == (0, 0)
    assert wasted(below, layer(deleted=["/a"]), layer(file("/b")))[0] == (5, 0)
    assert use_of_layers([below, layer(deleted=["/a"])]).folders == (SizedFolder("/", 5, 1),)


# --- what is counted ---


def test_entries_are_counted_by_their_type() -> None:
    (use,) = use_of_layers(
        [
            layer(
                file("/a", 5),
                file("/b", 5, same_as="/a"),
                folder("/d"),
                thing("/l", FileType.SYMLINK),
                thing("/n", FileType.CHARACTER_DEVICE),
                thing("/p", FileType.FIFO),
                deleted=["/x", "/y"],
                emptied=["/d"],
            )
        ]
    ).layers
    assert (use.files, use.hard_links, use.folders, use.symlinks, use.others) == (2, 1, 1, 1, 2)
    assert (use.deleted, use.emptied, use.size_bytes) == (2, 1, 5)


def test_the_largest_files_are_named_and_how_many_are_hidden_is_told() -> None:
    names = [f"/{number}" for number in range(9)]
    below = layer(*(file(name, size) for size, name in enumerate(names)))
    use = use_of_layers([below, layer(deleted=names)], most_paths=2).layers[0]
    assert use.largest == (SizedPath("/8", 8), SizedPath("/7", 7))
    assert [path.path for path in use.hidden] == ["/8", "/7"]
    assert (use.hidden_files, use.hidden_bytes) == (9, 36)


def test_an_image_without_layers_has_nothing() -> None:
    assert use_of_layers([]) == ImageUse((), ())


# --- where the bytes are ---


def test_bytes_count_for_the_folder_that_they_are_in() -> None:
    use = use_of_layers([layer(file("/a", 1), file("/d/b", 2), file("/d/c", 3), file("/d/e/f", 4))])
    assert use.folders == (SizedFolder("/", 1, 1), SizedFolder("/d", 5, 2), SizedFolder("/d/e", 4, 1))


def test_what_is_too_deep_counts_for_the_folder_above() -> None:
    use = use_of_layers(
        [layer(file("/a/b/c/d/e/f", 1), file("/a/b/x", 2), file("/a/b/c/y", 4))], most_depth=2
    )
    assert use.folders == (SizedFolder("/a/b", 7, 3),)


def test_of_too_many_folders_the_smallest_count_for_the_ones_above() -> None:
    files = [file("/big/x", 100), file("/s/1/x", 1), file("/s/2/x", 2), file("/s/3/x", 30)]
    use = use_of_layers([layer(*files)], most_folders=3)
    assert use.folders == (SizedFolder("/big", 100, 1), SizedFolder("/s", 3, 2), SizedFolder("/s/3", 30, 1))
    assert use_of_layers([layer(*files)], most_folders=1).folders == (SizedFolder("/", 133, 4),)


# --- against a plain simulation ---

names = st.sampled_from(["a", "b", "c"])
paths = st.lists(names, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))


@st.composite
def layer_contents(draw: st.DrawFn) -> LayerContents:
    """A layer in which nothing stands below a file."""
    kinds = draw(st.dictionaries(paths, st.sampled_from([*"ffd", "s"]), max_size=6))
    standing = {path: kind for path, kind in kinds.items() if kind != "d"}
    kept = {
        path: kind
        for path, kind in kinds.items()
        if not any(path != above and is_at_or_below(path, above) for above in standing)
    }
    types = {"d": FileType.FOLDER, "s": FileType.SYMLINK}
    entries = [
        file(path, draw(st.integers(0, 99))) if kind == "f" else thing(path, types[kind])
        for path, kind in sorted(kept.items(), key=lambda item: component_order(item[0]))
    ]
    deleted = draw(st.sets(paths, max_size=2))
    emptied = draw(st.sets(paths, max_size=1)) - set(standing)
    return layer(*entries, deleted=sorted(deleted), emptied=sorted(emptied))


def seen(layers: Sequence[LayerContents]) -> dict[str, tuple[int, int]]:
    """The regular files that an image of these layers shows: the layer that each is from, and its bytes."""
    tree: dict[str, tuple[int, int]] = {}
    for number, contents in enumerate(layers):
        for path in contents.deleted:
            tree = {name: own for name, own in tree.items() if not is_at_or_below(name, path)}
        for path in contents.emptied:
            tree = {name: own for name, own in tree.items() if name == path or not is_at_or_below(name, path)}
        for entry in contents.entries:
            if entry.type is not FileType.FOLDER:
                tree = {name: own for name, own in tree.items() if not is_at_or_below(name, entry.path)}
            else:
                tree.pop(entry.path, None)
            if entry.type is FileType.FILE:
                tree[entry.path] = (number, entry.size_bytes)
    return tree


@given(st.lists(layer_contents(), max_size=5), st.integers(1, 4), st.integers(0, 3))
def test_what_is_not_hidden_is_what_the_image_shows(
    layers: list[LayerContents], most_folders: int, most_depth: int
) -> None:
    use = use_of_layers(layers, most_folders=most_folders, most_depth=most_depth)
    shown = seen(layers)
    for number, layer_use in enumerate(use.layers):
        of_layer = [size for whose, size in shown.values() if whose == number]
        assert layer_use.size_bytes - layer_use.hidden_bytes == sum(of_layer)
        assert layer_use.files - layer_use.hidden_files == len(of_layer)
    assert sum(item.size_bytes for item in use.folders) == sum(size for _, size in shown.values())
    assert sum(item.files for item in use.folders) == len(shown)
    assert len(use.folders) <= most_folders
    for item in use.folders:
        assert item.path.count("/") <= max(most_depth, 1)
        assert any(is_at_or_below(posixpath.dirname(path), item.path) for path in shown)
