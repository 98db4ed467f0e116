"""``snap rebase``: an image's changes, files and config, on top of another base image."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from snapshot.changeset.carry import Carrier, Choice, Conflict
from snapshot.changeset.edited_tree import EditedTree
from snapshot.changeset.entry import Changeset
from snapshot.changeset.layer import Layer, LayerSpool
from snapshot.changeset.layer_members import layer_members
from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.errors import ImageNotFound, InvalidInput, Refused, SnapError
from snapshot.image.config_merge import ConfigConflict, merge_configs
from snapshot.image.generations import generations_of, steps_since
from snapshot.image.record import Base, RecordDamaged, chain_id
from snapshot.image.reference import Reference
from snapshot.journal.step import Step
from snapshot.workflow.described import full_name_of
from snapshot.workflow.diff_images import base_on_engine
from snapshot.workflow.image_files import files_of
from snapshot.workflow.layer_list import take_members
from snapshot.workflow.making import MadeImage, MakingOptions, make_image, order_on, target_or_own
from snapshot.workflow.own_changes import OwnChanges, own_changes, recorded
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.pulling import PullPolicy, image_for


class RebaseOptions(NamedTuple):
    """What is asked of a rebase.

    Attributes
    ----------
    choice:
        What is to be done where both sides changed something; without one that is refused.
    old_base:
        Name or ID of the image that the changes are to be taken against, in place of the recorded base.
    """

    making: MakingOptions = MakingOptions()
    choice: Choice | None = None
    old_base: str = ""


class Conflicts(NamedTuple):
    """Where both sides changed the same; those of the config are resolved as ``choice`` says, if at all."""

    paths: tuple[Conflict, ...] = ()
    config: tuple[ConfigConflict, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.paths or self.config)


class RebaseResult(NamedTuple):
    """An image on its new base, and the conflicts that were resolved on the way.

    ``old_base`` is the name or ID of the image that the changes were taken against.
    """

    made: MadeImage
    old_base: str
    conflicts: Conflicts


class RebaseConflict(SnapError):
    """Both sides changed the same, and nobody said which is to be taken; nothing was made.

    ``conflicts`` are those that are left.
    """

    def __init__(self, what: str, hint: str, conflicts: Conflicts) -> None:
        super().__init__(what, hint)
        self.conflicts = conflicts


def rebase(
    engine: Engine,
    image: str,
    onto: str,
    target: str | None = None,
    options: RebaseOptions | None = None,
    *,
    progress: Progress = SILENT,
) -> RebaseResult:
    """Make an image of ``onto`` and all that snap added to the first base of ``image``, in one layer.

    *Ours* is what the image changed, *theirs* what the new base has where the old one had something else.

    Parameters
    ----------
    image:
        A snapshot, or with ``options.old_base`` any image.
    onto:
        The new base; one that is not on the engine is pulled.
    target:
        Name for the new image; without one it takes that of ``image``.

    Raises
    ------
    RebaseConflict
        Both sides changed the same path or part of the config.
    ImageNotFound
        One of the images is not here; without the old base nobody knows what the new one changed.
    InvalidInput, Refused, SnapError
        The image has no record, does not hold what that says, or is for another kind of machine.
    """
    options = options or RebaseOptions()
    ours = engine.image(image)
    name = target_or_own(target, image, ours)
    theirs = image_for(engine, onto, "", PullPolicy.MISSING, progress)
    _refuse_other_machine(ours, image, theirs, onto)
    old = _old_base(engine, ours, image, options.old_base)
    with ExitStack() as stack:
        own = own_changes(
            engine,
            ours,
            image,
            stack,
            origin=not options.old_base,
            against=old.image if options.old_base else None,
            fixed_time_s=options.making.fixed_time_s,
            progress=progress,
        )
        progress.stage(f"comparing {old.name} with {onto}")
        carried = _carried(engine, own, old.image, theirs, options, stack)
        config = merge_configs(
            old.image.config, ours.config, theirs.config, prefer_ours=options.choice is Choice.OURS
        )
        conflicts = Conflicts(carried.conflicts, config.conflicts)
        _refuse_what_is_left(conflicts, options.choice, image, onto)
        making = options.making._replace(
            message=options.making.message or f"rebased from {old.name}",
            author=options.making.author or (own.record.author if own.record else ""),
        )
        made = make_image(
            engine,
            order_on(
                theirs,
                full_name_of(onto, theirs),
                making,
                wanted=config.config,
                steps=_steps(ours, old.image),
                made_from=ours.id,
            ),
            carried.changeset,
            verb="rebase",
            on=theirs,
            below=theirs.layers,
            layer=carried.layer,
            target=name,
            check=making.check,
            progress=progress,
        )
    return RebaseResult(made, old.name, conflicts)


def _refuse_other_machine(ours: Image, image: str, theirs: Image, onto: str) -> None:
    if (ours.os, ours.architecture) != (theirs.os, theirs.architecture):
        raise Refused(
            f"'{image}' is for {ours.os}/{ours.architecture}, and '{onto}' for"
            f" {theirs.os}/{theirs.architecture}.",
            "Name a base for the same kind of machine.",
        )


class _OldBase(NamedTuple):
    image: Image
    name: str


class _Carried(NamedTuple):
    changeset: Changeset
    layer: Layer | None
    conflicts: tuple[Conflict, ...] = ()


def _old_base(engine: Engine, image: Image, name: str, given: str) -> _OldBase:
    if given:
        return _OldBase(engine.image(given), given)
    origin = recorded(image, name).origin
    found = base_on_engine(engine, origin)
    if found is None:
        raise ImageNotFound(
            f"The base of '{name}', {_named(origin)}, is not here, and without it nobody can tell what the"
            " new base changed.",
            "Pull it, or name the image that the changes are to be taken against with --from.",
        )
    return _OldBase(found, _named(origin))


def _named(base: Base) -> str:
    try:
        return Reference.parse(base.name).familiar
    except InvalidInput:
        return base.id


def _carried(
    engine: Engine, own: OwnChanges, old: Image, new: Image, options: RebaseOptions, stack: ExitStack
) -> _Carried:
    if own.layer is None or chain_id(old.layers) == chain_id(new.layers):
        return _Carried(own.changeset, own.layer)
    spool = stack.enter_context(LayerSpool(latest_mtime_s=options.making.fixed_time_s))
    _, pieces = take_members(layer_members(own.layer), spool)
    old_files = stack.enter_context(files_of(engine, old))
    new_files = stack.enter_context(files_of(engine, new))
    tree = EditedTree(new_files, spool)
    carrier = Carrier(tree, old_files, new_files, pieces, spool.content, options.choice)
    conflicts = carrier.carry(own.changeset.changes)
    return _Carried(tree.changeset(), tree.layer(), tuple(conflicts))


def _refuse_what_is_left(conflicts: Conflicts, choice: Choice | None, image: str, onto: str) -> None:
    paths = tuple(conflict for conflict in conflicts.paths if not conflict.resolved)
    config = conflicts.config if choice in {None, Choice.MERGE} else ()
    left = Conflicts(paths, config)
    if not left:
        return
    words = []
    if paths:
        words.append(f"{len(paths)} path{'' if len(paths) == 1 else 's'}")
    if config:
        words.append(f"{len(config)} part{'' if len(config) == 1 else 's'} of the config")
    merges = choice is Choice.MERGE
    raise RebaseConflict(
        f"'{image}' was not rebased: both it and '{onto}' changed {' and '.join(words)}"
        + (" in ways that cannot be merged." if merges else "."),
        "Take one side with --ours (the image's) or --theirs (the new base's)"
        + ("." if merges else ", or merge text with --merge."),
        left,
    )


def _steps(image: Image, old: Image) -> Sequence[Step]:
    """What was done since the old base, as far as the image tells it."""
    try:
        generations = generations_of(image.config.labels)
    except RecordDamaged:
        return ()
    return steps_since(generations, old.id)
