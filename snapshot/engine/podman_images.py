"""Images on Podman, whose answer about one leaves out parts of its config (4.3, ``ImageDataToImageInspect``).

Healthcheck, ONBUILD triggers, SHELL and the platform's variant are not told, and the version of the program
that made the image is given for the operating system's. They stand in the config blob, of which
the image's ID is the digest.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

from snapshot.engine.types import Config, ContainerSpec, Image
from snapshot.engine.wire import Wire, of_image
from snapshot.errors import EngineError

#: containers/image refuses larger ones (``types.MaxConfigBodySize`` is 4 MiB).
_MOST_CONFIG_BYTES = 4 << 20
_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class PodmanImages:
    """Completes what Podman says of images; each is looked at once."""

    def __init__(self, wire: Wire, *, is_local: bool) -> None:
        self._wire = wire
        self._is_local = is_local
        self._configs: dict[str, Mapping[str, Any] | None] = {}

    def completed(self, image: Image, answer: Mapping[str, Any]) -> Image:
        """The image with all that its config blob says; ``answer`` is what the image was read from."""
        if image.id not in self._configs:
            self._configs[image.id] = self._config(image.id, answer)
        blob = self._configs[image.id]
        if blob is None:
            # An image in OCI's form: Podman itself knows no more of it.
            return replace(image, os_version="")
        return replace(
            image,
            variant=blob.get("variant") or "",
            os_version=blob.get("os.version") or "",
            # Of an image in OCI's form Podman gives the comment on its base.
            comment=blob.get("comment") or image.comment,
            config=Config.from_api(blob.get("config")),
        )

    def _config(self, image_id: str, answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
        content = _from_store(image_id, answer) if self._is_local else b""
        if not content and self._manifest_type(image_id) == _DOCKER_MANIFEST:
            content = self._from_archive(image_id)
        return cast("Mapping[str, Any]", json.loads(content)) if content else None

    def _manifest_type(self, image_id: str) -> str:
        answer = self._wire.ask("GET", f"/v4.0.0/libpod{of_image(image_id)}/json", subject=image_id)
        return str(answer.json().get("ManifestType") or "")

    def _from_archive(self, image_id: str) -> bytes:
        with self._wire.download("GET", f"{of_image(image_id)}/get", subject=image_id) as stream:
            return _found_in(cast("IO[bytes]", stream), f"{_hex(image_id)}.json")


def _from_store(image_id: str, answer: Mapping[str, Any]) -> bytes:
    """The blob from the engine's own folder, if that is here: a file that its name is the digest of."""
    driver = answer.get("GraphDriver") or {}
    # ROOT/overlay/LAYER/diff
    layer = Path((driver.get("Data") or {}).get("UpperDir") or "/")
    # containers/storage, ``makeBigDataBaseName``
    name = "=" + base64.b64encode(image_id.encode()).decode()
    try:
        folder = layer.parents[2] / f"{driver.get('Name')}-images" / _hex(image_id)
        content = (folder / name).read_bytes()
    except (IndexError, OSError, ValueError):
        return b""
    return content if hashlib.sha256(content).hexdigest() == _hex(image_id) else b""


def refuse_other_platform(image: Image, spec: ContainerSpec) -> None:
    """Raise, in Docker's words, for an image of another platform than asked for: Podman takes any."""
    actual = [image.os, image.architecture, image.variant]
    wanted = spec.platform.split("/")
    if any(want and want != have for want, have in zip(wanted, actual, strict=False)):
        raise EngineError(
            f"The engine refused: image with reference {spec.image} was found but does not match the"
            f" specified platform: wanted {spec.platform}, actual: {'/'.join(filter(None, actual))}"
        )


def _found_in(stream: IO[bytes], name: str) -> bytes:
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for info in tar:
                if info.name == name and (content := tar.extractfile(info)):
                    return content.read(_MOST_CONFIG_BYTES)
    except tarfile.TarError:
        pass
    return b""


def _hex(image_id: str) -> str:
    return image_id.removeprefix("sha256:")
