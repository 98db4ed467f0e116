"""Playing instructions on a base image, and making an image of what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from snapshot.changeset.entry import Changeset
from snapshot.engine.client import Engine
from snapshot.engine.types import Config, Image
from snapshot.image.reference import Reference
from snapshot.journal.step import Step, numbered
from snapshot.recipe.explained import ExplainedStep
from snapshot.recipe.instructions import Instruction
from snapshot.workflow.making import MadeImage, MakingOptions, make_image, order_on
from snapshot.workflow.patching.player import Player, PlaySettings
from snapshot.workflow.progress import SILENT, Progress

if TYPE_CHECKING:
    from snapshot.workflow.own_changes import OwnChanges


class Built(NamedTuple):
    """What was made: no image where it was only to be tried.

    Attributes
    ----------
    instructions:
        As they were played; where that was asked for, each copy holds what it copied.
    changeset:
        All that is changed against the base.
    skipped:
        Local paths that no image can hold: sockets.
    explained:
        For each instruction whether its result was reused, and why not; where that was asked for.
    advice:
        Which order would have saved most, as a sentence; empty where none would.
    """

    made: MadeImage | None
    instructions: tuple[Instruction, ...]
    changeset: Changeset
    skipped: tuple[str, ...] = ()
    explained: tuple[ExplainedStep, ...] = ()
    advice: str = ""


def build(
    engine: Engine,
    base: Image,
    base_name: str,
    instructions: Sequence[Instruction],
    settings: PlaySettings,
    *,
    options: MakingOptions,
    target: Reference | None,
    verb: str,
    wanted: Config | None = None,
    carried: OwnChanges | None = None,
    earlier: Sequence[Step] = (),
    dry_run: bool = False,
    progress: Progress = SILENT,
) -> Built:
    """Play instructions on an image, and make one of what comes out.

    Parameters
    ----------
    base_name:
        What the user called it, in full; empty for an ID.
    target:
        The name that the new image gets.
    verb:
        What makes it, for the history.
    wanted:
        The config to begin with; that of the base where it is left out.
    carried:
        Changes that are made before all others (the layer that is to be replaced).
    earlier:
        The steps that led to them.
    dry_run:
        Make no image. Runs are run all the same, since nobody knows before what they change.

    Raises
    ------
    SnapError
        An instruction cannot be played; nothing was made, and no container or image is left.
    """
    with ExitStack() as stack:
        player = Player(engine, base, wanted or base.config, settings, options.fixed_time_s, progress, stack)
        player.play(instructions, carried)
        so_far = player.so_far
        made = None
        if not dry_run:
            steps = numbered([*earlier, *player.steps])
            order = order_on(base, base_name, options, wanted=so_far.config, steps=steps)
            made = make_image(
                engine,
                order,
                so_far.changeset,
                verb=verb,
                on=so_far.image,
                below=so_far.image.layers,
                layer=so_far.pending,
                target=target,
                check=options.check,
                progress=progress,
            )
        return Built(
            made,
            tuple(player.instructions),
            so_far.changeset,
            tuple(player.skipped),
            player.explained,
            player.advice,
        )
