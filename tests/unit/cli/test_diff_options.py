from __future__ import annotations

import pytest
from click.testing import CliRunner

from snapshot.cli.diff import command
from snapshot.cli.invocation import Invocation
from snapshot.errors import EngineUnreachable


def refusal(*words: str) -> str:
    """The sentence in which a call is refused, before any engine is asked."""
    nowhere = Invocation("unix:///nowhere/docker.sock", None)
    done = CliRunner().invoke(command, list(words), obj=nowhere)
    assert done.exit_code == 2, done.output
    return done.output.splitlines()[-1].removeprefix("Error: ")


WHERE_FROM = "--old-host and --old-context say where the first of two names is."


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["/etc"], "A name comes first: one or two of them, then paths."),
        (["/etc", "box"], "A name comes first: one or two of them, then paths."),
        (["old", "/etc", "new"], "A name comes first: one or two of them, then paths."),
        (["a", "b", "c"], "Two things can be compared, and 3 are named: paths begin with a slash."),
        (["--summary", "--stat", "box"], "--summary stands alone: leave out --stat."),
        (["-q", "-p", "box"], "--name-only stands alone: leave out --patch."),
        (["-q", "--summary", "box"], "--name-only stands alone: leave out --summary."),
        (["--name-only", "-U5", "box"], "--name-only stands alone: leave out --patch."),
        (["--full", "--stat", "box"], "--full belongs to --patch."),
        (["--old-host", "tcp://x", "box"], WHERE_FROM),
        (["--old-context", "x", "oci:y", "box"], WHERE_FROM),
        (
            ["--old-context", "x", "--old-host", "tcp://x", "a", "b"],
            "--old-host and --old-context exclude each other.",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_sentence(words: list[str], sentence: str) -> None:
    assert refusal(*words) == sentence


def test_one_document_may_have_all_of_it() -> None:
    words = ["--format", "json", "--summary", "--stat", "--patch", "--packages", "box"]
    done = CliRunner().invoke(command, words, obj=Invocation("unix:///nowhere/docker.sock", None))
    assert isinstance(done.exception, EngineUnreachable)
