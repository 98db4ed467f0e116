from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapshot.changeset.entry import FileEntry, FileType
from snapshot.changeset.tar_header import END, header
from snapshot.engine.client import Engine
from snapshot.engine.types import Image
from snapshot.errors import InvalidInput, Refused, SnapError
from snapshot.image.record import RECORD_LABEL, STEPS_LABEL
from snapshot.workflow.export import import_diff as module
from snapshot.workflow.export.import_diff import import_diff

if TYPE_CHECKING:
    from tests.unit.workflow.export.diff_files import (
        BASE,
        LAYER,
        Members,
        config_for,
        document_for,
        labels_for,
        members,
        packed,
        saying,
    )
else:
    from diff_files import (
        BASE,
        LAYER,
        Members,
        config_for,
        document_for,
        labels_for,
        members,
        packed,
        saying,
    )


class Loaded(Exception):
    """All checks were passed: what was read would be loaded now."""


class EngineOfBase:
    """Has one image, and is asked for nothing else."""

    def __init__(self, base: Image = BASE) -> None:
        self.base = base

    def image(self, name: str) -> Image:
        assert name == "base"
        return self.base


@pytest.fixture(autouse=True)
def nothing_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def deliver(*_: object, **__: object) -> None:
        raise Loaded

    monkeypatch.setattr(module, "deliver", deliver)


def take(path: Path, base: Image = BASE) -> None:
    import_diff(cast("Engine", EngineOfBase(base)), path, "base", None)


def error_of(content: bytes, tmp_path: Path, base: Image = BASE) -> SnapError:
    """The refusal of a file, which names it in one sentence."""
    path = tmp_path / "diff.tar"
    path.write_bytes(content)
    with pytest.raises(SnapError) as caught:
        take(path, base)
    assert str(path) in caught.value.what
    assert "\n" not in caught.value.what
    return caught.value


def test_a_true_one_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "diff.tar"
    path.write_bytes(packed(members()))
    with pytest.raises(Loaded):
        take(path)


def test_a_true_one_without_layers_is_loaded(tmp_path: Path) -> None:
    labels = labels_for(diff_id="")
    config = config_for(labels=labels, rootfs={"diff_ids": list(BASE.layers)})
    document = replace(document_for(config), layers=())
    found = {"snap.json": document.to_json(), "config.json": config, "manifest.mtree": b"#mtree\n"}
    path = tmp_path / "diff.tar"
    path.write_bytes(packed(found))
    with pytest.raises(Loaded):
        take(path)


def with_config(labels: Mapping[str, object] | None = None, **keys: object) -> Members:
    return members(config=config_for(LAYER, labels, **keys))


def moved(name: str) -> Members:
    found = members()
    found[name] = found.pop(name)
    return found


def with_evil_layer() -> Members:
    return members(header(FileEntry("/.wh..wh..opq", FileType.FILE, 0, 0, 0), 0, {}) + END)


