from __future__ import annotations

from pathlib import Path

import pytest

from snapshot.workflow.state import keep_manifest, kept_manifest

DIGEST = "sha256:" + "0a" * 32


def test_a_manifest_is_kept_for_this_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = keep_manifest(DIGEST, "text")
    assert kept_manifest(DIGEST) == "text"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_relative_state_folder_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert keep_manifest(DIGEST, "text").is_relative_to(tmp_path / ".local" / "state")


@pytest.mark.parametrize("digest", ["sha256:../../etc/passwd", "", "sha256:" + "g" * 64, "/etc/passwd"])
def test_a_digest_from_a_stranger_never_becomes_a_path(digest: str) -> None:
    assert kept_manifest(digest) is None
    with pytest.raises(ValueError, match="no sha256"):
        keep_manifest(digest, "text")
