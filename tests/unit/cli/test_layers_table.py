from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

from snapshot.changeset.layer_use import HiddenPath, LayerUse
from snapshot.cli.layers import table_lines
from snapshot.engine.types import Config, HistoryEntry, Image
from snapshot.image.history import LayerStep
from snapshot.workflow.layers import LayersView, LayerView

LONG = "/usr/share/doc/a/very/long/path/that/goes/on/and/on/changelog.Debian.gz"
USE = LayerUse(
    files=3, folders=1, symlinks=0, others=0, hard_links=0, deleted=2, emptied=0, size_bytes=100,
    stored_again_bytes=30, deleted_bytes=10, hidden=(HiddenPath(LONG, 40, 1, False),),
)  # fmt: skip
STEPS = (
    LayerStep(HistoryEntry("", "/bin/sh -c #(nop) COPY file:1 in /f"), 0),
    LayerStep(HistoryEntry("", "/bin/sh -c #(nop)  ENV A=1"), None),
    LayerStep(HistoryEntry("", "snap exec -- touch /a"), None),
    LayerStep(HistoryEntry("", "RUN /bin/sh -c make # buildkit"), 1),
    LayerStep(HistoryEntry("", 'CMD ["/f"]'), None),
)


def lines(*, wasted: bool = False, history: bool = False, steps: Sequence[LayerStep] = STEPS) -> list[str]:
    layers = tuple(
        LayerView(step.layer, "sha256:a", "sha256:a", step.entry, (step.entry.created_by,), USE, ("web:1",))
        for step in steps
        if step.layer is not None
    )
    image = Image("sha256:1", (), (), "", "", "", "amd64", "linux", "", 100, ("sha256:a",) * 2, Config())
    view = LayersView(image, tuple(steps), layers, (), 200, 80)
    return list(table_lines(view, 0, wasted=wasted, history=history, cut=True))


def test_instructions_are_told_as_a_dockerfile_has_them() -> None:
    assert [line.split("  ")[-1].strip() for line in lines()[1:-1]] == ["COPY file:1 in /f", "RUN make"]


def test_the_whole_history_has_what_made_no_layer_too_but_the_steps_of_a_layer_once() -> None:
    told = [line.split("  ") for line in lines(history=True)[1:-1]]
    assert [(words[0], words[-1].strip()) for words in told] == [
        ("0", "COPY file:1 in /f"),
        ("-", "ENV A=1"),
        ("1", "RUN make"),
        ("-", 'CMD ["/f"]'),
    ]


@pytest.mark.parametrize("columns", [80, 60])
def test_of_what_is_wasted_a_path_alone_gives_way(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lines(wasted=True)[2] == f"     40  deleted by layer 1  {LONG}"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = lines(wasted=True)[2]
    assert shown.startswith("     40  deleted by layer 1  /usr/share/doc")
    assert shown.endswith("Debian.gz")
    assert len(shown) == columns
