from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from snapshot.cli.edits import EditingCommand, edit_options, edits_in_order, for_all_runs


@click.command(cls=EditingCommand)
@edit_options
@click.argument("image")
def command(image: str) -> None:
    click.echo(repr((image, edits_in_order())))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["--rm", "/a", "img", "--mkdir", "/b", "--rm", "/c"], ["--rm", "/a", "--mkdir", "/b", "--rm", "/c"]),
        (["-eA=1", "img", "-w", "/x", "-e", "B=2"], ["--env", "A=1", "--workdir", "/x", "--env", "B=2"]),
        (
            ["img", "--replace", "/a=b=>c", "--all", "--replace=/a=b=>d"],
            ["--replace", "/a=b=>c", "--all", "--replace", "/a=b=>d"],
        ),
        (["--", "img"], []),
    ],
)
def test_edits_come_in_the_order_in_which_they_were_written(line: list[str], words: list[str]) -> None:
    done = CliRunner().invoke(command, line)
    assert done.output == f"{('img', words)!r}\n"


def test_a_network_before_any_run_is_that_of_all_and_values_stay_here() -> None:
    words = ["--network", "none", "--run", "a", "--run-env", "T=secret", "--run", "b", "--network", "host"]
    left, network, env = for_all_runs(words)
    assert left == ["--run", "a", "--run-env", "T", "--run", "b", "--network", "host"]
    assert (network, env) == ("none", {"T": "secret"})


def test_a_variable_without_a_value_has_that_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T", "here")
    assert for_all_runs(["--run", "a", "--run-env", "T"])[2] == {"T": "here"}
    monkeypatch.delenv("T")
    with pytest.raises(click.BadParameter, match="not set here"):
        for_all_runs(["--run", "a", "--run-env", "T"])
