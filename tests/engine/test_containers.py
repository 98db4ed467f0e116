"""``snap start``, ``stop``, ``ps``, ``rm`` and ``reset``: the life of a container, and what is lost when."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from typing import Any

import lookalike
import pytest
from docker.errors import NotFound
from sandbox import SNAP, Sandbox

from snapshot.image.record import STARTED_LABEL
from snapshot.journal.journal import Journal
from snapshot.journal.step import Step

pytestmark = [
    pytest.mark.engine,
    pytest.mark.only_on(
        "docker28-containerd", "podman", reason="what they ask of an engine is the same on the other two"
    ),
]

QUIET = "trap 'exit 7' INT; trap 'exit 8' TERM; while :; do sleep 0.05; done"


def looper(sandbox: Sandbox, stem: str = "box", *options: str, image: str | None = None) -> str:
    """A running container that ends at once when it is asked to."""
    name = sandbox.name(stem)
    options = ("-d", "-q", "--network", "none", "--name", name, *options)
    sandbox.snap("run", *options, image or sandbox.base_image, "sh", "-c", QUIET)
    return name


def ended(sandbox: Sandbox, script: str = "true", stem: str = "box", *options: str) -> str:
    """A container whose command has ended."""
    name = sandbox.name(stem)
    options = ("-q", "--network", "none", "--name", name, *options)
    sandbox.snap("run", *options, sandbox.base_image, "sh", "-c", script)
    return name


def raw(sandbox: Sandbox, container: str) -> dict[str, Any]:
    answer: dict[str, Any] = sandbox.client.inspect_container(container)
    return answer


def is_there(sandbox: Sandbox, container: str) -> bool:
    try:
        sandbox.client.inspect_container(container)
    except NotFound:
        return False
    return True


def steps(sandbox: Sandbox, container_id: str) -> tuple[Step, ...]:
    folder = sandbox.home / ".local" / "state" / "docker-snap" / "journals"
    return Journal(folder, container_id).steps()


def listed(sandbox: Sandbox, name: str, *options: str) -> dict[str, Any] | None:
    """What ``snap ps`` says of a container."""
    document = json.loads(sandbox.snap("ps", "--format", "json", *options).stdout)
    assert document["schema"] == "docker-snap.ps/1"
    found: list[dict[str, Any]] = [item for item in document["containers"] if item["name"] == name]
    return found[0] if found else None


def answer_on_a_terminal(sandbox: Sandbox, answer: str, *arguments: str) -> tuple[int, str]:
    """Run snap on a terminal where ``answer`` is typed ahead; its exit status and what it showed."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer.encode())
        done = subprocess.run(
            [*SNAP, *arguments], env=sandbox.environment(), stdin=theirs, stdout=theirs, stderr=theirs,
            timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)


# --- start, stop ---


def test_start_lets_a_container_run_again_as_a_step_of_it(sandbox: Sandbox) -> None:
    name = ended(sandbox, "echo x >> /count; test $(wc -l < /count) = 1 || sleep 60")
    container_id = raw(sandbox, name)["Id"]

    assert sandbox.snap("start", name).stdout == f"{name}\n"
    assert sandbox.state(name) == "running"
    assert [step.verb for step in steps(sandbox, container_id)][-1] == "start"

    again = sandbox.snap("start", name)
    assert "was running already" in again.stderr
    assert len([step for step in steps(sandbox, container_id) if step.verb == "start"]) == 1


def test_a_container_that_cannot_be_started_is_told_and_the_others_are(sandbox: Sandbox) -> None:
    first, second = ended(sandbox, stem="a"), ended(sandbox, stem="b")
    missing = sandbox.name("missing")

    done = sandbox.snap("start", first, missing, second, expect=1)

    assert done.stdout.split() == [first, second]
    assert f"snap: No container is named '{missing}'." in done.stderr
    assert "Traceback" not in done.stderr


def test_stop_ends_the_processes_and_says_what_comes_next(sandbox: Sandbox) -> None:
    name = looper(sandbox)

    done = sandbox.snap("stop", name)

    assert done.stdout == f"{name}\n"
    assert f"snap diff {name}, snap commit {name} IMAGE" in done.stderr
    assert raw(sandbox, name)["State"]["ExitCode"] == 8
    assert "did not run" in sandbox.snap("stop", name).stderr


