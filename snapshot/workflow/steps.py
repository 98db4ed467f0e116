"""Keeping the steps that are done to a container in its journal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from snapshot.engine.processes import Processes
from snapshot.engine.types import Container
from snapshot.errors import EngineUnreachable, SnapError
from snapshot.journal.journal import Journal
from snapshot.journal.marks import EMPTY_LOOK, Look
from snapshot.journal.redaction import redacted_argv
from snapshot.journal.step import Copied, Step
from snapshot.workflow.look import take_look
from snapshot.workflow.state import state_folder

if TYPE_CHECKING:
    # Loaded, they would make every step wait for what talks to registries.
    from types import TracebackType

    from snapshot.engine.client import Engine


def journal_of(container_id: str) -> Journal:
    """The journal of a container, by its full ID: another one of the same name has another journal."""
    return Journal(state_folder() / "journals", container_id)


def steps_of(engine: Engine, container: Container) -> tuple[tuple[Step, ...], str]:
    """All steps of a container until now, and why they cannot be told: empty where they can.

    What was done behind snap's back is one of them.
    """
    journal = journal_of(container.id)
    try:
        journal.note_unknown(take_look(engine.processes, container))
        return journal.steps(), ""
    except EngineUnreachable:
        raise
    except (OSError, SnapError) as error:
        return (), str(error)


def note_commit(container_id: str, image_id: str) -> None:
    """Note that an image holds what the container has changed, save what was left out on purpose."""
    journal_of(container_id).committed(image_id)


def forget_steps(container_id: str) -> None:
    """Remove the journal and the recordings of a container that is no more."""
    journal_of(container_id).forget()


class StepKeeper:
    """One step of a container, from before its begin to after its end.

    What goes wrong with the journal (a full disk, a folder that cannot be written) does not stop the step:
    :attr:`failure` says it.

    Parameters
    ----------
    draft:
        What is known at the beginning; what could hold a secret is cut from its ``argv`` here.
    env:
        The variables that were given, ``KEY=VALUE``: their names go into the step, and their values are cut.
    is_new:
        Whether the container was made just now, so that nothing can be changed in it.

    Attributes
    ----------
    container, draft:
        The container, and the step as it was begun.
    exit_code, session, copied:
        To be set by the work inside.
    number:
        Of the step, 0 where the journal cannot be written.
    step:
        After the end: what was written.
    failure:
        Why the step is not in the journal, or not whole; empty where it is.
    """

    def __init__(
        self,
        processes: Processes,
        container: Container,
        draft: Step,
        *,
        env: Sequence[str] = (),
        is_new: bool = False,
    ) -> None:
        argv, cut = redacted_argv(draft.argv, env)
        self.exit_code: int | None = None
        self.session = ""
        self.copied: tuple[Copied, ...] = ()
        self.number = 0
        self.step: Step | None = None
        self.failure = ""
        self._processes = processes
        self.container = container
        self.draft = draft._replace(
            argv=argv,
            cut=cut,
            env_names=tuple(dict.fromkeys(variable.partition("=")[0] for variable in env)),
        )
        self._journal = journal_of(container.id)
        self._is_new = is_new
        self._begun_s = 0.0

    def __enter__(self) -> StepKeeper:
        before = EMPTY_LOOK if self._is_new else self._look()
        self._begun_s = time.monotonic()
        try:
            self.number = self._journal.begin(
                self.draft, before, name=self.container.name, image_id=self.container.image_id
            )
        except (OSError, SnapError) as error:
            self.failure = f"the step is not in the journal: {error}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.number:
            return
        duration_s = round(time.monotonic() - self._begun_s, 3)
        try:
            self.step = self._journal.end(
                self.number,
                self._look(),
                exit_code=self.exit_code,
                duration_s=duration_s,
                session=self.session,
                copied=self.copied,
            )
        except (OSError, SnapError) as failure:
            self.failure = f"the end of step {self.number} is not in the journal: {failure}"

    def _look(self) -> Look | None:
        try:
            return take_look(self._processes, self.container)
        except (OSError, SnapError):
            # Whatever it is (a container that is being removed takes its files away under the look): the
            # step itself matters more.
            return None
