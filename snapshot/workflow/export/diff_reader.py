"""Reading a file with a difference. It is a stranger's: nothing that it says of itself is believed."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, NamedTuple

from snapshot.changeset.entry import FileType
from snapshot.changeset.layer import Layer, check_room
from snapshot.changeset.member import Member
from snapshot.changeset.tar_reader import read_members
from snapshot.errors import InvalidInput, SnapError
from snapshot.image.diff_document import (
    CONFIG_FILE,
    DOCUMENT_FILE,
    MANIFEST_FILE,
    MOST_DOCUMENT_BYTES,
    Content,
    DiffDocument,
    DocumentDamaged,
    layer_file,
)
from snapshot.workflow.progress import Progress


class ReadDiff(NamedTuple):
    """What a file holds, each part with the digest that the file says; the layers are not looked into yet."""

    document: DiffDocument
    config: bytes
    layers: tuple[Layer, ...]


def read_diff(file: IO[bytes], path: Path, stack: ExitStack, progress: Progress) -> ReadDiff:
    """Read the file once, forwards, in bounded memory; its layers are on disk until ``stack`` ends.

    Raises :class:`~snapshot.errors.InvalidInput` with what is wrong with it.
    """
    return _Reader(file, path, stack, progress).read()


class _Reader:
    def __init__(self, file: IO[bytes], path: Path, stack: ExitStack, progress: Progress) -> None:
        self._path = path
        self._stack = stack
        self._progress = progress
        self._members = read_members(file, "/", strip=0, broken=self._refused)

    def read(self) -> ReadDiff:
        try:
            said = self._bytes(self._next(DOCUMENT_FILE), MOST_DOCUMENT_BYTES)
            document = DiffDocument.from_json(said)
        except DocumentDamaged as error:
            raise self._refused(f"{DOCUMENT_FILE}: {error}") from error
        member = self._expected(CONFIG_FILE, document.config)
        config = b"".join(bytes(piece) for piece in self._pieces(member, document.config, CONFIG_FILE))
        member = self._expected(MANIFEST_FILE, document.manifest)
        for _ in self._pieces(member, document.manifest, MANIFEST_FILE):
            pass
        layers = [
            self._layer(self._expected(layer_file(number), content), content, layer_file(number))
            for number, content in enumerate(document.layers)
        ]
        if next(self._members, None) is not None:
            raise self._refused("there is more in it than it says")
        return ReadDiff(document, config, tuple(layers))

    def _next(self, name: str) -> Member:
        member = next(self._members, None)
        if member is None or member.entry.path != f"/{name}" or member.link_to:
            raise self._refused(f"{name} is not where it should be")
        if member.entry.type is not FileType.FILE:
            raise self._refused(f"{name} is no file")
        return member

    def _expected(self, name: str, content: Content) -> Member:
        member = self._next(name)
        if member.entry.size_bytes != content.size_bytes:
            raise self._refused(f"{name} has not the size that it says")
        return member

    def _bytes(self, member: Member, most: int) -> bytes:
        if member.entry.size_bytes > most:
            raise self._refused(f"{member.entry.path[1:]} is larger than {most:,} bytes")
        return b"".join(bytes(piece) for piece in member.content())

    def _pieces(self, member: Member, content: Content, name: str) -> Iterator[bytes]:
        digest = hashlib.sha256()
        for piece in member.content():
            digest.update(piece)
            yield bytes(piece)
        if f"sha256:{digest.hexdigest()}" != content.digest:
            raise self._refused(f"{name} has another digest than the file says: it was changed or damaged")

    def _layer(self, member: Member, content: Content, name: str) -> Layer:
        check_room(content.size_bytes)
        file = self._stack.enter_context(
            tempfile.TemporaryFile(prefix="docker-snap-", buffering=0)  # noqa: SIM115
        )
        for piece in self._pieces(member, content, name):
            rest = memoryview(piece)
            while rest:
                rest = rest[file.write(rest) :]
            self._progress.advance(len(piece))
        return Layer(file, content.size_bytes, content.digest)

    def _refused(self, reason: str) -> SnapError:
        return InvalidInput(
            f"'{self._path}' is no difference that snap takes in: {reason}.",
            "Write it again with `snap export --diff`.",
        )
