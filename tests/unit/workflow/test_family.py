from __future__ import annotations

from dataclasses import replace

from snapshot.cli.family import drawing
from snapshot.engine.types import Config, Image
from snapshot.image.generations import Generation, generations_of, steps_label
from snapshot.image.record import SEAL_LABEL, Base, Record
from snapshot.workflow.family import Relative, family_of

CREATED = "2026-01-01T00:00:00Z"
ROOT = Image("sha256:root", ("root:1",), (), CREATED, "", "", "amd64", "linux", "", 1, (), Config())
NUMBER = iter(range(1_000))


def made_from(parent: Image, name: str, before: tuple[Generation, ...] | None = None) -> Image:
    """A snapshot of a container of ``parent``, younger than all others."""
    base = Base(parent.tags[0], parent.id, parent.id, "", 0)
    record = Record("snap", CREATED, "", f"made {name}", "", base, "", 0, 0, 0, 0, {})
    new = Generation(base.name, base.id, "", record.message, CREATED)
    older = generations_of(parent.config.labels) if before is None else before
    labels = record.to_labels("", steps_label(older, new, record))
    return replace(
        ROOT,
        id=f"sha256:{name}",
        tags=(f"{name}:1",),
        created=f"{CREATED} {next(NUMBER):04}",
        config=Config(labels=labels),
    )


def drawn(*images: Image, marked: str = "") -> list[str]:
    return drawing(family_of(images), marked)


A = made_from(ROOT, "a")
B = made_from(A, "b")
C = made_from(B, "c")
D = made_from(A, "d")


def test_siblings_are_in_the_order_in_which_they_were_made() -> None:
    assert drawn(D, C, B, A, marked=D.id) == [
        "root:1 (root)",
        '└── a:1 (a), "made a", 0 steps',
        '    ├── b:1 (b), "made b", 0 steps',
        '    │   └── c:1 (c), "made c", 0 steps',
        '    └── * d:1 (d), "made d", 0 steps',
    ]


def test_images_that_were_removed_are_there_where_others_tell_of_them() -> None:
    assert drawn(C, D) == [
        "root:1 (root)",
        '└── a:1 (a, not here), "made a", 0 steps',
        '    ├── b:1 (b, not here), "made b", 0 steps',
        '    │   └── c:1 (c), "made c", 0 steps',
        '    └── d:1 (d), "made d", 0 steps',
    ]


def test_bases_without_anything_in_common_are_roots_of_their_own() -> None:
    other = made_from(replace(ROOT, id="sha256:other", tags=("other:1",)), "e")
    assert [(item.id, item.depth) for item in family_of([A, other])] == [
        ("sha256:root", 0),
        ("sha256:a", 1),
        ("sha256:other", 0),
        ("sha256:e", 1),
    ]


def test_an_image_that_was_folded_is_passed_over() -> None:
    before = (Generation("root:1", ROOT.id, "", "", CREATED), Generation("", "", "", "", CREATED))
    folded = made_from(replace(ROOT, id="", tags=("",)), "f", before)
    assert [(item.id, item.parent_id) for item in family_of([folded])] == [
        (ROOT.id, ""),
        ("sha256:f", ROOT.id),
    ]


def test_labels_that_tell_of_a_circle_end() -> None:
    def chain(*ids: str) -> tuple[Generation, ...]:
        return tuple(Generation(f"{name}:1", f"sha256:{name}", "", "", CREATED) for name in ids)

    x = made_from(replace(ROOT, id="sha256:q", tags=("q:1",)), "x", chain("p", "q", "p", "p"))
    y = made_from(replace(ROOT, id="sha256:p", tags=("p:1",)), "y", chain("q", "p", "x", "q"))
    found = family_of([x, y])
    assert sorted(item.id for item in found) == ["sha256:p", "sha256:q", "sha256:x", "sha256:y"]


def test_a_damaged_record_is_said_and_none_is_passed_over() -> None:
    damaged = replace(A, config=Config(labels={**A.config.labels, SEAL_LABEL: "x"}))
    (found,) = family_of([damaged, ROOT])
    assert found.damage
    assert drawn(damaged) == ["a:1 (a), record damaged"]


def test_names_of_strangers_steer_no_terminal() -> None:
    evil = Relative("sha256:\x1b[2J", ("\x1b[2J",), message="\x1b[2J")
    assert all(line.isprintable() for line in drawing([evil], ""))
