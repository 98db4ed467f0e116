"""Images in archives are read as they are, and hostile ones end in a sentence."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

from snapshot.changeset.entry import FileType
from snapshot.errors import DiskFull, InvalidInput, SnapError
from snapshot.workflow.compared import archive_image, blobs
from snapshot.workflow.compared.archive_image import ArchiveImage
from snapshot.workflow.compared.find import find_compared, is_archive
from snapshot.workflow.progress import SILENT

if TYPE_CHECKING:
    from tests.unit.workflow.compared.made_archives import Layout, descriptor, docker_archive, layer, tar_of
else:
    from made_archives import Layout, descriptor, docker_archive, layer, tar_of

ONE = layer({"etc/motd": "hello", "etc/link": (tarfile.LNKTYPE, "etc/motd"), "gone": "x"})
TWO = layer({".wh.gone": "", "etc/motd": "changed", "new": "n"})


def files_in(archive: ArchiveImage) -> dict[str, bytes]:
    found = {}
    with archive.files() as files:
        for path, entry in archive.tree(SILENT).items():
            member = files.at(path)
            assert member
            assert member.entry.size_bytes == entry.size_bytes
            if entry.type is FileType.FILE:
                found[path] = b"".join(map(bytes, member.content()))
    return found


EXPECTED = {"/etc/link": b"hello", "/etc/motd": b"changed", "/new": b"n"}


@pytest.mark.parametrize("packed", [False, True])
def test_a_layout_is_read_from_a_folder_and_from_a_tar(tmp_path: Path, packed: bool) -> None:
    layout = Layout()
    layout.image([ONE, TWO], packed=packed)
    layout.write(tmp_path / "layout")
    (tmp_path / "layout.tar").write_bytes(tar_of(layout.whole()))
    for path in (tmp_path / "layout", tmp_path / "layout.tar"):
        found = ArchiveImage(f"oci:{path}")
        assert files_in(found) == EXPECTED
        assert found.side.name == f"oci:{path}"
        assert found.side.id == found.image.id


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_what_docker_saves_is_read_compressed_or_not(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "saved.tar"
    path.write_bytes(pack(tar_of(docker_archive({"name:1": [ONE], "other:1": [ONE, TWO]}))))
    assert files_in(ArchiveImage(f"docker-archive:{path}:other:1")) == EXPECTED
    assert files_in(ArchiveImage(f"docker-archive:{path}:@1")) == EXPECTED
    assert ArchiveImage(f"docker-archive:{path}:docker.io/library/name:1").image.tags == ("name:1",)


def test_a_long_layer_is_read_from_its_place_in_the_tar(tmp_path: Path) -> None:
    long = "".join(f"{number}\n" for number in range(300_000))
    layout = Layout()
    layout.image([layer({"long": long})])
    (tmp_path / "layout.tar").write_bytes(tar_of(layout.whole()))
    (tmp_path / "saved.tar").write_bytes(tar_of(docker_archive({"": [layer({"long": long})]})))
    for name in (f"oci:{tmp_path}/layout.tar", f"docker-archive:{tmp_path}/saved.tar"):
        assert files_in(ArchiveImage(name)) == {"/long": long.encode()}


def test_the_image_that_is_meant_has_to_be_named_where_there_are_several(tmp_path: Path) -> None:
    layout = Layout()
    layout.image([ONE], "first")
    layout.image([ONE, TWO], "second")
    layout.write(tmp_path)
    assert len(ArchiveImage(f"oci:{tmp_path}:second").layers) == 2
    with pytest.raises(InvalidInput, match="2 images") as error:
        ArchiveImage(f"oci:{tmp_path}")
    assert error.value.hint == "Name one of these: first, second."
    with pytest.raises(InvalidInput, match="no image 'third'"):
        ArchiveImage(f"oci:{tmp_path}:third")


def test_of_an_index_the_image_for_this_machine_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout()
    layout.image([ONE])
    layout.image([ONE, TWO])
    layout.image([TWO])
    platforms = [("arm64", "linux"), ("amd64", "linux"), ("unknown", "unknown")]
    entries = [
        {**entry, "platform": {"architecture": architecture, "os": system}}
        for entry, (architecture, system) in zip(layout.manifests, platforms, strict=True)
    ]
    layout.manifests = [layout.blob(json.dumps({"manifests": entries}).encode())]
    layout.write(tmp_path)
    for machine, count in (("x86_64", 2), ("aarch64", 1)):
        monkeypatch.setattr("platform.machine", lambda machine=machine: machine)
        assert len(ArchiveImage(f"oci:{tmp_path}").layers) == count
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(SnapError, match="no image for riscv64"):
        ArchiveImage(f"oci:{tmp_path}")


def test_names_of_archives_are_known(tmp_path: Path) -> None:
    assert is_archive("oci:a")
    assert is_archive("docker-archive:a.tar:b")
    assert not is_archive("oci")
    assert not is_archive("docker.io/oci:latest")
    for name in (f"oci:{tmp_path}/none", f"docker-archive:{tmp_path}", "oci:"):
        with pytest.raises(InvalidInput):
            find_compared(None, name)
    with pytest.raises(InvalidInput, match="no archive"):
        find_compared(None, "image")


def _with_config(config: object) -> Layout:
    layout = Layout()
    manifest = {"config": layout.blob(json.dumps(config).encode()), "layers": []}
    layout.manifests = [layout.blob(json.dumps(manifest).encode())]
    return layout


def _with_manifest(manifest: object) -> Layout:
    layout = Layout()
    layout.manifests = [layout.blob(json.dumps(manifest).encode())]
    return layout


def _with_index(index: bytes) -> Layout:
    layout = Layout()
    layout.image([ONE])
    layout.files["index.json"] = index
    return layout


ROOTFS: dict[str, list[str]] = {"diff_ids": []}
DAMAGED: dict[str, tuple[Layout, str]] = {
    "no manifests": (_with_index(b"{}"), "index.json"),
    "no JSON": (_with_index(b"{"), "no JSON"),
    "deep JSON": (_with_index(b"[" * 200_000), "no JSON"),
    "a long document": (_with_index(b" " * (4 << 20) + b"{}"), "more than 4,194,304 bytes"),
    "a digest that is a path": (
        _with_index(b'{"manifests":[{"digest":"sha256:../../etc/passwd"}]}'),
        "digest",
    ),
    "a digest of another sort": (_with_index(b'{"manifests":[{"digest":"sha512:00"}]}'), "digest"),
    "a number for a digest": (_with_index(b'{"manifests":[{"digest":7}]}'), "digest"),
    "a blob that is missing": (
        _with_index(json.dumps({"manifests": [descriptor(b"none")]}).encode()),
        "lacks",
    ),
    "a manifest of another form": (_with_manifest({"config": []}), "manifest"),
    "a list as manifest": (_with_manifest([1]), "manifest"),
    "no rootfs": (_with_config({}), "config"),
    "diff IDs that are none": (_with_config({"rootfs": {"diff_ids": ["../x"]}}), "digests"),
    "too many diff IDs": (_with_config({"rootfs": {"diff_ids": ["sha256:" + 64 * "0"]}}), "1 layers"),
    "more layers than any store takes": (
        _with_config({"rootfs": {"diff_ids": ["sha256:" + 64 * "0"] * 1001}}),
        "more than 1,000 layers",
    ),
    "labels that are no texts": (_with_config({"rootfs": ROOTFS, "config": {"Labels": {"a": 1}}}), "Labels"),
    "an env that is no list": (_with_config({"rootfs": ROOTFS, "config": {"Env": "A=1"}}), "Env"),
    "a healthcheck of another form": (
        _with_config({"rootfs": ROOTFS, "config": {"Healthcheck": [1]}}),
        "damaged",
    ),
    "ports of another form": (_with_config({"rootfs": ROOTFS, "config": {"ExposedPorts": [[]]}}), "damaged"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_documents_end_in_a_sentence(tmp_path: Path, case: str) -> None:
    layout, words = DAMAGED[case]
    with pytest.raises(SnapError, match=words):
        ArchiveImage(f"oci:{layout.write(tmp_path)}")


def test_blobs_that_are_not_what_their_names_say_are_refused(tmp_path: Path) -> None:
    layout = Layout()
    layout.image([ONE, TWO])
    for name in [name for name in layout.files if name.startswith("blobs/")]:
        changed = Layout()
        changed.files, changed.manifests = dict(layout.files), layout.manifests
        changed.files[name] = (
            layout.files[name].replace(b"hello", b"HELLO").replace(b"linux", b"LINUX") + b" "
        )
        with pytest.raises(SnapError, match=r"another one than|cannot be read"):
            files_in(ArchiveImage(f"oci:{changed.write(tmp_path / name[-8:])}"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"\x28\xb5\x2f\xfd" + bytes(100), "zstd", id="zstd"),
        pytest.param(gzip.compress(ONE)[:-9], "ended before|cannot be read", id="broken off"),
        pytest.param(ONE[:700], "unexpected end|truncated", id="a tar that breaks off"),
        pytest.param(b"no tar" * 200, "invalid header", id="no tar"),
        pytest.param(layer({"../up": "x"}), "upwards", id="a name that leads upwards"),
        pytest.param(layer({"a/" * 2100 + "b": "x"}), "path with", id="a path that no engine takes"),
    ],
)
def test_layers_that_cannot_be_read_end_in_a_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    layout = Layout()
    layout.image([content])
    with pytest.raises(SnapError, match=words) as error:
        files_in(ArchiveImage(f"oci:{layout.write(tmp_path)}"))
    assert str(tmp_path) in error.value.what


def test_links_lead_nowhere_out_of_a_layout(tmp_path: Path) -> None:
    layout = Layout()
    layout.image([ONE])
    outside = layout.write(tmp_path / "outside")
    for name in (
        "index.json",
        "blobs",
        "blobs/sha256",
        next(n for n in layout.files if n.startswith("blobs/")),
    ):
        folder = layout.write(tmp_path / name.replace("/", "-")[:40])
        target = folder / name
        if target.is_dir():
            target.rename(folder / "elsewhere")
        else:
            target.unlink()
        target.symlink_to(outside / name)
        with pytest.raises(SnapError, match="cannot be opened"):
            files_in(ArchiveImage(f"oci:{folder}"))


def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    layout = Layout()
    layout.image([ONE])
    layout.write(tmp_path)
    (tmp_path / "index.json").unlink()
    os.mkfifo(tmp_path / "index.json")
    with pytest.raises(SnapError, match="is no file"):
        ArchiveImage(f"oci:{tmp_path}")
    with pytest.raises(InvalidInput, match="neither a file nor a folder"):
        ArchiveImage(f"docker-archive:{tmp_path}/index.json")


def _save(path: Path, files: dict[str, Any]) -> str:
    path.write_bytes(tar_of(files))
    return f"docker-archive:{path}"


def test_links_in_a_tar_lead_to_its_own_files_and_round_in_no_circle(tmp_path: Path) -> None:
    files = docker_archive({"": [ONE]})
    name = next(name for name in files if name.endswith("layer.tar"))
    for target in (name, "/etc/passwd", "../../../../etc/passwd"):
        with pytest.raises(SnapError, match="lacks '0-0/layer"):
            files_in(ArchiveImage(_save(tmp_path / "a.tar", {**files, name: (tarfile.SYMTYPE, target)})))


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ([], "no image"),
        ({}, "form"),
        ([{"Config": 1}], "no config"),
        ([{"Config": "none.json"}], "lacks"),
        ([{"Config": "0.json", "Layers": [1]}], "Layers"),
        ([{"Config": "0.json", "RepoTags": {}}], "RepoTags"),
    ],
)
def test_a_damaged_manifest_of_dockers_ends_in_a_sentence(
    tmp_path: Path, manifest: object, words: str
) -> None:
    files = {**docker_archive({"": [ONE]}), "manifest.json": json.dumps(manifest).encode()}
    with pytest.raises(SnapError, match=words):
        ArchiveImage(_save(tmp_path / "a.tar", files))


def test_what_is_no_archive_ends_in_a_sentence(tmp_path: Path) -> None:
    for content in (b"", b"text", bytes(10_000), gzip.compress(b"text"), b"\x1f\x8bno gzip"):
        (tmp_path / "a").write_bytes(content)
        for name in (f"docker-archive:{tmp_path}/a", f"oci:{tmp_path}/a"):
            with pytest.raises(SnapError):
                ArchiveImage(name)


def test_a_header_that_says_to_be_as_long_as_the_file_takes_no_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    with (tmp_path / "a.tar").open("wb") as out:
        out.write(info.tobuf())
        out.truncate(2 << 30)
    tracemalloc.start()
    try:
        with pytest.raises(SnapError, match="too long"):
            ArchiveImage(f"docker-archive:{tmp_path}/a.tar")
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


def test_layers_and_archives_with_too_many_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_image, "MOST_ENTRIES", 3)
    layout = Layout()
    layout.image([layer({f"f{number}": "" for number in range(4)})])
    with pytest.raises(SnapError, match="more than 3 entries"):
        files_in(ArchiveImage(f"oci:{layout.write(tmp_path)}"))
    monkeypatch.setattr(archive_image, "MOST_ENTRIES_IN_ALL", 5)
    layout.image([layer({f"{name}{number}": "" for number in range(3)}) for name in "ab"], "two")
    with pytest.raises(SnapError, match="more than 2 entries"):
        files_in(ArchiveImage(f"oci:{layout.write(tmp_path)}:two"))
    monkeypatch.setattr(blobs, "_MOST_FILES", 3)
    with pytest.raises(SnapError, match="more than 3 files"):
        ArchiveImage(_save(tmp_path / "a.tar", {str(number): b"" for number in range(4)}))


def test_long_names_are_too_many_sooner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_image, "MOST_ENTRIES", 100)
    layout = Layout()
    layout.image([layer({f"{'d/' * 1000}{number}": "" for number in range(3)})])
    with pytest.raises(SnapError, match="or longer names"):
        files_in(ArchiveImage(f"oci:{layout.write(tmp_path)}"))


def test_nothing_is_unpacked_where_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(tar_of(docker_archive({"": [ONE]}))))

    def no_room(size_bytes: int) -> None:
        raise DiskFull(f"{size_bytes}")

    monkeypatch.setattr(blobs, "check_room", no_room)
    with pytest.raises(DiskFull):
        ArchiveImage(f"docker-archive:{tmp_path}/a.tar.gz")


def test_a_layer_is_unpacked_once_for_its_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout()
    layout.image([ONE, TWO], packed=True)
    archive = ArchiveImage(f"oci:{layout.write(tmp_path)}")
    opened: list[str] = []
    original = blobs.FolderBlobs.opened

    def noted(self: blobs.FolderBlobs, name: str) -> IO[bytes]:
        opened.append(name)
        return original(self, name)

    monkeypatch.setattr(blobs.FolderBlobs, "opened", noted)
    archive.above(1, SILENT)
    assert len(opened) == 1
    with archive.files() as files:
        for _ in range(3):
            for path in ("/etc/link", "/etc/motd", "/new"):
                member = files.at(path)
                assert member
                assert io.BytesIO(b"".join(map(bytes, member.content()))).read()
    # The upper one for its digests and for its contents, the lower one for its names and for its contents.
    assert len(opened) == 4
