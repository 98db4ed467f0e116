"""Which image in an archive is meant, and what its documents say: an OCI image layout, or Docker's own form.

All of it is a stranger's: each document is held against its digest, and read within bounds.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from snapshot.engine.types import Config, Image
from snapshot.errors import InvalidInput
from snapshot.image.reference import Reference, is_digest
from snapshot.workflow.compared.blobs import Blobs, Unreadable, document

_REF_NAME = "org.opencontainers.image.ref.name"
_CONTAINERD_NAME = "io.containerd.image.name"
_MOST_NESTED = 3
#: Classic stores take 125 layers, the others few more (Linux, overlayfs: 500 lower folders).
_MOST_LAYERS = 1000
#: Go's words for what Python calls otherwise.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_AT_INDEX = re.compile("@([0-9]{1,5})")


class FoundImage(NamedTuple):
    """An image of an archive, and the names of its layers' files, base first."""

    image: Image
    layer_files: tuple[str, ...]


def image_of_layout(blobs: Blobs, tag: str) -> FoundImage:
    """The image of an OCI image layout that has that tag, or the only one.

    Raises :class:`Unreadable`, and :class:`~snapshot.errors.InvalidInput` where it has no such image or
    several.
    """
    index = _json(document(blobs, "index.json"), "index.json")
    found = _objects(index.get("manifests"), "index.json")
    if tag:
        found = [entry for entry in found if tag in _names(entry)]
    manifest = _chosen(found, [name for entry in found for name in _names(entry)][:20], tag)
    value = _json(_blob(blobs, manifest), "manifest")
    for _ in range(_MOST_NESTED):
        if "manifests" not in value:
            break
        value = _json(_blob(blobs, _for_this_machine(_objects(value["manifests"], "index"))), "manifest")
    config = _blob(blobs, _object(value.get("config"), "manifest"))
    layers = [_path_of(layer) for layer in _objects(value.get("layers"), "manifest")]
    return _found(config, layers, ())


def image_of_docker_archive(blobs: Blobs, name: str) -> FoundImage:
    """The image of a ``docker save`` that has that name, or ``@NUMBER``, or the only one.

    Raises as :func:`image_of_layout` does.
    """
    images = _objects(_any_json(document(blobs, "manifest.json"), "manifest.json"), "manifest.json")
    names = [_texts(entry.get("RepoTags"), "RepoTags") for entry in images]
    if at := _AT_INDEX.fullmatch(name):
        images = images[int(at[1]) : int(at[1]) + 1]
    elif name:
        familiar = Reference.parse(name).familiar
        # Podman gives that registry to what has none.
        wanted = {familiar, f"localhost/{familiar}"}
        images = [
            entry
            for entry, tags in zip(images, names, strict=True)
            if not wanted.isdisjoint(map(_familiar, tags))
        ]
    chosen = _chosen(images, [tag for tags in names for tag in tags][:20], name)
    config_name = chosen.get("Config")
    if not isinstance(config_name, str):
        raise Unreadable("its manifest.json names no config")
    tags = tuple(map(_familiar, _texts(chosen.get("RepoTags"), "RepoTags")))
    return _found(document(blobs, config_name), _texts(chosen.get("Layers"), "Layers"), tags)


def _found(content: bytes, layer_files: Sequence[str], tags: tuple[str, ...]) -> FoundImage:
    value = _json(content, "config")
    rootfs = _object(value.get("rootfs"), "config")
    diff_ids = _texts(rootfs.get("diff_ids"), "diff_ids")
    if not all(map(is_digest, diff_ids)):
        raise Unreadable("its config names layers by something else than sha256 digests")
    if len(diff_ids) > _MOST_LAYERS:
        raise Unreadable(f"it has more than {_MOST_LAYERS:,} layers")
    if len(diff_ids) != len(layer_files):
        raise Unreadable(f"its config has {len(diff_ids)} layers, and its manifest {len(layer_files)}")
    image = Image(
        id=f"sha256:{hashlib.sha256(content).hexdigest()}",
        tags=tags,
        repo_digests=(),
        created=_text(value, "created"),
        author=_text(value, "author"),
        comment=_text(value, "comment"),
        architecture=_text(value, "architecture"),
        os=_text(value, "os"),
        variant=_text(value, "variant"),
        size_bytes=0,
        layers=tuple(diff_ids),
        config=_config(value.get("config")),
    )
    return FoundImage(image, tuple(layer_files))