def test_stop_sends_the_signal_that_was_asked_for(sandbox: Sandbox) -> None:
    name = looper(sandbox)

    assert sandbox.snap("stop", "-q", "-s", "INT", name).stderr == ""
    assert sandbox.state(name) == "exited"
    assert raw(sandbox, name)["State"]["ExitCode"] == 7


def test_stop_kills_what_does_not_heed_it_in_time(sandbox: Sandbox) -> None:
    name = sandbox.hold()

    sandbox.snap("stop", "-t", "0", name)
    assert raw(sandbox, name)["State"]["ExitCode"] == 137

    sandbox.snap("start", name)
    sandbox.snap("stop", "-t", "0", "-s", "HUP", name)
    assert sandbox.state(name) == "exited"


def test_a_paused_container_is_stopped_and_removed_as_any_other_and_not_started(sandbox: Sandbox) -> None:
    name, other = looper(sandbox), looper(sandbox, "other")
    sandbox.client.pause(name)
    sandbox.client.pause(other)

    assert f"'{name}' is paused, not stopped." in sandbox.snap("start", name, expect=1).stderr
    sandbox.snap("stop", name)
    assert raw(sandbox, name)["State"]["ExitCode"] == 8
    sandbox.snap("rm", "--force", other)
    assert not is_there(sandbox, other)


# --- ps ---


def test_ps_lists_what_runs_and_whether_an_image_holds_it(sandbox: Sandbox) -> None:
    running, stopped = looper(sandbox, "running"), ended(sandbox, "echo x > /new", stem="stopped")
    foreign = sandbox.name("foreign")
    sandbox.client.create_container(sandbox.base_image, ["true"], name=foreign)

    assert listed(sandbox, stopped) is None
    assert listed(sandbox, foreign, "-a") is None
    found = listed(sandbox, running)
    assert found is not None
    assert (found["state"], found["steps"], found["unsaved_paths"]) == ("running", 1, 0)
    assert found["image"]["name"] == sandbox.base_image

    lines = sandbox.snap("ps", "-a").stdout.splitlines()
    assert lines[0].split() == ["NAME", "ID", "IMAGE", "STATE", "STEPS", "UNSAVED", "CREATED"]
    (row,) = (line.split() for line in lines if line.startswith(f"{stopped} "))
    assert row[3:7] == ["exited", "(0)", "1", "yes"]
    assert raw(sandbox, running)["Id"] in sandbox.snap("ps", "-q").stdout.split()


def test_a_change_after_the_commit_is_unsaved_again(sandbox: Sandbox) -> None:
    name = looper(sandbox)
    sandbox.sh(name, "echo 1 > /new; echo 2 >> ch03.txt")
    sandbox.snap("commit", "-q", name, sandbox.name("image"))
    found = listed(sandbox, name)
    assert found is not None
    assert found["unsaved_paths"] == 0
    assert found["last_commit"] == sandbox.inspect(sandbox.name("image"))["Id"]

    sandbox.sh(name, "echo more >> /new")

    found = listed(sandbox, name)
    assert found is not None
    assert found["unsaved_paths"] == 1


# --- rm ---


def test_rm_refuses_to_lose_changes_where_nobody_can_be_asked(sandbox: Sandbox) -> None:
    name = ended(sandbox, "echo x > /new; rm ch03.txt")

    done = sandbox.snap("rm", name, expect=4)

    assert f"snap: Removing '{name}' loses 2 changed paths that no image holds." in done.stderr
    assert "--force" in done.stderr
    assert is_there(sandbox, name)


def test_rm_takes_the_journal_along(sandbox: Sandbox) -> None:
    name = ended(sandbox)
    container_id = raw(sandbox, name)["Id"]
    assert steps(sandbox, container_id)

    assert sandbox.snap("rm", name).stdout == f"{name}\n"

    assert not is_there(sandbox, name)
    assert steps(sandbox, container_id) == ()
    assert [path for path in sandbox.home.rglob("*") if container_id in path.name] == []


