"""Steps of containers as runs of a recipe, and why some are none."""

from __future__ import annotations

import pytest

from snapshot.engine.types import Config
from snapshot.journal.step import Step, StepChanges
from snapshot.recipe.from_steps import Idle, Surroundings, Unreplayable, as_run
from snapshot.recipe.instructions import Run

ADDED = StepChanges(added=1)
NOTHING = StepChanges()
AROUND = Surroundings(Config(cmd=("app",)))


def done(verb: str, *argv: str) -> Step:
    """A step that ended well and changed something."""
    return Step(1, verb, argv, exit_code=0, changes=ADDED)


def test_a_command_keeps_its_user_folder_and_names_of_variables() -> None:
    step = done("exec", "make", "all")._replace(user="me", working_dir="/src", env_names=("A",))
    assert as_run(step, AROUND) == Run(("make", "all"), ("A",), user="me", working_dir="/src")


def test_a_command_has_what_its_container_was_started_with() -> None:
    first = done("run", "app")._replace(user="me", working_dir="/src", env_names=("A", "B"))
    around = AROUND.started(first)
    assert as_run(done("exec", "make"), around) == Run(("make",), ("A", "B"), user="me", working_dir="/src")
    other = done("exec", "make")._replace(user="root", working_dir="/", env_names=("B", "C"))
    assert as_run(other, around) == Run(("make",), ("A", "B", "C"), user="root", working_dir="/")


@pytest.mark.parametrize(
    ("config", "argv", "command"),
    [
        (Config(cmd=("app",)), (), ("app",)),
        (Config(entrypoint=("node",), cmd=("app.js",)), (), ("node", "app.js")),
        (Config(entrypoint=("node",), cmd=("app.js",)), ("other.js",), ("node", "other.js")),
        (None, ("app",), ("app",)),
    ],
)
def test_what_a_container_ran_is_the_entrypoint_with_its_arguments(
    config: Config | None, argv: tuple[str, ...], command: tuple[str, ...]
) -> None:
    assert as_run(done("run", *argv), Surroundings(config)) == Run(command)


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (done("exec", "bash"), "it was interactive"),
        (done("exec", "/bin/sh", "-l"), "it was interactive"),
        (done("attach"), "it was interactive"),
        (done("start"), "ran once more"),
        (done("unknown"), "nobody knows what was done"),
        (done("run")._replace(argv=()), "nobody knows the command"),
        (done("exec", "a")._replace(exit_code=3), "ended with status 3"),
        (done("exec", "a")._replace(exit_code=None), "its end is not known"),
        (done("exec", "a")._replace(interrupted=True), "its end is not known"),
        (done("exec", "a", "…")._replace(cut=True), "something was cut"),
        (done("exec", "bash")._replace(changes=None), "it was interactive"),
        (done("exec", "bash")._replace(changes=StepChanges(exact=False)), "it was interactive"),
        (done("exec", "bash")._replace(changes=NOTHING, overlaps=True), "it was interactive"),
    ],
)
def test_what_cannot_be_replayed_says_why(step: Step, why: str) -> None:
    found = as_run(step, Surroundings(None))
    assert isinstance(found, Unreplayable)
    assert why in found.why


@pytest.mark.parametrize(
    "step",
    [
        done("exec", "ls")._replace(changes=NOTHING),
        done("exec", "bash")._replace(changes=NOTHING),
        done("unknown")._replace(changes=NOTHING),
        done("reset", "--to", "x"),
        done("run", "sleep", "600")._replace(exit_code=None, changes=None),
        done("run", "tail", "-f", "/dev/null")._replace(exit_code=None, changes=None),
    ],
)
def test_what_changed_nothing_is_left_out(step: Step) -> None:
    assert isinstance(as_run(step, AROUND), Idle)
