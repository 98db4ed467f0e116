"""What would be lost with a container: changes that no image holds, and the data of its anonymous volumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from snapshot.engine.client import Engine
from snapshot.engine.types import Container
from snapshot.errors import ImageNotFound, Refused
from snapshot.journal.marks import step_changes
from snapshot.workflow.look import take_look
from snapshot.workflow.steps import journal_of


class Unsaved(NamedTuple):
    """How many paths a container has changed that no image holds; ``None`` where nobody can tell.

    ``image_id`` is the image of its last commit, empty where it has none that is still there.
    """

    paths: int | None
    image_id: str = ""


class Loss(NamedTuple):
    """What goes with a container.

    Attributes
    ----------
    unsaved:
        The changes that no image holds.
    volumes:
        Where its anonymous volumes are mounted: their data is in no image, and goes with the container.
    runs:
        Whether its processes are there, and would be ended.
    """

    container: Container
    unsaved: Unsaved
    volumes: tuple[str, ...]
    runs: bool

    @property
    def loses_data(self) -> bool:
        """Whether anything would be lost that cannot be had again."""
        return self.unsaved.paths != 0 or bool(self.volumes)

    def in_words(self) -> str:
        """``loses 3 changed paths that no image holds and the data of 1 anonymous volume``."""
        paths = self.unsaved.paths
        lost = []
        if paths is None:
            lost.append("changes that no image may hold (the engine does not tell)")
        elif paths:
            lost.append(f"{paths:,} changed path{'' if paths == 1 else 's'} that no image holds")
        if number := len(self.volumes):
            lost.append(f"the data of {number} anonymous volume{'' if number == 1 else 's'}")
        parts = ["ends its processes"] if self.runs else []
        parts += [f"loses {' and '.join(lost)}"] if lost else []
        return " and ".join(parts)


#: Asked before something is lost: says whether to go on.
Confirm = Callable[[Loss], bool]


def unsaved(engine: Engine, container: Container) -> Unsaved:
    """What the container has changed since its last commit, or at all where no image of one is left.

    It is a quick look at names, sizes and times, not at content.
    """
    look = take_look(engine.processes, container)
    if look is None:
        return Unsaved(None)
    commit = journal_of(container.id).last_commit()
    if commit is None or not look.marks or not _is_there(engine, commit.image_id):
        return Unsaved(len(look.marks))
    since = step_changes(commit.look, look)
    # Another change of a path that had been changed before the commit may not be seen.
    is_sure = since is not None and (since.total > 0 or since.exact)
    return Unsaved(since.total if since and is_sure else None, commit.image_id)


def loss_of(engine: Engine, container: Container) -> Loss:
    """What would go with the container."""
    volumes = tuple(mount.destination for mount in container.mounts if mount.is_anonymous)
    return Loss(container, unsaved(engine, container), volumes, container.is_up)


def agreed(loss: Loss, doing: str, confirm: Confirm | None) -> bool:
    """Ask whether to go on; raises :class:`~snapshot.errors.Refused` where nobody can be asked.

    ``doing`` names what is about to be done, as in ``Removing 'box'``.
    """
    if confirm is not None:
        return confirm(loss)
    keep = f"`snap commit {loss.container.name} IMAGE` keeps the changes, " if loss.unsaved.paths != 0 else ""
    raise Refused(f"{doing} {loss.in_words()}.", f"{keep}--force goes on without asking.")


def _is_there(engine: Engine, image_id: str) -> bool:
    try:
        engine.image(image_id)
    except ImageNotFound:
        return False
    return True
