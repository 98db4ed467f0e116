"""All that a snapshot changed, read back from it as one layer (issue 5)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import docker
import lookalike
import pytest
import steps
from doctor import put_together, take_apart
from pairs import archive_of_capable
from sandbox import Sandbox

from snapshot.changeset.layer_members import layer_members
from snapshot.engine.client import Engine
from snapshot.errors import InvalidInput, SnapError
from snapshot.image.record import MANIFEST_LABEL, RECORD_LABELS, Record
from snapshot.workflow.own_changes import OwnChanges, own_changes

pytestmark = pytest.mark.engine

#: Each in a folder of its own; and what a second container does.
FOLDERS = {name.split()[0]: script for name, script in steps.CASES.items()}
FIRST = [f"( cd /{folder}\n{script} )" for folder, script in FOLDERS.items()]
FIRST += [
    "echo more >> /diamol/ch03.txt; rm /bin/wc; mkdir -p /new/deep",
    "echo x > /new/deep/a; ln /new/deep/a /new/b",
]
FIRST += [
    "chmod 711 /; chmod 4750 /new/b; ln -s /socket /dev/log; syslogd; until test -S /socket; do :; done"
]
SECOND = "rm -r /new/deep; echo second > /new/second; mkdir /bin/wc; echo later >> /diamol/ch03.txt"


@pytest.fixture(scope="module")
def images(space: Sandbox) -> dict[str, str]:
    """Snapshots of all kinds: what each is, and its name."""
    extra = [item for name in FOLDERS for item in (steps.folder(name), *steps.base_entries(f"{name}/"))]
    base = space.name("base")
    tar = lookalike.root_tar({"/diamol/ch03.txt": b"Lab solution, by: "}, extra=extra)
    lookalike.import_image(space.client, base, tar, [f"ENV PATH={lookalike.PATH}", 'CMD ["sh"]'])
    box = space.changed("\n".join(FIRST), image=base)
    assert space.client.put_archive(box, "/", archive_of_capable("/new/capable"))
    made = {kind: space.name(kind) for kind in ("base", "sealed", "engine", "second", "config")}
    space.snap("commit", box, made["sealed"])
    again = space.changed(SECOND, "again", image=made["sealed"])
    space.snap("commit", again, made["second"])
    space.snap("commit", "--method", "engine", again, made["engine"])
    space.snap("commit", "--env", "A=1", space.hold("plain"), made["config"])
    return made


@pytest.fixture
def engine(space: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A connection of its own, with the state folder of the commits."""
    monkeypatch.setenv("HOME", str(space.home))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    connected = Engine.connect(space.host)
    with ExitStack() as stack:
        stack.callback(connected.close)
        yield connected


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def read(engine: Engine, stack: ExitStack, name: str, **options: object) -> OwnChanges:
    return own_changes(engine, engine.image(name), name, stack, **options)  # type: ignore[arg-type]


def lines(own: OwnChanges) -> list[str]:
    return [f"{change.kind.value} {change.path}" for change in own.changeset.changes]


def test_the_layer_of_a_sealed_commit_is_read_back_byte_for_byte(
    images: dict[str, str], engine: Engine, stack: ExitStack
) -> None:
    """Links, modes, owners, capabilities, devices, deleted paths, names that are not UTF-8; no socket."""
    own = read(engine, stack, images["sealed"])
    assert own.record
    assert "A /socket" not in lines(own)
    assert own.layer
    assert own.layer.diff_id == own.record.diff_id
    assert {"A /V20/names/\udce9", "A /new/capable", "D /bin/wc", "C /diamol/ch03.txt"} <= set(lines(own))


def test_a_second_snapshot_has_its_own_changes_and_with_those_below_one_layer_for_all(
    images: dict[str, str], engine: Engine, stack: ExitStack
) -> None:
    own = read(engine, stack, images["second"])
    assert own.layer
    assert own.record
    assert own.layer.diff_id == own.record.diff_id
    assert "D /new/deep" in lines(own)
    whole = read(engine, stack, images["second"], origin=True)
    told = lines(whole)
    assert {"A /new/second", "A /new/b", "C /diamol/ch03.txt", "C /bin/wc"} <= set(told)
    assert not [line for line in told if "/new/deep" in line]
    first = {change.path: change.file for change in read(engine, stack, images["sealed"]).changeset.changes}
    linked = next(change.file for change in whole.changeset.changes if change.path == "/new/b")
    assert linked
    assert not linked.hard_link, "its other name is gone"
    assert first["/new/b"]
    assert linked.mode == first["/new/b"].mode


