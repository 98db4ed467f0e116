"""``snap replay``: play a recipe, and say how what comes out differs from the first time."""

from __future__ import annotations

import shlex
from contextlib import ExitStack, suppress
from typing import NamedTuple

from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.errors import ImageNotFound, InvalidInput, SnapError, VerificationFailed
from snapshot.image.generations import generations_of, steps_since
from snapshot.image.record import chain_id
from snapshot.image.reference import Reference, is_digest
from snapshot.recipe.document import Recipe
from snapshot.recipe.explained import ExplainedStep
from snapshot.recipe.instructions import Instruction, Run
from snapshot.recipe.words import words_of
from snapshot.workflow.delivery import gone_on_failure
from snapshot.workflow.described import full_name, full_name_of
from snapshot.workflow.first_result import (
    Comparison,
    Sameness,
    changes_of_first,
    compared,
    first_image,
)
from snapshot.workflow.making import MadeImage, MakingOptions, make_image, name_image, order_on
from snapshot.workflow.own_changes import recorded
from snapshot.workflow.patching.build import build
from snapshot.workflow.patching.player import PlaySettings
from snapshot.workflow.progress import SILENT, Progress
from snapshot.workflow.pulling import PullPolicy, image_for

#: So many differing paths are named in an error.
MOST_FINDINGS = 50
_MOST_WORDS_CHARS = 200


class ReplayOptions(NamedTuple):
    """What is asked of a replay.

    Attributes
    ----------
    base:
        Name or ID of an image to play it on in place of the base that the recipe names.
    check:
        Fail where the result differs from the first one.
    changes:
        Carry the first image's changes over as they are, in place of playing the steps.
    """

    making: MakingOptions = MakingOptions()
    base: str = ""
    check: bool = False
    changes: bool = False


class ReplayResult(NamedTuple):
    """What a replay made, and how it stands to the first result.

    Attributes
    ----------
    skipped, explained, advice:
        As of :class:`~snapshot.workflow.patching.build.Built`.
    """

    made: MadeImage
    comparison: Comparison
    skipped: tuple[str, ...] = ()
    explained: tuple[ExplainedStep, ...] = ()
    advice: str = ""


def replay(
    engine: Engine,
    recipe: Recipe,
    target: str | None,
    settings: PlaySettings,
    options: ReplayOptions | None = None,
    *,
    progress: Progress = SILENT,
) -> ReplayResult:
    """Play a recipe on its base, and hold the image against the first one that came of it.

    Parameters
    ----------
    target:
        Name for the new image (``NAME[:TAG]``); without one it can be reached by its ID alone.
    settings:
        ``settings.runs.env`` are the values of the variables that runs name.

    Raises
    ------
    InvalidInput, NotFound
        It cannot be played as it is asked for; nothing was made.
    VerificationFailed
        With ``options.check``: the result differs. Nothing is left of it, and the name is where it was.
    SnapError
        A step cannot be replayed, or failed; nothing was made.
    """
    options = options or ReplayOptions()
    name = Reference.parse_target(target) if target else None
    if options.check and recipe.result is None:
        raise InvalidInput(
            "The recipe tells of no first result that --check could hold this one against.",
            "`snap log IMAGE --recipe` writes recipes that do.",
        )
    if not options.changes:
        _refuse_unplayable(recipe, settings)
    base, base_name = _base_image(engine, recipe, options, progress)
    if options.changes:
        played = ReplayResult(_carried(engine, recipe, base, base_name, options, progress), _NOT_COMPARED)
    else:
        played = _played(engine, recipe, base, base_name, settings, options, progress)
    with gone_on_failure(engine, played.made.image_id, is_new=played.made.is_new):
        comparison = compared(engine, recipe, played.made, base, progress)
        if options.check and comparison.differs:
            raise _differs(comparison)
        made = played.made
        if name:
            moved_from = name_image(engine, made.image_id, name)
            made = made._replace(name=name.familiar, moved_from=moved_from)
    return played._replace(made=made, comparison=comparison)


_NOT_COMPARED = Comparison(Sameness.UNKNOWN)


def _refuse_unplayable(recipe: Recipe, settings: PlaySettings) -> None:
    """Raise for what cannot be replayed, before anything is begun."""
    for index, instruction in enumerate(recipe.instructions):
        if why := recipe.note(index):
            words = _told(instruction)
            raise SnapError(
                f"Step {index + 1} of the recipe ({words[:_MOST_WORDS_CHARS]}) cannot be replayed: {why}.",
                "Mend that step in the recipe, or give --changes: it carries over what all steps changed.",
            )
    asked = {name for item in recipe.instructions if isinstance(item, Run) for name in item.env_names}
    given = settings.runs.env.keys()
    if missing := sorted(asked - given):
        raise InvalidInput(
            f"The recipe's commands need {', '.join(missing)}, and no recipe holds such values.",
            " ".join(["Give", *(f"--set {name}=…" for name in missing)]) + ".",
        )
    if unknown := sorted(given - asked):
        known = ", ".join(sorted(asked)) or "none at all"
        raise InvalidInput(
            f"No command of the recipe asks for {', '.join(unknown)}.", f"The variables it asks for: {known}."
        )


