"""The engine's answers as this project's types."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar

from snapshot.engine.refusals import gone
from snapshot.engine.times import whole_seconds
from snapshot.engine.types import (
    Change,
    ChangeKind,
    Config,
    Container,
    Descriptor,
    EngineVersion,
    Image,
    Mount,
    PathStat,
)

_T = TypeVar("_T")

#: What an engine says of a path stands in this header.
PATH_STAT_HEADER = "x-docker-container-path-stat"

_KINDS = {0: ChangeKind.CHANGED, 1: ChangeKind.ADDED, 2: ChangeKind.DELETED}


def _known(read: Callable[[Any], _T]) -> Callable[[Any], _T]:
    """A reading of an answer that says of one in another form that it is none of an engine's."""

    @wraps(read)
    def reading(answer: Any) -> _T:
        try:
            return read(answer)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            raise gone("its answer is of another form than an engine's") from error

    return reading


@_known
def read_items(answer: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The objects of a list, from any answer that is one."""
    if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
        raise TypeError("no list of objects")
    return answer


@_known
def read_version(answer: Mapping[str, Any]) -> EngineVersion:
    """What an engine is, from ``GET /version``."""
    components = {part.get("Name") for part in answer.get("Components") or ()}
    return EngineVersion(
        name="Podman" if "Podman Engine" in components else "Docker",
        version=str(answer.get("Version", "")),
        api_version=str(answer.get("ApiVersion", "")),
        os=str(answer.get("Os", "")),
        architecture=str(answer.get("Arch", "")),
    )


@_known
def read_image(answer: Mapping[str, Any]) -> Image:
    """An image, from ``GET /images/NAME/json``."""
    upper, lowers = _overlay_folders(answer)
    return Image(
        id=answer["Id"],
        tags=tuple(_familiar(name) for name in answer.get("RepoTags") or ()),
        repo_digests=tuple(_familiar(name) for name in answer.get("RepoDigests") or ()),
        created=answer.get("Created") or "",
        author=answer.get("Author") or "",
        comment=answer.get("Comment") or "",
        architecture=answer.get("Architecture") or "",
        os=answer.get("Os") or "",
        variant=answer.get("Variant") or "",
        size_bytes=answer.get("Size") or 0,
        layers=tuple((answer.get("RootFS") or {}).get("Layers") or ()),
        config=Config.from_api(answer.get("Config")),
        os_version=answer.get("OsVersion") or "",
        descriptor=_descriptor(answer.get("Descriptor")),
        upper_folder=upper,
        lower_folders=lowers,
    )


def _overlay_folders(answer: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Where an overlay driver keeps the upper and the lower folders, of an image or a container."""
    driver = answer.get("GraphDriver") or {}
    folders = driver.get("Data") or {} if driver.get("Name") in {"overlay", "overlay2"} else {}
    lowers = folders.get("LowerDir") or ""
    return folders.get("UpperDir") or "", tuple(lowers.split(":")) if lowers else ()


def _familiar(name: str) -> str:
    """An image's name as a person types it: Podman gives the registry of Docker Hub's along."""
    return name.removeprefix("docker.io/").removeprefix("library/") if name.startswith("docker.io/") else name


def _descriptor(answer: Mapping[str, Any] | None) -> Descriptor | None:
    if not answer:
        return None
    return Descriptor(answer.get("mediaType") or "", answer["digest"], answer.get("size") or 0)


@_known
def read_container(answer: Mapping[str, Any]) -> Container:
    """A container, from ``GET /containers/NAME/json``."""
    state = answer["State"]
    upper, lowers = _overlay_folders(answer)
    return Container(
        id=answer["Id"],
        name=answer["Name"].removeprefix("/"),
        image_id=answer["Image"],
        image_name=_familiar(answer["Config"].get("Image") or ""),
        state=state["Status"],
        exit_code=state.get("ExitCode") or 0,
        created=answer["Created"],
        config=Config.from_api(answer["Config"]),
        mounts=tuple(
            Mount(
                kind=mount.get("Type") or "",
                source=mount.get("Name") or mount.get("Source") or "",
                destination=mount["Destination"],
            )
            for mount in answer.get("Mounts") or ()
        )
        + tuple(
            # Those of --tmpfs stand apart from all other mounts.
            Mount(kind="tmpfs", source="", destination=path)
            for path in (answer.get("HostConfig") or {}).get("Tmpfs") or ()
        ),
        upper_folder=upper,
        lower_folders=lowers,
        tty=bool(answer["Config"].get("Tty")),
        stdin=bool(answer["Config"].get("OpenStdin")),
    )


@_known
def read_changes(answer: Sequence[Mapping[str, Any]] | None) -> list[Change]:
    """What a container changed, from ``GET /containers/NAME/changes``; an unchanged one has ``null``."""
    return [Change(_KINDS[item["Kind"]], item["Path"]) for item in answer or ()]


def read_path_stat(header: str) -> PathStat:
    """What stands at a path, from :data:`PATH_STAT_HEADER` of ``/containers/NAME/archive``."""
    # Docker writes the alphabet with + and /, Podman the one for URLs.
    value: Any = json.loads(base64.b64decode(header.replace("-", "+").replace("_", "/")))
    return PathStat(
        size_bytes=int(value["size"]),
        go_mode=int(value["mode"]),
        link_target=value.get("linkTarget") or "",
        mtime_s=whole_seconds(value.get("mtime") or "") or 0,
    )
