"""What an engine says of the space that it uses: its answer to ``GET /system/df``.

Docker up to 28 (API 1.51) lists images, containers, volumes and build cache side by side; from API 1.52 on
each stands in an object of its own beside its total (moby, ``api/types/system/disk_usage.go``). Podman speaks
the older form, without a total of the layers (4.3, ``compat/system.go``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from snapshot.engine.answers import read_items
from snapshot.engine.refusals import gone


class ListedImage(NamedTuple):
    """An image as the engine counts it.

    ``size_bytes`` is what ``docker image ls`` shows; ``shared_bytes`` what of its layers the engine finds in
    another image too, ``None`` where it does not say.
    """

    id: str
    size_bytes: int
    shared_bytes: int | None


class ContainerUse(NamedTuple):
    """A container, running or not; ``written_bytes`` is what its own layer takes.

    ``image_id`` is the image that it was made from, which may have been removed since. ``image_name`` is what
    that was called then, or its ID.
    """

    id: str
    name: str
    image_id: str
    image_name: str
    state: str
    written_bytes: int

    @property
    def is_up(self) -> bool:
        """Whether its processes are there: running, paused, or being restarted."""
        return self.state in {"running", "paused", "restarting"}


class VolumeUse(NamedTuple):
    """A volume; its bytes and the number of containers that use it, ``None`` where the engine has none."""

    name: str
    size_bytes: int | None
    users: int | None


class BuildCacheUse(NamedTuple):
    """A kept result of the engine's own builds; one that ``is_shared`` takes no space of its own."""

    id: str
    size_bytes: int
    in_use: bool
    is_shared: bool


class EngineDiskUse(NamedTuple):
    """All that an engine says of its space.

    ``layers_bytes`` is its total for images, ``None`` where it has none (Podman 4.3).
    """

    layers_bytes: int | None
    images: tuple[ListedImage, ...]
    containers: tuple[ContainerUse, ...]
    volumes: tuple[VolumeUse, ...]
    build_cache: tuple[BuildCacheUse, ...]


def read_disk_use(answer: Any) -> EngineDiskUse:
    """What an engine answers, in either form.

    Raises :class:`~snapshot.errors.EngineGone` for an answer that is none of an engine's.
    """
    try:
        images = answer.get("ImageUsage")
        total = images.get("TotalSize", 0) if images else answer.get("LayersSize")
        return EngineDiskUse(
            # Podman says 0 whatever there is.
            layers_bytes=int(total) if total else None,
            images=tuple(
                # Podman has a line for each name of an image.
                {item["Id"]: _image(item) for item in _items(answer, "Image", "Images")}.values()
            ),
            containers=tuple(_container(item) for item in _items(answer, "Container", "Containers")),
            volumes=tuple(_volume(item) for item in _items(answer, "Volume", "Volumes")),
            build_cache=tuple(_build_cache(item) for item in _items(answer, "BuildCache", "BuildCache")),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise gone("its answer is of another form than an engine's") from error


def _items(answer: Mapping[str, Any], kind: str, older_name: str) -> list[dict[str, Any]]:
    newer = answer.get(f"{kind}Usage")
    return read_items((newer.get("Items") if newer else answer.get(older_name)) or [])


def _image(item: Mapping[str, Any]) -> ListedImage:
    shared = item.get("SharedSize", -1)
    return ListedImage(_whole_id(item["Id"]), int(item["Size"]), int(shared) if shared >= 0 else None)


def _container(item: Mapping[str, Any]) -> ContainerUse:
    return ContainerUse(
        id=item["Id"],
        name=str((item.get("Names") or [item["Id"]])[0]).removeprefix("/"),
        image_id=_whole_id(item.get("ImageID") or ""),
        image_name=item.get("Image") or "",
        state=item.get("State") or "",
        written_bytes=max(int(item.get("SizeRw") or 0), 0),
    )


def _volume(item: Mapping[str, Any]) -> VolumeUse:
    usage = item.get("UsageData") or {}
    size, users = usage.get("Size", -1), usage.get("RefCount", -1)
    return VolumeUse(item["Name"], int(size) if size >= 0 else None, int(users) if users >= 0 else None)


def _build_cache(item: Mapping[str, Any]) -> BuildCacheUse:
    return BuildCacheUse(
        str(item.get("ID", "")), int(item.get("Size") or 0), bool(item.get("InUse")), bool(item.get("Shared"))
    )


def _whole_id(identifier: str) -> str:
    """An ID with its algorithm, which Podman leaves out in places."""
    return f"sha256:{identifier.removeprefix('sha256:')}" if identifier else ""
