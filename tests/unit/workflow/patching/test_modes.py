"""Modes as chmod(1) takes them, held against the real one."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapshot.errors import InvalidInput
from snapshot.workflow.patching.modes import parse_mode

_WHAT = st.one_of(st.text("rwxXst", max_size=4), st.sampled_from("ugo"))
_ACTION = st.builds("{}{}".format, st.sampled_from("-+="), _WHAT)
_CLAUSE = st.builds(
    lambda classes, actions: classes + "".join(actions),
    st.text("ugoa", max_size=3),
    st.lists(_ACTION, min_size=1, max_size=2),
)
_SYMBOLIC = st.lists(_CLAUSE, min_size=1, max_size=3).map(",".join)
_OCTAL = st.integers(0, 0o7777)


def by_chmod(mode: str, before: int, *, is_folder: bool) -> int:
    """What chmod(1) makes of it, without a umask."""
    with tempfile.TemporaryDirectory() as above:
        path = Path(above, "x")
        path.mkdir() if is_folder else path.touch()
        path.chmod(before)
        subprocess.run(["chmod", "--", mode, str(path)], check=True, umask=0)
        return stat.S_IMODE(path.stat().st_mode)


@settings(max_examples=150, deadline=None)
@given(_SYMBOLIC, _OCTAL, st.booleans())
def test_a_symbolic_mode_makes_what_chmod_makes(mode: str, before: int, is_folder: bool) -> None:
    assert parse_mode(mode)(before, is_folder) == by_chmod(mode, before, is_folder=is_folder)


@settings(max_examples=30, deadline=None)
@given(_OCTAL, _OCTAL)
def test_an_octal_mode_makes_what_chmod_makes_of_a_file(mode: int, before: int) -> None:
    text = f"{mode:o}"
    assert parse_mode(text)(before, False) == by_chmod(text, before, is_folder=False)


@pytest.mark.parametrize("text", ["755", "0755", "00755"])
def test_an_octal_mode_stands_for_itself_on_a_folder_too(text: str) -> None:
    assert parse_mode(text)(0o6700, True) == 0o755


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ",",
        "u+x,",
        "u",
        "u+q",
        "+xg",
        "u+gx",
        "10000",
        "008",
        "-1",
        "0o644",
        "77777",
        "u+x go-w",
        "é",
    ],
)
def test_what_is_no_mode_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a mode") as caught:
        parse_mode(text)
    assert f"'{text}'" in caught.value.what


def test_the_umask_of_this_process_does_not_matter() -> None:
    before = os.umask(0o077)
    try:
        assert parse_mode("+rw")(0, False) == 0o666
    finally:
        os.umask(before)
