from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.image.saved import SavedImage, SavedImageUnreadable

Files = Sequence[tuple[str, bytes | tarfile.TarInfo]]


def tar_of(files: Files) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in files:
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            else:
                tar.addfile(info)
    return stream.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[str, tarfile.TarInfo]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return name, info


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def blob(content: bytes) -> str:
    return digest(content).replace("sha256:", "blobs/sha256/")


def manifest(*layers: str) -> tuple[str, bytes]:
    return "manifest.json", json.dumps([{"Config": "c.json", "RepoTags": None, "Layers": layers}]).encode()


LOWER, UPPER = tar_of([("a", b"a" * 3000)]), tar_of([("b", b"b")])
CONFIG = ("c.json", b'{"rootfs": {}}')
ZIPPED = gzip.compress(LOWER, mtime=0)
OCI = [(blob(ZIPPED), ZIPPED), (blob(UPPER), UPPER), CONFIG, manifest(blob(ZIPPED), blob(UPPER))]
DOCKER_20 = [("22/layer.tar", UPPER), ("11/json", b"{}"), ("11/layer.tar", LOWER), CONFIG]
DOCKER_20 += [manifest("11/layer.tar", "22/layer.tar")]
PODMAN = [("22.tar", UPPER), ("11.tar", LOWER), CONFIG, manifest("11.tar", "22.tar")]


def read(files: Files) -> list[str]:
    """The diff IDs of the layers, base first."""
    image = SavedImage(io.BytesIO(tar_of(files)))
    found = {layer.name: layer.diff_id() for layer in image.layers()}
    return [found[name] for name in image.layer_order()]


@pytest.mark.parametrize("files", [OCI, DOCKER_20, PODMAN], ids=["oci", "docker 20", "podman"])
def test_the_layers_of_every_engine_s_archive_are_read(files: list[tuple[str, bytes]]) -> None:
    assert read(files) == [digest(LOWER), digest(UPPER)]
    assert read(files[::-1]) == [digest(LOWER), digest(UPPER)]


def test_a_layer_is_the_uncompressed_tar_however_it_is_read() -> None:
    for layer in SavedImage(io.BytesIO(tar_of(OCI))).layers():
        content = b""
        while piece := layer.read(700):
            content += piece
        assert content in {LOWER, UPPER}
        assert layer.diff_id() == digest(content)
    whole = [layer.read() for layer in SavedImage(io.BytesIO(tar_of(OCI))).layers()]
    assert whole == [LOWER, UPPER]


def test_layers_that_nobody_reads_are_passed_over() -> None:
    image = SavedImage(io.BytesIO(tar_of(OCI)))
    assert [layer.name for layer in image.layers()] == image.layer_order()


def test_layers_that_are_not_wanted_are_passed_over_where_their_names_tell_them() -> None:
    plain = [(blob(LOWER), LOWER), (blob(UPPER), UPPER), CONFIG, manifest(blob(LOWER), blob(UPPER))]

    def given(files: Files) -> list[str]:
        saved = SavedImage(io.BytesIO(tar_of(files)))
        return [layer.diff_id() for layer in saved.layers(passing_over=[digest(LOWER)])]

    assert given(plain) == [digest(UPPER)]
    assert given(PODMAN) == [digest(UPPER), digest(LOWER)]


def test_a_layer_that_occurs_twice_is_named_by_its_first_place() -> None:
    again: Files = [("11/layer.tar", LOWER), link("33/layer.tar", "../11/layer.tar")]
    assert read([*again, manifest("11/layer.tar", "33/layer.tar")]) == [digest(LOWER)] * 2
    hard: Files = [("11/layer.tar", LOWER), link("33/layer.tar", "11/layer.tar", tarfile.LNKTYPE)]
    assert read([*hard, manifest("33/layer.tar", "11/layer.tar")]) == [digest(LOWER)] * 2


def test_a_layer_without_anything_in_it_is_a_layer() -> None:
    empty = bytes(1024)
    assert read([(blob(empty), empty), manifest(blob(empty))]) == [digest(empty)]


def test_documents_are_no_layers() -> None:
    files = [*OCI, ("x/VERSION", b"1.0"), ("repositories", b"{}"), ("blobs/sha256/0", b"")]
    assert len(list(SavedImage(io.BytesIO(tar_of(files))).layers())) == 2


def test_a_layer_that_is_compressed_with_zstd_is_refused_by_that_word() -> None:
    with pytest.raises(SavedImageUnreadable, match="zstd"):
        read([("11.tar", b"\x28\xb5\x2f\xfd" + bytes(100)), manifest("11.tar")])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"[1]",
        b"[{}]",
        b'[{"Layers": null}]',
        b'[{"Layers": 5}]',
        b"[" * 100_000,
        b"\xff",
        b'[{"Layers": []},' + b" " * (4 << 20) + b"]",
    ],
    ids=lambda content: content[:12],
)
def test_a_manifest_of_another_form_is_refused(content: bytes) -> None:
    with pytest.raises(SavedImageUnreadable):
        read([("11.tar", LOWER), ("manifest.json", content)])


def test_an_archive_without_a_manifest_is_refused() -> None:
    with pytest.raises(SavedImageUnreadable, match=r"no manifest\.json"):
        read([("11.tar", LOWER)])


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-20], lambda data: data[:60] + b"\xff" * 9 + data[69:]]
)
def test_a_damaged_gzip_is_refused(damage: object) -> None:
    assert callable(damage)
    content = damage(gzip.compress(bytes(range(256)) * 2000 + LOWER))
    with pytest.raises(SavedImageUnreadable):
        read([("11.tar", content), manifest("11.tar")])


@given(st.integers(0, len(tar_of(OCI)) - 11_000), st.booleans())
def test_an_archive_that_is_cut_off_is_refused(length: int, whole: bool) -> None:
    image = SavedImage(io.BytesIO(tar_of(OCI)[:length]))

    def order() -> list[str]:
        for layer in image.layers():
            assert not whole or layer.diff_id()
        # Cut off between two members, it looks like an archive, and has no manifest.
        return image.layer_order()

    with pytest.raises(SavedImageUnreadable):
        order()


@given(st.data())
def test_a_damaged_archive_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(tar_of(OCI))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    image = SavedImage(io.BytesIO(bytes(content)))
    try:
        found = [layer.diff_id() for layer in image.layers()]
        assert all(isinstance(name, str) for name in image.layer_order())
    except SavedImageUnreadable:
        return
    assert len(found) <= 3


@pytest.mark.parametrize("files", [OCI, DOCKER_20, PODMAN], ids=["oci", "docker20", "podman"])
def test_the_config_is_given_as_it_is_stored(files: Files) -> None:
    image = SavedImage(io.BytesIO(tar_of(files)))
    assert [layer.diff_id() for layer in image.layers()]
    assert image.config() == CONFIG[1]


@pytest.mark.parametrize("files", [OCI[:2], [OCI[0], ("manifest.json", b"[]")], [OCI[0], OCI[3]]])
def test_an_archive_without_its_config_is_unreadable(files: Files) -> None:
    image = SavedImage(io.BytesIO(tar_of(files)))
    assert [layer.diff_id() for layer in image.layers()]
    with pytest.raises(SavedImageUnreadable, match="no config"):
        image.config()
