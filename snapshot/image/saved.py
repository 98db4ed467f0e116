"""The layers and the config in the archive that an engine saves of an image."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any, cast

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_MOST_MANIFEST_BYTES = 4 << 20
# Configs and manifests; a stranger's archive may hold any number of others.
_MOST_DOCUMENT_BYTES = 4 << 20
# Docker 20.10 writes two for each of up to 125 layers.
_MOST_DOCUMENTS = 300
_PIECE_BYTES = 1 << 20
#: What reading a damaged archive raises, wherever in it that happens.
_DAMAGE = (tarfile.TarError, OSError, EOFError, ValueError, zlib.error, RecursionError)


class SavedImageUnreadable(ValueError):
    """The archive is damaged, or compressed in a way that cannot be read here."""


class SavedLayer:
    """One layer as it comes along in the archive: an uncompressed tar, to be read once, forwards.

    Attributes
    ----------
    name:
        Of its file in the archive; what :func:`layer_order` gives.
    """

    def __init__(self, name: str, content: IO[bytes]) -> None:
        self.name = name
        self._content = content
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes of the tar."""
        try:
            data = self._content.read(size)
        except _DAMAGE as error:
            raise _unreadable(error) from error
        self._digest.update(data)
        return data

    def diff_id(self) -> str:
        """``sha256:…`` of the tar; what was not read yet is read for it."""
        while self.read(_PIECE_BYTES):
            pass
        return f"sha256:{self._digest.hexdigest()}"


class SavedImage:
    """The archive of ``docker save`` (``GET /images/NAME/get``), read once, forwards.

    Layers are given as they come, in no order; :meth:`layer_order` tells it afterwards, and :meth:`config`
    the config. Docker 20.10 writes ``ID/layer.tar``, newer ones and the containerd store
    ``blobs/sha256/DIGEST``, Podman ``DIGEST.tar``.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._manifest: Any = None
        self._same_as: dict[str, str] = {}
        self._documents: dict[str, bytes] = {}

    def layers(self, passing_over: Iterable[str] = ()) -> Iterator[SavedLayer]:
        """The layers; each is to be read before the next one is asked for.

        ``passing_over`` are diff IDs of layers that are not wanted. Some are given all the same: newer
        engines alone name a layer by its digest.
        """
        unwanted = {diff_id.partition(":")[2] for diff_id in passing_over}
        try:
            with tarfile.open(fileobj=self._stream, mode="r|") as tar:
                for info in tar:
                    if info.issym() or info.islnk():
                        self._same_as[info.name] = _target(info)
                    content = tar.extractfile(info) if info.isfile() else None
                    if content is None:
                        continue
                    if info.name == "manifest.json":
                        self._manifest = json.loads(content.read(_MOST_MANIFEST_BYTES))
                        continue
                    if any(digest in info.name for digest in unwanted):
                        continue
                    head = content.read(tarfile.BLOCKSIZE)
                    if layer := _uncompressed(head, content):
                        yield SavedLayer(info.name, layer)
                    elif info.size <= _MOST_DOCUMENT_BYTES and len(self._documents) < _MOST_DOCUMENTS:
                        self._documents[info.name] = head + content.read()
        except _DAMAGE as error:
            raise _unreadable(error) from error

    def layer_order(self) -> list[str]:
        """The names of the layers, base first; known when all of them have been given."""
        try:
            names = [str(name) for name in self._manifest[0]["Layers"]]
        except (TypeError, KeyError, IndexError) as error:
            raise SavedImageUnreadable("the saved image has no manifest.json") from error
        return [self._same_as.get(name, name) for name in names]

    def config(self) -> bytes:
        """The config as it is stored; known when all layers have been given."""
        try:
            return self._documents[self._manifest[0]["Config"]]
        except (TypeError, KeyError, IndexError) as error:
            raise SavedImageUnreadable("the saved image has no config") from error


def _unreadable(error: Exception) -> SavedImageUnreadable:
    return SavedImageUnreadable(f"the saved image cannot be read ({error})")


def _target(info: tarfile.TarInfo) -> str:
    if info.islnk():
        return info.linkname
    # Docker 20.10: "../ID/layer.tar" for a layer that is there already.
    return info.linkname.removeprefix("../")


def _uncompressed(head: bytes, content: IO[bytes]) -> IO[bytes] | None:
    """The tar in a blob that begins with ``head``; ``None`` for a blob that is a document."""
    begun = cast("IO[bytes]", _Begun(head, content))
    if head.startswith(_ZSTD):
        raise SavedImageUnreadable("a layer is compressed with zstd, which cannot be read here")
    if head.startswith(_GZIP):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=begun))
    # A layer without anything in it is zeros alone.
    is_tar = head[257:262] == b"ustar" or head == bytes(tarfile.BLOCKSIZE)
    return begun if is_tar else None


class _Begun:
    """A stream of which the first bytes were read already."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        if not self._head:
            return self._rest.read(size)
        if size < 0:
            data, self._head = self._head + self._rest.read(), b""
            return data
        data, self._head = self._head[:size], self._head[size:]
        return data
