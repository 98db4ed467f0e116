from __future__ import annotations

from pathlib import Path

import click
import pytest

from snapshot.cli.options import key_value, variables_from_file, variables_given


def test_a_variable_without_value_is_taken_from_here_or_left_out() -> None:
    assert variables_given(["A=1", "B", "C", "D="], {"B": "x=y"}) == ["A=1", "B=x=y", "D="]


def test_an_env_file_is_read_as_docker_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("\ufeffA=1\n# comment\n\n  B='quoted' # kept\nHERE\nGONE\nC=\n")
    assert variables_from_file(path, {"HERE": "h"}) == ["A=1", "B='quoted' # kept", "HERE=h", "C="]


@pytest.mark.parametrize("content", [b"=x\n", b"A B=1\n", b"A\t=1\n", b"A=\xff\n"])
def test_a_line_that_is_no_variable_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "env"
    path.write_bytes(content)
    with pytest.raises(click.BadParameter):
        variables_from_file(path, {})


def test_a_missing_env_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(click.BadParameter, match="missing"):
        variables_from_file(tmp_path / "missing")


def test_the_value_may_hold_equals_signs_and_may_be_empty() -> None:
    assert key_value("a=b=c") == ("a", "b=c")
    assert key_value("a=") == ("a", "")
    for text in ("a", "=b", ""):
        with pytest.raises(click.BadParameter):
            key_value(text)
