from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.cli import df as shown
from snapshot.engine.disk_use import (
    BuildCacheUse,
    ContainerUse,
    EngineDiskUse,
    ListedImage,
    VolumeUse,
)
from snapshot.engine.types import Descriptor, Image
from snapshot.recipe.keys import CACHE_LABEL, KeptStep, StepKey, cache_label, cache_name
from snapshot.workflow.df import (
    FILES_HERE,
    IMAGES,
    KEPT_RESULTS,
    PACKED,
    UNPACKED,
    DiskUse,
    Use,
    _differences,
    disk_use,
    files_here,
)

if TYPE_CHECKING:
    from tests.unit.workflow.local_images import image, sizes_of
else:
    from local_images import image, sizes_of

BASE = image("base", "a", size_bytes=1000)
ONE = image("one", "ab", size_bytes=1200)
TWO = image("two", "abc", size_bytes=1230)
OTHER = image("other", "d", size_bytes=4)
SIZES = sizes_of([BASE, ONE, TWO, OTHER], a=1000, b=200, c=30, d=4)
NOTHING = EngineDiskUse(None, (), (), (), ())


def container(of: Image, written_bytes: int = 5, state: str = "exited", name: str = "box") -> ContainerUse:
    return ContainerUse("cc", name, of.id, "", state, written_bytes)


def told(
    *containers: ContainerUse,
    layers_bytes: int | None = None,
    shared: dict[str, int] | None = None,
    volumes: tuple[VolumeUse, ...] = (),
    builds: tuple[BuildCacheUse, ...] = (),
) -> EngineDiskUse:
    images = tuple(ListedImage(f"sha256:{name}", 0, size) for name, size in (shared or {}).items())
    return EngineDiskUse(layers_bytes, images, containers, volumes, builds)


def counted(engine: EngineDiskUse, *images: Image) -> DiskUse:
    standing = {one.id: one for one in images if one.id in {item.image_id for item in engine.containers}}
    return disk_use(engine, images, SIZES, standing)


def differences(found: DiskUse, *, is_podman: bool = False) -> list[str]:
    return list(_differences(found, is_podman=is_podman))


def kept(count: int, layers: str, *names: str) -> Image:
    """A kept result of so many steps."""
    keys = [StepKey(f"{number:064x}", ()) for number in range(1, count + 1)]
    label = cache_label([KeptStep(key, "RUN x", 0.1) for key in keys])
    tags = (cache_name(keys[-1].key), *names)
    return image(f"kept{count}{''.join(names)}", layers, tags=tags, labels={CACHE_LABEL: label})


def test_a_layer_counts_once_and_sizes_of_images_as_if_nothing_were_shared() -> None:
    use = counted(NOTHING, BASE, ONE, TWO, OTHER).use_of(IMAGES)
    assert use == Use(IMAGES, 4, 1234, listed_bytes=3434, shared_bytes=1200, unused_bytes=1234)


def test_what_is_an_images_own_is_what_no_other_has() -> None:
    found = counted(NOTHING, BASE, ONE, TWO, OTHER)
    assert [(share.image, share.shared_bytes, share.own_bytes) for share in found.images] == [
        (TWO, 1200, 30),
        (ONE, 1200, 0),
        (BASE, 1000, 0),
        (OTHER, 0, 4),
    ]


def test_layers_below_a_container_are_in_use() -> None:
    found = counted(told(container(ONE)), BASE, ONE, TWO, OTHER)
    assert found.use_of(IMAGES).unused_bytes == 34
    assert [share.containers for share in found.images] == [(), ("box",), (), ()]


def test_what_containers_wrote_is_unused_once_they_are_down() -> None:
    found = counted(told(container(ONE, 5), container(ONE, 7, "running", "up")), ONE)
    assert found.use_of("containers") == Use("containers", 2, 12, unused_bytes=5)


def test_volumes_and_builds_that_the_engine_cannot_measure_or_counts_with_images_take_nothing() -> None:
    volumes = (VolumeUse("a", 8, 1), VolumeUse("b", 4, 0), VolumeUse("far", None, None))
    builds = (
        BuildCacheUse("x", 100, in_use=False, is_shared=True),
        BuildCacheUse("y", 6, in_use=True, is_shared=False),
        BuildCacheUse("z", 3, in_use=False, is_shared=False),
    )
    found = counted(told(volumes=volumes, builds=builds), BASE)
    assert found.use_of("volumes") == Use("volumes", 3, 12, unused_bytes=4)
    assert found.use_of("build cache") == Use("build cache", 2, 9, unused_bytes=3)
    assert found.total_bytes == 1000 + 12 + 9


def test_a_container_whose_image_was_removed_is_named() -> None:
    assert counted(told(container(TWO, name="orphan"), container(ONE)), ONE).orphans == ("orphan",)


def test_packed_layers_are_what_the_containerd_store_has_beside_the_unpacked_ones() -> None:
    packed = image("packed", "ab", descriptor=Descriptor("", "sha256:00", 1))
    found = counted(told(container(packed, 5), layers_bytes=1905), packed)
    assert found.use_of(UNPACKED).real_bytes == 1200
    assert found.use_of(PACKED).real_bytes == 700
    assert found.use_of(IMAGES).real_bytes == 1900
    assert found.total_bytes == 1905
    assert differences(found) == [
        "Docker itself counts 1,905 bytes for images: it has what containers wrote (5) and builds keep in it,"
        " and counts that once more."
    ]


