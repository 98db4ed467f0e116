from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from snapshot.cli.commit import command
from snapshot.cli.options import moment


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1767225600", 1767225600),
        ("253402300799", 253402300799),
        ("2026-01-01T00:00:00Z", 1767225600),
        ("2026-01-01T02:00:00+02:00", 1767225600),
        ("2026-01-01 00:00:00+00:00", 1767225600),
        ("2026-01-01T00:00:00.750000Z", 1767225600),
        ("1969-12-31T23:59:59Z", -1),
        ("9999-12-31T23:59:59Z", 253402300799),
    ],
)
def test_a_time_is_seconds_or_rfc_3339(text: str, seconds: int) -> None:
    assert moment(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "now", "-1", "1.5", "1e9", "0x10", "٣", "2026-13-01T00:00:00Z", "1767225600 "]
)
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="2026-01-01T00:00:00Z"):
        moment(text)


@pytest.mark.parametrize("text", ["2026-01-01", "2026-01-01T00:00:00"])
def test_a_time_without_a_zone_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="time zone"):
        moment(text)


@pytest.mark.parametrize("place", ["option", "variable"])
def test_a_bad_time_is_wrong_usage_wherever_it_comes_from(place: str) -> None:
    arguments = ["--timestamp", "soon"] if place == "option" else []
    env = {"SOURCE_DATE_EPOCH": "soon" if place == "variable" else None}
    done = CliRunner().invoke(command, [*arguments, "container"], env=env)
    assert done.exit_code == 2
    assert "'soon' is no time" in done.output


@pytest.mark.parametrize("text", ["253402300800", "999999999999"])
def test_a_time_after_the_year_9999_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        moment(text)
