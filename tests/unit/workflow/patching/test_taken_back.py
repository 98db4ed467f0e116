from __future__ import annotations

from pathlib import Path

import pytest

from snapshot.errors import InvalidInput
from snapshot.recipe.contents import store
from snapshot.workflow.patching.saving import taken_back_on_failure


def fail_after(folder: Path, contents: list[bytes], error: BaseException) -> None:
    """Keep contents in a folder, and fail."""
    with taken_back_on_failure(folder):
        for content in contents:
            store(folder, [content])
        raise error


def test_where_the_work_fails_a_new_folder_of_contents_goes(tmp_path: Path) -> None:
    folder = tmp_path / "r.files"
    with pytest.raises(KeyboardInterrupt):
        fail_after(folder, [b"a"], KeyboardInterrupt())
    assert not folder.exists()


def test_where_the_work_fails_what_was_in_the_folder_stays(tmp_path: Path) -> None:
    before = store(tmp_path, [b"before"])
    with pytest.raises(InvalidInput):
        fail_after(tmp_path, [b"before", b"later"], InvalidInput("an edit cannot be made"))
    assert list(tmp_path.iterdir()) == [before]


def test_where_all_goes_well_the_contents_stay(tmp_path: Path) -> None:
    with taken_back_on_failure(tmp_path / "new"):
        kept = store(tmp_path / "new", [b"a"])
    assert kept.read_bytes() == b"a"


def test_a_failure_before_anything_was_kept_is_told_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="as it is"):
        fail_after(tmp_path / "none", [], InvalidInput("as it is"))
    assert not list(tmp_path.iterdir())