def test_what_the_engine_committed_is_read_by_the_list_of_its_record(
    images: dict[str, str], engine: Engine, stack: ExitStack
) -> None:
    own = read(engine, stack, images["engine"])
    sealed = read(engine, stack, images["second"])
    assert own.record
    assert own.record.method == "engine"
    assert own.layer
    held = {member.entry.path for member in layer_members(own.layer)}
    assert {"/new/second", "/new/.wh.deep"} <= held
    # Podman's list misses some, so its own commit may tell less than what is seen in the files.
    assert set(lines(own)) <= set(lines(sealed))


def test_a_snapshot_without_changed_files_has_no_layer(
    images: dict[str, str], engine: Engine, stack: ExitStack
) -> None:
    own = read(engine, stack, images["config"])
    assert own.changeset.changes == ()
    assert own.layer is None


def test_against_another_image_all_files_are_compared(
    images: dict[str, str], engine: Engine, stack: ExitStack
) -> None:
    """The folders on the way are in the layer, so that they keep their modes and owners."""
    own = read(engine, stack, images["second"], against=engine.image(images["sealed"]))
    assert lines(own) == [
        "C /bin", "A /bin/wc", "C /diamol", "C /diamol/ch03.txt", "C /new", "D /new/deep", "A /new/second",
    ]  # fmt: skip
    compared = read(engine, stack, images["sealed"], against=engine.image(images["base"]))
    recorded = read(engine, stack, images["sealed"])
    by_path = [
        {change.path: change for change in own.changeset.changes if change.file}
        for own in (compared, recorded)
    ]
    assert {path: change for path, change in by_path[1].items() if path in by_path[0]} == by_path[0]
    assert by_path[1].keys() - by_path[0].keys() == {"/"}, "the root of a container is its engine's own"


def test_a_list_that_is_nowhere_kept_is_derived_from_the_layer(
    space: Sandbox, engine: Engine, stack: ExitStack
) -> None:
    """Digests do not pack, so a thousand files are more than labels have room for."""
    box = space.changed(
        "mkdir /many; for n in $(seq 900); do echo $n > /many/$n; done; rm /bin/wc; ln /many/1 /many/first",
        "many",
    )
    image, by_engine = space.name("many"), space.name("many-e")
    space.snap("commit", box, image)
    space.snap("commit", "--method", "engine", box, by_engine)
    assert not space.inspect(image)["Config"]["Labels"][MANIFEST_LABEL]
    kept = read(engine, stack, image)
    shutil.rmtree(space.home / ".local/state/docker-snap/manifests")
    for name in (image, by_engine):
        derived = read(engine, stack, name)
        assert derived.record
        assert derived.layer
        assert kept.layer
        assert derived.layer.diff_id == kept.layer.diff_id
        assert [change.entry for change in derived.changeset.changes] == [
            change.entry for change in kept.changeset.changes
        ]


def test_times_can_be_cut_off_at_a_moment(images: dict[str, str], engine: Engine, stack: ExitStack) -> None:
    own = read(engine, stack, images["sealed"], fixed_time_s=1_000_000_000)
    assert own.layer
    assert max(member.mtime_s for member in layer_members(own.layer)) == 1_000_000_000
    assert own.layer.diff_id != (own.record and own.record.diff_id)


@pytest.mark.only_on("docker20", "docker28", "podman", reason="an upper folder can be read")
def test_attributes_that_archives_do_not_carry_come_from_the_layer_itself(
    space: Sandbox, client: docker.APIClient, engine: Engine, stack: ExitStack
) -> None:
    box, image = space.changed("echo x > /noted", "noted"), space.name("noted")
    pid = client.inspect_container(box)["State"]["Pid"]
    os.setxattr(f"/proc/{pid}/root/noted", "user.note", b"of a user")
    space.snap("commit", "--capture", "direct", box, image)
    own = read(engine, stack, image)
    assert own.layer
    assert own.record
    assert own.layer.diff_id == own.record.diff_id
    notes = [member.xattrs for member in layer_members(own.layer) if member.entry.path == "/noted"]
    assert notes == [{"user.note": b"of a user"}]


def test_an_image_that_does_not_hold_what_its_record_says_is_refused(
    images: dict[str, str], space: Sandbox, client: docker.APIClient, engine: Engine, stack: ExitStack
) -> None:
    with pytest.raises(InvalidInput, match="no record"):
        read(engine, stack, space.base_image)
    saved = take_apart(client, images["sealed"])
    stranger = space.name("stranger")
    # A record of other files, with a seal that fits: who writes all labels anew can do that.
    record = Record.from_labels(engine.image(images["second"]).config.labels)
    assert record
    for label in RECORD_LABELS:
        saved.labels[label] = engine.image(images["second"]).config.labels.get(label, "")
    put_together(client, saved, stranger)
    with pytest.raises(SnapError, match="does not hold"):
        read(engine, stack, stranger)
