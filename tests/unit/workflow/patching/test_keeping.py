from __future__ import annotations

import json
from pathlib import Path

import pytest

from snapshot.changeset.entry import Changeset, FileEntry, FileType, PathChange
from snapshot.engine.types import ChangeKind
from snapshot.journal.step import Step
from snapshot.packing import packed, unpacked
from snapshot.workflow.patching.keeping import RESULT_LABEL, KeptResult, kept_result, result_label

STEPS = (Step(1, "patch", ("--rm", "/a")), Step(2, "patch", ("--run", "x"), exit_code=0))
LAYERS = (f"sha256:{'1' * 64}", f"sha256:{'2' * 64}")


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def changes(number: int) -> Changeset:
    entries = [
        FileEntry(f"/{index:06}", FileType.FILE, 0o644, 0, 0, 1, f"{index:064x}") for index in range(number)
    ]
    return Changeset(tuple(PathChange(ChangeKind.ADDED, entry.path, entry) for entry in entries))


@pytest.mark.parametrize("number", [0, 3, 20_000])
def test_a_result_tells_its_steps_and_changes(number: int) -> None:
    result = KeptResult(STEPS, changes(number))
    assert kept_result({RESULT_LABEL: result_label(result, LAYERS)}, LAYERS, 2) == result


def test_a_result_of_other_steps_is_none() -> None:
    assert kept_result({RESULT_LABEL: result_label(KeptResult(STEPS, changes(1)), LAYERS)}, LAYERS, 1) is None


@pytest.mark.parametrize("layers", [(), LAYERS[:1], LAYERS[::-1], (*LAYERS, LAYERS[0])])
def test_a_label_that_was_copied_to_other_layers_tells_nothing(layers: tuple[str, ...]) -> None:
    label = result_label(KeptResult(STEPS, changes(1)), LAYERS)
    assert kept_result({RESULT_LABEL: label}, layers, 2) is None


@pytest.mark.parametrize("name", ["steps", "digest", "changes", "seal"])
def test_a_label_that_was_edited_tells_nothing(name: str) -> None:
    label = result_label(KeptResult(STEPS, changes(1)), LAYERS)
    other = result_label(KeptResult(STEPS[::-1], changes(2)), LAYERS[:1])
    value, edited = (json.loads(unpacked(text, 1 << 20)) for text in (label, other))
    text = packed(json.dumps(value | {name: edited[name]}).encode())
    assert kept_result({RESULT_LABEL: text}, LAYERS, 2) is None


def test_a_label_of_another_user_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    label = result_label(KeptResult(STEPS, changes(1)), LAYERS)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    assert kept_result({RESULT_LABEL: label}, LAYERS, 2) is None


def test_a_long_list_that_is_not_kept_here_leaves_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = result_label(KeptResult(STEPS, changes(20_000)), LAYERS)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    assert kept_result({RESULT_LABEL: label}, LAYERS, 2) is None


@pytest.mark.parametrize(
    "text", ["", "x", packed(b"{}"), packed(b'{"steps": 1, "digest": "", "changes": ""}'), packed(b"[]")]
)
def test_what_is_no_such_label_leaves_no_result(text: str) -> None:
    assert kept_result({RESULT_LABEL: text}, LAYERS, 0) is None
    assert kept_result({}, LAYERS, 0) is None
