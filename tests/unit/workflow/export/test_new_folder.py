from __future__ import annotations

from pathlib import Path

import pytest

from snapshot.errors import InvalidInput
from snapshot.workflow.export.new_folder import check_new, new_folder


def fill(path: Path) -> None:
    with new_folder(path) as draft:
        (draft / "file").write_text("x")
        (draft / "below").mkdir()
        (draft / "below" / "other").write_text("y")
        assert not (path / "file").exists()


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    fill(tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert (tmp_path / "new" / "below" / "other").read_text() == "y"
    assert (tmp_path / "new").stat().st_mode & 0o777 & ~0o022 == 0o755


def test_an_empty_folder_stays_the_same_one_also_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("empty")
    before = (tmp_path / "empty").stat()
    fill(tmp_path / "link")
    after = (tmp_path / "empty").stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == ["below", "file"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "link"]


@pytest.mark.parametrize("name", ["new", "empty"])
def test_nothing_is_left_of_a_failure(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()

    def fail() -> None:
        with new_folder(tmp_path / name) as draft:
            (draft / "file").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == [tmp_path / "empty"]
    assert list((tmp_path / "empty").iterdir()) == []


def test_what_is_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("x")
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("file", "full", "dangling", "missing/below"):
        with pytest.raises(InvalidInput, match=name.partition("/")[0]):
            check_new(tmp_path / name)
