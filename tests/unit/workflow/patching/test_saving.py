"""Where a recipe cannot be written, that is said before any image is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from snapshot.errors import SnapError
from snapshot.workflow.patching.saving import see_place


def test_a_recipe_can_be_written_anew_and_over_an_older_one(tmp_path: Path) -> None:
    see_place(tmp_path / "new.toml")
    (tmp_path / "old.toml").write_text("old")
    see_place(tmp_path / "old.toml")
    assert (tmp_path / "old.toml").read_text() == "old"
    assert not (tmp_path / "new.toml").exists()


@pytest.mark.parametrize("place", ["gone/r.toml", "file/r.toml"])
def test_without_its_folder_it_cannot(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SnapError) as caught:
        see_place(tmp_path / place)
    assert str(tmp_path / place) in caught.value.what
    assert "there is no folder" in caught.value.what