def test_kept_results_take_what_no_other_image_has_and_free_what_nothing_else_uses() -> None:
    first, second, named = kept(1, "ab"), kept(2, "abc"), kept(3, "ae", "mine:1")
    found = disk_use(told(container(first)), (BASE, first, second, named), SIZES, {first.id: first})
    use = found.use_of(KEPT_RESULTS)
    assert (use.number, use.real_bytes, use.unused_bytes) == (3, 230, 30)


def test_an_image_made_from_a_kept_result_is_none() -> None:
    made = image("made", "ab", labels=kept(1, "ab").config.labels)
    assert counted(NOTHING, made).use_of(KEPT_RESULTS) == Use(KEPT_RESULTS, 0, 0)


def test_the_same_total_needs_no_words() -> None:
    assert differences(counted(told(layers_bytes=1200, shared={"one": 0}), ONE)) == []
    assert differences(counted(NOTHING)) == []


def test_other_numbers_of_the_engine_are_explained() -> None:
    assert "1,201 bytes" in differences(counted(told(layers_bytes=1201), ONE))[0]
    assert differences(counted(told(), ONE), is_podman=True) == ["Podman itself gives no total for images."]
    own_steps = counted(told(layers_bytes=1200, shared={"one": 1000}), ONE)
    assert differences(own_steps) == [
        "Docker itself counts the nameless steps of an image's own build as others that share it."
    ]
    parents = counted(told(layers_bytes=1200, shared={"base": 0, "one": 1000}), BASE, ONE)
    assert differences(parents, is_podman=True) == [
        "Podman itself calls shared only what an image has from the very image that it was made from."
    ]


@given(st.lists(st.text("abcd", max_size=5), max_size=10), st.sets(st.integers(0, 9)))
def test_parts_add_up(stacks: Sequence[str], used: set[int]) -> None:
    images = [image(f"i{number}", layers) for number, layers in enumerate(stacks)]
    engine = told(*(container(images[number]) for number in used if number < len(images)))
    sizes = sizes_of(images, a=1000, b=200, c=30, d=4)
    standing = {item.image_id: one for item in engine.containers for one in images if one.id == item.image_id}
    found = disk_use(engine, images, sizes, standing)
    use = found.use_of(IMAGES)
    assert use.shared_bytes is not None
    assert use.unused_bytes is not None
    assert use.real_bytes == use.shared_bytes + sum(share.own_bytes for share in found.images)
    assert 0 <= use.unused_bytes <= use.real_bytes <= sum(share.layers_bytes for share in found.images)
    assert use.real_bytes == sum(sizes.values())


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "docker-snap"
    for path, size in [("journals/c1/steps.jsonl", 10), ("sessions/c1/1.cast", 20), ("cache-secret", 32)]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(bytes(size))
    (folder / "sessions/c1/link").symlink_to("/etc/passwd")
    return folder


def test_files_of_snap_are_told_by_sort_and_links_are_not_followed(state: Path) -> None:
    link = len("/etc/passwd")
    assert list(files_here(state)) == [
        Use(FILES_HERE, 4, 62 + link),
        Use("journals", 1, 10, part_of=FILES_HERE),
        Use("recordings", 2, 20 + link, part_of=FILES_HERE),
        Use("other files", 1, 32, part_of=FILES_HERE),
    ]


def test_no_state_folder_is_no_use(tmp_path: Path) -> None:
    assert list(files_here(tmp_path / "none")) == []


def test_the_table_shows_parts_below_their_whole_and_the_sum_before_files_here() -> None:
    packed = image("packed", "ab", descriptor=Descriptor("", "sha256:00", 1))
    found = counted(told(container(packed, 5, "running"), layers_bytes=1905), packed)
    found = DiskUse((*found.uses, Use(FILES_HERE, 4, 62)), found.images, found.engine)
    assert shown._summary(found, verbose=False).splitlines() == [
        "                      COUNT    LISTED       REAL    SHARED    UNUSED",
        "images                    1   0 bytes     1.9 kB   0 bytes   0 bytes",
        "└ unpacked layers         2         -     1.2 kB         -         -",
        "└ packed layers           -         -  700 bytes         -         -",
        "containers                1         -    5 bytes         -   0 bytes",
        "volumes                   0         -    0 bytes         -   0 bytes",
        "in all                    -         -    1.91 kB         -         -",
        "files of snap here        4         -   62 bytes         -         -",
    ]


def test_names_cannot_do_anything_to_the_terminal() -> None:
    evil = image("evil", "a", tags=["\x1b[2Jevil:1"])
    found = counted(told(container(evil, name="\x1b]0;x\x07"), volumes=(VolumeUse("\u202e", 1, 0),)), evil)
    text = "".join(shown._lists(found))
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_json_has_all_of_it() -> None:
    found = counted(told(container(ONE), volumes=(VolumeUse("v", 1, None),)), BASE, ONE)
    document = json.loads(json.dumps(shown._document(found)))
    assert document["schema"] == "docker-snap.df/1"
    assert document["uses"][0] == {
        "what": "images",
        "number": 2,
        "real_bytes": 1200,
        "listed_bytes": 2200,
        "shared_bytes": 1000,
        "unused_bytes": 0,
        "part_of": None,
    }
    assert document["images"][0]["containers"] == ["box"]
    assert document["volumes"] == [{"name": "v", "size_bytes": 1, "users": None}]
    assert document["total_bytes"] == 1206
