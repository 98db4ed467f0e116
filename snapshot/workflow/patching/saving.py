"""A patch as a recipe: what was copied goes with it, so that it can be replayed where the files are not."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from snapshot.changeset.layer import LayerSpool
from snapshot.changeset.member import Chunk
from snapshot.changeset.tar_header import END, entry_in_tar
from snapshot.errors import SnapError
from snapshot.recipe.contents import MOST_INLINE_BYTES, store
from snapshot.recipe.instructions import Copy, FileContent, Instruction, TarFile
from snapshot.workflow.making import MadeImage
from snapshot.workflow.patching.sources import Gathered
from snapshot.workflow.whole_file import write_whole


def contents_folder(path: Path) -> Path:
    """The folder beside a recipe that its larger contents are in."""
    return path.with_suffix(".files")


def see_place(path: Path) -> None:
    """Raise :class:`~snapshot.errors.SnapError` where no recipe can be written, before anything is made."""
    folder = path.resolve().parent
    if not folder.is_dir():
        raise SnapError(
            f"The recipe '{path}' cannot be written: there is no folder '{folder}'.",
            "Make the folder, or name another file.",
        )
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise SnapError(
            f"The recipe '{path}' cannot be written: you may not write there.", "Name another file."
        )


@contextmanager
def taken_back_on_failure(folder: Path) -> Iterator[None]:
    """Where the work inside fails, what it put into a folder of contents goes; the folder too, if new."""
    before = {path.name for path in folder.iterdir()} if folder.is_dir() else None
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for path in folder.iterdir():
                if path.name not in (before or ()):
                    path.unlink()
            if before is None:
                folder.rmdir()
        raise


def with_contents(copy: Copy, found: Gathered, spool: LayerSpool, folder: Path) -> Copy:
    """A copy that holds what it copied: a file by itself, all else as a tar; larger ones in ``folder``.

    Raises :class:`~snapshot.errors.SnapError` where that cannot be written.
    """
    is_file = not found.is_folder and not found.is_tar and len(found.pieces) == 1
    pieces = spool.content(found.pieces[0]) if is_file else _tar(found, spool)
    size_bytes = sum(piece.entry.size_bytes for piece in found.pieces)
    kept: bytes | Path
    try:
        if size_bytes > MOST_INLINE_BYTES:
            kept = store(folder, pieces)
            sha256 = kept.name
        else:
            kept = b"".join(bytes(piece) for piece in pieces)
            sha256 = hashlib.sha256(kept).hexdigest()
    except OSError as error:
        raise SnapError(f"The contents of a recipe cannot be kept: {error}.") from error
    if is_file:
        piece = found.pieces[0]
        return replace(
            copy,
            source=FileContent(found.name, kept, piece.entry.mode, piece.mtime_s, sha256),
        )
    if isinstance(kept, bytes):
        return replace(copy, source=TarFile("files.tar", sha256, kept))
    return replace(copy, source=TarFile(str(kept), sha256))


def save_recipe(path: Path, instructions: tuple[Instruction, ...], made: MadeImage) -> None:
    """Write the recipe of an image that was made so, whole or not at all."""
    # They take long to load, and few patches write a recipe.
    from snapshot.recipe.document import Recipe, Result
    from snapshot.recipe.toml_writer import write_recipe

    record = made.record
    base = record.base
    recipe = Recipe(
        base.name,
        base.digest if base.digest != base.id else "",
        base.id,
        base.chain_id,
        instructions,
        result=Result(record.added_layers, record.manifest_digest, record.created, made.image_id),
        message=record.message,
    )
    text = write_recipe(recipe, contents_folder(path))
    try:
        write_whole(path, iter((text.encode(),)), lambda _: None)
    except OSError as error:
        raise SnapError(f"The recipe '{path}' cannot be written: {error.strerror}.") from error


def _tar(found: Gathered, spool: LayerSpool) -> Iterator[Chunk]:
    for piece in found.pieces:
        yield from entry_in_tar(piece.entry, piece.mtime_s, piece.xattrs, partial(spool.content, piece))
    yield END