def _config(value: object) -> Config:
    config = _object({} if value is None else value, "config")
    try:
        for key in ("Env", "Cmd", "Entrypoint", "OnBuild", "Shell"):
            _texts(config.get(key), key)
        for key in ("WorkingDir", "User", "StopSignal"):
            _texts([config.get(key) or ""], key)
        _texts(list(_object(config.get("Labels") or {}, "Labels").values()), "Labels")
        return Config.from_api(config)
    except (TypeError, ValueError, AttributeError) as error:
        raise Unreadable(f"its config is damaged ({error})") from error


def _chosen(found: Sequence[Mapping[str, Any]], names: Iterable[str], asked: str) -> Mapping[str, Any]:
    if len(found) == 1:
        return found[0]
    listed = ", ".join(sorted(set(names))) or "none with a name"
    if not found:
        what = f"has no image '{asked}'" if asked else "has no image"
        raise InvalidInput(f"The archive {what}.", f"It has {listed}." if asked else None)
    raise InvalidInput(
        f"The archive has {len(found)} images to choose from.", f"Name one of these: {listed}."
    )


def _for_this_machine(found: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The manifest of an index that is for a machine such as this one."""
    machine = _ARCHITECTURES.get(platform.machine(), platform.machine())
    platforms = [_object(entry.get("platform") or {}, "index") for entry in found]
    # What says "unknown" is about an image, and none itself (BuildKit's attestations).
    images = [(entry, its) for entry, its in zip(found, platforms, strict=True) if its.get("os") != "unknown"]
    fitting = [entry for entry, its in images if its.get("architecture") == machine]
    if len(images) == 1 or fitting:
        return fitting[0] if fitting else images[0][0]
    raise Unreadable(f"it has no image for {machine}")


def _names(entry: Mapping[str, Any]) -> list[str]:
    annotations = entry.get("annotations")
    if not isinstance(annotations, dict):
        return []
    names = (annotations.get(key) for key in (_REF_NAME, _CONTAINERD_NAME))
    return [name for name in names if isinstance(name, str)]


def _familiar(name: str) -> str:
    try:
        return Reference.parse(name).familiar
    except InvalidInput:
        return name


def _path_of(descriptor: Mapping[str, Any]) -> str:
    digest = descriptor.get("digest")
    if not (isinstance(digest, str) and is_digest(digest)):
        raise Unreadable("a descriptor of it has no sha256 digest")
    return f"blobs/sha256/{digest.partition(':')[2]}"


def _blob(blobs: Blobs, descriptor: Mapping[str, Any]) -> bytes:
    path = _path_of(descriptor)
    content = document(blobs, path)
    if hashlib.sha256(content).hexdigest() != path.rpartition("/")[2]:
        raise Unreadable(f"its '{path}' is another one than its name says")
    return content


def _any_json(content: bytes, what: str) -> Any:
    """A document as JSON; raises :class:`Unreadable`."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"its {what} is no JSON that can be read ({error})") from error


def _json(content: bytes, what: str) -> dict[str, Any]:
    return _object(_any_json(content, what), what)


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"its {what} has another form than an image's")
    return value


def _objects(value: object, what: str) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise Unreadable(f"its {what} has another form than an image's")
    return [_object(item, what) for item in value]


def _text(value: Mapping[str, Any], key: str) -> str:
    text = value.get(key)
    return text if isinstance(text, str) else ""


def _texts(value: object, what: str) -> list[str]:
    if value is None:
        return []
    if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        raise Unreadable(f"its {what} have another form than an image's")
    return value
