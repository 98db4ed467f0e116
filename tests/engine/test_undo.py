"""``snap undo``: a name back to the image that the one which has it now was made from (issue 5)."""

from __future__ import annotations

import json

import pytest
from doctor import put_together, take_apart
from sandbox import Sandbox

from snapshot.image.record import RECORD_LABELS

pytestmark = pytest.mark.engine


def image_id(space: Sandbox, name: str) -> str:
    return str(space.inspect(name)["Id"])


@pytest.fixture(scope="module")
def generations(space: Sandbox) -> list[str]:
    """IDs of a base, of a patch of it, and of a commit on that, under one name each."""
    names = [space.name(stem) for stem in ("base", "first", "second")]
    space.client.tag(space.base_image, names[0])
    space.snap("patch", names[0], "-t", names[1], "--add-text", "/one=x")
    space.snap("commit", space.changed("echo y > /two", image=names[1]), names[2])
    return [image_id(space, name) for name in names]


def test_each_undo_goes_one_image_back_and_says_how_to_come_again(
    space: Sandbox, generations: list[str]
) -> None:
    name = space.name("app")
    space.client.tag(generations[2], name)
    document = json.loads(space.snap("undo", name, "--format", "json").stdout)
    assert (document["id"], document["undone"]) == (generations[1], generations[2])
    done = space.snap("undo", name)
    assert image_id(space, name) == generations[0]
    assert generations[0] in done.stdout
    assert generations[1] in done.stdout
    assert space.name("base") in done.stdout
    done = space.snap("undo", name, expect=2)
    assert "no record" in done.stderr
    assert image_id(space, name) == generations[0]


def test_an_image_that_has_no_name_any_more_is_told_with_the_command_that_names_it(
    space: Sandbox, generations: list[str]
) -> None:
    name = space.name("alone")
    space.snap("patch", generations[0], "-t", name, "--env", "A=1")
    lost = image_id(space, name)
    done = space.snap("undo", "-q", name)
    assert done.stdout.strip() == image_id(space, name) == generations[0]
    assert f"docker tag {lost.removeprefix('sha256:')[:12]} {name}:latest" in done.stderr
    space.client.tag(lost, name)
    assert image_id(space, name) == lost


def test_a_patch_in_place_is_undone(space: Sandbox, generations: list[str]) -> None:
    name = space.name("in-place")
    space.client.tag(generations[1], name)
    space.snap("patch", name, "--in-place", "--add-text", "/three=x")
    assert image_id(space, name) != generations[1]
    space.snap("undo", name)
    assert image_id(space, name) == generations[1]


def test_where_the_earlier_image_is_gone_the_name_stays(space: Sandbox, generations: list[str]) -> None:
    middle, name = space.name("middle"), space.name("orphan")
    space.snap("patch", generations[0], "-t", middle, "--env", "B=1")
    space.snap("patch", middle, "-t", name, "--env", "C=1")
    gone = image_id(space, middle)
    space.client.remove_image(middle)
    before = image_id(space, name)
    done = space.snap("undo", name, expect=1)
    assert gone in done.stderr
    assert image_id(space, name) == before


def test_a_name_that_cannot_be_moved_is_refused(space: Sandbox, generations: list[str]) -> None:
    for image in (generations[1], generations[1].removeprefix("sha256:")[:12]):
        done = space.snap("undo", image, expect=2)
        assert "no name that can be moved" in done.stderr


def test_a_record_of_another_image_moves_no_name(space: Sandbox, generations: list[str]) -> None:
    saved = take_apart(space.client, generations[1])
    others = take_apart(space.client, generations[2]).labels
    for label in RECORD_LABELS & others.keys():
        saved.labels[label] = others[label]
    name = space.name("forged")
    put_together(space.client, saved, name)
    before = image_id(space, name)
    assert "does not hold" in space.snap("undo", name, expect=1).stderr
    assert image_id(space, name) == before