INVALID: dict[str, tuple[Members | bytes, str]] = {
    "nothing": (b"", "empty file"),
    "no tar": (b"x" * 2000, "invalid header"),
    "zeros": (bytes(4096), "snap.json is not where"),
    "a gzip bomb": (gzip.compress(bytes(1 << 20)), "invalid header"),
    "no document": ({"config.json": b"{}"}, "snap.json is not where"),
    "another order": (moved("config.json"), "config.json is not where"),
    "no layer": ({k: v for k, v in members().items() if k != "layer.tar"}, "layer.tar is not where"),
    "more at the end": (members() | {"more": b""}, "more in it than it says"),
    "no JSON": (members() | {"snap.json": b"{"}, "snap.json: it cannot be read"),
    "JSON of another sort": (members() | {"snap.json": b"[]"}, "snap.json: it cannot be read"),
    "deep JSON": (members() | {"snap.json": b"[" * 200_000}, "snap.json: it cannot be read"),
    "a large document": (members() | {"snap.json": b" " * (2 << 20)}, "snap.json is larger than"),
    "another schema": (members() | {"snap.json": saying(schema="docker-snap.diff/9")}, "has schema"),
    "a size below zero": (
        members() | {"snap.json": saying(layers=[{"digest": "sha256:" + "0" * 64, "size_bytes": -1}])},
        "a number in it is none",
    ),
    "a size that is a text": (
        members() | {"snap.json": saying(manifest={"digest": "sha256:" + "0" * 64, "size_bytes": "1"})},
        "a number in it is none",
    ),
    "a size that lies": (
        members()
        | {"snap.json": replace(document_for(config_for()), layers=(document_for(b"").config,)).to_json()},
        "layer.tar has not the size",
    ),
    "a digest that lies": (members() | {"layer.tar": LAYER[:-1] + b"x"}, "layer.tar has another digest"),
    "a config that was edited": (
        members() | {"config.json": config_for().replace(b"amd64", b"arm64")},
        "config.json has another digest",
    ),
    "a list of files that was edited": (members() | {"manifest.mtree": b"#mtref\n"}, "another digest"),
    "no digest": (
        members() | {"snap.json": saying(config={"digest": "x", "size_bytes": 1})},
        "a digest in it",
    ),
    "a path for a digest": (
        members() | {"snap.json": saying(config={"digest": "sha256:../../x", "size_bytes": 1})},
        "a digest in it",
    ),
    "too many layers": (
        members() | {"snap.json": saying(layers=[{"digest": "sha256:" + "0" * 64, "size_bytes": 1}] * 501)},
        "a list in it is none, or too long",
    ),
    "a config that is too large": (
        members() | {"snap.json": saying(config={"digest": "sha256:" + "0" * 64, "size_bytes": 5 << 20})},
        "a number in it is none",
    ),
    "a config that is no JSON": (members(config=b"\xff"), "config.json: it cannot be read"),
    "a config without a record": (with_config(labels={}), "no record of snap's"),
    "labels that are no text": (with_config(labels={"a": 1}), "labels are no texts"),
    "a record that was edited": (
        with_config(labels={**labels_for(), RECORD_LABEL: labels_for()[RECORD_LABEL] + " "}),
        "edited",
    ),
    "a huge record": (with_config(labels={**labels_for(), RECORD_LABEL: "x" * 100_000}), "larger"),
    "steps that are a bomb": (with_config(labels={**labels_for(), STEPS_LABEL: "x"}), "edited"),
    "another platform": (with_config(architecture="arm64"), "another platform"),
    "other layers in the config": (
        with_config(rootfs={"diff_ids": ["sha256:0"]}),
        "its layers are not those",
    ),
    "a record of another base": (
        with_config(labels=labels_for(base=replace(document_for(b"").base, chain_id="sha256:0"))),
        "names another base",
    ),
    "a record of other files": (
        with_config(labels=labels_for(manifest_digest="sha256:0")),
        "the record lists",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("found", "word"), INVALID.values(), ids=INVALID)
def test_what_is_no_difference_is_refused(found: Members | bytes, word: str, tmp_path: Path) -> None:
    error = error_of(found if isinstance(found, bytes) else packed(found), tmp_path)
    assert isinstance(error, InvalidInput)
    assert word in error.what


def test_a_layer_that_means_harm_is_refused(tmp_path: Path) -> None:
    error = error_of(packed(with_evil_layer()), tmp_path)
    assert isinstance(error, Refused)
    assert "layer.tar: '/.wh..wh..opq' in it is a mark that snap does not write" in error.what


def test_another_base_is_refused_and_both_are_named(tmp_path: Path) -> None:
    other = replace(BASE, id="sha256:" + "c" * 64, layers=("sha256:" + "2" * 64,))
    error = error_of(packed(members()), tmp_path, other)
    assert isinstance(error, Refused)
    assert "docker.io/library/base:latest" in error.what
    assert "'base' is another image (sha256:cccc" in error.what


def test_a_base_with_more_layers_is_refused(tmp_path: Path) -> None:
    assert isinstance(
        error_of(packed(members()), tmp_path, replace(BASE, layers=(*BASE.layers, "sha256:3"))), Refused
    )


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_a_member_that_is_no_file_is_refused(kind: bytes, tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("snap.json")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    assert "snap.json is" in error_of(out.getvalue(), tmp_path).what


def test_a_file_that_ends_early_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    content = packed(members())
    end = len(content.rstrip(b"\0"))
    for size in range(0, end, 97):
        assert isinstance(error_of(content[:size], tmp_path), InvalidInput)


def test_no_size_is_believed_before_the_bytes_are_there(tmp_path: Path) -> None:
    said = replace(
        document_for(config_for()), layers=(replace(document_for(b"").config, size_bytes=1 << 50),)
    )
    found = packed(members() | {"snap.json": said.to_json()} | {"layer.tar": b""})
    assert "has not the size" in error_of(found, tmp_path).what


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(InvalidInput, match=f"'{path}' cannot be read"):
            take(path)


@settings(max_examples=60)
@given(data=st.data())
def test_no_damage_ends_in_anything_but_a_sentence(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(packed(members()))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("diff") / "diff.tar"
    path.write_bytes(content)
    with pytest.raises((SnapError, Loaded)):
        take(path)