def _told(instruction: Instruction) -> str:
    """An instruction in words; one that cannot be replayed is told as a run of the words that it had."""
    if isinstance(instruction, Run) and isinstance(instruction.command, str):
        return instruction.command
    return shlex.join(words_of(instruction))


def _base_image(
    engine: Engine, recipe: Recipe, options: ReplayOptions, progress: Progress
) -> tuple[Image, str]:
    """The image to play it on, and its full name; empty where it is known by its ID alone."""
    if options.base:
        if options.changes:
            raise InvalidInput(
                "--changes carries changes over to the base that they were made on.",
                f"`snap rebase IMAGE --onto {options.base}` takes them to another, and tells of conflicts.",
            )
        given = image_for(engine, options.base, "", PullPolicy.MISSING, progress)
        return given, full_name_of(options.base, given)
    if not (recipe.base_id or recipe.base_digest):
        found = image_for(engine, recipe.base_name, "", PullPolicy.MISSING, progress)
        return found, full_name_of(recipe.base_name, found)
    return _recorded_base(engine, recipe), full_name(recipe.base_name)


def _recorded_base(engine: Engine, recipe: Recipe) -> Image:
    """The image that the recipe names: by its ID, the digest that a registry gave it, or its layers."""
    digests = {digest for digest in (recipe.base_id, recipe.base_digest) if is_digest(digest)}
    repository = ""
    named = None
    with suppress(InvalidInput):
        repository = Reference.parse(recipe.base_name).name
        with suppress(ImageNotFound):
            named = engine.image(recipe.base_name)
    for digest in digests:
        for asked in (digest, f"{repository}@{digest}" if repository else ""):
            with suppress(ImageNotFound):
                if asked:
                    return engine.image(asked)
    if named and chain_id(named.layers) == recipe.base_chain:
        # Another kind of store gives the same image another ID.
        return named
    there = (
        f"'{recipe.base_name}' here is another image, {named.id}" if named else "nothing has its name here"
    )
    digest = recipe.base_digest or recipe.base_id
    # An ID is nothing that a registry could be asked for.
    other = recipe.base_name if named else "IMAGE"
    can_pull = repository and recipe.base_digest
    pulled = f": pull it (`docker pull {repository}@{digest}`)" if can_pull else ""
    raise ImageNotFound(
        f"The base of the recipe, {recipe.base} ({digest}), is not here: {there}.",
        f"Get it back{pulled}, or give --base {other} to play the recipe on that.",
    )


def _played(
    engine: Engine,
    recipe: Recipe,
    base: Image,
    base_name: str,
    settings: PlaySettings,
    options: ReplayOptions,
    progress: Progress,
) -> ReplayResult:
    making = options.making
    built = build(
        engine,
        base,
        base_name,
        recipe.instructions,
        settings._replace(keep=True),
        options=making._replace(message=making.message or recipe.message),
        target=None,
        verb="replay",
        progress=progress,
    )
    assert built.made
    return ReplayResult(built.made, _NOT_COMPARED, built.skipped, built.explained, built.advice)


def _carried(
    engine: Engine,
    recipe: Recipe,
    base: Image,
    base_name: str,
    options: ReplayOptions,
    progress: Progress,
) -> MadeImage:
    """An image of the first one's very layers, config and steps."""
    first = first_image(engine, recipe.result) if recipe.result else None
    if first is None or first.layers[: len(base.layers)] != base.layers:
        raise ImageNotFound(
            "--changes takes what the first image changed from that image, and it is not here.",
            "`snap export --diff` where it is, then `snap import-diff` here, carry its changes over.",
        )
    record = recorded(first, next(iter(first.tags), first.id))
    of_first = next(
        (item for item in (record.base, record.origin) if item.layer_count == len(base.layers)), None
    )
    if of_first is None:
        raise SnapError(
            f"The first image, {first.id}, does not say what it changed against '{recipe.base}'.",
            "`snap rebase` and `snap export --diff` carry changes over, too.",
        )
    making = options.making._replace(
        message=options.making.message or recipe.message or record.message,
        author=options.making.author or record.author,
    )
    steps = steps_since(generations_of(first.config.labels), of_first.id)
    order = order_on(base, base_name, making, wanted=first.config, steps=steps)
    with ExitStack() as stack:
        changeset = changes_of_first(engine, first, record, of_first, stack, progress)
    return make_image(
        engine,
        order,
        changeset,
        verb="replay",
        on=first,
        below=first.layers,
        layer=None,
        target=None,
        check=making.check,
        progress=progress,
    )


def _differs(comparison: Comparison) -> VerificationFailed:
    changes = comparison.changes.changes if comparison.changes else ()
    findings = [f"{change.kind.value} {change.path}" for change in changes[:MOST_FINDINGS]]
    if len(changes) > MOST_FINDINGS:
        findings.append(f"… and {len(changes) - MOST_FINDINGS:,} paths more")
    findings += [f"{part}: is not as it was" for part in comparison.config]
    if comparison.sameness is Sameness.OTHER and not changes:
        gone = "" if comparison.first else ", and the first image is not here"
        findings.append(f"the digests of layers and changes are others{gone}")
    return VerificationFailed(
        "What came of the recipe differs from the first result, and was removed.",
        "`snap replay` without --check keeps what comes out.",
        findings=tuple(findings),
    )
