"""The file trees of containers, from the engine's export: an oracle that shares no code with snap."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import docker

#: What an engine binds over or makes in every container.
ENGINE_PATHS = (
    "dev", "proc", "sys", ".dockerenv", "etc/hosts", "etc/hostname", "etc/resolv.conf",
    "etc/mtab", "run/.containerenv", "run/secrets",
)  # fmt: skip


@dataclass(frozen=True)
class Node:
    """What stands at a path; ``names`` are all names of the same file, ``capability`` is in hex digits."""

    type: bytes
    mode: int
    owner: tuple[int, int]
    size: int
    mtime: int
    sha256: str
    link: str
    device: tuple[int, int]
    names: tuple[str, ...]
    capability: str = ""


#: As engines spell it in archives; the values of PAX records are text to tarfile.
_CAPABILITY = "SCHILY.xattr.security.capability"


def tree_of(client: docker.APIClient, container: str) -> dict[str, Node]:
    """Each path of a container with what stands there, the engine's own left out."""
    stream = io.BytesIO(b"".join(client.export(container)))
    with tarfile.open(fileobj=stream, encoding="utf-8", errors="surrogateescape") as tar:
        members = {info.name.strip("/"): info for info in tar}
        first = {path: info.linkname.strip("/") if info.islnk() else path for path, info in members.items()}
        names = defaultdict(list)
        for path, original in sorted(first.items()):
            names[original].append(path)
        if not any(path.startswith("run/") and path not in ENGINE_PATHS for path in members):
            # Podman makes it for its own.
            first.pop("run", None)
        return {
            path: _node(tar, members[original], tuple(names[original]))
            for path, original in first.items()
            if not path.startswith(tuple(f"{own}/" for own in ENGINE_PATHS)) and path not in ENGINE_PATHS
        }


@contextmanager
def never_started(client: docker.APIClient, image: str, name: str) -> Iterator[str]:
    """A container of an image that is made to be looked into."""
    client.create_container(image, ["none"], name=name)
    try:
        yield name
    finally:
        client.remove_container(name, v=True)


def _node(tar: tarfile.TarFile, info: tarfile.TarInfo, names: tuple[str, ...]) -> Node:
    file = tar.extractfile(info) if info.isreg() else None
    return Node(
        type=tarfile.REGTYPE if info.isreg() else info.type,
        # Some engines write the type's bits beside it.
        mode=info.mode & 0o7777,
        owner=(info.uid, info.gid),
        size=info.size,
        # Links and folders are touched when a layer is laid over another; files keep their times.
        mtime=int(info.mtime) if info.isreg() else 0,
        sha256=hashlib.sha256(file.read()).hexdigest() if file else "",
        link=info.linkname if info.issym() else "",
        device=(info.devmajor, info.devminor) if info.isdev() else (0, 0),
        names=names,
        capability=info.pax_headers.get(_CAPABILITY, "").encode("utf-8", "surrogateescape").hex(),
    )
