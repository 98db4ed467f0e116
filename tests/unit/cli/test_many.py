"""Verbs that take several containers."""

from __future__ import annotations

import pytest

from snapshot.cli.many import for_each
from snapshot.errors import ContainerNotFound, EngineGone


def work(name: str) -> bool:
    if name == "no":
        raise ContainerNotFound("No container is named 'no'.", "Look.")
    if name == "gone":
        raise EngineGone("The engine went away.")
    print(name)
    return name != "kept"


def test_one_that_fails_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert for_each(["a", "no", "b"], work) == 1

    captured = capsys.readouterr()
    assert captured.out == "a\nb\n"
    assert captured.err == "snap: No container is named 'no'.\n  Look.\n"


def test_the_status_tells_of_one_that_was_kept() -> None:
    assert for_each(["kept", "a"], work) == 1
    assert for_each(["kept"], work) == 1
    assert for_each(["a", "b"], work) == 0


def test_the_error_of_a_single_container_keeps_its_exit_code() -> None:
    with pytest.raises(ContainerNotFound):
        for_each(["no"], work)


def test_without_an_engine_the_others_are_not_tried(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EngineGone):
        for_each(["a", "gone", "b"], work)

    assert capsys.readouterr().out == "a\n"
