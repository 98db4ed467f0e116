"""What ``cp`` makes of a source and a destination, by Docker's rules."""

from __future__ import annotations

import pytest

from snapshot.errors import InvalidInput, PathNotFound
from snapshot.workflow.copying.rules import (
    Destination,
    Place,
    Source,
    Target,
    container_path,
    means_content,
    must_be_folder,
    parse_place,
    parse_places,
    source_name,
    target_of,
)

FILE = Source("a", False, "a")
FOLDER = Source("a", True, "a")
CONTENT = Source("", True, "a/.")


def there(written: str, kind: str) -> Destination:
    return Destination(
        container_path(written), kind != "nothing", kind == "folder", written, f"box:{written}"
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("box:/etc", Place("box", "/etc")),
        ("box:etc/a:b", Place("box", "etc/a:b")),
        ("./a:b", Place("", "./a:b")),
        ("../a:b", Place("", "../a:b")),
        ("/srv/a:b", Place("", "/srv/a:b")),
        ("a/b", Place("", "a/b")),
        ("-", Place("", "-")),
    ],
)
def test_a_colon_names_a_container_unless_the_path_begins_as_one(text: str, place: Place) -> None:
    assert parse_place(text) == place


@pytest.mark.parametrize("text", ["", ":/etc", "box:"])
def test_a_side_without_a_path_or_container_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_place(text)


def test_container_to_container_is_refused_with_a_way_to_do_it() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_places("one:/a", "two:/b")
    assert refused.value.hint == "Use a pipe: snap cp one:/a - | snap cp - two:FOLDER"


def test_one_side_has_to_be_in_a_container() -> None:
    with pytest.raises(InvalidInput, match="Neither 'a' nor 'b'"):
        parse_places("a", "b")


@pytest.mark.parametrize(
    ("written", "content", "folder"),
    [
        ("a", False, False),
        ("a/", False, True),
        ("a/.", True, True),
        (".", True, True),
        ("..", False, False),
        ("a.", False, False),
        ("/", False, True),
    ],
)
def test_the_end_of_a_path_says_what_is_meant(written: str, content: bool, folder: bool) -> None:
    assert (means_content(written), must_be_folder(written)) == (content, folder)


@pytest.mark.parametrize(
    ("written", "path"),
    [("", "/"), ("/", "/"), ("//etc/", "/etc"), ("etc/.", "/etc"), ("../../etc", "/etc"), ("/a/../b", "/b")],
)
def test_a_path_in_a_container_counts_from_its_root(written: str, path: str) -> None:
    assert container_path(written) == path


@pytest.mark.parametrize(
    ("path", "written", "name"),
    [
        ("/srv/app", "app", "app"),
        ("/srv/app", "app/", "app"),
        ("/srv/app", "app/.", ""),
        ("/srv", "..", "srv"),
        ("/srv", ".", ""),
        ("/", "/", ""),
    ],
)
def test_a_source_brings_its_name_unless_only_its_content_is_meant(
    path: str, written: str, name: str
) -> None:
    assert source_name(path, written) == name


@pytest.mark.parametrize(
    ("source", "written", "kind", "target"),
    [
        (FILE, "/b", "folder", Target("/b", "a")),
        (FILE, "/b/", "folder", Target("/b", "a")),
        (FOLDER, "/b", "folder", Target("/b", "a")),
        (CONTENT, "/b", "folder", Target("/b", "")),
        (FILE, "/b", "file", Target("/", "b")),
        (FILE, "/x/b", "nothing", Target("/x", "b")),
        (FOLDER, "/x/b", "nothing", Target("/x", "b")),
        (FOLDER, "/x/b/", "nothing", Target("/x", "b")),
        (CONTENT, "/x/b", "nothing", Target("/x", "b")),
    ],
)
def test_where_a_copy_ends_up(source: Source, written: str, kind: str, target: Target) -> None:
    assert target_of(source, there(written, kind)) == target


@pytest.mark.parametrize(
    ("source", "written", "kind", "error"),
    [
        (FOLDER, "/b", "file", InvalidInput),
        (CONTENT, "/b", "file", InvalidInput),
        (FILE, "/b/", "file", InvalidInput),
        (FILE, "/b/", "nothing", PathNotFound),
        (FILE, "/b/.", "nothing", PathNotFound),
        (FOLDER, "/b/.", "nothing", PathNotFound),
    ],
)
def test_what_cannot_be_meant_is_refused(
    source: Source, written: str, kind: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"box:/b"):
        target_of(source, there(written, kind))
