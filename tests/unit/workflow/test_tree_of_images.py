from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.cli import tree as shown
from snapshot.engine.types import Image
from snapshot.image.generations import Generation, generations_of, steps_label
from snapshot.image.record import SEAL_LABEL, Base, Record, chain_ids
from snapshot.workflow.tree import Tree, tree_of

if TYPE_CHECKING:
    from tests.unit.workflow.local_images import image, sizes_of
else:
    from local_images import image, sizes_of

CREATED = "2026-01-01T00:00:00Z"


def made_from(
    parent: Image, name: str, layers: str, *, created: int = 0, message: str = "", squashed: str = ""
) -> Image:
    """A snapshot of a container of ``parent``."""
    base = Base(parent.tags[0], parent.id, parent.id, "", 0)
    record = Record("snap", CREATED, "", message, "", base, "", 0, 0, 0, 0, {}, made_from=squashed)
    new = Generation(base.name, base.id, "", message, CREATED)
    steps = steps_label(generations_of(parent.config.labels), new, record)
    return image(name, layers, created=created, labels=record.to_labels("", steps))


def drawn(*images: Image, marked: str = "") -> list[str]:
    return list(shown._drawing(Tree(tree_of(images, sizes_of(images, a=1000, b=200, c=30)), marked)))


def test_an_image_stands_on_the_one_that_has_all_of_its_other_layers() -> None:
    assert drawn(image("top", "abc"), image("base", "a"), image("other", "d"), image("side", "ae")) == [
        "base:1 (base), 1 layer, 1 kB",
        "├── side:1 (side), +1 layer, +1 byte",
        "└── top:1 (top), +2 layers, +230 bytes",
        "other:1 (other), 1 layer, 1 byte",
    ]


def test_layers_in_common_that_are_no_image_are_drawn_once() -> None:
    assert drawn(image("one", "abc", created=1), image("two", "abd", created=2), image("three", "ae")) == [
        "no image of their own, 1 layer, 1 kB",
        "├── three:1 (three), +1 layer, +1 byte",
        "└── no image of their own, +1 layer, +200 bytes",
        "    ├── one:1 (one), +1 layer, +30 bytes",
        "    └── two:1 (two), +1 layer, +1 byte",
    ]


def test_siblings_are_in_the_order_in_which_they_were_made() -> None:
    images = [image("base", "a"), image("z", "ab", created=1), image("y", "ac", created=2)]
    assert [line.split(":")[0] for line in drawn(*reversed(images))] == ["base", "├── z", "└── y"]


def test_of_the_same_layers_the_oldest_comes_first() -> None:
    assert drawn(
        image("new", "a", created=2), image("old", "a", created=1), image("top", "ab", created=3)
    ) == [
        "old:1 (old), 1 layer, 1 kB",
        "├── new:1 (new), the same layers",
        "└── top:1 (top), +1 layer, +200 bytes",
    ]


def test_of_the_same_layers_a_snapshot_comes_after_what_it_was_made_from_whatever_its_time() -> None:
    base = image("base", "a", created=9)
    first = made_from(base, "first", "a", created=5, message="env")
    second = made_from(first, "second", "a", created=1)
    on_first = made_from(first, "on-first", "ab", created=2)
    assert drawn(second, first, base, on_first) == [
        "base:1 (base), 1 layer, 1 kB",
        '└── first:1 (first), the same layers, snapshot "env", 0 steps',
        "    ├── second:1 (second), the same layers, snapshot, 0 steps",
        "    └── on-first:1 (on-first), +1 layer, +200 bytes, snapshot, 0 steps",
    ]


def test_what_a_snapshot_was_made_from_is_told_where_it_does_not_stand_on_it() -> None:
    base = image("base", "a")
    snapshot = made_from(base, "snapshot", "abc", created=1)
    squashed = made_from(base, "squashed", "ad", created=2, squashed=snapshot.id)
    assert drawn(base, snapshot, squashed)[-1] == (
        "└── squashed:1 (squashed), +1 layer, +1 byte, snapshot, 0 steps, made from snapshot:1 (snapshot)"
    )
    assert drawn(squashed) == [
        "squashed:1 (squashed), 2 layers, 1 kB, snapshot, 0 steps,"
        " made from without a name (snapshot, not here)"
    ]
    assert drawn(snapshot)[0].endswith("made from base:1 (base, not here)")


