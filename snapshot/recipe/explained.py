"""Why a step's kept result was used again or not, and which order of the steps would have saved time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from snapshot.journal.printable import shortened
from snapshot.recipe.keys import BASE, INSTRUCTION, TIME, KeptStep, StepKey

HIT, MISS, REDONE = "hit", "miss", "redone"

#: Less than this, in seconds, is not worth another order.
LEAST_SAVING_S = 0.05

_LONGEST_QUOTE = 80


class ExplainedStep(NamedTuple):
    """What became of one step.

    ``number`` counts from 1. ``status`` is ``hit`` (its kept result was used), ``miss`` (something that it
    depends on by itself is new), or ``redone`` (it is as it was, and had to be made again). ``why`` is empty
    for a hit.
    """

    number: int
    words: str
    status: str
    why: str = ""


def explained(
    keys: Sequence[StepKey],
    words: Sequence[str],
    kept_chains: Sequence[Sequence[KeptStep]],
    hits: int,
    *,
    ends: Sequence[int] = (),
    use_cache: bool = True,
) -> tuple[ExplainedStep, ...]:
    """Say of each step whether its kept result was used, and else why not.

    The steps are held against the chain of kept ones that is most like them.

    Parameters
    ----------
    words:
        What people are shown of each step.
    kept_chains:
        The steps that led to each kept result, as they were before these steps were played.
    hits:
        How many steps, from the first on, came from a kept result.
    ends:
        The numbers of steps after which results are kept, ascending; without it, all.
    use_cache:
        Whether kept results were to be used at all.
    """
    closest = closest_chain(keys, kept_chains)
    common = _common(keys, closest)
    told = []
    redone_from = 0
    for number, text in enumerate(words, 1):
        if number <= hits:
            told.append(ExplainedStep(number, text, HIT))
            continue
        if not use_cache:
            status, why = REDONE, "kept results were not to be used"
        elif number <= common:
            status, why = REDONE, _why_not_used(number, common, ends)
        elif redone_from and _places(number, keys, closest):
            status, why = REDONE, f"as step {redone_from} is made again"
        else:
            status, why = MISS, _what_changed(number, keys, closest)
        redone_from = redone_from or (number if number > common else 0)
        told.append(ExplainedStep(number, text, status, why))
    return tuple(told)


def best_reordering(
    keys: Sequence[StepKey], words: Sequence[str], kept_chains: Sequence[Sequence[KeptStep]], hits: int
) -> str:
    """The one move of a changed step that would have saved most, in a sentence; empty where none would.

    Behind the first step that changed, those that follow and are as they were could have been used again: as
    many as there are up to the next one that changed.
    """
    closest = closest_chain(keys, kept_chains)
    changed = max(_common(keys, closest), hits) + 1
    if changed >= len(keys) or any(name in (BASE, TIME) for name, _ in _differing(changed, keys, closest)):
        return ""
    after = changed
    saved = waiting = 0.0
    for number in range(changed + 1, len(keys) + 1):
        if not _is_as_kept(number, keys, closest):
            break
        waiting += closest[number - 1].duration_s
        if closest[number - 1].duration_s >= LEAST_SAVING_S:
            after, saved = number, waiting
    if saved < LEAST_SAVING_S:
        return ""
    those = f"step {after} needs" if after == changed + 1 else "those between need"
    return (
        f"If step {changed} ({shortened(words[changed - 1], _LONGEST_QUOTE)}) stood after step {after},"
        f" {saved:,.1f} s would have been saved, if {those} nothing of it."
    )


def closest_chain(keys: Sequence[StepKey], kept_chains: Sequence[Sequence[KeptStep]]) -> Sequence[KeptStep]:
    """The chain that these steps have most in common with; empty where they have nothing in common with any.

    First counts how many steps from the first on are the same, then how many others are by themselves as one
    of the chain, then how much of the first one that differs is; of equal ones the first is taken.
    """
    best: Sequence[KeptStep] = ()
    best_score = (0, 0, 0)
    for chain in kept_chains:
        common = _common(keys, chain)
        inside = {kept.key.own_inputs for kept in chain[common:]}
        others = sum(key.own_inputs in inside for key in keys[common:])
        inputs = _inputs_in_common(common + 1, keys, chain)
        if (score := (common, others, inputs)) > best_score:
            best, best_score = chain, score
    return best


def _common(keys: Sequence[StepKey], chain: Sequence[KeptStep]) -> int:
    for number, (key, kept) in enumerate(zip(keys, chain, strict=False)):
        if key.key != kept.key.key:
            return number
    return min(len(keys), len(chain))


def _is_as_kept(number: int, keys: Sequence[StepKey], chain: Sequence[KeptStep]) -> bool:
    """Whether a step by itself is as in the chain, whatever stands before it."""
    return number <= len(chain) and keys[number - 1].own_inputs == chain[number - 1].key.own_inputs


def _places(number: int, keys: Sequence[StepKey], chain: Sequence[KeptStep]) -> list[int]:
    """The numbers of the steps in the chain that are by themselves as this one."""
    own = keys[number - 1].own_inputs
    return [place for place, kept in enumerate(chain, 1) if kept.key.own_inputs == own]


def _inputs_in_common(number: int, keys: Sequence[StepKey], chain: Sequence[KeptStep]) -> int:
    if number > min(len(keys), len(chain)):
        return 0
    return len(set(keys[number - 1].inputs) & set(chain[number - 1].key.inputs))


def _differing(
    number: int, keys: Sequence[StepKey], chain: Sequence[KeptStep]
) -> list[tuple[str, tuple[bool, bool]]]:
    """The inputs of a step that are not as in the chain: the name, and whether it had one and has one."""
    before = dict(chain[number - 1].key.inputs) if number <= len(chain) else {}
    now = dict(keys[number - 1].inputs)
    names = dict.fromkeys((*now, *before))
    return [(name, (name in before, name in now)) for name in names if before.get(name) != now.get(name)]


def _why_not_used(number: int, common: int, ends: Sequence[int]) -> str:
    end = next((end for end in ends if end >= number), 0)
    if end > common:
        return f"it is made together with step {end}"
    return "no result of it is kept here"


def _what_changed(number: int, keys: Sequence[StepKey], closest: Sequence[KeptStep]) -> str:
    differing = _differing(number, keys, closest)
    names = [name for name, _ in differing]
    if places := () if BASE in names or TIME in names else _places(number, keys, closest):
        return f"it was step {places[0]} before"
    if number > len(closest):
        return "not seen before"
    if BASE in names:
        return "base image changed" if INSTRUCTION not in names else "not seen before"
    if INSTRUCTION in names:
        was = closest[number - 1]
        if any(key.own_inputs == was.key.own_inputs for key in keys):
            return "not seen before"
        return f"the instruction changed: was {shortened(was.words, _LONGEST_QUOTE)}"
    return "; ".join(_in_words(name, *there) for name, there in differing)


def _in_words(name: str, was_there: bool, is_there: bool) -> str:
    if name == TIME:
        return (
            "the fixed time changed"
            if was_there and is_there
            else "a fixed time was given, or is not any more"
        )
    if not was_there:
        return f"{name} was not given before"
    if not is_there:
        return f"{name} is not given any more"
    return f"{name} has another value" if name.startswith("env ") else f"{name} changed"
