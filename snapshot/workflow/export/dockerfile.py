"""``snap export IMAGE DIR``: a Dockerfile and its context, which build the same image on its base."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from snapshot.changeset.entry import Changeset
from snapshot.changeset.layer import Layer
from snapshot.changeset.layer_members import layer_members
from snapshot.changeset.member import Chunk, Member
from snapshot.changeset.names import is_whiteout
from snapshot.changeset.paths import ENGINE_FILES, absolute, is_at_or_below, topmost
from snapshot.changeset.source import FileSource
from snapshot.changeset.tar_header import END, entry_in_tar
from snapshot.engine.client import Engine
from snapshot.engine.types import ChangeKind, Config, Image
from snapshot.errors import ImageNotFound, PathNotFound, Refused
from snapshot.image.dockerfile import (
    CHANGES_FILE,
    DockerfileParts,
    Removal,
    TooManyDeletions,
    dockerfile,
    is_text,
)
from snapshot.image.dockerfile_config import config_instructions
from snapshot.image.generations import Generation, generations_of
from snapshot.image.record import Record
from snapshot.journal.step_words import earlier_in_words, step_in_words
from snapshot.workflow.diff_images import base_on_engine
from snapshot.workflow.export.base_reference import base_reference
from snapshot.workflow.export.new_folder import check_new, new_folder
from snapshot.workflow.helper import files_of_image
from snapshot.workflow.own_changes import own_changes, recorded
from snapshot.workflow.progress import SILENT, Progress

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OTHER_WAYS = "`snap export --oci` and `--diff` write it whole."
_ROOT_USERS = frozenset({"", "0", "root", "0:0", "root:root", "0:root", "root:0"})


class DockerfileExport(NamedTuple):
    """A Dockerfile that was written.

    Attributes
    ----------
    folder:
        Where it stands, with the archive that it adds.
    base:
        What stands after FROM.
    changeset:
        What the build changes of that.
    notes:
        What differs in the config of what it builds, since a Dockerfile cannot say it.
    """

    image_id: str
    folder: Path
    base: str
    changeset: Changeset
    notes: tuple[str, ...]


def export_dockerfile(
    engine: Engine, image: str, folder: Path, *, progress: Progress = SILENT
) -> DockerfileExport:
    """Write a folder from which ``docker build``, BuildKit or buildah make an image with the same files.

    It is built on the image below all snapshots that ``image`` stands on. What was deleted goes by one RUN,
    before one ADD brings all that was added or changed. (COPY would make root the owner of all, and names no
    links.)

    Parameters
    ----------
    folder:
        New or empty; it appears when it is whole.

    Raises
    ------
    InvalidInput
        The image has no record, or the folder is neither new nor empty.
    ImageNotFound
        The image or its base is not on the engine.
    Refused
        A build on that base cannot give the same files: the base runs triggers in any build, or what is to be
        deleted cannot be deleted by one.
    """
    check_new(folder)
    found = engine.image(image)
    record = recorded(found, image)
    base = base_on_engine(engine, record.origin)
    if base is None:
        raise ImageNotFound(
            f"The base of '{image}', {record.origin.shown}, is not here, and a Dockerfile stands on it.",
            "Pull it, then try again.",
        )
    _check_no_triggers(base, record)
    with ExitStack() as stack:
        own = own_changes(engine, found, image, stack, origin=True, progress=progress)
        _check_names_known(own.changeset, record)
        removal, base_notes = _removal(engine, base, own.changeset)
        reference = base_reference(engine, base, record.origin)
        as_root = base.config.user not in _ROOT_USERS
        text = config_instructions(
            base.config, _without_defaults(found.config), user="0" if removal.paths and as_root else None
        )
        notes = [*base_notes, *text.notes, *_missing_folder(engine, found, base)]
        has_changes = any(change.file for change in own.changeset.changes)
        parts = DockerfileParts(
            base=reference.text,
            platform=_platform(engine, base),
            removal=removal,
            has_changes=has_changes,
            as_root=as_root,
            instructions=text.instructions,
            heading=[f"The image is {image}, ID {found.id}.", reference.remark, *_hints(found.config)],
            steps=list(_steps(generations_of(found.config.labels))),
            notes=notes,
        )
        try:
            content = dockerfile(parts)
        except TooManyDeletions as error:
            raise Refused(
                f"'{image}' deletes more of its base than the commands of a Dockerfile can name.", _OTHER_WAYS
            ) from error
        progress.stage(f"writing {folder}", own.layer.size_bytes if own.layer else 0)
        with new_folder(folder) as draft:
            (draft / "Dockerfile").write_text(content, encoding="utf-8")
            if has_changes and own.layer:
                _write_changes(draft / CHANGES_FILE, own.layer, progress)
    return DockerfileExport(found.id, folder, reference.text, own.changeset, tuple(notes))


def _write_changes(path: Path, layer: Layer, progress: Progress) -> None:
    with path.open("wb") as file:
        for chunk in without_whiteouts(layer_members(layer)):
            file.write(chunk)
            progress.advance(len(chunk))


def without_whiteouts(members: Iterable[Member]) -> Iterator[Chunk]:
    """A tar of a layer's members in pieces, without its marks for what is deleted."""
    for member in members:
        if not is_whiteout(member.entry.path):
            entry = replace(member.entry, hard_link=member.link_to)
            yield from entry_in_tar(entry, member.mtime_s, member.xattrs, member.content)
    yield END


