"""The looks of a journal, one file for each step that ended with one."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from snapshot.journal.journal_lines import make_private
from snapshot.journal.marks import EMPTY_LOOK, Look, decode_look, encode_look

#: So many looks are kept of a container, the newest ones.
MOST_KEPT = 200


class Looks:
    """A folder of looks, each under the number of its step."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, number: int, look: Look, *, needed: Collection[int]) -> bool:
        """Keep a look, and let go of the oldest ones not needed; says whether it could be written."""
        draft = self._folder / f".{number}.{os.getpid()}"
        try:
            make_private(self._folder)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(encode_look(look))
            draft.replace(self._folder / str(number))
            self._thin_out({number, *needed})
        except OSError:
            # The step itself matters more: it will be said to have an unknown outcome.
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            return False
        return True

    def get(self, number: int) -> Look | None:
        """The look after the step of that number; ``None`` where it is not kept, or damaged."""
        if number == 0:
            return EMPTY_LOOK
        try:
            return decode_look((self._folder / str(number)).read_bytes())
        except (OSError, ValueError):
            return None

    def _thin_out(self, needed: set[int]) -> None:
        names = os.listdir(self._folder)  # noqa: PTH208 (names alone are wanted)
        kept = sorted(int(name) for name in names if name.isdecimal())
        spare = [number for number in kept if number not in needed]
        for number in spare[: max(0, len(kept) - MOST_KEPT)]:
            (self._folder / str(number)).unlink(missing_ok=True)
