"""What is done about calls that were interrupted here, while the engine goes on with them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from snapshot.errors import EngineError, NotFound, SnapError

# Ctrl-C is to be answered at once, so not for long.
_MOST_LOOKS = 12
_LOOK_EVERY_S = 0.25
_MOST_TRIES = 12


def tried_again(work: Callable[[], None]) -> None:
    """Do what an engine refuses while it is at a call that was interrupted here, for 3 s at most."""
    for _ in range(_MOST_TRIES):
        try:
            return work()
        except NotFound:
            raise
        except EngineError:
            time.sleep(_LOOK_EVERY_S)
    return work()


def look_for_a_while(look: Callable[[], bool]) -> None:
    """Look for 3 s until it has been found: the engine goes on with a call that was interrupted here.

    It may refuse while it is at it, and is asked again.
    """
    for _ in range(_MOST_LOOKS):
        with suppress(SnapError):
            if look():
                return
        time.sleep(_LOOK_EVERY_S)