def _check_no_triggers(base: Image, record: Record) -> None:
    if base.config.on_build:
        raise Refused(
            f"The base {record.origin.shown} has triggers (ONBUILD), which every build on it runs:"
            " it would give other files.",
            _OTHER_WAYS,
        )


def _check_names_known(changeset: Changeset, record: Record) -> None:
    """An engine lists names as JSON: bytes that are no UTF-8 became U+FFFD, and its commit recorded that."""
    for change in changeset.changes:
        if record.method == "engine" and change.kind is ChangeKind.DELETED and "\ufffd" in change.path:
            raise Refused(
                f"The image deletes '{change.path}' of its base, and the engine that made it does not tell"
                " the bytes of that name.",
                _OTHER_WAYS,
            )


def _removal(engine: Engine, base: Image, changeset: Changeset) -> tuple[Removal, list[str]]:
    """How what was deleted can be deleted by a build on ``base``, and what else comes of that."""
    paths = topmost(change.path for change in changeset.changes if change.kind is ChangeKind.DELETED)
    if not paths:
        return Removal(), []
    for path in paths:
        _check_deletable(path, base)
    with files_of_image(engine, base.id) as files:
        search = dict(entry.partition("=")[::2] for entry in base.config.env).get("PATH") or _DEFAULT_PATH
        rm = _program(files, "rm", search)
        shell = "/bin/sh" if _stands(files, "/bin/sh") else ""
        has_folder = _stands(files, base.config.working_dir or "/")
    if not rm:
        raise Refused(
            f"The base has no `rm`, and the image deletes '{paths[0]}' of it: a Dockerfile has nothing else.",
            _OTHER_WAYS,
        )
    for path in paths:
        if not shell and not is_text(path):
            raise Refused(
                f"The base has no shell, and the image deletes '{path}' of it: a Dockerfile cannot name that"
                " without one, since its name is no UTF-8.",
                _OTHER_WAYS,
            )
    notes = []
    if not has_folder:
        notes.append(f"the working folder {base.config.working_dir} is not in the base: deleting makes it")
    return Removal(tuple(paths), rm, shell, (base.config.working_dir, rm)), notes


def _check_deletable(path: str, base: Image) -> None:
    mounted = [(own, "an engine mounts something there when it builds") for own in ENGINE_FILES]
    for volume in base.config.volumes:
        mounted.append((volume, f"{volume} is a volume of the base"))
    for point, why in mounted:
        if is_at_or_below(point, path) or is_at_or_below(path, point):
            raise Refused(f"A build cannot delete '{path}', as the image does: {why}.", _OTHER_WAYS)


def _program(files: FileSource, name: str, search: str) -> str:
    for folder in search.split(":"):
        path = posixpath.join(folder, name)
        if folder.startswith("/") and _stands(files, path):
            return path
    return ""


def _stands(files: FileSource, path: str) -> bool:
    try:
        files.stat(path)
    except PathNotFound:
        return False
    return True


def _missing_folder(engine: Engine, image: Image, base: Image) -> list[str]:
    """Docker's builders make the folder of WORKDIR, where it is missing."""
    folder = absolute(image.config.working_dir, "/")
    if folder in {"/", absolute(base.config.working_dir, "/")}:
        return []
    with files_of_image(engine, image.id) as files:
        is_there = _stands(files, folder)
    return [] if is_there else [f"the working folder {folder} is not in the image: building makes it"]


def _without_defaults(config: Config) -> Config:
    """A check that takes all times from the engine and has no test is none (Docker's own form for that)."""
    check = config.healthcheck
    return replace(config, healthcheck=None) if check and not check.test else config


def _hints(config: Config) -> list[str]:
    """What the builders that write OCI's form of images drop (buildah, Podman)."""
    names = [
        name
        for name, value in (
            ("HEALTHCHECK", config.healthcheck),
            ("ONBUILD", config.on_build),
            ("SHELL", config.shell),
        )
        if value
    ]
    return [f"buildah and Podman keep {', '.join(names)} with --format docker alone."] if names else []


def _platform(engine: Engine, base: Image) -> str:
    """The base's platform, where it is not the engine's own."""
    version = engine.version
    if (version.os, version.architecture) == (base.os, base.architecture):
        return ""
    return "/".join(part for part in (base.os, base.architecture, base.variant) if part)


def _steps(generations: Sequence[Generation]) -> Iterator[str]:
    """The steps in the words of ``snap log``, with a line for each snapshot that was made of them."""
    for made in generations:
        if made.summed_up:
            yield earlier_in_words(made.summed_up)
        yield from (step_in_words(step) for step in made.steps)
        message = f': "{made.message}"' if made.message else ""
        yield f"= a snapshot of {made.base_name or made.base_id}{message}"
