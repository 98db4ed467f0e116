"""``snap patch``: an image of another one, with edits; no container is started unless a command is to run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from snapshot.engine.client import Engine
from snapshot.engine.patience import look_for_a_while
from snapshot.engine.types import Config, Image
from snapshot.errors import ImageNotFound, InvalidInput
from snapshot.image.generations import generations_of
from snapshot.image.reference import Reference
from snapshot.journal.step import Step
from snapshot.recipe.instructions import Instruction, Run
from snapshot.workflow.described import full_name_of
from snapshot.workflow.making import MakingOptions, own_name
from snapshot.workflow.patching.build import Built, build
from snapshot.workflow.patching.player import PlaySettings
from snapshot.workflow.patching.saving import contents_folder, save_recipe, see_place, taken_back_on_failure
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.pulling import PullPolicy, image_for

if TYPE_CHECKING:
    from snapshot.workflow.own_changes import OwnChanges

_MOST_TAG_CHARS = 128


class PatchOptions(NamedTuple):
    """What is asked of a patch.

    Attributes
    ----------
    in_place:
        Give the new image the name of the old one, which is kept under another.
    amend:
        Put the edits into the last layer that snap made, in place of one more on top.
    dry_run:
        Make no image, and tell what it would change.
    save:
        Write the edits to this file, as a recipe that holds what they copied.
    """

    making: MakingOptions = MakingOptions()
    in_place: bool = False
    amend: bool = False
    dry_run: bool = False
    save: Path | None = None


class PatchResult(NamedTuple):
    """What a patch made; ``kept_as`` is the name that the old image has now where its own was taken."""

    built: Built
    kept_as: str = ""


def patch(
    engine: Engine,
    image: str,
    instructions: Sequence[Instruction],
    target: str | None,
    settings: PlaySettings,
    options: PatchOptions | None = None,
    *,
    progress: Progress = SILENT,
) -> PatchResult:
    """Make an image of ``image`` with edits of its files and config, in the order given.

    Without a :class:`~snapshot.recipe.instructions.Run` no container is started: the layer is made here. One
    that is not on the engine is pulled.

    Parameters
    ----------
    target:
        Name for the new image (``NAME[:TAG]``); without one it can be reached by its ID alone.

    Raises
    ------
    InvalidInput, Refused, NotFound
        An edit cannot be made as it is written; nothing was made.
    SnapError
        A command failed, or the engine did; nothing was made.
    """
    options = options or PatchOptions()
    name = Reference.parse_target(target) if target else None
    if options.in_place and name:
        raise InvalidInput("--in-place takes the image's own name, and -t another.", "Give one of them.")
    if not instructions:
        raise InvalidInput("There is no edit to make.", "`snap patch --help` lists them.")
    if options.save and (options.amend or options.dry_run):
        raise InvalidInput(
            "--save writes the edits of this patch alone, of an image that it makes.",
            "`snap log IMAGE --recipe` writes all steps of an image that is there.",
        )
    if options.save:
        see_place(options.save)
    base = image_for(engine, image, "", PullPolicy.MISSING, progress)
    if options.in_place:
        name = own_name(image, base, "Name the image NAME:TAG: --in-place moves that name.")
    # Only what a command takes time for is worth being kept.
    settings = settings._replace(
        keep=any(isinstance(item, Run) for item in instructions),
        contents=contents_folder(options.save) if options.save else None,
    )
    with ExitStack() as stack:
        if settings.contents:
            stack.enter_context(taken_back_on_failure(settings.contents))
        kept_as = ""
        if options.in_place and name and not options.dry_run:
            kept_as = stack.enter_context(_kept(engine, base, name))
        if options.amend:
            begun = _amending(engine, base, image, options.making, stack, progress)
        else:
            begun = _Begun(base, full_name_of(image, base), options.making)
        built = build(
            engine,
            begun.base,
            begun.base_name,
            instructions,
            settings,
            options=begun.making,
            target=name,
            verb="patch",
            wanted=begun.wanted,
            carried=begun.carried,
            earlier=begun.earlier,
            dry_run=options.dry_run,
            progress=progress,
        )
        if kept_as and not (built.made and built.made.moved_from):
            # It is the same image, and needs no other name.
            if kept_as not in base.tags:
                engine.remove_image(kept_as)
            kept_as = ""
    if options.save and built.made:
        save_recipe(options.save, built.instructions, built.made)
    return PatchResult(built, kept_as)


class _Begun(NamedTuple):
    """What the edits are made on, as :func:`~snapshot.workflow.patching.build.build` takes it."""

    base: Image
    base_name: str
    making: MakingOptions
    wanted: Config | None = None
    carried: OwnChanges | None = None
    earlier: tuple[Step, ...] = ()


def _amending(
    engine: Engine, image: Image, name: str, making: MakingOptions, stack: ExitStack, progress: Progress
) -> _Begun:
    """The base of an image, with all that the image changed, of which the edits are to be a part."""
    # They take long to load, and few patches amend.
    from snapshot.workflow.diff_images import base_on_engine
    from snapshot.workflow.own_changes import own_changes, recorded

    record = recorded(image, name)
    base = base_on_engine(engine, record.base)
    if base is None:
        raise ImageNotFound(
            f"The base of '{name}', {record.base.shown}, is not here, so its last layer cannot be made anew.",
            "Pull it, or leave --amend out.",
        )
    making = making._replace(message=making.message or record.message, author=making.author or record.author)
    carried = own_changes(engine, image, name, stack, fixed_time_s=making.fixed_time_s, progress=progress)
    steps = generations_of(image.config.labels)[-1].steps
    return _Begun(base, record.base.name, making, image.config, carried, steps)


@contextmanager
def _kept(engine: Engine, image: Image, name: Reference) -> Iterator[str]:
    """Give an image another name before its own is taken; it goes again where the work inside fails.

    It stays where the image's own name has gone to another by then: it would be lost with its last name.
    """
    ending = f"-before-{image.id.removeprefix('sha256:')[:12]}"
    tag = f"{name.tag[: _MOST_TAG_CHARS - len(ending)]}{ending}"
    kept_as = f"{name.name}:{tag}"
    had_it = kept_as in image.tags

    def settled() -> bool:
        try:
            if engine.image(name.familiar).id == image.id:
                engine.remove_image(kept_as)
        except ImageNotFound:
            return False
        return True

    try:
        engine.tag(image.id, name.name, tag)
        yield kept_as
    except BaseException:
        if not had_it:
            # The call to tag may have been interrupted, and be done only now.
            look_for_a_while(settled)
        raise
