"""Mistakes in one of many steps, told with the step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from snapshot.errors import InvalidInput, NotFound, Refused

_MOST_WORDS_CHARS = 80


@contextmanager
def told_with_step(words: Sequence[str], number: int) -> Iterator[None]:
    """Let what is wrong with a step say which it is, unless it is the only one.

    Parameters
    ----------
    words:
        Those of all steps.
    number:
        The step's, from 0.
    """
    try:
        yield
    except (InvalidInput, NotFound, Refused) as error:
        if len(words) > 1:
            step = f"That is step {number + 1}: {words[number][:_MOST_WORDS_CHARS]}"
            error.hint = f"{error.hint} {step}" if error.hint else step
        raise
