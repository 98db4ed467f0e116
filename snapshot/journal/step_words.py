"""Steps in words, as a person would have typed them."""

from __future__ import annotations

import shlex

from snapshot.journal.printable import printable
from snapshot.journal.step import Step, StepChanges

#: What stands for things done past snap, which nobody knows more of.
UNKNOWN_WORDS = "unknown step (docker exec, the container's own work)"


def step_in_words(step: Step) -> str:
    r"""A step as one line of printable text; values of env are not known, and what was cut is ``…``.

    >>> step_in_words(Step(1, "exec", ("sh", "-c", "echo $WHO\nls"), user="root", env_names=("WHO",)))
    "snap exec -u root -e WHO -- sh -c 'echo $WHO\\nls'"
    >>> step_in_words(Step(2, "unknown", changes=StepChanges(added=2)))
    "unknown step (docker exec, the container's own work): 2 added"
    >>> step_in_words(Step(3, "patch", ("--run", "make", "--run-env", "KEY"), env_names=("KEY",)))
    'snap patch --run make --run-env KEY'
    """
    if step.verb == "unknown":
        return f"{UNKNOWN_WORDS}: {changes_in_words(step.changes)}" if step.changes else UNKNOWN_WORDS
    words = ["snap", step.verb]
    if step.user:
        words += ["-u", _quoted(step.user)]
    if step.working_dir:
        words += ["-w", _quoted(step.working_dir)]
    # Those of a patch are in its own words, where -e would be a variable of the image.
    for name in step.env_names if step.verb != "patch" else ():
        words += ["-e", _quoted(name)]
    if step.argv and step.verb in {"run", "exec"}:
        words.append("--")
    return " ".join([*words, *(_quoted(argument) for argument in step.argv)])


def changes_in_words(changes: StepChanges | None) -> str:
    """``1 added, 2 changed``; ``none``, and ``not known`` where nobody could look.

    >>> changes_in_words(StepChanges(changed=1200))
    '1,200 changed'
    """
    if changes is None:
        return "not known"
    return counts_in_words(changes.added, changes.changed, changes.deleted) or "none"


def counts_in_words(added: int, changed: int, deleted: int) -> str:
    """``1 added, 2 changed``; empty where all are zero."""
    numbers = {"added": added, "changed": changed, "deleted": deleted}
    return ", ".join(f"{number:,} {name}" for name, number in numbers.items() if number)


def in_history(step: Step, most_chars: int) -> str:
    """A step for the history of an image: its words and what it changed, cut to ``most_chars`` characters.

    >>> in_history(Step(1, "run", ("touch", "/a"), changes=StepChanges(added=1)), 300)
    'snap run -- touch /a # 1 added'
    """
    words, end = step_in_words(step), ""
    if step.verb != "unknown" and step.changes and any(step.changes[:3]):
        end = f" # {changes_in_words(step.changes)}"
    room = most_chars - len(end)
    return (words if len(words) <= room else f"{words[: room - 1]}…") + end


def earlier_in_words(number: int) -> str:
    """What stands for steps that were too many to be told.

    >>> earlier_in_words(1)
    '1 earlier step'
    """
    return f"{number:,} earlier step" + ("" if number == 1 else "s")


def _quoted(argument: str) -> str:
    # What stands for something cut needs no quotes of its own.
    plain = argument.replace("…", "_")
    return printable(argument if shlex.quote(plain) == plain else shlex.quote(argument))
