"""Commits of containers in each state, again and again (conformance L)."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import docker
import docker.errors
import pytest
from sandbox import SNAP, Sandbox

pytestmark = pytest.mark.engine


def test_a_second_commit_holds_both_changes_and_stands_on_the_first_base(sandbox: Sandbox) -> None:
    """F33."""
    box = sandbox.changed("echo 1 > /one")
    sandbox.snap("commit", box, sandbox.name("first"))
    sandbox.sh(box, "echo 2 > /two")
    sandbox.snap("commit", box, sandbox.name("second"))
    assert sandbox.output_of(sandbox.name("second"), "cat", "/one", "/two") == "1\n2\n"
    layers = [
        len(sandbox.inspect(image)["RootFS"]["Layers"])
        for image in (sandbox.base_image, sandbox.name("second"))
    ]
    assert layers == [1, 2]


def test_the_same_container_committed_twice_has_the_same_manifest(sandbox: Sandbox) -> None:
    """R01."""
    box = sandbox.changed("mkdir /a && echo 1 > /a/b && rm /bin/wc")
    digests = []
    for name in ("one", "two"):
        done = sandbox.snap("commit", box, sandbox.name(name), "--format", "json")
        digests.append(json.loads(done.stdout)["changes"]["digest"])
    assert digests[0] == digests[1]


def test_a_snapshot_of_a_snapshot_has_a_record_of_its_own(sandbox: Sandbox) -> None:
    box = sandbox.changed("echo 1 > /file; echo 1 > /gone")
    sandbox.snap("commit", box, sandbox.name("first"), "-m", "first")
    again = sandbox.changed("echo 22 > /file; rm /gone", "again", image=sandbox.name("first"))
    sandbox.snap("commit", again, sandbox.name("second"), "-m", "second")
    done = sandbox.snap("verify", sandbox.name("second"), "--absent", "/gone", "--contains", "/file=22")
    assert f"docker.io/library/{sandbox.name('first')}:latest, 2 layers" in done.stdout
    assert "second" in sandbox.snap("show", sandbox.name("second")).stdout
    sandbox.snap("verify", sandbox.name("first"))


@pytest.mark.parametrize(
    ("method", "pause", "expected"),
    [
        ("sealed", "--pause", ["pause", "unpause"]),
        ("sealed", "--no-pause", []),
        ("engine", "--pause", ["pause", "commit", "unpause"]),
        ("engine", "--no-pause", ["commit"]),
    ],
)
def test_a_running_container_runs_on_and_was_frozen_unless_told_not_to(
    sandbox: Sandbox, host: str, method: str, pause: str, expected: list[str]
) -> None:
    """L02, L03."""
    box = sandbox.changed("echo > /new")
    events: list[str] = []
    watcher = docker.APIClient(host, version="auto", timeout=60)
    stream = watcher.events(decode=True, filters={"container": box})
    thread = threading.Thread(target=lambda: events.extend(event["status"] for event in stream), daemon=True)
    thread.start()
    sandbox.snap("commit", "--method", method, pause, box, sandbox.name("image"))
    time.sleep(0.2)
    stream.close()
    thread.join(10)
    watcher.close()
    assert sandbox.state(box) == "running"
    assert [event for event in events if "pause" in event or event == "commit"] == expected


def test_a_container_that_the_user_paused_stays_paused(sandbox: Sandbox) -> None:
    box = sandbox.changed("echo > /new")
    sandbox.client.pause(box)
    sandbox.snap("commit", box, sandbox.name("image"))
    assert sandbox.state(box) == "paused"


def test_an_exited_and_a_never_started_container_can_be_committed_and_removed(sandbox: Sandbox) -> None:
    """L01, L05, L11."""
    exited, created = sandbox.name("exited"), sandbox.name("created")
    sandbox.snap("run", "-q", "--network", "none", "--name", exited, sandbox.base_image, "touch", "/new")
    sandbox.client.create_container(sandbox.base_image, ["true"], name=created)
    for container in (exited, created):
        sandbox.snap("commit", container, sandbox.name(f"of-{container[-6:]}"))
        sandbox.client.remove_container(container)
        sandbox.snap("verify", sandbox.name(f"of-{container[-6:]}"))
    assert "none" in sandbox.snap("show", sandbox.name("of-reated")).stdout


def test_a_bogus_or_empty_container_is_named(sandbox: Sandbox) -> None:
    """L07."""
    assert "'no-such'" in sandbox.snap("commit", "no-such", sandbox.name("image"), expect=1).stderr
    sandbox.snap("commit", "", sandbox.name("image"), expect=2)
    assert sandbox.new_images() == set()


def test_a_base_that_lost_its_name_still_serves_and_one_that_was_removed_is_named(sandbox: Sandbox) -> None:
    """L10."""
    base, box = sandbox.name("base"), sandbox.name("box")
    sandbox.snap("commit", sandbox.changed("echo > /new", "made"), base)
    sandbox.snap("run", "-q", "--network", "none", "--name", box, base, "touch", "/more")
    sandbox.client.tag(base, sandbox.name("other"))
    sandbox.client.remove_image(base)
    sandbox.snap("commit", box, sandbox.name("image"))
    sandbox.client.remove_image(sandbox.name("image"))
    # Podman takes the containers of an image along.
    if sandbox.is_podman:
        return
    base_id = sandbox.inspect(sandbox.name("other"))["Id"]
    sandbox.client.remove_image(sandbox.name("other"), force=True)
    # The containerd store keeps an image that a container uses, without a name.
    with suppress(docker.errors.ImageNotFound):
        sandbox.client.remove_image(base_id, force=True)
    done = sandbox.snap("commit", box, sandbox.name("image"), expect=1)
    assert "base image" in done.stderr
    assert sandbox.name("base") in done.stderr


def test_a_tag_that_moves_is_said_aloud_and_the_old_image_is_kept(sandbox: Sandbox) -> None:
    """L16."""
    box, image = sandbox.changed("echo 1 > /new"), sandbox.name("image")
    old = sandbox.snap("commit", "-q", box, image).stdout.strip()
    sandbox.sh(box, "echo 2 > /new")
    done = sandbox.snap("commit", box, image)
    assert f"{image}:latest named {old[7:19]} before" in done.stderr
    assert sandbox.inspect(old)["RepoTags"] == []
    sandbox.snap("verify", old)


def test_a_name_that_means_a_deletion_is_refused_for_safety(sandbox: Sandbox) -> None:
    box = sandbox.changed("echo x > /tmp/.wh.x")
    done = sandbox.snap("commit", box, sandbox.name("image"), expect=4)
    assert "/tmp/.wh.x" in done.stderr
    assert sandbox.new_images() == set()
    assert sandbox.state(box) == "running"


@pytest.mark.parametrize(("method", "is_missed"), [("sealed", False), ("engine", True)])
def test_a_list_too_large_for_labels_is_in_the_sealed_layer_or_missed_elsewhere(
    sandbox: Sandbox, tmp_path: Path, method: str, is_missed: bool
) -> None:
    box = sandbox.changed("mkdir /many; cd /many; for i in $(seq 1500); do echo $i$i > f$i; done")
    image, elsewhere = sandbox.name("image"), {"XDG_STATE_HOME": str(tmp_path / "elsewhere")}
    sandbox.snap("commit", "--method", method, box, image)
    labels = sandbox.config(image)["Labels"]
    assert sum(len(value) for key, value in labels.items() if "docker-snap" in key) < 65536
    sandbox.snap("verify", "--deep", image)
    done = sandbox.snap("verify", "--deep", image, env=elsewhere, expect=3 if is_missed else 0)
    assert ("cannot be checked" in done.stdout) == is_missed


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_commit_that_is_stopped_leaves_no_image_and_no_frozen_container(
    sandbox: Sandbox, number: signal.Signals, status: int
) -> None:
    box = sandbox.changed("dd if=/dev/zero of=/large bs=1M count=300")
    process = subprocess.Popen(
        [*SNAP, "commit", box, sandbox.name("image")],
        env=sandbox.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while sandbox.state(box) != "paused" and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status, errors
    assert "Traceback" not in errors
    assert sandbox.state(box) == "running"
    assert sandbox.new_images() == set()
