"""What is done about Podman's answers, without one: changes from two exports, and its own commit's words."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import pytest

from snapshot.engine.files import ContainerFiles
from snapshot.engine.podman_commit import as_commit_takes_it, instructions
from snapshot.engine.podman_files import PodmanFiles
from snapshot.engine.podman_images import refuse_other_platform
from snapshot.engine.types import Change, ChangeKind, Config, ContainerSpec, Healthcheck, Image, Mount
from snapshot.errors import EngineError

FOLDER, LINK, HARD_LINK = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
Entry = dict[str, Any]


def export(entries: Mapping[str, Entry | bytes]) -> bytes:
    """An export with these entries: the content of a file, or fields of its header."""
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape"
    ) as tar:
        for name, entry in entries.items():
            info = tarfile.TarInfo(name)
            content = entry if isinstance(entry, bytes) else entry.get("content", b"")
            for field, value in {} if isinstance(entry, bytes) else entry.items():
                if field != "content":
                    setattr(info, field, value)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


class Files(PodmanFiles):
    """A container of which only the export is there, and the list that Podman would give."""

    def __init__(self, before: bytes, after: bytes, listed: list[Change], sockets: tuple[str, ...]) -> None:
        self._before, self._after, self._listed, self._sockets = before, after, listed, sockets
        self._open_base = self._base

    @contextmanager
    def _base(self) -> Iterator[ContainerFiles]:
        yield Files(b"", self._before, [], ())

    @contextmanager
    def export(self) -> Iterator[IO[bytes]]:
        yield io.BytesIO(self._after)

    def _listed_by_podman(self) -> list[Change]:
        return self._listed

    def _is_socket(self, path: str) -> bool:
        return path in self._sockets


def changes(
    before: Mapping[str, Entry | bytes],
    after: Mapping[str, Entry | bytes],
    listed: list[Change] | None = None,
    sockets: tuple[str, ...] = (),
) -> list[str]:
    """``A /path`` and the like."""
    found = Files(export(before), export(after), listed or [], sockets).changes()
    return sorted(f"{change.kind.value} {change.path}" for change in found)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(b"a", b"a", [], id="nothing"),
        pytest.param(b"a", b"b", ["C /d", "C /d/x"], id="content of the same size and time"),
        pytest.param({"mtime": 1}, {"mtime": 2}, ["C /d", "C /d/x"], id="time"),
        pytest.param({"mode": 0o600}, {"mode": 0o4600}, ["C /d", "C /d/x"], id="mode"),
        pytest.param({"uid": 0}, {"uid": 7}, ["C /d", "C /d/x"], id="owner"),
        pytest.param({"type": FOLDER}, {"type": FOLDER, "mtime": 9}, [], id="time of a folder"),
        pytest.param(
            {"type": FOLDER}, {"type": FOLDER, "gid": 9}, ["C /d", "C /d/x"], id="owner of a folder"
        ),
        pytest.param({"type": FOLDER}, b"", ["C /d", "C /d/x"], id="type"),
        pytest.param(
            {"type": LINK, "linkname": "a"}, {"type": LINK, "linkname": "b"}, ["C /d", "C /d/x"], id="target"
        ),
        pytest.param(
            {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3},
            {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5},
            ["C /d", "C /d/x"],
            id="device",
        ),
        pytest.param(
            {"pax_headers": {"SCHILY.xattr.user.a": "1"}}, {}, ["C /d", "C /d/x"], id="extended attribute"
        ),
    ],
)
def test_a_path_counts_as_changed(before: Entry | bytes, after: Entry | bytes, expected: list[str]) -> None:
    folder: dict[str, Entry | bytes] = {"d": {"type": FOLDER, "mode": 0o755}}
    was: dict[str, Entry | bytes] = {**folder, "d/x": before}
    now: dict[str, Entry | bytes] = {**folder, "d/x": after}
    assert changes(was, now) == expected


def test_what_is_new_or_gone_stands_with_the_folders_above_it_and_a_tree_that_went_is_one_change() -> None:
    before: dict[str, Entry | bytes] = {
        "a": {"type": FOLDER},
        "a/old": {"type": FOLDER},
        "a/old/x": b"",
        "a/old/y": b"",
        "top": b"",
    }
    after: dict[str, Entry | bytes] = {
        "a": {"type": FOLDER},
        "a/new": {"type": FOLDER},
        "a/new/caf\udce9": b"",
    }
    assert changes(before, after) == ["A /a/new", "A /a/new/caf\udce9", "C /a", "D /a/old", "D /top"]


def test_what_was_below_a_folder_that_is_a_file_now_is_not_listed() -> None:
    assert changes({"a": {"type": FOLDER}, "a/x": b""}, {"a": b""}) == ["C /a"]


def test_a_further_name_of_a_file_is_held_against_what_stood_there() -> None:
    names: dict[str, Entry | bytes] = {"a": b"1", "b": {"type": HARD_LINK, "linkname": "a"}}
    assert changes({"a": b"1", "b": b"1"}, names) == []
    assert changes({"a": b"1", "b": b"2"}, names) == ["C /b"]


def test_what_podman_puts_into_a_folder_that_was_there_is_no_change_of_the_folder() -> None:
    folders: dict[str, Entry | bytes] = {"etc": {"type": FOLDER}}
    started = {**folders, "etc/mtab": {"type": LINK, "linkname": "/proc/mounts"}, "etc/hosts": b""}
    assert changes(folders, started) == []
    started["etc"] = {"type": FOLDER, "mode": 0o700}
    assert changes(folders, started) == ["C /etc"]
    # A folder that it makes for its own is known by what is in it.
    assert changes({}, {"run": {"type": FOLDER}, "run/.containerenv": b""}) == [
        "A /run", "A /run/.containerenv",
    ]  # fmt: skip


def test_a_socket_is_known_from_podmans_own_list() -> None:
    listed = [Change(ChangeKind.ADDED, path) for path in ("/d/s", "/d/went")]
    folder: dict[str, Entry | bytes] = {"d": {"type": FOLDER}}
    assert changes(folder, folder, listed, ("/d/s",)) == ["A /d/s", "C /d"]


def test_a_config_becomes_instructions_that_podman_reads_as_they_were_meant() -> None:
    config = Config(
        env=("A= b ", 'Q="x"'), labels={"k": "v=w"}, cmd=("a b", "c"), exposed_ports=frozenset({"80/tcp"}),
        volumes=frozenset({"/a b"}), working_dir="/w", user="7", on_build=("RUN x",),
    )  # fmt: skip
    assert instructions(config, Config()) == [
        'ENV A=" b "', 'ENV Q=""x""', 'LABEL k="v=w"', "EXPOSE 80/tcp", 'VOLUME ["/a b"]', "ONBUILD RUN x",
        "ENTRYPOINT []", 'CMD ["a b", "c"]', "WORKDIR /w", "USER 7",
    ]  # fmt: skip
    assert json.loads(instructions(config, Config())[7].removeprefix("CMD ")) == ["a b", "c"]


def test_what_comes_from_the_base_image_is_not_told_again() -> None:
    check = Healthcheck(("CMD", "true"))
    base = Config(stop_signal="SIGQUIT", on_build=("RUN a",), healthcheck=check)
    wanted = Config(stop_signal="SIGQUIT", on_build=("RUN a", "RUN b"), healthcheck=check)
    assert instructions(wanted, base) == ["ONBUILD RUN b", "ENTRYPOINT []", "CMD []"]


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(Config(healthcheck=Healthcheck(("NONE",))), id="healthcheck"),
        pytest.param(Config(stop_signal="SIGQUIT"), id="stop signal"),
        pytest.param(Config(env=("A=1\n2",)), id="line break"),
        pytest.param(Config(labels={"a": "1\nUSER 0"}), id="a line break that is an instruction"),
    ],
)
def test_what_podmans_commit_cannot_be_told_is_refused(config: Config) -> None:
    with pytest.raises(EngineError, match=r"Podman's own commit") as error:
        instructions(config, Config())
    assert error.value.hint


def test_the_config_of_a_container_is_what_podmans_commit_takes_of_it() -> None:
    config = Config(
        env=("PATH=/bin", "HOME=/root", "HOSTNAME=abc", "A=1"), stop_signal="15",
        healthcheck=Healthcheck(("CMD", "true"), retries=3),
    )  # fmt: skip
    mounts = [Mount("volume", "0a" * 32, "/data"), Mount("volume", "named", "/n"), Mount("bind", "/x", "/b")]
    taken = Config(env=("PATH=/bin", "A=1"), volumes=frozenset({"/data"}))
    assert as_commit_takes_it(config, "abc", mounts) == taken
    given = Config(env=("HOME=/mine", "HOSTNAME=mine"))
    assert as_commit_takes_it(given, "abc", []) == given


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ("linux/arm/v7", True),
        ("linux/arm", True),
        ("linux", True),
        ("linux/arm/v6", False),
        ("linux/amd64", False),
    ],
)
def test_an_image_of_another_platform_is_refused(wanted: str, fits: bool) -> None:
    image = Image("sha256:0", (), (), "", "", "", "arm", "linux", "v7", 0, (), Config())
    spec = ContainerSpec("lab", "box", platform=wanted)
    if fits:
        refuse_other_platform(image, spec)
        return
    with pytest.raises(EngineError, match=f"wanted {wanted}, actual: linux/arm/v7"):
        refuse_other_platform(image, spec)
