"""Layers as tars, written out by hand, and images made of them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field

import docker
from doctor import SavedImage, put_together

CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


@dataclass(frozen=True)
class Entry:
    """A member of a layer; ``text`` is a file's content or where a link leads."""

    name: str
    kind: bytes = tarfile.REGTYPE
    text: str = ""
    mode: int = 0o644
    owner: tuple[int, int] = (0, 0)
    device: tuple[int, int] = (0, 0)
    records: dict[str, str] = field(default_factory=dict)
    mtime_s: int = 1_500_000_000


def folder(name: str, mode: int = 0o755, owner: tuple[int, int] = (0, 0)) -> Entry:
    return Entry(name, tarfile.DIRTYPE, mode=mode, owner=owner)


def symlink(name: str, target: str) -> Entry:
    return Entry(name, tarfile.SYMTYPE, target, 0o777)


def hard_link(name: str, target: str) -> Entry:
    return Entry(name, tarfile.LNKTYPE, target)


def capable(name: str, text: str) -> Entry:
    records = {"SCHILY.xattr.security.capability": CAPABILITY.decode("latin-1")}
    return Entry(name, text=text, mode=0o755, records=records)


def layer(*entries: Entry) -> bytes:
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape"
    ) as tar:
        for entry in entries:
            info = tarfile.TarInfo(entry.name)
            info.type, info.mode, info.mtime = entry.kind, entry.mode, entry.mtime_s
            info.uid, info.gid = entry.owner
            info.devmajor, info.devminor = entry.device
            info.pax_headers = entry.records
            content = entry.text.encode() if info.isreg() else b""
            info.size, info.linkname = len(content), "" if info.isreg() else entry.text
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def load(client: docker.APIClient, name: str, layers: Sequence[bytes]) -> None:
    """An image of these layers, the base's first."""
    version = client.version()
    config = {"architecture": version["Arch"], "os": "linux", "config": {"Cmd": ["none"]}, "history": []}
    put_together(client, SavedImage(config, list(layers)), name)
