from __future__ import annotations

import pytest

from snapshot.journal.step import Step, StepChanges
from snapshot.journal.step_words import in_history, step_in_words


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Step(1, "run"), "snap run"),
        (Step(1, "run", ("cat", "a b")), "snap run -- cat 'a b'"),
        (
            Step(1, "exec", ("sh",), user="me:us", working_dir="/a b", env_names=("A", "B")),
            "snap exec -u me:us -w '/a b' -e A -e B -- sh",
        ),
        (Step(1, "exec", ("mysql", "--password=…", "-p…")), "snap exec -- mysql --password=… -p…"),
        (Step(1, "exec", ("echo", "… and $x")), "snap exec -- echo '… and $x'"),
        (Step(1, "cp", ("./a", "box:/b")), "snap cp ./a box:/b"),
        (Step(1, "reset", ("--to", "image:1")), "snap reset --to image:1"),
        (
            Step(1, "patch", ("--append", "/etc/motd=two\nlines")),
            "snap patch --append '/etc/motd=two\\nlines'",
        ),
        (Step(1, "start"), "snap start"),
        (Step(1, "unknown"), "unknown step (docker exec, the container's own work)"),
        (
            Step(1, "unknown", changes=StepChanges(1, 2000, 3)),
            "unknown step (docker exec, the container's own work): 1 added, 2,000 changed, 3 deleted",
        ),
    ],
)
def test_a_step_is_told_as_it_would_be_typed(step: Step, words: str) -> None:
    assert step_in_words(step) == words


@pytest.mark.parametrize("text", ["a\nb", "\x1b[2J", "\u202eevil", "\udcff", "\x00", "\u2028"])
def test_what_could_steer_a_terminal_is_no_part_of_the_words(text: str) -> None:
    words = step_in_words(Step(1, "exec", (text,), user=text, working_dir=text, env_names=(text,)))
    assert words.isprintable()


def test_history_says_what_a_step_changed() -> None:
    step = Step(1, "run", ("rm", "a"), changes=StepChanges(deleted=1))
    assert in_history(step, 300) == "snap run -- rm a # 1 deleted"
    assert in_history(step._replace(changes=StepChanges()), 300) == "snap run -- rm a"
    assert in_history(step._replace(changes=None), 300) == "snap run -- rm a"


def test_a_long_step_is_cut_and_what_it_changed_is_not() -> None:
    text = in_history(Step(1, "run", ("x" * 1000,), changes=StepChanges(changed=1)), 300)
    assert len(text) == 300
    assert text.startswith("snap run -- xxx")
    assert text.endswith("x… # 1 changed")