def test_an_image_between_a_snapshot_and_its_base_does_not_make_the_base_another_one() -> None:
    base = image("base", "a")
    assert "made from" not in drawn(base, image("between", "ab"), made_from(base, "top", "abc"))[-1]


def test_a_record_that_was_edited_is_called_damaged() -> None:
    snapshot = made_from(image("base", "a"), "edited", "ab")
    labels = {**snapshot.config.labels, SEAL_LABEL: "sha256:00"}
    assert drawn(image("edited", "ab", labels=labels)) == [
        "edited:1 (edited), 2 layers, 1.2 kB, record damaged"
    ]


def test_images_that_say_that_they_were_made_from_each_other_are_drawn_once() -> None:
    one = made_from(image("two", "a"), "one", "a")
    two = made_from(image("one", "a"), "two", "a")
    assert len(drawn(one, two)) == 2


def test_images_without_layers_stand_alone() -> None:
    assert drawn(image("empty", ""), image("base", "a", created=1), image("none", "", created=2)) == [
        "empty:1 (empty), 0 layers, 0 bytes",
        "base:1 (base), 1 layer, 1 kB",
        "none:1 (none), 0 layers, 0 bytes",
    ]


def test_the_image_that_was_asked_for_is_marked() -> None:
    assert drawn(image("base", "a"), image("top", "ab"), marked="sha256:top")[1].startswith("└── * top:1")


def test_a_message_cannot_do_anything_to_the_terminal() -> None:
    snapshot = made_from(image("base", "a"), "s", "ab", message="\x1b]0;x\x07\u202eevil")
    assert "\x1b" not in drawn(snapshot)[0]
    assert "\u202e" not in drawn(snapshot)[0]


def test_lines_fit_on_the_terminal_as_names_and_messages_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "screen_columns", lambda: 80)
    base = image(
        "base", "a", tags=[f"registry.example.com/{'team/' * 12}app:{number}" for number in range(4)]
    )
    assert drawn(base, made_from(base, "snapshot", "ab", message="word " * 40)) == [
        "registry.example.co…team/team/team/app:3 (base), 1 layer, 1 kB",
        '└── snapshot:1 (snapshot), +1 layer, +200 bytes, snapshot "word … word ", 0 steps',
    ]


def test_texts_without_a_terminal_are_whole() -> None:
    base = image("base", "a", tags=[f"{'team/' * 60}app:1"])
    assert f"{'team/' * 60}app:1" in drawn(base)[0]


def test_json_says_what_each_stands_on_by_its_number() -> None:
    images = [image("base", "a"), image("x", "abc", created=1), image("y", "abd", created=2), image("z", "e")]
    document = shown._document(Tree(tree_of(images, sizes_of(images)), "sha256:x"))
    assert json.loads(json.dumps(document))["schema"] == "docker-snap.tree/1"
    assert document["marked"] == "sha256:x"
    assert [(item["id"], item["parent"]) for item in document["branches"]] == [
        ("sha256:base", None),
        (None, 0),
        ("sha256:x", 1),
        ("sha256:y", 1),
        ("sha256:z", None),
    ]


@given(st.lists(st.text("abc", max_size=5), max_size=12))
def test_each_image_is_there_once_and_own_bytes_add_up_to_each_layer_once(stacks: Sequence[str]) -> None:
    images = [image(f"i{number}", layers, created=number) for number, layers in enumerate(stacks)]
    branches = tree_of(images, sizes_of(images))
    assert sorted(branch.id for branch in branches if branch.id) == sorted(one.id for one in images)
    chains = {chain for one in images for chain in chain_ids(one.layers)}
    assert sum(branch.own_bytes for branch in branches) == len(chains)
    assert sum(branch.layer_count for branch in branches) == len(chains)
    line: list[int] = []
    for branch in branches:
        # What it stands on, and itself, are all of its layers.
        line[branch.depth :] = [branch.own_bytes]
        assert sum(line) == branch.size_bytes
