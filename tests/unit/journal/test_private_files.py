"""What is kept for one user stays with that user, whoever put links in its way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from snapshot.errors import SnapError
from snapshot.journal.journal_lines import locked_lines
from snapshot.journal.private_files import make_private, write_private


def test_a_folder_and_a_file_are_for_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    make_private(folder)
    write_private(folder / "file", b"text")
    assert [path.stat().st_mode & 0o777 for path in (folder.parent, folder, folder / "file")] == [
        0o700,
        0o700,
        0o600,
    ]
    assert os.listdir(folder) == ["file"]  # noqa: PTH208 (names alone are wanted)
    folder.chmod(0o755)
    make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_what_a_link_leads_to_is_neither_written_nor_closed_to_others(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("text")
    victim.chmod(0o644)
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / f".look.{os.getpid()}").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):
        write_private(folder / "look", b"look")
    (folder / "steps.jsonl").symlink_to(victim)
    with pytest.raises(SnapError, match="cannot be used"), locked_lines(folder / "steps.jsonl"):
        pass
    assert (victim.read_text(), victim.stat().st_mode & 0o777) == ("text", 0o644)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's link")
def test_a_folder_that_another_user_links_elsewhere_is_left_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    link = tmp_path / "journals"
    link.symlink_to(elsewhere)
    make_private(link)
    elsewhere.chmod(0o755)
    os.lchown(link, 12345, 12345)
    with pytest.raises(OSError, match="link of another user"):
        make_private(link)
    assert elsewhere.stat().st_mode & 0o777 == 0o755
