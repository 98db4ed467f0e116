"""The same changes give the same layer, byte for byte: by any plan, either way, from any container."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import lookalike
import pytest
import steps
from doctor import take_apart
from pairs import archive_of_capable, start, started_pair
from sandbox import Sandbox

from snapshot.changeset.capture import ApiReader, Captured, ChangeReader, capture_layer
from snapshot.changeset.exclusion import Exclusion
from snapshot.changeset.fetch_plan import CallCosts, KnownSizes
from snapshot.changeset.layer import LayerSpool
from snapshot.changeset.manifest import encode_manifest
from snapshot.engine.client import Engine
from snapshot.workflow.methods.interface import CaptureWay
from snapshot.workflow.reader import choose_reader

pytestmark = pytest.mark.engine

with_upper_folder = pytest.mark.only_on(
    "docker20", "docker28", "podman", reason="an upper folder can be read"
)
#: More of what is read in a way of its own: links of the base's files, names in other bytes, what was there.
EDITS = [
    *steps.CASES.values(),
    "mkdir far; ln b/unchanged far/1; ln b/hard2 far/0; ln far/1 b/sub/1; echo x > n; ln n far/n",
    "cd names; touch \"$(printf 'caf\\351')\" \"$(printf '\\377\\376')\"; mkdir \"$(printf 'd\\200')\"",
    "cd names; echo x > \"$(printf 'd\\200')/inside\"; ln -s loop loop; ln -s same/same same",
    "mkdir many; for i in $(seq 60); do echo $i > many/$i; done",
    "rm -r b/old; mkdir b/old; echo x > b/old/new",
]

#: Costs that make one call a path, one a folder, and one of everything the cheapest.
FREE_CALLS = CallCosts(call_s=0.0, file_s=1.0, bytes_per_s=1e-3)
DEAR_CALLS = CallCosts(call_s=1.0, file_s=0.0, bytes_per_s=1e8)
DEAREST_CALLS = CallCosts(call_s=1e9, file_s=0.0, bytes_per_s=1e9)
LARGE = KnownSizes(base_bytes=10**12)
SMALL = KnownSizes(base_bytes=1)


@pytest.fixture(scope="module")
def box(space: Sandbox) -> str:
    """A stopped container with all sorts of changes."""
    image, name = space.name("base"), space.name("box")
    tar = lookalike.root_tar(extra=steps.base_entries())
    lookalike.import_image(space.client, image, tar, [f"ENV PATH={lookalike.PATH}"])
    start(space, image, name)
    space.sh(name, "\n".join(f"( cd /\n{script} )" for script in EDITS))
    assert space.client.put_archive(name, "/", archive_of_capable("capable"))
    space.sh(name, "ln /capable /b/its-name")
    space.client.kill(name)
    space.client.wait(name)
    return name


@pytest.fixture
def engine(space: Sandbox) -> Iterator[Engine]:
    engine = Engine.connect(space.host)
    yield engine
    engine.close()


@dataclass(frozen=True)
class Taken:
    """A layer, and all that was found out of the container on the way."""

    captured: Captured
    content: bytes

    @property
    def kinds_of_calls(self) -> set[str]:
        """The kinds of steps in the plan for what was asked for; further ones look for links."""
        return {type(step).__name__ for step in self.captured.reading.plans[0].steps}

    def assert_same(self, other: Taken) -> None:
        assert self.captured.layer
        assert other.captured.layer
        # What the engine has put there is no change; each way finds as much of it as it comes across.
        assert self.captured.changeset.changes == other.captured.changeset.changes
        assert encode_manifest(self.captured.changeset.changes) == encode_manifest(
            other.captured.changeset.changes
        )
        assert self.captured.layer.diff_id == other.captured.layer.diff_id
        assert self.content == other.content


def taken(reader: ChangeReader) -> Taken:
    with ExitStack() as stack:

        def spool(deleted: list[str]) -> LayerSpool:
            return stack.enter_context(LayerSpool(deleted))

        captured = capture_layer(reader, reader.changes(), (), spool, exclusion=Exclusion())
        assert captured.layer
        return Taken(captured, b"".join(captured.layer.chunks()))


def api_reader(engine: Engine, box: str, costs: CallCosts, sizes: KnownSizes) -> ApiReader:
    """As the command has it, with other costs."""
    container = engine.container(box)
    with ExitStack() as stack:
        base = engine.image(container.image_id)
        chosen = choose_reader(engine, container, base, CaptureWay.API, stack).reader
    assert isinstance(chosen, ApiReader)
    return replace(chosen, costs=costs, sizes=sizes)


@pytest.fixture
def by_export(engine: Engine, box: str) -> Taken:
    """The layer from one export."""
    found = taken(api_reader(engine, box, DEAREST_CALLS, SMALL))
    assert found.kinds_of_calls == {"ReadEverything"}
    return found


@pytest.mark.only_on(
    "docker20", "docker28", "docker28-containerd", reason="Podman's files come by an export alone"
)
def test_any_plan_gives_the_same_layer(engine: Engine, box: str, by_export: Taken) -> None:
    one_by_one = taken(api_reader(engine, box, FREE_CALLS, LARGE))
    folders = taken(api_reader(engine, box, DEAR_CALLS, LARGE))
    # A name that is not UTF-8 cannot be asked for by itself.
    assert one_by_one.kinds_of_calls == {"ReadPath", "ReadFolder"}
    assert folders.kinds_of_calls == {"ReadPath", "ReadFolder"}
    calls = [len(found.captured.reading.plans[0].steps) for found in (one_by_one, folders)]
    assert calls[0] > 2 * calls[1]
    one_by_one.assert_same(by_export)
    folders.assert_same(by_export)


@with_upper_folder
def test_the_direct_way_gives_the_same_layer(engine: Engine, box: str, by_export: Taken) -> None:
    container = engine.container(box)
    with ExitStack() as stack:
        base = engine.image(container.image_id)
        chosen = choose_reader(engine, container, base, CaptureWay.DIRECT, stack)
        taken(chosen.reader).assert_same(by_export)


def test_the_layer_can_be_read_by_tarfile_and_by_gnu_tar(by_export: Taken, tmp_path: Path) -> None:
    changes = by_export.captured.changeset.changes
    present = {change.path.strip("/") for change in changes if change.file}
    gone = {whiteout(change.path) for change in changes if change.kind.value == "D"}
    with tarfile.open(fileobj=io.BytesIO(by_export.content)) as tar:
        names = [info.name for info in tar]
    assert set(names) == present | gone
    assert len(names) == len(set(names))
    file = tmp_path / "layer.tar"
    file.write_bytes(by_export.content)
    listed = subprocess.run(
        ["tar", "--list", "--quoting-style=literal", "--null", "-f", file], capture_output=True, check=True
    )
    assert listed.stderr == b""
    assert listed.stdout.count(b"\n") >= len(names)
    subprocess.run(["tar", "--compare", "-f", file, "-C", unpacked(file)], capture_output=True, check=True)


def whiteout(path: str) -> str:
    """The name in a layer that deletes a path."""
    folder, _, name = path.strip("/").rpartition("/")
    return f"{folder}/.wh.{name}".strip("/")


def unpacked(file: Path) -> Path:
    """A folder with what GNU tar makes of a layer."""
    folder = file.parent / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "--extract", "--numeric-owner", "-p", "-f", file, "-C", folder], check=True)
    return folder


MOMENT = 1_767_225_600


@with_upper_folder
def test_on_the_command_line_both_ways_make_the_same_image(space: Sandbox, box: str) -> None:
    ids = [
        space.snap("commit", "-q", "--timestamp", str(MOMENT), "--capture", way, box).stdout
        for way in ("direct", "api")
    ]
    assert ids[0] == ids[1]


@pytest.mark.parametrize("by", ["option", "variable"])
def test_two_containers_with_the_same_change_make_the_same_image(sandbox: Sandbox, by: str) -> None:
    """R02: other names, IDs and times."""
    options, env = (
        ((f"--timestamp={MOMENT}",), {}) if by == "option" else ((), {"SOURCE_DATE_EPOCH": str(MOMENT)})
    )
    ids = []
    for number in range(2):
        box = sandbox.name(f"box{number}")
        start(sandbox, sandbox.base_image, box)
        sandbox.sh(
            box, "echo me >> /diamol/ch03.txt; mkdir /new; echo x > /new/file; rm /bin/wc; ln -s x /link"
        )
        ids.append(sandbox.snap("commit", "-q", "-m", "sign", *options, box, env=env).stdout.strip())
        # Whole seconds are what an image has of time.
        time.sleep(1.1)
    assert ids[0] == ids[1]
    assert sandbox.inspect(ids[0])["Created"].startswith("2026-01-01T00:00:00")


def test_newer_files_get_the_given_time_and_older_ones_keep_theirs(sandbox: Sandbox) -> None:
    """R03. Without a given time, all keep theirs."""
    box = sandbox.name("box")
    start(sandbox, sandbox.base_image, box)
    stamps = {"older": MOMENT - 1, "same": MOMENT, "newer": MOMENT + 1, "old": 1, "future": 4_000_000_000}
    sandbox.sh(box, "\n".join(f"touch -d @{stamp} /{name}" for name, stamp in stamps.items()))
    sandbox.sh(box, f"mkdir /folder; ln -s x /link; touch -d @{MOMENT + 9} /folder")
    for image, options in (("fixed", ["--timestamp", str(MOMENT)]), ("true", [])):
        sandbox.snap("commit", *options, box, sandbox.name(image))
    assert mtimes(sandbox, "true", stamps) == stamps
    assert mtimes(sandbox, "fixed", stamps) == {name: min(stamp, MOMENT) for name, stamp in stamps.items()}
    assert mtimes(sandbox, "fixed", ["folder", "link"]) == {"folder": MOMENT, "link": MOMENT}
    assert mtimes(sandbox, "true", ["folder"]) == {"folder": MOMENT + 9}


def mtimes(sandbox: Sandbox, image: str, names: Sequence[str] | dict[str, int]) -> dict[str, int]:
    """The times that the last layer of an image has."""
    layer = take_apart(sandbox.client, sandbox.name(image)).layers[-1]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        return {info.name: int(info.mtime) for info in tar if info.name in names}


def test_a_fixed_time_leaves_nothing_in_the_image_that_tells_two_containers_apart(sandbox: Sandbox) -> None:
    pair = started_pair(sandbox, sandbox.base_image)
    pair.sh("echo x > /new")
    box = sandbox.client.inspect_container(pair.for_snap)
    sandbox.snap("commit", "--timestamp", str(MOMENT), pair.for_snap, sandbox.name("image"))
    said = json.dumps(sandbox.inspect(sandbox.name("image"))["Config"])
    said += json.dumps(take_apart(sandbox.client, sandbox.name("image")).config)
    for word in (box["Id"][:12], pair.for_snap, box["Config"]["Hostname"], box["Created"][:19]):
        assert word not in said
