"""``snap diff``: what a container or an image changed, and what differs between any two of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from snapshot.changeset.capture import ApiReader, ChangeReader, DirectReader, capture
from snapshot.changeset.entry import Changeset
from snapshot.changeset.limits import absolute_paths, at_or_below
from snapshot.changeset.overlay import NotReadableDirectly
from snapshot.engine.client import Engine
from snapshot.engine.types import Change, Container
from snapshot.errors import ContainerUnusable, ImageNotFound, InvalidInput
from snapshot.journal.journal import Journal
from snapshot.journal.marks import Look, changes_between
from snapshot.workflow.compared.engine_container import EngineContainer
from snapshot.workflow.compared.engine_image import EngineImage
from snapshot.workflow.compared.find import find_compared
from snapshot.workflow.compared.interface import Compared, ComparedImage, Readable
from snapshot.workflow.diff_images import base_on_engine, files_that_differ, from_record, holds, side_of
from snapshot.workflow.difference import Difference, FoundBy, Side, SideKind
from snapshot.workflow.look import take_look
from snapshot.workflow.named import usable_container
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.reader import open_upper
from snapshot.workflow.steps import journal_of

_INEXACT = "changes of paths that had been changed before may be missing: the engine tells no more"
_NO_ATTRIBUTES = (
    "extended attributes were compared as far as the engine's API shows them: it shows capabilities alone"
)
_OTHER_LAYERS = "the layers of '{}' are not the recorded ones: the files were compared"


class Comparison(NamedTuple):
    """What differs, and the two sides to read more from.

    ``old`` is ``None`` where its files are not to be had: after a step, or of a base that is not here. Step 0
    has those of the image.
    """

    difference: Difference
    old: Compared | None
    new: Compared


def compare(
    engine: Engine | None,
    name: str,
    *,
    against: str | None = None,
    old_engine: Engine | None = None,
    since: int | None = None,
    with_engine_paths: bool = False,
    hash_content: bool = False,
    thorough: bool = False,
    paths: Sequence[str] = (),
    progress: Progress = SILENT,
) -> Comparison:
    """What a container or an image changed: against its base, against another one, or since a step.

    Parameters
    ----------
    engine:
        Where ``name`` is; ``None`` will do where all names are archives.
    name:
        Name or ID of any container, running or not, or of any image of the engine, not only snap's; where
        both are called so, the container. Or an image in a file or folder, as
        :func:`~snapshot.workflow.compared.find.is_archive` knows it. Alone it is held against its base: a
        container against the image that it was started from, an image against the one that its record names.
    against:
        Name or ID of the old side, found as ``name`` is. Of an image and a container the container is the new
        side, whichever is given how. They are compared by content
        (:func:`~snapshot.workflow.diff_images.files_that_differ`).
    old_engine:
        Where ``against`` is looked up, if that is another engine.
    since:
        Number of a step in the journal of the container ``name``, 0 for the container as it was made: what
        changed after the end of that step, with what stands there now.
    with_engine_paths:
        List what the engine itself put there too (mount points, ``/etc/hosts``, …); a record and the looks
        of steps do not have it.
    hash_content:
        Read the changed files for their sha256, which takes as long as reading them all. Where files are
        compared it is there anyway.
    thorough:
        Compare by content with one name too: this finds what was changed so that size and time are the same,
        and lists nothing that was merely touched or copied. Of a container what stands in its upper folder is
        held against the layers below, since nothing else can differ. Where that folder is not to be read
        here, both sides are read whole.
    paths:
        Absolute paths: only changes at or below these, and what is above them where it went with all that was
        in it.

    Raises
    ------
    NotFound
        Neither a container nor an image has that name, or the base of an image is needed and not here.
    InvalidInput
        There is no such step, or nobody knows any more what stood at its end; or an image has no record that
        names its base; or options exclude each other, or a path is not absolute.
    """
    wanted = absolute_paths(paths)
    _refuse_mixed(
        since, against, thorough=thorough, old_engine=old_engine, with_engine_paths=with_engine_paths
    )
    if since is not None:
        if engine is None:
            raise InvalidInput("--since is about a container, and an archive has no steps.", "Leave it out.")
        found = _since(engine, usable_container(engine, name), since, hash_content, progress)
    else:
        new = find_compared(engine, name)
        if against is not None:
            old = find_compared(old_engine or engine, against)
            found = _two(old, new, with_engine_paths, progress)
        elif isinstance(new, EngineContainer):
            found = _container(new, with_engine_paths, hash_content, thorough, progress)
        else:
            found = _image(engine, new, name, with_engine_paths, thorough, progress)
    if not wanted:
        return found
    limited = at_or_below(found.difference.changeset, wanted)
    return found._replace(difference=replace(found.difference, changeset=limited))


def _refuse_mixed(
    since: int | None,
    against: str | None,
    *,
    thorough: bool,
    old_engine: Engine | None,
    with_engine_paths: bool,
) -> None:
    if since is not None and against is not None:
        raise InvalidInput(
            "--since is about one container, and two names were given.",
            "Leave out --since, or the second name.",
        )
    if since is not None and thorough:
        raise InvalidInput(
            "--thorough reads both sides, and what stood there after a step is gone.",
            "Leave out --since or --thorough.",
        )
    if since is not None and with_engine_paths:
        raise InvalidInput(
            "--all lists what the engine put there when the container was made, which no step did.",
            "Leave out --since or --all.",
        )
    if old_engine is not None and against is None:
        raise InvalidInput(
            "Another engine was named for the old side, and only one name was given.",
            "Name what is to be compared on it.",
        )


def _two(old: Readable, new: Readable, with_engine_paths: bool, progress: Progress) -> Comparison:
    notes = (*_shared_name(old), *_shared_name(new))
    if isinstance(old, EngineContainer) and not isinstance(new, EngineContainer):
        old, new = new, old
        notes += (
            f"the container '{new.side.name}' is the new side, and the image '{old.side.name}' the old",
        )
    return _by_files(old, new, notes, with_engine_paths, progress)


def _shared_name(side: Readable) -> tuple[str, ...]:
    if isinstance(side, EngineContainer) and side.shares_name:
        name = side.container.name
        return (f"'{name}' names an image too, and the container was taken: give the image's ID or a tag",)
    return ()


def _by_files(
    old: Readable,
    new: Readable,
    notes: tuple[str, ...],
    with_engine_paths: bool,
    progress: Progress,
    *,
    thorough: bool = False,
) -> Comparison:
    found = files_that_differ(old, new, with_engine_paths=with_engine_paths, progress=progress)
    if thorough and not found.attributes_seen:
        notes += (_NO_ATTRIBUTES,)
    container = new.container if isinstance(new, EngineContainer) else None
    addresses = [_address(side) for side in (old, new)]
    side = old.side if addresses[0] == addresses[1] else replace(old.side, engine=addresses[0])
    difference = Difference(side, new.side, found.changeset, FoundBy.FILES, container, notes)
    return Comparison(difference, old, new)


def _address(side: Readable) -> str:
    """Where the engine of a side is; empty for an archive."""
    return side.engine.endpoint.url if isinstance(side, (EngineContainer, EngineImage)) else ""


def _container(
    new: EngineContainer, with_engine_paths: bool, hash_content: bool, thorough: bool, progress: Progress
) -> Comparison:
    container, side, old = new.container, _image_side(new), _image_of(new)
    if thorough:
        if old is None:
            raise ImageNotFound(
                f"The image of '{container.name}', {container.image_name}, is not here any more.",
                "Leave out --thorough: the engine tells what it sees as changed.",
            )
        return _by_files(old, new, _shared_name(new), with_engine_paths, progress, thorough=True)
    progress.stage(f"reading what {container.name} changed")
    listed = new.engine.files(container.id).changes()
    changeset = _captured(new.engine, container, listed, hash_content, with_engine_paths)
    difference = Difference(side, new.side, changeset, FoundBy.ENGINE, container, _shared_name(new))
    return Comparison(difference, old, new)


def _image_side(container: EngineContainer) -> Side:
    made_from = container.container
    return Side(SideKind.IMAGE, made_from.image_id, made_from.image_name)


def _image_of(container: EngineContainer) -> EngineImage | None:
    """The image that a container was made from, where it is still here."""
    engine = container.engine
    with suppress(ImageNotFound):
        return EngineImage(engine, engine.image(container.container.image_id), _image_side(container))
    return None


def _image(
    engine: Engine | None,
    new: ComparedImage,
    name: str,
    with_engine_paths: bool,
    thorough: bool,
    progress: Progress,
) -> Comparison:
    """What a snapshot changed against the image that it was made from.

    Where its record and its layers hold, and the list of changes is in the record or kept here, that list is
    given: it is what ``snap diff`` said of the container, and has the folders that something changed in, as
    an engine lists them. Neither files nor the base are needed for it. Else the files of base and image are
    compared.
    """
    record, listed = from_record(new, name)
    base = base_on_engine(engine, record.base) if engine else None
    old = EngineImage(engine, base, side_of(base, record.base.name)) if engine and base else None
    if listed is not None and not thorough:
        side = Side(SideKind.IMAGE, record.base.id, record.base.shown)
        return Comparison(Difference(side, new.side, listed, FoundBy.RECORD), old, new)
    if old is None:
        raise ImageNotFound(
            f"The base of '{name}', {record.base.shown}, is not here, and without its files"
            " nobody can tell what changed.",
            f"Pull it, or name another image to hold it against: `snap diff IMAGE {name}`.",
        )
    notes = () if holds(record, new.image) else (_OTHER_LAYERS.format(name),)
    return _by_files(old, new, notes, with_engine_paths, progress, thorough=thorough)


def _since(
    engine: Engine, container: Container, number: int, hash_content: bool, progress: Progress
) -> Comparison:
    before = look_after(journal_of(container.id), container.name, number)
    progress.stage(f"reading what {container.name} changed since step {number}")
    now = take_look(engine.processes, container)
    if now is None:
        raise ContainerUnusable(
            f"The engine does not tell what '{container.name}' has changed by now.",
            f"See what it says with `docker diff {container.name}`.",
        )
    exact = (before.exact and now.exact) or not before.marks.keys() & now.marks.keys()
    listed = changes_between(before.marks, now.marks)
    changeset = _captured(engine, container, listed, hash_content)
    old = Side(SideKind.STEP, container.id, container.name, number)
    new = EngineContainer(engine, container)
    notes = () if exact else (_INEXACT,)
    difference = Difference(old, new.side, changeset, FoundBy.LOOKS, container, notes)
    # As it was made it held what its image holds; what a later step left there is gone.
    return Comparison(difference, _image_of(new) if number == 0 else None, new)


def _captured(
    engine: Engine,
    container: Container,
    listed: Sequence[Change],
    hash_content: bool,
    with_engine_paths: bool = False,
) -> Changeset:
    """The listed changes with what stands there now.

    It is looked up in the upper folder where that can be read here: for each path, a call of an old engine
    takes as long as all of that. Where the folder does not know a listed path, the engine is asked.
    """

    def captured(reader: ChangeReader) -> Changeset:
        return capture(
            reader,
            [mount.destination for mount in container.mounts],
            listed=listed,
            hash_content=hash_content,
            with_engine_paths=with_engine_paths,
        )

    # What the engine itself put there stands in no folder of the container's; U+FFFD may be any byte.
    if not with_engine_paths and not any("\ufffd" in change.path for change in listed):
        with suppress(NotReadableDirectly, ContainerUnusable), open_upper(engine, container) as upper:
            found = captured(DirectReader(upper))
            if not any(change.skipped == "gone" for change in found.changes):
                return found
    return captured(ApiReader(engine.files(container.id)))


def look_after(journal: Journal, container: str, number: int) -> Look:
    """What had changed when the step with that number ended; ``container`` is the name that is complained of.

    Raises :class:`~snapshot.errors.InvalidInput` where there is no such step or its look is not kept.
    """
    look = journal.look_at(number) if number >= 0 else None
    if look is not None:
        return look
    steps = {step.number: step for step in journal.steps()}
    if number not in steps:
        what = f"The journal of '{container}' has no step {number}."
    elif steps[number].duration_s is None and not steps[number].interrupted:
        what = f"Step {number} of '{container}' has not ended."
    else:
        what = f"What '{container}' had changed when step {number} ended is not known (any more)."
    known = [0, *(step for step in steps if journal.look_at(step) is not None)]
    raise InvalidInput(
        what, f"There is what it had changed after {_in_words(known)}; 0 is the container as it was made."
    )


def _in_words(numbers: Sequence[int]) -> str:
    """``steps 0, 2 to 5, 9``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = []
    for run in runs:
        parts += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else [str(number) for number in run]
    return f"step{'' if len(numbers) == 1 else 's'} {', '.join(parts)}"
