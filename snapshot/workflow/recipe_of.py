"""``snap log --recipe``: the steps of an image as a recipe, with what they copied taken from the image."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from snapshot.changeset.entry import FileType, PathChange
from snapshot.changeset.image_files import ImageFiles
from snapshot.changeset.manifest import ManifestDamaged
from snapshot.changeset.paths import absolute
from snapshot.engine.client import Engine
from snapshot.engine.types import Config, Image
from snapshot.errors import ImageNotFound, InvalidInput, NotFound, SnapError
from snapshot.image.generations import Generation, generations_of
from snapshot.image.record import Record, RecordDamaged, chain_id
from snapshot.image.reference import is_digest
from snapshot.journal.printable import printable, shortened
from snapshot.journal.redaction import redacted_argv
from snapshot.journal.step import Step
from snapshot.journal.step_words import earlier_in_words, step_in_words
from snapshot.recipe.config_between import edits_between
from snapshot.recipe.config_words import CONFIG_OPTIONS, config_words
from snapshot.recipe.document import Recipe, Result
from snapshot.recipe.from_steps import CUT, Idle, Surroundings, Unreplayable, as_run, is_idle
from snapshot.recipe.instructions import (
    Copy,
    EditConfig,
    Instruction,
    LocalPath,
    MakeFolder,
    MakeSymlink,
    Run,
    TarFile,
)
from snapshot.recipe.words import STDIN, instruction_of, instructions_of
from snapshot.workflow.copying.rules import container_path
from snapshot.workflow.image_files import files_of
from snapshot.workflow.recipe_contents import Asked, ContentGone, Keeper
from snapshot.workflow.recorded_changes import recorded_changes

# So many files a step of `patch` and one of `cp` list at most: there may have been more.
_MOST_COPIED = frozenset({500, 1000})
_MOST_COMMENT_CHARS = 200


def _image(engine: Engine, name: str) -> Image:
    try:
        return engine.image(name)
    except ImageNotFound as error:
        try:
            engine.container(name)
        except NotFound:
            raise error from None
        raise ImageNotFound(
            f"'{name}' is a container, and a recipe is of an image.",
            f"Commit it first: `snap commit {name} IMAGE`.",
        ) from error


def recipe_of(engine: Engine, image_name: str, contents_folder: Path | None) -> Recipe:
    """The recipe of an image: its steps, and those of the snapshots below it, from the first base on.

    Of each copy the files are looked for by path and sha256 in the image that it led to, while that is here,
    and then in this one. What cannot be replayed is in the recipe by name, with the reason.

    Parameters
    ----------
    contents_folder:
        Where contents of more than 4 KiB are written; without it they are held in the recipe.

    Raises
    ------
    ImageNotFound
    SnapError
        Nothing is known of how the image was made, or what its labels tell was edited.
    InvalidInput
        There are more contents than a recipe without a folder holds.
    """
    image = _image(engine, image_name)
    try:
        record = Record.from_labels(image.config.labels)
        generations = generations_of(image.config.labels)
    except RecordDamaged as error:
        raise SnapError(
            f"The steps of '{image_name}' cannot be told: {error}.",
            f"`snap verify {image_name}` shows what is wrong.",
        ) from error
    if record is None:
        raise SnapError(
            f"'{image_name}' was not made by snap, so nothing is known of its steps.",
            "Name an image that `snap commit` or `snap patch` made; `docker history` has the layers of any.",
        )
    keeper = Keeper(contents_folder)
    try:
        with ExitStack() as stack:
            author = _Author(engine, image, record, keeper, stack)
            for generation in generations:
                author.tell(generation, with_heading=len(generations) > 1)
            author.tell_what_is_missing(generations)
            return author.recipe()
    except BaseException:
        keeper.take_back()
        raise


class _Outcome(NamedTuple):
    """What came of a step: the image, ``None`` where it is not here, and the steps between."""

    image: Image | None
    later: Sequence[Step]


class _Author:
    """Writes a recipe, generation by generation."""

    def __init__(
        self, engine: Engine, image: Image, record: Record, keeper: Keeper, stack: ExitStack
    ) -> None:
        self._engine = engine
        self._image = image
        self._record = record
        self._keeper = keeper
        self._stack = stack
        self._instructions: list[Instruction] = []
        self._notes: list[str] = []
        self._comments: list[str] = []
        self._waiting: list[str] = []
        base = self._found(record.origin.id)
        # What the config would be after all that is told so far.
        self._config = base.config if base else None
        self._files: dict[str, ImageFiles] = {}

    def recipe(self) -> Recipe:
        """All that was told."""
        origin, record = self._record.origin, self._record
        is_whole = record.base.id == origin.id
        count = origin.layer_count
        stands_on_it = chain_id(self._image.layers[:count]) == origin.chain_id
        return Recipe(
            base_name=origin.name,
            base_digest=_digest(origin.digest) if origin.digest != origin.id else "",
            base_id=_digest(origin.id),
            base_chain=_digest(origin.chain_id),
            instructions=tuple(self._instructions),
            notes=tuple(self._notes) if any(self._notes) else (),
            result=Result(
                layers=self._image.layers[count:] if stands_on_it else (),
                changes_digest=_digest(record.manifest_digest) if is_whole else "",
                timestamp=record.created,
                image_id=self._image.id,
            ),
            message=record.message,
            comments=(*self._comments, "\n".join(self._waiting)),
        )

    def tell(self, made: Generation, *, with_heading: bool) -> None:
        """The steps of one commit, and what it changed in the config."""
        image = self._found(made.image) if made.image else self._image
        if with_heading:
            message = f": {made.message}" if made.message else ""
            self._waiting.append(f"On {made.base_name or made.base_id}{message}")
        if made.summed_up:
            self._tell_unreplayable(
                earlier_in_words(made.summed_up),
                "they were too many for the labels of the image, which only count them",
            )
        base = self._found(made.base_id)
        around = Surroundings(base.config if base else self._config)
        for number, step in enumerate(made.steps, 1):
            led_to = _Outcome(image, made.steps[number:])
            if step.verb == "patch":
                self._tell_patch(step, led_to)
            elif step.verb == "cp":
                self._tell_cp(step, led_to)
            else:
                self._tell_command(step, around)
            if step.verb == "run":
                around = around.started(step)
        if image:
            self._tell_config(image.config)

    def tell_what_is_missing(self, generations: Sequence[Generation]) -> None:
        """Say what could not be looked at."""
        is_patched = all(step.verb == "patch" for made in generations for step in made.steps)
        if self._config is None and not is_patched:
            self._tell_unreplayable(
                "changes of the config", "the base image is not here, so that nobody can tell what they were"
            )

    def _tell_patch(self, step: Step, led_to: _Outcome) -> None:
        option = step.argv[0] if step.argv else ""
        words = f"snap patch {' '.join(step.argv[:1])}"
        if step.cut and option in CONFIG_OPTIONS and self._config is not None:
            self._waiting.append(f"{words} …: told below, as the image has it")
            return
        if step.cut and option == "--add-text" and len(step.copied) == 1:
            path = step.copied[0].path
            self._tell_copies(step, Asked("", path, path), led_to)
            return
        try:
            instruction = instruction_of(step.argv)
        except InvalidInput as error:
            self._tell_unreplayable(step_in_words(step), f"its words cannot be read: {error.what}")
            return
        if isinstance(instruction, Copy):
            self._tell_copies(step, self._asked(instruction), led_to)
        elif step.cut:
            self._tell_unreplayable(step_in_words(step), CUT)
        else:
            self._add(instruction)
            if isinstance(instruction, EditConfig) and self._config is not None:
                with suppress(InvalidInput):
                    self._config = instruction.edits.applied_to(self._config)

    def _asked(self, copy: Copy) -> Asked:
        source = copy.source.path if isinstance(copy.source, LocalPath) else ""
        working_dir = self._config.working_dir if self._config else ""
        target = absolute(copy.destination, working_dir)
        return Asked(source, copy.destination, target, copy.owner, copy.mode)

    def _tell_cp(self, step: Step, led_to: _Outcome) -> None:
        if is_idle(step):
            self._waiting.append(f"{_shortened(step_in_words(step))}: left out, it changed nothing")
            return
        source, place = step.argv if len(step.argv) == 2 else ("", "")
        target = container_path(place.partition(":")[2])
        self._tell_copies(step, Asked("" if source == STDIN else source, target, target), led_to)

    def _tell_command(self, step: Step, around: Surroundings) -> None:
        words = step_in_words(step)
        found = as_run(step, around)
        if isinstance(found, Idle):
            self._waiting.append(f"{_shortened(words)}: left out, {found.why}")
        elif isinstance(found, Unreplayable):
            self._tell_unreplayable(words, found.why)
        else:
            self._waiting.append(_shortened(words))
            self._add(found)

    def _tell_copies(self, step: Step, asked: Asked, led_to: _Outcome) -> None:
        words = step_in_words(step)
        if not step.copied or len(step.copied) in _MOST_COPIED:
            self._tell_unreplayable(words, "which files it copied is not known")
            return
        places = [self._files_of(found) for found in (led_to.image, self._image) if found]
        try:
            beside = self._beside(step, led_to)
            names = self._further_names(led_to.image or self._image)
            copies = self._keeper.copies(asked, step.copied, places, beside, names)
        except ContentGone as error:
            self._tell_unreplayable(words, str(error))
            return
        self._waiting.append(_shortened(words))
        if any(isinstance(copy.source, TarFile) for copy in copies):
            paths = [item.path for item in step.copied]
            self._waiting.append(_shortened(f"the tar has {', '.join(paths)}"))
        for copy in copies:
            self._add(copy)

    def _beside(self, step: Step, led_to: _Outcome) -> Sequence[str]:
        """What a copy may have brought beside files: links, folders, pipes and devices."""
        if step.changes and (step.changes.listed or not step.changes.total):
            return [line[2:] for line in step.changes.listed if line[:2] != "D "]
        image, later = led_to
        if image is None or not all(map(_is_edit, later)):
            return ()
        # It is not told by the step itself, so it is what the image has there and no step after it has made.
        made = {_made_path(item) for item in later}
        others = [item.path for item in _recorded(image) if item.file and item.file.type is not FileType.FILE]
        return [path for path in others if path not in made]

    def _further_names(self, image: Image) -> Mapping[str, str]:
        """For each further name of a file that the image changed its first name."""
        return {
            item.path: item.file.hard_link for item in _recorded(image) if item.file and item.file.hard_link
        }

    def _tell_config(self, after: Config) -> None:
        """What else was changed in the config by then."""
        if self._config is None:
            return
        words = list(config_words(edits_between(self._config, after)))
        self._config = after
        told: list[str] = []
        for option, text in zip(words[::2], words[1::2], strict=True):
            shown, cut = redacted_argv((option, text))
            if cut:
                self._tell_unreplayable(
                    shlex.join(("snap", "patch", *shown)),
                    "its value could be a secret: write the step by hand",
                )
            else:
                told += [option, text]
        for instruction in instructions_of(told):
            self._add(instruction)

    def _add(self, instruction: Instruction, note: str = "") -> None:
        self._instructions.append(instruction)
        self._notes.append(note)
        self._comments.append("\n".join(self._waiting))
        self._waiting.clear()

    def _tell_unreplayable(self, words: str, why: str) -> None:
        self._add(Run(printable(words)), why)

    def _found(self, image_id: str) -> Image | None:
        with suppress(ImageNotFound):
            return self._engine.image(image_id) if is_digest(image_id) else None
        return None

    def _files_of(self, image: Image) -> ImageFiles:
        if image.id not in self._files:
            self._files[image.id] = self._stack.enter_context(files_of(self._engine, image))
        return self._files[image.id]


def _recorded(image: Image) -> Sequence[PathChange]:
    """What an image changed, as far as that can be told."""
    with suppress(ManifestDamaged, RecordDamaged):
        record = Record.from_labels(image.config.labels)
        return (recorded_changes(record, image) if record else None) or ()
    return ()


def _is_edit(step: Step) -> bool:
    return step.verb == "cp" or (step.verb == "patch" and step.argv[:1] != ("--run",))


def _made_path(step: Step) -> str:
    """The link or folder that a step made by itself, empty where it made none."""
    with suppress(InvalidInput):
        found = instruction_of(step.argv) if step.verb == "patch" else None
        if isinstance(found, (MakeSymlink, MakeFolder)):
            return absolute(found.path, "/")
    return ""


def _digest(text: str) -> str:
    return text if is_digest(text) else ""


def _shortened(words: str) -> str:
    return shortened(words, _MOST_COMMENT_CHARS)
