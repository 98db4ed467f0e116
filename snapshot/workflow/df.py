"""``snap df``: what images, containers and snap itself take, and what images share."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from snapshot.engine.client import Engine
from snapshot.engine.disk_use import ContainerUse, EngineDiskUse
from snapshot.engine.types import Image
from snapshot.errors import ImageNotFound
from snapshot.image.record import chain_ids
from snapshot.workflow.cache import is_kept_result
from snapshot.workflow.layer_sizes import layer_sizes
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.state import state_folder

IMAGES, FILES_HERE = "images", "files of snap here"
UNPACKED, PACKED, KEPT_RESULTS = "unpacked layers", "packed layers", "kept results"
#: What the folders in the state folder hold.
_STATE_FOLDERS = {
    "journals": "journals",
    "sessions": "recordings",
    "manifests": "lists of files",
    "descriptors": "names of packed layers",
}
_OTHER_FILES = "other files"


class Use(NamedTuple):
    """What things of one sort take.

    Attributes
    ----------
    what:
        The sort, such as :data:`IMAGES` or ``containers``.
    number:
        How many there are; ``None`` where that cannot be said.
    real_bytes:
        What is there: a layer counts once, however many images stand on it.
    listed_bytes:
        What ``docker image ls`` adds up to, as if each image had all of its layers for itself.
    shared_bytes:
        Layers that two images or more have.
    unused_bytes:
        What goes with all images that no container was made from, containers that are not up, volumes without
        a container, and builds that are done.
    part_of:
        The sort that this is a part of, and counted with; empty for the others.
    """

    what: str
    number: int | None
    real_bytes: int
    listed_bytes: int | None = None
    shared_bytes: int | None = None
    unused_bytes: int | None = None
    part_of: str = ""


class Share(NamedTuple):
    """An image, and what of it is its own.

    Attributes
    ----------
    listed_bytes:
        What ``docker image ls`` shows.
    layers_bytes:
        All its layers, as they are unpacked.
    shared_bytes:
        Those of them that another image has too.
    containers:
        Names of the containers that were made from it, running or not.
    is_kept_result:
        Whether snap keeps it as the result of steps (``snap cache``); it may have other names besides.
    """

    image: Image
    listed_bytes: int
    layers_bytes: int
    shared_bytes: int
    containers: tuple[str, ...]
    is_kept_result: bool

    @property
    def own_bytes(self) -> int:
        """What no other image has: what goes if it goes."""
        return self.layers_bytes - self.shared_bytes


@dataclass(frozen=True)
class DiskUse:
    """Where the space of an engine goes.

    Attributes
    ----------
    uses:
        Images, containers, volumes, builds, and snap's own files on this machine; parts follow their whole.
    images:
        All images, the largest first.
    engine:
        What the engine itself says.
    orphans:
        Names of containers whose image was removed: nobody counts the layers that they stand on.
    differences:
        Why the engine itself comes to other numbers for images, a sentence each; none where it does not.
    """

    uses: tuple[Use, ...]
    images: tuple[Share, ...]
    engine: EngineDiskUse
    orphans: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()

    @property
    def total_bytes(self) -> int:
        """All that is on the engine."""
        return sum(use.real_bytes for use in self.uses if not use.part_of and use.what != FILES_HERE)

    def use_of(self, what: str) -> Use:
        """What things of that sort take; nothing for one that is not there."""
        return next((use for use in self.uses if use.what == what), Use(what, 0, 0))


def df(engine: Engine, *, progress: Progress = SILENT) -> DiskUse:
    """Where the space of an engine goes; no content of a layer is read.

    The engine looks at all files of containers and volumes for its part of the answer.
    """
    progress.stage("asking the engine what it uses")
    told = engine.disk_use()
    images = engine.images()
    sizes = layer_sizes(engine, images, progress=progress)
    standing = _images_of_containers(engine, images, told.containers)
    found = disk_use(told, images, sizes, standing)
    unread = sorted(engine.listed_sizes().keys() - {image.id for image in images})
    return replace(
        found,
        uses=(*found.uses, *files_here(state_folder())),
        differences=(
            *(
                f"{image[:19]} is not counted: the engine does not tell what it is."
                for image in sorted(unread)
            ),
            *_differences(found, is_podman=engine.is_podman),
        ),
    )


def disk_use(
    told: EngineDiskUse,
    images: Sequence[Image],
    sizes: Mapping[str, int],
    standing: Mapping[str, Image],
) -> DiskUse:
    """What is on an engine, counted.

    Parameters
    ----------
    sizes:
        Bytes of each layer by its chain ID.
    standing:
        The images that containers stand on, by ID.
    """
    counted = _Layers(images, sizes)
    shares = _shares(images, counted, told)
    layers_bytes = counted.bytes_of(counted.users)
    beside = tuple(_beside_images(told))
    packed_bytes = 0
    if any(image.descriptor for image in images):
        # The containerd store's total has all that it keeps in it.
        packed_bytes = (told.layers_bytes or 0) - layers_bytes - sum(use.real_bytes for use in beside[:-1])
    whole = Use(
        IMAGES,
        len(images),
        layers_bytes + max(packed_bytes, 0),
        listed_bytes=sum(share.listed_bytes for share in shares),
        shared_bytes=counted.bytes_of(chain for chain, users in counted.users.items() if users > 1),
        unused_bytes=counted.bytes_beyond(standing.values()),
    )
    parts = []
    if packed_bytes > 0:
        parts.append(Use(UNPACKED, len(counted.users), layers_bytes, part_of=IMAGES))
        parts.append(Use(PACKED, None, packed_bytes, part_of=IMAGES))
    if kept := [share for share in shares if share.is_kept_result]:
        parts.append(_kept_results(kept, shares, counted))
    orphans = tuple(item.name for item in told.containers if item.image_id not in standing)
    return DiskUse((whole, *parts, *beside), shares, told, orphans)


class _Layers:
    """The layers of images: how many images have each, by chain ID."""

    def __init__(self, images: Iterable[Image], sizes: Mapping[str, int]) -> None:
        self.users = _users(images)
        self._sizes = sizes

    def bytes_of(self, chains: Iterable[str]) -> int:
        return sum(self._sizes.get(chain, 0) for chain in chains)

    def bytes_beyond(self, images: Iterable[Image]) -> int:
        """What the layers take that none of these images has."""
        return self.bytes_of(self.users.keys() - _users(images))


def _users(images: Iterable[Image]) -> Counter[str]:
    return Counter(chain for image in images for chain in chain_ids(image.layers))


def _shares(images: Iterable[Image], counted: _Layers, told: EngineDiskUse) -> tuple[Share, ...]:
    listed = {item.id: item.size_bytes for item in told.images}
    containers: dict[str, tuple[str, ...]] = {}
    for item in told.containers:
        containers[item.image_id] = (*containers.get(item.image_id, ()), item.name)
    shares = []
    for image in images:
        chains = chain_ids(image.layers)
        shares.append(
            Share(
                image,
                listed.get(image.id, image.size_bytes),
                counted.bytes_of(chains),
                counted.bytes_of(chain for chain in chains if counted.users[chain] > 1),
                containers.get(image.id, ()),
                is_kept_result(image),
            )
        )
    return tuple(sorted(shares, key=lambda share: (-share.listed_bytes, share.image.tags, share.image.id)))


def _kept_results(kept: Sequence[Share], shares: Iterable[Share], counted: _Layers) -> Use:
    """What kept results alone have, and what clearing them away would free."""
    others = [share.image for share in shares if not share.is_kept_result]
    staying = [share.image for share in kept if share.containers or len(share.image.tags) > 1]
    return Use(
        KEPT_RESULTS,
        len(kept),
        counted.bytes_beyond(others),
        listed_bytes=sum(share.listed_bytes for share in kept),
        unused_bytes=counted.bytes_beyond([*others, *staying]),
        part_of=IMAGES,
    )


def _beside_images(told: EngineDiskUse) -> Iterator[Use]:
    """Volumes last; the others are what the containerd store counts with images as well."""
    yield _counted("containers", [(item.written_bytes, not item.is_up) for item in told.containers])
    if told.build_cache:
        own = [(item.size_bytes, not item.in_use) for item in told.build_cache if not item.is_shared]
        yield _counted("build cache", own)
    yield _counted("volumes", [(item.size_bytes or 0, item.users == 0) for item in told.volumes])


def _counted(what: str, items: Sequence[tuple[int, bool]]) -> Use:
    real, unused = sum(size for size, _ in items), sum(size for size, is_unused in items if is_unused)
    return Use(what, len(items), real, unused_bytes=unused)


def files_here(folder: Path) -> Iterator[Use]:
    """What stands in snap's state folder, and the sorts of it; nothing where nothing does."""
    found: dict[str, list[int]] = {}
    for above, _, names in os.walk(folder):
        first = "".join(Path(above).relative_to(folder).parts[:1])
        for name in names:
            # Another snap may remove it meanwhile.
            with suppress(OSError):
                size_bytes = Path(above, name).lstat().st_size
                found.setdefault(_STATE_FOLDERS.get(first, _OTHER_FILES), []).append(size_bytes)
    if found:
        every = [size for sizes in found.values() for size in sizes]
        yield Use(FILES_HERE, len(every), sum(every))
        for what in (*_STATE_FOLDERS.values(), _OTHER_FILES):
            if what in found:
                yield Use(what, len(found[what]), sum(found[what]), part_of=FILES_HERE)


