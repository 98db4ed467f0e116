from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from snapshot.cli.options import RecordedCommand, process_options


def parsed(*words: str, interspersed: bool = False) -> dict[str, Any]:
    """What a command with a ``--record`` takes those words for."""
    found: dict[str, Any] = {}

    @click.command(cls=RecordedCommand, context_settings={"allow_interspersed_args": interspersed})
    @click.option("--record")
    @click.option("-e", "--env", multiple=True)
    @click.option("-i", "interactive", is_flag=True)
    @click.option("-t", "tty", is_flag=True)
    @click.argument("image")
    @click.argument("command", nargs=-1, type=click.UNPROCESSED)
    def command(**values: Any) -> None:
        found.update(values)

    done = CliRunner().invoke(command, list(words))
    assert done.exit_code == 0, done.output
    return found


@pytest.mark.parametrize(
    ("words", "record", "image", "command"),
    [
        (["image"], None, "image", ()),
        (["--record", "image"], "", "image", ()),
        (["--record", "x.cast", "image"], "x.cast", "image", ()),
        (["--record=x", "image"], "x", "image", ()),
        (["-it", "--record", "image", "sh"], "", "image", ("sh",)),
        (["-e", "--record", "image"], None, "image", ()),
        (["-ie", "--record", "image"], None, "image", ()),
        (["-eA=1", "--record", "image"], "", "image", ()),
        (["image", "prog", "--record", "x.cast"], None, "image", ("prog", "--record", "x.cast")),
        (["--record", "--", "image", "--record"], "", "image", ("--record",)),
    ],
)
def test_record_takes_a_word_for_its_file_only_if_that_is_named_like_a_recording(
    words: list[str], record: str | None, image: str, command: tuple[str, ...]
) -> None:
    found = parsed(*words)
    assert (found["record"], found["image"], found["command"]) == (record, image, command)


def test_record_may_stand_behind_where_options_may() -> None:
    found = parsed("image", "--record", interspersed=True)
    assert (found["record"], found["image"]) == ("", "image")


@click.command(cls=RecordedCommand)
@process_options
def recorded(**_: Any) -> None:
    """Takes the options of the real verbs, and does nothing."""


def test_what_is_left_running_unseen_cannot_be_recorded() -> None:
    done = CliRunner().invoke(recorded, ["-d", "--record"])
    assert done.exit_code == 2
    assert "nothing is shown that --record could record" in done.output
    assert CliRunner().invoke(recorded, ["-d"]).exit_code == 0


@pytest.mark.parametrize("place", ["file/x.cast", "file/new/x.cast"])
def test_a_recording_that_cannot_be_written_is_refused_before_anything_is_run(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").touch()
    done = CliRunner().invoke(recorded, ["--record", str(tmp_path / place)])
    assert done.exit_code == 2
    assert "cannot be written there" in done.output


def test_a_recording_may_be_in_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    done = CliRunner().invoke(recorded, ["--record", str(tmp_path / "new" / "folder" / "x.cast")])
    assert done.exit_code == 0, done.output