def test_rm_does_not_ask_for_what_an_image_holds_while_it_holds_it(sandbox: Sandbox) -> None:
    kept, lost = (ended(sandbox, "echo x > /new", stem) for stem in ("kept", "lost"))
    for name in (kept, lost):
        sandbox.snap("commit", "-q", name, f"{name}-image")
    sandbox.client.remove_image(f"{lost}-image")

    sandbox.snap("rm", kept)
    assert "1 changed path that no image holds" in sandbox.snap("rm", lost, expect=4).stderr


def test_rm_asks_before_it_ends_what_runs(sandbox: Sandbox) -> None:
    name = looper(sandbox)

    assert f"Removing '{name}' ends its processes." in sandbox.snap("rm", name, expect=4).stderr
    assert sandbox.state(name) == "running"
    sandbox.snap("rm", "-f", name)
    assert not is_there(sandbox, name)


def test_on_a_terminal_the_answer_decides_and_is_no_by_default(sandbox: Sandbox) -> None:
    name = ended(sandbox, "echo x > /new")

    status, shown = answer_on_a_terminal(sandbox, "\n", "rm", name)
    assert status == 1
    assert "loses 1 changed path that no image holds." in shown
    assert f"Remove '{name}'? [y/N]" in shown
    assert f"'{name}' is kept" in shown
    assert is_there(sandbox, name)

    status, shown = answer_on_a_terminal(sandbox, "y\n", "rm", name)
    assert status == 0
    assert not is_there(sandbox, name)


def test_rm_goes_on_after_one_that_it_refuses(sandbox: Sandbox) -> None:
    changed, plain = ended(sandbox, "echo x > /new", "changed"), ended(sandbox, stem="plain")

    assert sandbox.snap("rm", changed, plain, expect=1).stdout == f"{plain}\n"
    assert (is_there(sandbox, changed), is_there(sandbox, plain)) == (True, False)


def test_rm_counts_an_anonymous_volume_as_lost_and_leaves_a_named_one(sandbox: Sandbox) -> None:
    volume = sandbox.name("volume")
    name = ended(sandbox, "true", "box", "-v", "/data", "-v", f"{volume}:/named")
    (anonymous,) = (
        mount["Name"] for mount in raw(sandbox, name)["Mounts"] if mount["Destination"] == "/data"
    )
    try:
        assert "loses the data of 1 anonymous volume" in sandbox.snap("rm", name, expect=4).stderr
        sandbox.snap("rm", "--force", name)
        volumes = {item["Name"] for item in sandbox.client.volumes()["Volumes"] or ()}
        assert anonymous not in volumes
        assert volume in volumes
    finally:
        sandbox.client.remove_volume(volume, force=True)


# --- reset ---


def test_reset_gives_a_container_like_the_old_one_without_its_changes(sandbox: Sandbox) -> None:
    name = looper(
        sandbox, "box", "-e", "WHO=Elton", "-w", "/tmp", "-u", "0", "-l", "team=a", "-v", "/etc:/host:ro"
    )
    before = raw(sandbox, name)
    sandbox.sh(name, "echo x > /new; rm /diamol/ch03.txt")

    assert "2 changed paths" in sandbox.snap("reset", name, expect=4).stderr
    done = sandbox.snap("reset", "--force", name)

    after = raw(sandbox, name)
    assert done.stdout == f"{after['Id']}\n"
    assert after["Id"] != before["Id"]
    assert sandbox.state(name) == "running"
    assert sandbox.sh(name, "test ! -e /new; cat /diamol/ch03.txt /host/hostname") != ""
    found = listed(sandbox, name)
    assert found is not None
    assert found["unsaved_paths"] == 0
    for part in ("Config", "HostConfig"):
        for answer in (before, after):
            answer[part].pop("Hostname", None)
            answer[part]["Env"] = sorted(
                variable for variable in answer[part].get("Env") or () if not variable.startswith("HOSTNAME=")
            )
        assert after[part] == before[part]
    assert [(step.verb, step.argv) for step in steps(sandbox, after["Id"])] == [("reset", ())]
    assert steps(sandbox, before["Id"]) == ()
    assert not is_there(sandbox, before["Id"])


