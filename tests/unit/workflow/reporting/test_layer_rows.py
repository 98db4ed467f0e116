from __future__ import annotations

from snapshot.changeset.layer_use import LayerUse
from snapshot.engine.types import Config, HistoryEntry, Image
from snapshot.report.model import ReportLayer
from snapshot.workflow.layers import LayersView, LayerView
from snapshot.workflow.reporting.layer_rows import layer_rows

USE = LayerUse(
    files=3, folders=1, symlinks=0, others=0, hard_links=0, deleted=2, emptied=0, size_bytes=100,
    stored_again_bytes=30, deleted_bytes=10,
)  # fmt: skip


def view(*made_by: str) -> LayersView:
    layer = LayerView(0, "sha256:a", "sha256:a", HistoryEntry("", ""), made_by, USE, ("web:1",))
    image = Image("sha256:1", (), (), "", "", "", "amd64", "linux", "", 100, ("sha256:a",), Config())
    return LayersView(image, (), (layer,), (), 100, 40)


def test_a_layer_is_told_with_what_is_wasted_of_it() -> None:
    assert layer_rows(view("RUN one", "RUN two")) == (
        ReportLayer(0, "sha256:a", 100, 3, 2, 40, "RUN one; RUN two", ("web:1",)),
    )


def test_secrets_in_the_words_of_a_build_are_cut() -> None:
    (row,) = layer_rows(view("/bin/sh -c #(nop)  ENV DB_PASSWORD=hush-hush", "RUN |1 API_KEY=hush-hush make"))
    assert "hush" not in row.created_by
    assert row.created_by.startswith("/bin/sh -c #(nop)  ENV DB_PASSWORD=…; RUN")


def test_a_layer_that_nobody_knows_of_has_no_words() -> None:
    assert layer_rows(view())[0].created_by == ""