def _images_of_containers(
    engine: Engine, images: Iterable[Image], containers: Iterable[ContainerUse]
) -> dict[str, Image]:
    """The images that containers stand on, by ID: those that no list shows too, and none that was removed."""
    here = {image.id: image for image in images}
    found = {}
    for image_id in {container.image_id for container in containers}:
        with suppress(ImageNotFound):
            found[image_id] = here.get(image_id) or engine.image(image_id)
    return found


def _differences(found: DiskUse, *, is_podman: bool) -> Iterator[str]:
    total, ours = found.engine.layers_bytes, found.use_of(IMAGES).real_bytes
    name = "Podman" if is_podman else "Docker"
    if total is None and ours:
        yield f"{name} itself gives no total for images."
    elif total is not None and total != ours:
        yield f"{name} itself counts {total:,} bytes for images: {_why_another_total(found, is_podman)}."
    listed = {item.id: item.shared_bytes for item in found.engine.images}
    pairs = [(listed.get(share.image.id), share.shared_bytes) for share in found.images]
    if is_podman and any(theirs is not None and theirs != own for theirs, own in pairs):
        yield "Podman itself calls shared only what an image has from the very image that it was made from."
    elif all(theirs is None or theirs <= own for theirs, own in pairs):
        return
    elif any(share.image.descriptor for share in found.images):
        yield "Docker itself counts other bytes as shared: histories do not tell the sizes of all layers."
    else:
        yield "Docker itself counts the nameless steps of an image's own build as others that share it."


def _why_another_total(found: DiskUse, is_podman: bool) -> str:
    if found.use_of(PACKED).real_bytes:
        written = found.use_of("containers").real_bytes
        return f"it has what containers wrote ({written:,}) and builds keep in it, and counts that once more"
    if is_podman:
        return "it has the layers of containers in it"
    return "images came or went meanwhile, or their histories do not tell which layer has which size"
