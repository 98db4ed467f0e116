"""Where a journal stands: each of its lines says so, and the last one is enough to go on from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple


class Worker(NamedTuple):
    """A process of snap that is at work on a step.

    ``pid_start`` is when it was started, as the kernel counts (empty where that cannot be asked): a later
    process of the same number is another one. ``overlaps`` says whether another step was at work meanwhile.
    """

    pid: int
    pid_start: str
    overlaps: bool

    @classmethod
    def this_process(cls, *, overlaps: bool) -> Worker:
        """The process that asks."""
        pid = os.getpid()
        return cls(pid, (_state_and_start(pid) or ("", ""))[1], overlaps)

    @property
    def is_alive(self) -> bool:
        """Whether that process is still there."""
        found = _state_and_start(self.pid)
        if found is not None:
            state, start = found
            return state not in {"Z", "X"} and (not self.pid_start or start == self.pid_start)
        if self.pid_start:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


class Tally(NamedTuple):
    """Where a journal stands after one of its lines.

    ``last`` is the number of the newest step, ``look`` that of the step after which the newest look was taken
    (0: the container as it was made), ``committed`` the same for the look of the newest commit, ``at_work``
    has the steps that have begun and not ended.
    """

    last: int = 0
    look: int = 0
    committed: int = 0
    at_work: Mapping[int, Worker] = {}

    def without_the_gone(self) -> Tally:
        """The same without the steps whose process is no longer there."""
        return self._replace(at_work={key: worker for key, worker in self.at_work.items() if worker.is_alive})

    def begun(self) -> Tally:
        """Where it stands when this process has begun one more step."""
        overlaps = bool(self.at_work)
        at_work = {key: worker._replace(overlaps=True) for key, worker in self.at_work.items()}
        at_work[self.last + 1] = Worker.this_process(overlaps=overlaps)
        return self._replace(last=self.last + 1, at_work=at_work)

    def ended(self, number: int, *, has_look: bool) -> Tally:
        """Where it stands when a step has ended, with or without a look."""
        at_work = {key: worker for key, worker in self.at_work.items() if key != number}
        return self._replace(at_work=at_work, look=number if has_look else self.look)

    def to_json(self) -> dict[str, Any]:
        """The same as a JSON object."""
        return {
            "last": self.last,
            "look": self.look,
            "committed": self.committed,
            "at_work": {str(key): list(worker) for key, worker in self.at_work.items()},
        }


def tally_from_json(value: Any) -> Tally | None:
    """Read what :meth:`Tally.to_json` wrote; ``None`` where it is no such thing."""
    try:
        numbers = (value["last"], value["look"], value["committed"])
        at_work = {int(key): Worker(*worker) for key, worker in value["at_work"].items()}
    except (TypeError, KeyError, ValueError, AttributeError):
        return None
    workers_hold = all(
        type(worker.pid) is int and worker.pid > 0 and type(worker.pid_start) is str
        for worker in at_work.values()
    )
    if not workers_hold or not all(type(number) is int and number >= 0 for number in numbers):
        return None
    return Tally(*numbers, at_work)


def _state_and_start(pid: int) -> tuple[str, str] | None:
    # proc(5): the name of the command stands in brackets and may hold anything.
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 (start-up time counts)
            fields = file.read().rpartition(b")")[2].split()
        return fields[0].decode("ascii"), fields[19].decode("ascii")
    except (OSError, IndexError, UnicodeDecodeError):
        return None
