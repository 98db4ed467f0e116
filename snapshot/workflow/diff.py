"""``snap diff``: what a container or an image changed, and what differs between any two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from snapshot.changeset.capture import ApiReader, capture
from snapshot.engine.client import Engine
from snapshot.engine.types import Change, Container, Image
from snapshot.errors import ContainerUnusable, InvalidInput
from snapshot.journal.journal import Journal
from snapshot.journal.marks import Look, changes_between
from snapshot.workflow.diff_images import diff_files, diff_from_base, side_of
from snapshot.workflow.difference import Difference, FoundBy, Side, SideKind
from snapshot.workflow.look import take_look
from snapshot.workflow.named import named, require_usable, usable_container
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.steps import journal_of

_INEXACT = "changes of paths that had been changed before may be missing: the engine tells no more"


def diff(
    engine: Engine,
    name: str,
    *,
    against: str | None = None,
    since: int | None = None,
    with_engine_paths: bool = False,
    hash_content: bool = False,
    progress: Progress = SILENT,
) -> Difference:
    """What a container or an image changed: against its base, against another one, or since a step.

    Parameters
    ----------
    name:
        Name or ID of any container, running or not, or of any image of the engine, not only snap's; where
        both are called so, the container. Alone it is held against its base: a container against the image
        that it was started from, an image against the one that its record names
        (:func:`~snapshot.workflow.diff_images.diff_from_base`).
    against:
        Name or ID of the old side, found as ``name`` is. Of an image and a container the container is the new
        side, whichever is given how. All files of both are read
        (:func:`~snapshot.workflow.diff_images.diff_files`).
    since:
        Number of a step in the journal of the container ``name``, 0 for the container as it was made: what
        changed after the end of that step, with what stands there now.
    with_engine_paths:
        List what the engine itself put there too (mount points, ``/etc/hosts``, …); a record and the looks
        of steps do not have it.
    hash_content:
        Read the changed files for their sha256, which takes as long as reading them all. Where all files are
        compared it is there anyway.

    Raises
    ------
    NotFound
        Neither a container nor an image has that name, or the base of an image is needed and not here.
    InvalidInput
        There is no such step, or nobody knows any more what stood at its end; or an image has no record that
        names its base; or ``since`` and ``against`` are both given.
    """
    if since is not None:
        if against is not None:
            raise InvalidInput(
                "--since is about one container, and two names were given.",
                "Leave out --since, or the second name.",
            )
        return _diff_since(engine, usable_container(engine, name), since, hash_content, progress)
    new = _find(engine, name)
    if against is None:
        if isinstance(new.thing, Image):
            return diff_from_base(
                engine, new.thing, name, with_engine_paths=with_engine_paths, progress=progress
            )
        progress.stage(f"reading what {new.thing.name} changed")
        reader = ApiReader(engine.files(new.thing.id))
        return _of_container(
            _base_side(new.thing),
            new.thing,
            reader,
            FoundBy.ENGINE,
            new.notes,
            hash_content=hash_content,
            with_engine_paths=with_engine_paths,
        )
    old = _find(engine, against)
    notes = old.notes + new.notes
    if isinstance(old.thing, Container) and isinstance(new.thing, Image):
        old, new = new, old
        notes += (
            f"the container '{new.side.name}' is the new side, and the image '{old.side.name}' the old",
        )
    changeset = diff_files(
        engine,
        old.thing,
        new.thing,
        sides=(old.side, new.side),
        with_engine_paths=with_engine_paths,
        progress=progress,
    )
    container = new.thing if isinstance(new.thing, Container) else None
    return Difference(old.side, new.side, changeset, FoundBy.FILES, container, notes)


@dataclass(frozen=True)
class _Found:
    """What a name stands for, and what is to be said of that."""

    thing: Image | Container
    side: Side
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _ListedReader(ApiReader):
    """Over the engine's archive calls, with a list of changes that is not the engine's own."""

    listed: Sequence[Change] = ()

    def changes(self) -> Sequence[Change]:
        """The list that was given."""
        return self.listed


def _find(engine: Engine, name: str) -> _Found:
    found = named(engine, name)
    if isinstance(found.thing, Image):
        return _Found(found.thing, side_of(found.thing, name))
    require_usable(found.thing)
    note = f"'{name}' names an image too, and the container was taken: give the image's ID or a tag"
    return _Found(found.thing, side_of(found.thing), (note,) if found.shares_name else ())


def _diff_since(
    engine: Engine, container: Container, number: int, hash_content: bool, progress: Progress
) -> Difference:
    before = look_after(journal_of(container.id), container.name, number)
    progress.stage(f"reading what {container.name} changed since step {number}")
    now = take_look(engine.processes, container)
    if now is None:
        raise ContainerUnusable(
            f"The engine does not tell what '{container.name}' has changed by now.",
            f"See what it says with `docker diff {container.name}`.",
        )
    exact = (before.exact and now.exact) or not before.marks.keys() & now.marks.keys()
    return _of_container(
        Side(SideKind.STEP, container.id, container.name, number),
        container,
        _ListedReader(engine.files(container.id), listed=changes_between(before.marks, now.marks)),
        FoundBy.LOOKS,
        () if exact else (_INEXACT,),
        hash_content=hash_content,
    )


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


def _base_side(container: Container) -> Side:
    return Side(SideKind.IMAGE, container.image_id, container.image_name)


def _of_container(
    old: Side,
    container: Container,
    reader: ApiReader,
    found_by: FoundBy,
    notes: tuple[str, ...],
    *,
    hash_content: bool,
    with_engine_paths: bool = False,
) -> Difference:
    changeset = capture(
        reader,
        [mount.destination for mount in container.mounts],
        hash_content=hash_content,
        with_engine_paths=with_engine_paths,
    )
    return Difference(old, side_of(container), changeset, found_by, container, notes)
