"""The looks of a journal, one file for each step that ended with one."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from snapshot.journal.marks import EMPTY_LOOK, Look, decode_look, encode_look
from snapshot.journal.private_files import make_private, write_private

#: So many looks are kept of a container, the newest ones.
MOST_KEPT = 200


class Looks:
    """A folder of looks, each under the number of its step."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, number: int, look: Look, *, needed: Collection[int]) -> bool:
        """Keep a look, and let go of the oldest ones not needed; says whether it could be written."""
        try:
            make_private(self._folder)
            write_private(self._folder / str(number), encode_look(look))
            self._thin_out({number, *needed})
        except OSError:
            # The step itself matters more: it will be said to have an unknown outcome.
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
