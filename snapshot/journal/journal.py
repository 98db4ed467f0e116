"""The journal of a container: its steps as they were done, in a file of its own.

For a container there is the folder ``<container id>`` with ``steps.jsonl`` and, for steps that ended with a
look at the container, ``looks/<number>``. A crash loses at most the step in hand; the order of steps is that
of the file, whatever clocks say.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from snapshot.errors import SnapError
from snapshot.journal.journal_lines import LockedLines, locked_lines, read_lines
from snapshot.journal.looks import Looks
from snapshot.journal.marks import Look, step_changes
from snapshot.journal.step import Copied, Step
from snapshot.journal.step_json import step_from_json, step_to_json
from snapshot.journal.tally import Tally, Worker, tally_from_json


class Commit(NamedTuple):
    """An image that was made of a container; ``look`` is the newest look then, where it is still kept."""

    image_id: str
    look: Look | None


class Journal:
    """What was done to one container, and what came of it.

    Any number of processes may use the journal of a container at once. All methods raise
    :class:`~snapshot.errors.SnapError` where the file cannot be used.

    Parameters
    ----------
    folder:
        Where the journals of all containers are.
    container_id:
        The container's full ID; another container of the same name has another journal.

    Raises
    ------
    ValueError
        Where that is no ID.
    """

    def __init__(self, folder: Path, container_id: str) -> None:
        if not container_id or len(container_id) > 64 or not set(container_id) <= set("0123456789abcdef"):
            raise ValueError(f"{container_id!r} is no container ID")
        self.container_id = container_id
        self.sessions_folder = folder.parent / "sessions" / container_id
        self._folder = folder / container_id
        self._path = self._folder / "steps.jsonl"
        self._looks = Looks(self._folder / "looks")
        self._drafts: dict[int, Step] = {}

    def begin(self, draft: Step, before: Look | None, *, name: str = "", image_id: str = "") -> int:
        """Write down that a step begins, and return its number.

        Parameters
        ----------
        draft:
            The step as far as it is known, all secrets cut; its number does not matter.
        before:
            What the container looks like now. Where that is not what the newest step left, and nobody else is
            at work, something was done behind snap's back: a step ``unknown`` is written first.
        name, image_id:
            The container's name and its image, for the first line of a new journal.
        """
        with self._open(name, image_id) as (lines, tally, values):
            tally = self._unknown_first(tally, before, values)
            number = tally.last + 1
            step = draft._replace(number=number, started=draft.started or _now())
            values.append({"line": "begin", "step": step_to_json(step), "tally": tally.begun().to_json()})
            lines.append(values)
        self._drafts[number] = step
        return number

    def end(
        self,
        number: int,
        after: Look | None,
        *,
        exit_code: int | None,
        duration_s: float | None,
        session: str = "",
        copied: Iterable[Copied] = (),
    ) -> Step:
        """Write down that a step has ended, and return it whole.

        What it changed is held against the newest look that is kept, of whatever step. A journal that was
        forgotten meanwhile is not begun again.

        Parameters
        ----------
        number:
            The number that :meth:`begin` gave it.
        after:
            What the container looks like now, ``None`` where that is not known.
        exit_code, duration_s, session, copied:
            The fields of :class:`~snapshot.journal.step.Step`.
        """
        draft = self._drafts.pop(number, None) or self._begun(number)
        outcome = draft._replace(
            exit_code=exit_code, duration_s=duration_s, session=session, copied=tuple(copied) or draft.copied
        )
        if not self._path.exists():
            return outcome
        with self._open() as (lines, tally, _):
            worker = tally.at_work.get(number)
            step = outcome._replace(
                changes=step_changes(self._looks.get(tally.look), after),
                overlaps=outcome.overlaps or (worker is not None and worker.overlaps),
            )
            if tally.last >= number:
                has_look = self._keep(number, after, tally)
                tally = tally.ended(number, has_look=has_look)
                lines.append([{"line": "end", "step": step_to_json(step), "tally": tally.to_json()}])
        return step

    def note_unknown(self, now: Look | None) -> Step | None:
        """Write down what was done behind snap's back, where something was and nobody is at work."""
        if now is None or (not now.marks and not self._path.exists()):
            return None
        with self._open() as (lines, tally, values):
            if self._unknown_first(tally, now, values) == tally:
                return None
            lines.append(values)
            return step_from_json(values[-1]["step"])

    def steps(self) -> tuple[Step, ...]:
        """All steps in the order of their numbers.

        Those that are still at work have neither exit status nor duration; those whose process went away
        without a word are marked as interrupted.
        """
        newest: dict[int, Mapping[str, Any]] = {}
        workers: dict[int, Worker] = {}
        for line in read_lines(self._path):
            tally, step = tally_from_json(line.get("tally")), line.get("step")
            if tally is None:
                continue
            workers.update(tally.at_work)
            if isinstance(step, dict) and type(step.get("number")) is int:
                newest[step["number"]] = line
        found = (_step_of(newest[number], workers.get(number)) for number in sorted(newest))
        return tuple(step for step in found if step is not None)

    def look_at(self, number: int) -> Look | None:
        """What the container looked like after a step (0: as it was made), where that is still kept."""
        return self._looks.get(number)

    def committed(self, image_id: str) -> None:
        """Write down that an image was made of what the newest look shows."""
        with self._open() as (lines, tally, values):
            tally = tally._replace(committed=tally.look)
            values.append({"line": "commit", "image_id": image_id, "tally": tally.to_json()})
            lines.append(values)

    def last_commit(self) -> Commit | None:
        """The newest image that was made of the container; ``None`` where there is none."""
        found = None
        for line in read_lines(self._path):
            tally = tally_from_json(line.get("tally"))
            image_id = line.get("image_id")
            if tally is not None and type(image_id) is str:
                found = (image_id, tally)
        if found is None:
            return None
        image_id, tally = found
        return Commit(image_id, self._looks.get(tally.committed))

    def forget(self) -> None:
        """Remove all that is kept of the container: journal, looks and sessions."""
        from shutil import rmtree

        rmtree(self.sessions_folder, ignore_errors=True)
        if self._folder.exists():
            with locked_lines(self._path):
                rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def _open(
        self, name: str = "", image_id: str = ""
    ) -> Iterator[tuple[LockedLines, Tally, list[Mapping[str, Any]]]]:
        # The file with all other writers kept out, where it stands, and the lines to be written.
        with locked_lines(self._path) as lines:
            for line in lines.backwards():
                tally = tally_from_json(line.get("tally"))
                if tally is not None:
                    yield lines, tally.without_the_gone(), []
                    return
            head = {"line": "journal", "container": self.container_id, "name": name, "image": image_id}
            yield lines, Tally(), [{**head, "tally": Tally().to_json()}]

    def _unknown_first(self, tally: Tally, now: Look | None, values: list[Mapping[str, Any]]) -> Tally:
        changes = None if tally.at_work else step_changes(self._looks.get(tally.look), now)
        if now is None or changes is None or not changes.total:
            return tally
        step = Step(tally.last + 1, "unknown", started=_now(), changes=changes)
        has_look = self._keep(step.number, now, tally)
        tally = tally._replace(last=step.number).ended(step.number, has_look=has_look)
        values.append({"line": "unknown", "step": step_to_json(step), "tally": tally.to_json()})
        return tally

    def _keep(self, number: int, look: Look | None, tally: Tally) -> bool:
        needed = {tally.look, tally.committed}
        return look is not None and self._looks.keep(number, look, needed=needed)

    def _begun(self, number: int) -> Step:
        for step in self.steps():
            if step.number == number:
                return step._replace(interrupted=False)
        raise SnapError(
            f"The journal of container {self.container_id[:12]} knows no step {number}.",
            "See which steps there are with `snap log`.",
        )


def _step_of(newest: Mapping[str, Any], worker: Worker | None) -> Step | None:
    # The newest line of a step is what its end was written in, where it has one.
    try:
        step = step_from_json(newest["step"])
    except ValueError:
        return None
    if newest.get("line") != "begin":
        return step
    is_gone = worker is None or not worker.is_alive
    return step._replace(interrupted=is_gone, overlaps=worker is not None and worker.overlaps)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
