"""What cannot be compared is refused before anything is read."""

from __future__ import annotations

from typing import Any

import pytest

from snapshot.errors import InvalidInput
from snapshot.workflow.diff import compare


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"since": 1, "against": "other"}, "two names"),
        ({"since": 1, "thorough": True}, "--thorough"),
        ({"since": 0, "with_engine_paths": True}, "--all lists what the engine put there"),
        ({"since": 1}, "an archive has no steps"),
        ({"paths": ["etc"]}, "'etc' is not an absolute path"),
        ({}, "no engine was given"),
    ],
)
def test_options_that_exclude_each_other_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        compare(None, "name", **options)