def test_reset_leaves_a_stopped_container_stopped_and_keeps_named_volumes_alone(sandbox: Sandbox) -> None:
    volume = sandbox.name("volume")
    name = ended(
        sandbox, "echo x > /named/x; echo x > /data/x", "box", "-v", "/data", "-v", f"{volume}:/named"
    )
    try:
        assert "the data of 1 anonymous volume" in sandbox.snap("reset", name, expect=4).stderr
        sandbox.snap("reset", "-f", "-q", name)

        assert sandbox.state(name) == "created"
        sources = {mount["Destination"]: mount["Name"] for mount in raw(sandbox, name)["Mounts"]}
        assert sources["/named"] == volume
        assert len(sources["/data"]) == 64
        seen = ["-v", f"{volume}:/n", "-v", f"{sources['/data']}:/d"]
        shown = sandbox.snap(
            "run", "-q", "--network", "none", "--name", sandbox.name("see"), *seen, sandbox.base_image,
            "ls", "/n", "/d",
        ).stdout  # fmt: skip
        assert shown.split() == ["/d:", "/n:", "x"]
        sandbox.snap("rm", "-f", name, sandbox.name("see"))
    finally:
        sandbox.client.remove_volume(volume, force=True)


def test_reset_goes_to_a_snapshot_and_what_came_from_the_image_follows_it(sandbox: Sandbox) -> None:
    base, snapshot = sandbox.name("base"), sandbox.name("snapshot")
    script = json.dumps(["sh", "-c", QUIET])
    first = ended(sandbox, stem="first")
    sandbox.snap("commit", "-q", first, base, "--change", "ENV MODE=old", "--change", f"CMD {script}")
    name = sandbox.name()
    sandbox.snap("run", "-dq", "--network", "none", "--name", name, "-e", "WHO=Elton", base)
    sandbox.sh(name, "echo kept > /kept")
    sandbox.snap("commit", "-q", name, snapshot, "--change", "ENV MODE=new")
    sandbox.sh(name, "echo lost > /lost")

    sandbox.snap("reset", name, "--to", snapshot, "--force")

    config = raw(sandbox, name)["Config"]
    assert {"MODE=new", "WHO=Elton"} <= set(config["Env"])
    assert "MODE=old" not in config["Env"]
    assert config["Labels"][STARTED_LABEL] == sandbox.inspect(snapshot)["Id"]
    assert sandbox.sh(name, "cat /kept; test ! -e /lost") == "kept\n"
    found = listed(sandbox, name)
    assert found is not None
    assert (found["steps"], found["unsaved_paths"]) == (1, 0)
    assert steps(sandbox, raw(sandbox, name)["Id"])[0].argv == ("--to", snapshot)

    sandbox.snap("reset", "-q", name)
    assert sandbox.sh(name, "cat /kept") == "kept\n"


def test_reset_refuses_an_image_that_is_no_snapshot_of_the_containers(sandbox: Sandbox) -> None:
    other = sandbox.name("other")
    lookalike.make_ch03_lab(sandbox.client, other)
    name = ended(sandbox)
    # The same layers are no proof either.
    done = sandbox.snap("reset", name, "--to", other, expect=None)
    if sandbox.inspect(other)["Id"] != sandbox.inspect(sandbox.base_image)["Id"]:
        assert done.returncode == 4
        assert f"'{other}' is no snapshot of '{sandbox.base_image}'" in done.stderr
    assert is_there(sandbox, name)


def test_where_the_new_container_does_not_start_the_old_one_is_put_back(sandbox: Sandbox) -> None:
    name = looper(sandbox)
    broken = sandbox.name("broken")
    sandbox.sh(name, "echo kept > /kept")
    sandbox.snap("commit", "-q", name, broken, "--change", 'ENTRYPOINT ["/missing"]')
    before = raw(sandbox, name)["Id"]
    step_count = len(steps(sandbox, before))

    done = sandbox.snap("reset", name, "--to", broken, "--force", expect=127)

    assert "Traceback" not in done.stderr
    assert raw(sandbox, name)["Id"] == before
    assert sandbox.state(name) == "running"
    assert sandbox.sh(name, "cat /kept") == "kept\n"
    assert len(steps(sandbox, before)) == step_count
    names = [item["Names"][0] for item in sandbox.client.containers(all=True)]
    assert [found for found in names if found.startswith(f"/{name}")] == [f"/{name}"]
