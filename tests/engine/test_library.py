"""The verbs as Python functions, used as another program would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox import Sandbox

from snapshot import CommitOptions, Snapshots
from snapshot.engine.types import ChangeKind
from snapshot.errors import ContainerNotFound, ImageNotFound, NotFound, NothingToVerify
from snapshot.image.config_edits import ConfigEdits
from snapshot.workflow.checks import FileContains, FileExists, RunOutputs
from snapshot.workflow.show import ContainerView, ImageView

pytestmark = pytest.mark.engine


@pytest.fixture
def snap(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Snapshots]:
    """The engine, with a state folder of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with Snapshots(host) as snapshots:
        yield snapshots


def test_the_loop_returns_typed_results_and_prints_nothing(
    snap: Snapshots, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    box, image = sandbox.name(), sandbox.name("image")
    pieces: list[tuple[bytes | None, bytes | None]] = []

    ran = snap.run(
        sandbox.base_image,
        ["sh", "-c", "echo $WHO >> ch03.txt; echo out; echo err >&2; exit 3"],
        name=box,
        env={"WHO": "Elton"},
        network="none",
        output=lambda stdout, stderr: pieces.append((stdout, stderr)),
    )
    assert (ran.name, ran.exit_code) == (box, 3)
    assert b"".join(stdout or b"" for stdout, _ in pieces) == b"out\n"
    assert b"".join(stderr or b"" for _, stderr in pieces) == b"err\n"

    changes = snap.diff(box, hash_content=True).changeset.changes
    assert [(change.kind, change.path) for change in changes] == [
        (ChangeKind.CHANGED, "/diamol"),
        (ChangeKind.CHANGED, "/diamol/ch03.txt"),
    ]
    assert changes[1].file
    assert len(changes[1].file.sha256) == 64

    result = snap.commit(
        box, image, CommitOptions(message="sign", edits=ConfigEdits(env={"A": "1"}, cmd=["app"]))
    )
    assert (result.name, result.moved_from) == (f"{image}:latest", "")
    assert result.image_id == sandbox.inspect(image)["Id"]
    assert result.verification
    assert result.verification.passed
    assert result.changeset.changes == changes
    assert result.record.kept_by_engine == ()
    assert {variable.partition("=")[0] for variable in sandbox.config(image)["Env"]} == {"PATH", "A"}
    assert sandbox.config(image)["Cmd"] == ["app"]

    verification = snap.verify(
        image,
        [FileContains("ch03.txt", "Elton"), FileExists("missing"), RunOutputs(("cat", "ch03.txt"), "Lab")],
    )
    assert verification.record == result.record
    assert [finding.subject for finding in verification.failures] == ["file /diamol/missing"]

    listing = snap.ls()
    assert box in {container.name for container in listing.containers}
    assert result.image_id in {snapshot.image.id for snapshot in listing.snapshots}
    shown = snap.show(image)
    assert isinstance(shown, ImageView)
    assert (shown.record, shown.changes) == (result.record, changes)
    container = snap.show(box)
    assert isinstance(container, ContainerView)
    assert container.by_snap

    assert snap.engine().info.name in {"Docker", "Podman"}
    assert capfd.readouterr() == ("", "")


def test_what_is_done_to_a_container_is_in_its_log_and_in_that_of_its_image(
    snap: Snapshots, sandbox: Sandbox, tmp_path: Path
) -> None:
    box, image = sandbox.name(), sandbox.name("image")
    snap.run(sandbox.base_image, ["sleep", "600"], name=box, network="none", detach=True)
    printed: list[bytes | None] = []
    done = snap.exec(
        box,
        ["sh", "-c", "echo $A; touch /new; exit 3"],
        env={"A": "told"},
        output=lambda stdout, _: printed.append(stdout),
    )
    assert (done.exit_code, printed) == (3, [b"told\n"])
    (tmp_path / "file").write_text("content")
    assert snap.copy_in(str(tmp_path / "file"), box, "/etc/copied").files == 1
    assert snap.copy_out(box, "/etc/copied", str(tmp_path / "back")).files == 1
    assert (tmp_path / "back").read_text() == "content"
    assert snap.stop(box, timeout_s=0).was_running
    assert not snap.start(box).was_running
    (listed,) = (item for item in snap.ps() if item.container.name == box)
    assert (listed.step_count, listed.unsaved.paths) == (4, 2)
    snap.commit(box, image)
    steps = [(step.verb, step.exit_code) for step in snap.log(box).steps]
    assert steps == [("run", None), ("exec", 3), ("cp", 0), ("start", None)]
    (told,) = snap.log(image).generations
    assert [(step.verb, step.exit_code) for step in told.generation.steps] == steps
    assert snap.reset(box, force=True).name == box
    assert snap.rm(box, force=True).removed


def test_what_is_not_there_is_an_exception_for_the_thing_it_is(snap: Snapshots, sandbox: Sandbox) -> None:
    with pytest.raises(NotFound, match="no-such"):
        snap.diff("no-such")
    with pytest.raises(ContainerNotFound, match="no-such"):
        snap.commit("no-such", sandbox.name("image"))
    with pytest.raises(ImageNotFound, match="no-such"):
        snap.verify("no-such")
    with pytest.raises(NotFound, match="no-such"):
        snap.show("no-such")
    with pytest.raises(NothingToVerify):
        snap.verify(sandbox.base_image)


def test_a_commit_without_verification_says_so(snap: Snapshots, sandbox: Sandbox) -> None:
    box = sandbox.changed("touch /new")
    result = snap.commit(box, options=CommitOptions(check=False))
    assert result.verification is None
    assert result.name == ""
    assert sandbox.inspect(result.image_id)["RepoTags"] == []
