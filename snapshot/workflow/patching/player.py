"""One playing of instructions: segment by segment, from the last kept result on."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from snapshot.changeset.edited_tree import EditedTree
from snapshot.changeset.entry import Changeset
from snapshot.changeset.layer import LayerSpool
from snapshot.engine.client import Engine
from snapshot.engine.types import Config, Image
from snapshot.errors import InvalidInput
from snapshot.journal.redaction import redacted_argv
from snapshot.journal.step import Copied, Step, StepChanges
from snapshot.recipe.explained import ExplainedStep, best_reordering, explained
from snapshot.recipe.instructions import Copy, EditConfig, FileEdit, Instruction, Run, TarFile
from snapshot.recipe.keys import CACHE_LABEL, KeptStep, StepKey, cache_label
from snapshot.recipe.words import STDIN, words_of
from snapshot.workflow.cache import find_kept, keep_result, kept_chains, keys_of
from snapshot.workflow.delivery import gone_on_failure
from snapshot.workflow.described import moment
from snapshot.workflow.image_files import files_of
from snapshot.workflow.methods.interface import CaptureWay
from snapshot.workflow.patching.applying import apply_edit
from snapshot.workflow.patching.carrying import carry
from snapshot.workflow.patching.image_so_far import ImageSoFar
from snapshot.workflow.patching.keeping import RESULT_LABEL, KeptResult, kept_result, result_label
from snapshot.workflow.patching.running import RunSettings, run_captured
from snapshot.workflow.patching.saving import with_contents
from snapshot.workflow.patching.segments import Segment, segments
from snapshot.workflow.patching.sources import Gathered, gathered
from snapshot.workflow.patching.step_changes import step_changes
from snapshot.workflow.patching.telling import told_with_step
from snapshot.workflow.progress import Progress

if TYPE_CHECKING:
    from snapshot.workflow.own_changes import OwnChanges

#: A step tells of so many copied files; a label has room for no more.
_MOST_COPIED = 500
# Changes that are looked at to tell which of them each edit made; once there were more, it is not told.
_MOST_COMPARED = 50_000


class PlaySettings(NamedTuple):
    """How instructions are played.

    Attributes
    ----------
    runs:
        What runs are given.
    use_cache, keep:
        Whether kept results are reused, and whether those that are made here are kept.
    explain:
        Whether to tell afterwards what was reused, and why not.
    stdin:
        Where a tar comes from that is copied from ``-``; ``None`` for nowhere.
    capture:
        How files are read.
    contents:
        A folder that takes what is copied, where the instructions are to be saved with it.
    """

    runs: RunSettings
    use_cache: bool = True
    keep: bool = False
    explain: bool = False
    stdin: BinaryIO | None = None
    capture: CaptureWay = CaptureWay.AUTO
    contents: Path | None = None


class Player:
    """Plays instructions.

    Attributes
    ----------
    so_far:
        The image that has come out by now.
    steps:
        What was done.
    skipped:
        Local paths that no image can hold.
    instructions:
        With what they copied, where that was asked for.
    explained, advice:
        As of :class:`~snapshot.workflow.patching.build.Built`.
    """

    def __init__(
        self,
        engine: Engine,
        base: Image,
        config: Config,
        settings: PlaySettings,
        fixed_time_s: int | None,
        progress: Progress,
        stack: ExitStack,
    ) -> None:
        self.so_far = ImageSoFar(
            engine,
            base,
            config,
            capture=settings.capture,
            fixed_time_s=fixed_time_s,
            progress=progress,
            stack=stack,
        )
        self.steps: list[Step] = []
        self.skipped: list[str] = []
        self.instructions: list[Instruction] = []
        self.explained: tuple[ExplainedStep, ...] = ()
        self.advice = ""
        self._engine = engine
        self._base = base
        self._settings = settings
        self._fixed_time_s = fixed_time_s
        self._progress = progress
        self._stack = stack
        self._keys: tuple[StepKey, ...] = ()
        self._words: list[str] = []
        self._sources: dict[int, Gathered] = {}
        self._spools: dict[int, LayerSpool] = {}
        self._durations_s: list[float] = []
        self._keeps = False
        self._useless = ""
        self._latest: Changeset | None = None
        self._compared = 0

    def play(self, instructions: Sequence[Instruction], carried: OwnChanges | None) -> None:
        """Play all of it; raises as :func:`~snapshot.workflow.patching.build.build` does."""
        parts = segments(instructions) or [Segment(0, 0, False, (0,))]
        if carried and parts[0].is_run:
            parts.insert(0, Segment(0, 0, False, (0,)))
        settings = self._settings
        # What is carried is no instruction, so no key tells of it.
        uses_cache = settings.use_cache and carried is None and bool(instructions)
        self._words = [shlex.join(self._told(instruction)[0]) for instruction in instructions]
        self.instructions = list(instructions)
        self._gather(instructions, parts)
        contents = [
            self._sources[number].digest if number in self._sources else ""
            for number in range(len(instructions))
        ]
        runs = settings.runs
        self._keeps = settings.keep and uses_cache
        if uses_cache or settings.explain:
            self._keys = keys_of(
                self._base, instructions, contents, runs.env, self._fixed_time_s, network=runs.network
            )
        chains = kept_chains(self._engine) if settings.explain else ()
        ends = sorted({end for part in parts for end in part.ends})
        hits = self._resume(instructions, ends) if uses_cache else 0
        for part in parts:
            if part.end > hits or (carried and not part.end):
                first = max(part.first, hits)
                self._play_part(part, instructions, first, carried if part is parts[0] else None)
        if settings.explain:
            self.explained = explained(
                self._keys, self._words, chains, hits, ends=ends, use_cache=settings.use_cache
            )
            self.advice = best_reordering(self._keys, self._words, chains, hits)

    def _gather(self, instructions: Sequence[Instruction], parts: Sequence[Segment]) -> None:
        """Read all that is copied, once; so nothing is begun where something cannot be read."""
        for part in parts:
            if not part.is_run:
                spool = self._stack.enter_context(LayerSpool(latest_mtime_s=self._fixed_time_s))
                self._spools[part.first] = spool
        for part in parts:
            for number in range(part.first, part.end):
                instruction = instructions[number]
                if not isinstance(instruction, Copy):
                    continue
                self._progress.stage(f"reading {self._words[number]}")
                if instruction.source == TarFile(STDIN) and self._settings.stdin is None:
                    raise InvalidInput("There is no tar on stdin.", "Write: snap patch … < FILE.tar")
                with told_with_step(self._words, number):
                    found = gathered(instruction.source, self._spools[part.first], stdin=self._settings.stdin)
                self._sources[number] = found
                self.skipped += found.skipped
                if self._settings.contents:
                    spool = self._spools[part.first]
                    self.instructions[number] = with_contents(
                        instruction, found, spool, self._settings.contents
                    )

    def _resume(self, instructions: Sequence[Instruction], ends: Sequence[int]) -> int:
        """Take the last kept result; returns how many instructions it covers."""
        found = find_kept(self._engine, self._keys, ends)
        if found is None:
            return 0
        hits, image = found
        result = kept_result(image.config.labels, image.layers, hits)
        if result is None:
            self._useless = image.id
            return 0
        self.so_far.resume(image, result.changeset)
        self.steps = list(result.steps)
        for instruction in instructions[:hits]:
            if isinstance(instruction, EditConfig):
                self.so_far.edit_config(instruction)
        self._durations_s = [step.duration_s or 0.0 for step in result.steps]
        return hits

    def _play_part(
        self,
        part: Segment,
        instructions: Sequence[Instruction],
        first: int,
        carried: OwnChanges | None,
    ) -> None:
        if part.is_run:
            run = instructions[part.first]
            assert isinstance(run, Run)
            self._run(run, part)
            return
        of_files = [
            number for number in range(first, part.end) if not isinstance(instructions[number], EditConfig)
        ]
        last_of_files = of_files[-1] if of_files else -1
        with ExitStack() as reading:
            tree = None
            if of_files or carried:
                if self.so_far.pending:
                    # What was run before is below the edits.
                    self.so_far.settle()
                image = self.so_far.image
                files = reading.enter_context(files_of(self._engine, image, self._settings.capture))
                tree = EditedTree(files, self._spools[part.first])
            if tree and carried and carried.layer:
                carry(tree, carried.layer)
            if tree and not of_files:
                self._take(tree)
            for number in range(first, part.end):
                instruction = instructions[number]
                if isinstance(instruction, EditConfig):
                    with told_with_step(self._words, number):
                        self.so_far.edit_config(instruction)
                    self._note(instruction, changes=StepChanges())
                elif tree and not isinstance(instruction, Run):
                    with told_with_step(self._words, number):
                        self._edit(tree, instruction, number)
                    if number == last_of_files:
                        self._take(tree)
                if number + 1 in part.ends:
                    self._keep(number + 1)

    def _edit(self, tree: EditedTree, edit: FileEdit, number: int) -> None:
        begun_s = time.monotonic()
        before = (self._latest or tree.changeset()) if self._compared < _MOST_COMPARED else None
        now_s = int(time.time()) if self._fixed_time_s is None else self._fixed_time_s
        copied = apply_edit(tree, edit, self.so_far.config, gathered=self._sources.get(number), now_s=now_s)
        changes = None
        if before is not None:
            self._latest = tree.changeset()
            self._compared += len(self._latest.changes)
            changes = step_changes(before, self._latest)
        self._note(edit, duration_s=time.monotonic() - begun_s, copied=copied, changes=changes)

    def _take(self, tree: EditedTree) -> None:
        """The edits of a segment are done: they are one layer."""
        self._latest = None
        self.so_far.add(tree.layer(), tree.changeset())

    def _run(self, run: Run, part: Segment) -> None:
        self.so_far.settle()
        outcome = run_captured(
            self._engine,
            self.so_far.image,
            self.so_far.config,
            run,
            self._settings.runs,
            capture=self._settings.capture,
            fixed_time_s=self._fixed_time_s,
            progress=self._progress,
            stack=self._stack,
        )
        captured = outcome.captured
        changes = step_changes(Changeset(()), captured.changeset)
        self._note(run, duration_s=outcome.duration_s, exit_code=0, changes=changes)
        self.so_far.add(captured.layer, captured.changeset)
        self._keep(part.end)

    def _keep(self, count: int) -> None:
        """Keep the result of the first instructions, so many, where that is wanted."""
        if not self._keeps:
            return
        kept = [
            KeptStep(key, words, duration_s)
            for key, words, duration_s in zip(
                self._keys[:count], self._words, self._durations_s, strict=False
            )
        ]
        labels = {
            CACHE_LABEL: cache_label(kept),
            RESULT_LABEL: result_label(
                KeptResult(tuple(self.steps), self.so_far.changeset), self.so_far.layers
            ),
        }
        if not all(labels.values()):
            return
        is_new = self.so_far.deliver(labels)
        image = self.so_far.image
        with gone_on_failure(self._engine, image.id, is_new=is_new):
            is_kept = keep_result(self._engine, image, self._keys[count - 1].key, useless=self._useless)
        if is_new and not is_kept:
            self.so_far.forget_in_the_end(image)

    def _told(self, instruction: Instruction) -> tuple[tuple[str, ...], bool]:
        """The words of an instruction with all that could be a secret cut, and whether anything was."""
        names = instruction.env_names if isinstance(instruction, Run) else ()
        env = self._settings.runs.env
        return redacted_argv(words_of(instruction), [f"{name}={env[name]}" for name in names if name in env])

    def _note(
        self,
        instruction: Instruction,
        *,
        duration_s: float = 0.0,
        copied: Sequence[Copied] = (),
        exit_code: int | None = None,
        changes: StepChanges | None = None,
    ) -> None:
        argv, cut = self._told(instruction)
        self._durations_s.append(duration_s)
        self.steps.append(
            Step(
                len(self.steps) + 1,
                "patch",
                argv,
                env_names=instruction.env_names if isinstance(instruction, Run) else (),
                copied=tuple(copied[:_MOST_COPIED]),
                started=moment(None),
                duration_s=round(duration_s, 3),
                exit_code=exit_code,
                changes=changes,
                cut=cut,
            )
        )
